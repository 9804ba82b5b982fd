"""The charts of a training: what was chosen between the base model and the tuned one, and how the training went."""

from collections.abc import Mapping, Sequence
from typing import Any

from lifecycle.report.charts import Chart, Series
from lifecycle.report.labels import DEVELOPMENT

Record = Mapping[str, Any]

_REGIMES = ("development", "development_playlist")
_CHOSEN = "chosen"


def interpolation_charts(record: Record) -> list[Chart]:
    """MRR of the development regimes, and general similarity, from the base model (0) to the fine-tuned one (1)."""
    points = record.get("interpolation") or []
    if not points:
        return []
    kept = record.get("chosen_coefficient")
    rows = [{"x": each["coefficient"], "mean": each.get("mean"), **each.get("development", {})} for each in points]
    general = [{"x": each["coefficient"], "general": each.get("general_similarity")} for each in points]
    steps = tuple(each["coefficient"] for each in points)
    label = "share of the way from the base model to the tuned one"
    mrr = _lines(rows, {name: DEVELOPMENT[name] for name in (*_REGIMES, "mean")})
    similarity = _lines(general, {"general": "general similarity"})
    charts = [
        Chart("MRR on the development regimes", label, mrr, kept, _CHOSEN, steps),
        Chart("General similarity (Spearman's ρ)", label, similarity, kept, _CHOSEN, steps),
    ]
    return [chart for chart in charts if chart.series]


def training_charts(record: Record) -> list[Chart]:
    """The loss, and the MRR of the development regimes at every checkpoint, by step."""
    rows = [{**each, "x": each["step"]} for each in record.get("history") or []]
    names = {f"{name}_mrr": DEVELOPMENT[name] for name in _REGIMES} | {"development_mean": DEVELOPMENT["mean"]}
    development = _lines(rows, names)
    charts = [
        Chart("Loss of the training", "step", _lines(rows, {"loss": "loss"})),
        Chart("MRR on the development regimes", "step", development, _best(rows), "best checkpoint"),
    ]
    return [chart for chart in charts if chart.series]


def _lines(rows: Sequence[Mapping[str, Any]], names: Mapping[str, str]) -> tuple[Series, ...]:
    """A line for each name that occurs; one that is the only other's equal (a mean of one) is left out."""
    lines: list[Series] = []
    for style, (name, title) in enumerate(names.items()):
        points = tuple((float(row["x"]), float(row[name])) for row in rows if row.get(name) is not None)
        if points and all(points != line.points for line in lines):
            lines.append(Series(title, points, style))
    return tuple(lines)


def _best(rows: Sequence[Mapping[str, Any]]) -> float | None:
    """The step of the checkpoint that was kept: the best mean, of equals the first."""
    measured = [row for row in rows if row.get("development_mean") is not None]
    return float(max(measured, key=lambda row: row["development_mean"])["x"]) if measured else None
