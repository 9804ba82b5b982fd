"""What heavy work would cost, on Modal and here, and how this month stands to its budget."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from lifecycle.budget import has_gpu
from lifecycle.cost import (
    Estimate,
    Machine,
    a10,
    estimate_embedding,
    estimate_training,
    here,
    trained_pairs,
)
from lifecycle.settings import LifecycleSettings, read_settings
from lifecycle.workspace import Workspace
from registry import catalogue, spending
from registry.spending import Expense
from training.configuration import TrainingConfiguration


@dataclass(frozen=True)
class Plan:
    """What a retraining and a re-embedding would take, each on Modal's A10 and here, and this month's spending.

    Attributes:
        pairs: that would be trained on; songs: that would be embedded.
    """

    configuration: TrainingConfiguration
    pairs: int
    songs: int
    training: tuple[Estimate, ...]
    reembedding: tuple[Estimate, ...]
    settings: LifecycleSettings
    spent: float
    expenses: tuple[Expense, ...]

    def as_json(self) -> dict[str, Any]:
        """The plan as a JSON object."""
        return {
            "profile": self.configuration.profile,
            "epochs": self.configuration.epochs,
            "pairs": self.pairs,
            "songs": self.songs,
            "training": [each.as_json() for each in self.training],
            "reembedding": [each.as_json() for each in self.reembedding],
            "month": {
                "month": f"{datetime.now(UTC):%Y-%m}",
                "budget": self.settings.budget,
                "spent": self.spent,
                "left": max(self.settings.budget - self.spent, 0.0),
                "expenses": [{**asdict(each), "at": each.at.isoformat()} for each in self.expenses],
            },
        }


def plan(
    workspace: Workspace, configuration: TrainingConfiguration, *, pairs: int | None = None, songs: int | None = None
) -> Plan:
    """What a retraining by this configuration and a re-embedding would cost.

    Args:
        pairs: trained on, by default about as many as the catalogue gives; songs: embedded, by default all there are.

    Raises:
        NotFound: nobody knows how fast the profile goes.
        BadInput: a price or the budget cannot be used.
    """
    settings = read_settings()
    with workspace.database.transaction() as connection:
        counts = catalogue.counts(connection)
        spent, expenses = spending.month_total(connection), spending.list_month(connection)
    pairs = trained_pairs(counts["memberships"]) if pairs is None else pairs
    songs = counts["songs"] if songs is None else songs
    machines: tuple[Machine, ...] = (a10(settings), here(settings, gpu=has_gpu(workspace)))
    return Plan(
        configuration=configuration,
        pairs=pairs,
        songs=songs,
        training=tuple(estimate_training(pairs, configuration, each, songs=songs) for each in machines),
        reembedding=tuple(estimate_embedding(songs, configuration.profile, each) for each in machines),
        settings=settings,
        spent=spent,
        expenses=tuple(expenses),
    )
