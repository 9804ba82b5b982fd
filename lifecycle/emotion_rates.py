"""Which emotions a version has predicted of late, beside what it did before and on the texts it was measured on."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from lifecycle.drift import chance_index, stability_index
from lifecycle.workspace import Workspace
from registry import emotions, pointer, versions
from registry.emotions import Predicted
from registry.errors import Refused
from registry.versions import EmotionsSpec


@dataclass(frozen=True)
class LabelRates:
    """In what share of texts a label held, lately, in the time as long before, and where the model was measured.

    None where there is no text. `score` is the label's mean score lately.
    """

    label: str
    rate: float | None
    rate_before: float | None
    rate_measured: float | None
    score: float | None


@dataclass(frozen=True)
class Drift:
    """How far the labels that held have moved: the population stability index, and what it would be by chance."""

    index: float | None
    by_chance: float | None


@dataclass(frozen=True)
class EmotionRates:
    """A version's predictions of a number of days."""

    version: str
    days: float
    texts: int
    texts_before: int
    labels: tuple[LabelRates, ...]
    from_before: Drift
    from_measured: Drift

    def as_json(self) -> dict[str, Any]:
        """It as a JSON object."""
        return {
            "version": self.version,
            "days": self.days,
            "texts": self.texts,
            "texts_before": self.texts_before,
            "labels": [vars(each) for each in self.labels],
            "drift": {"from_before": vars(self.from_before), "from_measured": vars(self.from_measured)},
        }


def emotion_rates(workspace: Workspace, name: str | None, *, days: float) -> EmotionRates:
    """What all servers predicted with a version (by default the live one) in the last days, to the hour.

    Raises:
        NotFound: there is no such version.
        Refused: it has no emotion model, or no version is live.
    """
    now = datetime.now(UTC)
    since = now - timedelta(days=days)
    with workspace.database.transaction() as connection:
        name = name or pointer.read(connection).live
        if name is None:
            raise Refused("No model version is live.", "Name a version, or see `autosort status`.")
        version = versions.get(connection, name)
        late = emotions.read(connection, name, since=since)
        before = emotions.read(connection, name, since=since - timedelta(days=days), until=since)
    if version.spec.emotions is None:
        raise Refused(f"{name} has no emotion model.", "The next `autosort retrain` makes a version that has one.")
    return compare_rates(name, version.spec.emotions, late, before, days=days)


def compare_rates(
    version: str, spec: EmotionsSpec, late: dict[str, Predicted], before: dict[str, Predicted], *, days: float
) -> EmotionRates:
    """Set predictions of two periods, by label, beside each other."""
    nothing = Predicted()
    new, old = ([each.get(label, nothing) for label in spec.labels] for each in (late, before))
    measured = dict(zip(spec.labels, spec.rates, strict=True)) if spec.rates else {}
    held, held_before = ([each.held for each in counts] for counts in (new, old))
    return EmotionRates(
        version=version,
        days=days,
        texts=max(each.texts for each in new),
        texts_before=max(each.texts for each in old),
        labels=tuple(
            LabelRates(label, _rate(new[place]), _rate(old[place]), measured.get(label), _score(new[place]))
            for place, label in enumerate(spec.labels)
        ),
        from_before=_drift(held_before, held, sum(held_before)),
        from_measured=_drift(spec.rates, held, None),
    )


def _drift(before: "list[int] | tuple[float, ...]", after: list[int], sample: int | None) -> Drift:
    """From counts or shares, which are of a sample of a size, or of so many that chance has no part in them."""
    index = stability_index(before, after)
    if index is None:
        return Drift(None, None)
    return Drift(round(index, 4), round(chance_index(len(after), sample or float("inf"), sum(after)), 4))


def _rate(predicted: Predicted) -> float | None:
    return round(predicted.held / predicted.texts, 4) if predicted.texts else None


def _score(predicted: Predicted) -> float | None:
    return round(predicted.score / predicted.texts, 4) if predicted.texts else None
