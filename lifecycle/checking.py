"""The facts that the triggers look at, read from the catalogue, the registry and the datasets. Trains nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lifecycle.feedback import judgements_of, moves_of
from lifecycle.triggers import Facts, Hits, Trigger, check, due
from lifecycle.workspace import Workspace
from registry import catalogue, pointer, versions
from registry.database import Connection
from registry.errors import BadInput, NotFound
from registry.pointer import Pointer
from registry.records import CatalogueSnapshot
from registry.versions import ModelVersion
from training.dataset import PairDataset, build_dataset, unsplit_dataset

_UNKNOWN_GENRE = "unknown"


@dataclass(frozen=True)
class Checked:
    """What came of a check."""

    facts: Facts
    triggers: tuple[Trigger, ...]

    @property
    def due(self) -> bool:
        return due(self.triggers)

    def as_json(self) -> dict[str, Any]:
        """The check as a JSON object."""
        return {
            "due": self.due,
            "live": self.facts.live,
            "candidate": self.facts.candidate,
            "triggers": [trigger.as_json() for trigger in self.triggers],
        }


def check_triggers(workspace: Workspace, *, now: datetime | None = None) -> Checked:
    """Whether a retraining is due, as of now."""
    facts = read_facts(workspace, now or datetime.now(UTC))
    return Checked(facts, tuple(check(facts)))


def read_facts(workspace: Workspace, now: datetime) -> Facts:
    """Everything that the triggers look at."""
    with workspace.database.transaction() as connection:
        snapshot = catalogue.snapshot(connection)
        present = pointer.read(connection)
        live = versions.get(connection, present.live) if present.live else None
        hits = _hits(connection, live)
    usable, known = _usable(snapshot), _trained_on(workspace, live)
    return Facts(
        now=now,
        usable_pairs=len(usable),
        new_pairs=None if known is None else len(usable - known),
        judgements=judgements_of(snapshot.feedback),
        moves=moves_of(snapshot.feedback),
        hits=hits,
        genres={each.playlist_id: each.genre or _UNKNOWN_GENRE for each in snapshot.playlists},
        names={each.playlist_id: each.name for each in snapshot.playlists},
        **_of_version(present, live),
    )


def _of_version(present: Pointer, live: ModelVersion | None) -> dict[str, Any]:
    return {
        "live": present.live,
        "base": live is not None and live.spec.training is None,
        "candidate": present.candidate,
        "trained_at": live.registered_at if live else None,
        "promoted_at": present.moved_at if live else None,
    }


def _usable(snapshot: CatalogueSnapshot) -> set[tuple[str, str]]:
    """The pairs that a retraining would use now, those it would test on included."""
    try:
        dataset = build_dataset(snapshot)
    except BadInput:  # too few to be split; they are counted all the same
        dataset = unsplit_dataset(snapshot)
    return {(pair.playlist_id, pair.song_id) for pair in dataset.pairs if pair.weight > 0}


def _trained_on(workspace: Workspace, live: ModelVersion | None) -> set[tuple[str, str]] | None:
    """The pairs of the live version's dataset, tested ones included; none if it is not on this machine."""
    if live is None or live.spec.training is None:
        return set()
    try:
        dataset = PairDataset.load(workspace.datasets, live.spec.training.dataset)
    except NotFound:
        return None
    return {(pair.playlist_id, pair.song_id) for pair in dataset.pairs}


def _hits(connection: Connection, live: ModelVersion | None) -> tuple[dict[str, Hits], dict[str, Hits]] | None:
    """By genre, on the live version's own dataset and on the latest other one; none where one of them is missing."""
    if live is None or live.spec.training is None:
        return None
    own = live.spec.training.dataset
    reports = versions.list_evaluations(connection, live.version)
    older = next((report for dataset, report in reports if dataset == own), None)
    newer = next((report for dataset, report in reports if dataset != own), None)
    return None if older is None or newer is None else (_of_genres(older), _of_genres(newer))


def _of_genres(report: Mapping[str, Any]) -> dict[str, Hits]:
    return {
        genre: Hits(top5=round(figures["top5"] * figures["n"]), n=figures["n"])
        for genre, figures in report["genres"].items()
    }
