"""The report as one HTML file that needs nothing else: no script, no font, no image, no network."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from lifecycle.gate.policy import GatePolicy
from lifecycle.report import charts, curves, facts, figures, labels, lifts, plots, signals, verdict
from lifecycle.report.document import Document
from lifecycle.report.scales import Scale

_FOLDER = Path(__file__).parent
_FILTERS = (figures.number, figures.signed, figures.count, figures.p_value, figures.words, figures.coded)
_DRAWN = (plots.interval_plot, plots.bar_plot, plots.axis_plot, plots.marker, charts.line_chart, charts.legend_key)


def render(document: Document) -> str:
    """The report as HTML; the same document gives the same bytes. Everything in it is escaped: titles are anybody's."""
    return _template().render(document=document, **_parts(document))


def _parts(document: Document) -> dict[str, Any]:
    """What each section shows; a part that is not known is None or empty, and its section says so or is left out."""
    training = document["training"] or {}
    record = training.get("record") or {}
    policy = GatePolicy.model_validate(training.get("gate") or {})
    return {
        "verdict": verdict.verdict_of(document),
        "tiles": verdict.tiles_of(document),
        **_comparisons(document, policy),
        "matched_by": signals.signal_table(document),
        "types": signals.type_rows(document),
        "none_fits": signals.none_fits_chart(document),
        "golden": sorted(document["golden"], key=_broken_first),
        "silent": facts.silent_titles(document),
        "splits": facts.split_rows(document),
        "interpolation": curves.interpolation_charts(record),
        "curves": curves.training_charts(record),
        "recipe": facts.recipe_facts(document),
        "rules": facts.gate_facts(document),
        "run": facts.run_facts(document),
        "provenance": facts.provenance_facts(document),
    }


def _comparisons(document: Document, policy: GatePolicy) -> dict[str, Any]:
    against = (document["against"] or {}).get("comparison")
    base = (document["base"] or {}).get("comparison")
    margin = policy.unseen_playlist_margin
    return {
        "policy": policy,
        "regimes": {metric: lifts.regime_lifts(against, metric) for metric in ("top5", "mrr")} if against else {},
        "from_base": lifts.regime_lifts(base, "top5") if base and base != against else None,
        "genres": lifts.genre_lifts(against) if against and against["genres"] else None,
        "bars": lifts.regime_bars(document, "top5") if document["evaluation"] else [],
        "unseen_playlists": lifts.base_lift(base, "unseen_playlist", "top5", margin) if base else None,
        "similarity": facts.similarity(document, policy.general_similarity_margin),
    }


def _broken_first(case: Mapping[str, Any]) -> tuple[bool, bool]:
    """Golden cases that fail now before those that pass, and of both those first that did not before."""
    return case["passed"], case["before"] == case["passed"]


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update({each.__name__: each for each in _FILTERS})
    environment.globals.update({each.__name__: each for each in _DRAWN})
    environment.globals.update(
        css=Markup(_FOLDER.joinpath("page.css").read_text(encoding="utf-8")),  # noqa: S704 - our own file
        labels=labels,
        standings=list(plots.Standing),
        unit=Scale(0.0, 1.0, (0.0, 0.5, 1.0)),
    )
    return environment.get_template("page.html.j2")
