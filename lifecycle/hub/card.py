"""The card of a published version: what it is for, what it can do, what it was made of, and what it cannot do.

Everybody may read it, so it counts songs and playlists and names none; names of genres are the only words of users.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCardData
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from lifecycle.base_models import BUNDLED_MODEL
from lifecycle.hub import card_tables
from lifecycle.hub.contents import public_revision
from lifecycle.report import figures
from lifecycle.report.document import Document
from lifecycle.report.labels import METRICS, regime_title
from registry.records import AudioFeatures, Playlist, PlaylistId, Song, SongId
from registry.texts import render_playlist, render_song

_HUB_NAMES = {BUNDLED_MODEL: "sentence-transformers/all-MiniLM-L6-v2"}
"""What base models are called on the Hub, where that differs from what they are called here."""

_CELL = 80
_EXAMPLE_SONG = Song(
    song_id=SongId("example"),
    title="Paper Lanterns",
    artist="The Harbour Lights",
    genre="folk",
    audio_features=AudioFeatures(energy=0.2, acousticness=0.9),
)
_EXAMPLE_PLAYLIST = Playlist(playlist_id=PlaylistId("example"), name="Slow mornings", description="Coffee, no hurry.")


def render_card(document: Document, repo: str) -> str:
    """The card as Markdown with the Hub's front matter; the same document gives the same text.

    Args:
        document: the report of a version that was trained and evaluated (`lifecycle.report.document.collect`).
        repo: "owner/name" of where it will lie.
    """
    embedder, template = document["specification"]["embedder"], document["specification"]["text_template"]
    record = document["training"]["record"]
    body = _template().render(
        document=document,
        evaluation=document["evaluation"],
        training=document["training"],
        embedder=embedder,
        repo=repo,
        base=_hub_name(document),
        revision=public_revision(embedder["base_revision"]),
        example_playlist=render_playlist(_EXAMPLE_PLAYLIST, template),
        example_song=render_song(_EXAMPLE_SONG, template),
        regimes=card_tables.regime_sections(document),
        genres=card_tables.genre_table(document["evaluation"]),
        splits=card_tables.split_table(document["evaluation"]["audit"]),
        audited=card_tables.audit_table(document["evaluation"]["audit"]),
        recipe=card_tables.recipe_table(document["training"]["configuration"]),
        run=card_tables.run_table(document),
        curve=card_tables.curve_table(record),
        silent=len(record.get("silent_titles") or ()),
        reranked=record.get("reranker"),
        golden=card_tables.golden_counts(document),
        forgotten=card_tables.forgotten(document),
        insufficient=card_tables.insufficient(document["evaluation"]),
    )
    return f"---\n{_front_matter(document, repo)}\n---\n\n{body}"


def cell(value: object) -> str:
    """A value as the cell of a Markdown table: text on one line, never markup."""
    text = " ".join(str(value).split())
    return re.sub(r"([\\`*\[\]|<>~$])", r"\\\1", text if len(text) <= _CELL else f"{text[: _CELL - 1]}…")


def _front_matter(document: Document, repo: str) -> str:
    data = ModelCardData(
        base_model=_hub_name(document),
        base_model_relation="finetune",
        library_name="sentence-transformers",
        pipeline_tag="sentence-similarity",
        tags=["sentence-transformers", "sentence-similarity", "feature-extraction", "autosort", "music", "playlists"],
        model_name=f"{repo.split('/')[1]} {document['version']}",
        eval_results=_results(document),
    )
    return str(data.to_yaml())


def _results(document: Document) -> list[EvalResult]:
    """Every metric of every regime, as the Hub's `model-index` has it."""
    return [
        EvalResult(
            task_type="sentence-similarity",
            task_name="Matching songs to playlists",
            dataset_type="private",
            dataset_name=f"Playlist-song pairs: {regime_title(name).lower()}",
            dataset_config=name,
            dataset_split="test",
            dataset_revision=document["dataset"]["fingerprint"],
            dataset_args={"queries": regime["n"], "playlists": regime["candidates"]},
            metric_type=metric,
            metric_name=label,
            metric_value=regime[metric],
        )
        for name, regime in document["evaluation"]["regimes"].items()
        for metric, label in METRICS.items()
    ]


def _hub_name(document: Document) -> str:
    name: str = document["specification"]["embedder"]["base_model"]
    return _HUB_NAMES.get(name, name)


def _table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [columns, ["---"] * len(columns), *([cell(each) for each in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=False,  # noqa: S701 - Markdown; what is anybody's goes through `cell`
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    filters: Mapping[str, Any] = {"cell": cell, "number": figures.number, "signed": figures.signed, "literal": repr}
    environment.filters.update(filters)
    environment.globals["table"] = _table
    return environment.get_template("card.md.j2")
