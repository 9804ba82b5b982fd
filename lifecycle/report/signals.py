"""What a version matches by, and what each of it is worth."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lifecycle.report.charts import Chart, Series
from lifecycle.report.labels import REGIMES, SIGNALS, TIERS, regime_title

Document = Mapping[str, Any]
Metrics = Mapping[str, float]


@dataclass(frozen=True)
class SignalRow:
    """A signal, or a tier of them.

    Attributes:
        known: its learned weight for playlists with songs; `by_text` for those known by their text alone.
        alone: metrics of matching by it alone; `without` by all others. None where they were not measured.
        adds: to the MRR, beside all others.
    """

    title: str
    known: float | None
    by_text: float | None
    alone: Metrics | None
    without: Metrics | None
    adds: float | None


@dataclass(frozen=True)
class SignalTable:
    """Signals and tiers, measured on the queries of one regime; `whole` is what all of them reach there together."""

    regime: str
    queries: int
    whole: Metrics
    signals: tuple[SignalRow, ...]
    tiers: tuple[SignalRow, ...]


def signal_table(document: Document) -> SignalTable | None:
    """Of the first regime in which signals were measured; None if there is none."""
    regimes = (document["evaluation"] or {}).get("regimes", {})
    name = next((each for each in _in_order(regimes, REGIMES) if regimes[each].get("signals")), None)
    if name is None:
        return None
    figures = regimes[name]
    learned = document["specification"]["matching"].get("learned") or {}
    alone, without, tiers = figures["signals"], figures.get("without", {}), figures.get("without_tiers", {})

    def row(kind: str, title: str, rest: Metrics | None) -> SignalRow:
        adds = None if rest is None else figures["mrr"] - rest["mrr"]
        known, by_text = ((learned.get(each) or {}).get(kind) for each in ("known", "by_text"))
        return SignalRow(title, known, by_text, alone.get(kind), rest, adds)

    return SignalTable(
        regime_title(name),
        figures["n"],
        figures,
        tuple(row(each, SIGNALS.get(each, each), without.get(each)) for each in _in_order(alone, SIGNALS)),
        tuple(row(each, each, tiers[each]) for each in _in_order(tiers, TIERS)),
    )


def type_rows(document: Document) -> list[tuple[str, Mapping[str, Any]]]:
    """The types of playlists with their figures, those with most queries first."""
    types = (document["evaluation"] or {}).get("types") or {}
    return sorted(types.items(), key=lambda each: (-each[1]["n"], each[0]))


def none_fits_chart(document: Document) -> Chart | None:
    """Songs that belong nowhere and are recognised, by the right answers that are kept for it."""
    found = (document["evaluation"] or {}).get("none_fits")
    if not found or len(found.get("curve", ())) < 2:
        return None
    points = sorted({(each["kept"], each["recognised"]) for each in found["curve"]})
    line = Series("recognised", tuple((float(kept), float(recognised)) for kept, recognised in points))
    kept = float(found["kept"])
    title = "Songs without a playlist that are recognised"
    return Chart(title, "share of the right answers that is kept", (line,), kept, "this version")


def _in_order(names: Iterable[str], known: Iterable[str]) -> list[str]:
    """Names as they are told, since the database keeps them in an order of its own; those that are not known last."""
    places = {name: place for place, name in enumerate(known)}
    return sorted(names, key=lambda name: (places.get(name, len(places)), name))
