"""Rows of the report that compare two versions: a lift with its interval, by regime and by genre, and baselines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lifecycle.report.labels import baseline_title, regime_meaning, regime_title
from lifecycle.report.plots import Lift, Standing
from lifecycle.report.scales import Scale, snug_scale_over

Document = Mapping[str, Any]


@dataclass(frozen=True)
class LiftRow:
    """One line of a table of lifts.

    Attributes:
        lift: None where nothing was compared.
        p: of the paired test; over genres after Holm's correction.
        more: another metric of the two versions, where the table shows one beside the lift's.
    """

    title: str
    meaning: str
    queries: int
    new: float | None
    old: float | None
    lift: Lift | None
    p: float | None
    more: tuple[float, float] | None = None


@dataclass(frozen=True)
class LiftTable:
    """Rows over one scale."""

    rows: tuple[LiftRow, ...]
    scale: Scale

    @classmethod
    def over(cls, rows: Sequence[LiftRow], *, margin: float | None = None) -> "LiftTable":
        lifts = [row.lift for row in rows if row.lift is not None]
        ends = [value for lift in lifts for value in (lift.low, lift.high)]
        held = (0.0,) if margin is None else (0.0, margin)
        return cls(tuple(rows), snug_scale_over(ends, include=(*held, -0.01, 0.01)))


@dataclass(frozen=True)
class BarRow:
    """One model's figure in a regime; `kind` is "new", "old" or "baseline"."""

    title: str
    kind: str
    value: float
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class BarTable:
    """All models in one regime, best first."""

    title: str
    meaning: str
    queries: int
    candidates: int | None
    sufficient: bool
    rows: tuple[BarRow, ...]


def regime_lifts(comparison: Mapping[str, Any], metric: str) -> LiftTable:
    """The lift over all queries and in every regime."""
    rows = [_row("All queries", "every query among its own regime's playlists", None, comparison["overall"], metric)]
    rows += [
        _row(regime_title(name), regime_meaning(name), each["n"], each, metric)
        for name, each in comparison["regimes"].items()
    ]
    total = sum(each["n"] for each in comparison["regimes"].values())
    first = LiftRow(**{**vars(rows[0]), "queries": total})
    return LiftTable.over([first, *rows[1:]])


def genre_lifts(comparison: Mapping[str, Any]) -> LiftTable:
    """The lift in MRR by genre, which the gate tests: the worst first, those with too few queries last."""
    rows = [_genre(name, each) for name, each in comparison["genres"].items()]
    return LiftTable.over(sorted(rows, key=_worst_first))


def base_lift(comparison: Mapping[str, Any], regime: str, metric: str, margin: float) -> LiftTable | None:
    """One regime against the base model, with the margin marked; None where the regime was not compared."""
    found = comparison["regimes"].get(regime)
    if found is None:
        return None
    return LiftTable.over(
        [_row(regime_title(regime), regime_meaning(regime), found["n"], found, metric)], margin=-margin
    )


def regime_bars(document: Document, metric: str) -> list[BarTable]:
    """In every regime the version, those it is measured against, and the baselines."""
    return [_bars(document, name, regime, metric) for name, regime in document["evaluation"]["regimes"].items()]


def _row(title: str, meaning: str, queries: int | None, figures: Mapping[str, Any], metric: str) -> LiftRow:
    found = figures[metric]
    lift = Lift(
        found["difference"], found["low"], found["high"], _standing(found, sufficient=figures.get("sufficient", True))
    )
    return LiftRow(title, meaning, queries or 0, found["new"], found["old"], lift, found.get("p"))


def _genre(name: str, figures: Mapping[str, Any]) -> LiftRow:
    mrr, top5 = figures["mrr"], figures["top5"]
    standing = Standing(figures["verdict"])
    lift = Lift(mrr["difference"], mrr["low"], mrr["high"], standing)
    more = (top5["new"], top5["old"])
    return LiftRow(name, "", figures["n"], mrr["new"], mrr["old"], lift, mrr.get("p_holm"), more)


def _standing(found: Mapping[str, Any], *, sufficient: bool) -> Standing:
    """What the interval says by itself: whether it leaves zero out."""
    if not sufficient:
        return Standing.INSUFFICIENT
    if found["low"] > 0:
        return Standing.BETTER
    return Standing.WORSE if found["high"] < 0 else Standing.SAME


def _worst_first(row: LiftRow) -> tuple[bool, float]:
    assert row.lift is not None  # noqa: S101 - `_genre` makes no other
    return row.lift.standing is Standing.INSUFFICIENT, row.lift.difference


def _bars(document: Document, name: str, regime: Mapping[str, Any], metric: str) -> BarTable:
    interval = regime.get("intervals", {}).get(metric)
    rows = [BarRow(document["version"], "new", regime[metric], tuple(interval) if interval else None)]
    rows += _others(document, name, metric)
    rows += [
        BarRow(baseline_title(each), "baseline", figures[metric])
        for each, figures in regime.get("baselines", {}).items()
    ]
    rows.sort(key=lambda row: -row.value)
    return BarTable(
        title=regime_title(name),
        meaning=regime_meaning(name),
        queries=regime["n"],
        candidates=regime.get("candidates"),
        sufficient=regime.get("sufficient", True),
        rows=tuple(rows),
    )


def _others(document: Document, regime: str, metric: str) -> list[BarRow]:
    """The live version and the base model in a regime, once each."""
    rows = {}
    for role, key in (("base model", "base"), ("", "against")):
        other = document.get(key)
        figures = ((other or {}).get("evaluation") or {}).get("regimes", {}).get(regime)
        if other and figures and other["version"] not in rows:
            title = f"{other['version']}, the {role}" if role else other["version"]
            rows[other["version"]] = BarRow(title, "old", figures[metric])
    return list(rows.values())
