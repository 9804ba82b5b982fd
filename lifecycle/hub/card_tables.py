"""The tables of a published version's card. Every one is made of counts and figures."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lifecycle.report.document import Document
from lifecycle.report.facts import run_facts, split_rows
from lifecycle.report.figures import number, p_value, plain, signed, words
from lifecycle.report.labels import METRICS, baseline_title, regime_meaning, regime_title
from training.statistics import MINIMUM_QUERIES

INSUFFICIENT = "insufficient"


@dataclass(frozen=True)
class Table:
    """Columns and rows of a table."""

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]


@dataclass(frozen=True)
class RegimeSection:
    """What a version reaches in a regime.

    Attributes:
        queries: songs that were asked for.
        playlists: how many they were ranked among.
        sufficient: whether the queries are enough to tell anything.
        changes: against each other version, in words.
        others: what the embedding alone and the simple methods reach.
    """

    title: str
    meaning: str
    queries: int
    playlists: int
    sufficient: bool
    table: Table
    changes: Sequence[str]
    others: Table


def regime_sections(document: Document) -> list[RegimeSection]:
    """Each regime with its metrics beside those of the base version and of the live (or the previous) one."""
    return [_section(document, name, regime) for name, regime in document["evaluation"]["regimes"].items()]


def genre_table(evaluation: Mapping[str, Any]) -> Table:
    """Top-5 and MRR of each genre, or that there are too few songs to tell."""
    rows = []
    for genre, found in evaluation["genres"].items():
        shown = [_with_interval(found, each) if found["sufficient"] else INSUFFICIENT for each in ("top5", "mrr")]
        rows.append([genre, found["n"], *shown])
    return Table(["genre", "songs", "Top-5", "MRR"], rows)


def split_table(audit: Mapping[str, Any]) -> Table:
    """What each split is for and how much of it there is."""
    counted = ("pairs", "songs", "playlists", "clusters")
    rows = [
        [each.title, each.meaning, *(each.counts.get(name, "") for name in counted)]
        for each in split_rows({"dataset": {"audit": audit}})
    ]
    return Table(["split", "for", *counted], rows)


def audit_table(audit: Mapping[str, Any]) -> Table:
    """What the auditor looked for, and how often it found it."""
    return Table(["looked for", "found"], [[words(name), count] for name, count in audit["overlaps"].items()])


def recipe_table(configuration: Mapping[str, Any]) -> Table:
    """Every value of the training configuration."""
    return Table(["setting", "value"], [[name, plain(value)] for name, value in configuration.items()])


def run_table(document: Document) -> Table:
    """How the training went."""
    return Table(["", ""], run_facts(document))


def curve_table(record: Mapping[str, Any]) -> Table:
    """What the weights do on the way from the base model to the fine-tuned one."""
    columns = ["coefficient", "MRR of the development regimes", "general similarity"]
    rows = [
        [plain(each["coefficient"]), number(each["mean"]), number(each["general_similarity"])]
        for each in record.get("interpolation", ())
    ]
    return Table(columns, rows)


def golden_counts(document: Document) -> dict[str, int] | None:
    """How many golden cases there are, pass, passed with the other version, and still pass; None without any."""
    cases = document["golden"]
    if not cases:
        return None
    before = [each for each in cases if each["before"]]
    return {
        "cases": len(cases),
        "passed": sum(each["passed"] for each in cases),
        "before": len(before),
        "kept": sum(each["passed"] for each in before),
    }


def forgotten(document: Document) -> dict[str, Any] | None:
    """General similarity of the version and, where it is known, of its base version."""
    after = document["evaluation"].get("general_similarity")
    if not after:
        return None
    evaluation = (document["base"] or {}).get("evaluation") or {}
    before = (evaluation.get("general_similarity") or {}).get("spearman")
    change = None if before is None else after["spearman"] - before
    return {"pairs": after["n"], "after": after["spearman"], "before": before, "change": change}


def insufficient(evaluation: Mapping[str, Any]) -> list[str]:
    """Regimes that were asked too few questions."""
    return [regime_title(name) for name, each in evaluation["regimes"].items() if each["n"] < MINIMUM_QUERIES]


def _section(document: Document, name: str, regime: Mapping[str, Any]) -> RegimeSection:
    beside = [(label, each["evaluation"]["regimes"][name]) for label, each in _opponents(document, name)]
    rows = [
        [label, number(regime[metric]), _interval(regime, metric), *(number(each[metric]) for _, each in beside)]
        for metric, label in METRICS.items()
    ]
    columns = ["metric", document["version"], "95 % interval", *(label for label, _ in beside)]
    return RegimeSection(
        title=regime_title(name),
        meaning=regime_meaning(name),
        queries=regime["n"],
        playlists=regime["candidates"],
        sufficient=regime["n"] >= MINIMUM_QUERIES,
        table=Table(columns, rows),
        changes=[_change(label, each, name) for label, each in _opponents(document, name) if _compared(each, name)],
        others=_others(regime),
    )


def _opponents(document: Document, regime: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The versions that were asked the same, the base version first."""
    base, against = document["base"], document["against"]
    known = {each["version"]: each for each in (base, against) if each and each["evaluation"]}
    for name, each in known.items():
        if regime in each["evaluation"]["regimes"]:
            yield (f"{name}, its base model" if base and name == base["version"] else name), each


def _compared(opponent: Mapping[str, Any], regime: str) -> bool:
    return regime in ((opponent["comparison"] or {}).get("regimes") or {})


def _change(label: str, opponent: Mapping[str, Any], regime: str) -> str:
    found = opponent["comparison"]["regimes"][regime]["top5"]
    return (
        f"Against {label}: Top-5 {signed(found['difference'])}, 95 % interval {signed(found['low'])} to "
        f"{signed(found['high'])}, p {p_value(found['p'])} by a paired randomisation test."
    )


def _others(regime: Mapping[str, Any]) -> Table:
    named = {"the embedding alone": regime["embedding"]}
    named |= {baseline_title(name): each for name, each in regime.get("baselines", {}).items()}
    rows = [[name, number(each["top5"]), number(each["mrr"])] for name, each in named.items()]
    return Table(["", "Top-5", "MRR"], rows)


def _interval(found: Mapping[str, Any], metric: str) -> str:
    low, high = found["intervals"][metric]
    return f"{number(low)} to {number(high)}"


def _with_interval(found: Mapping[str, Any], metric: str) -> str:
    return f"{number(found[metric])} ({_interval(found, metric)})"
