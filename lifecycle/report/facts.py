"""What a version was made of and from: its data, its recipe, its origin."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lifecycle.report.figures import count, duration, number, plain, words
from lifecycle.report.labels import split_meaning, split_title

Document = Mapping[str, Any]
Fact = tuple[str, str]
"""What it is, and what it is here."""

_SHOWN_TITLES = 200
_SPLITS = (
    "train",
    "development",
    "development_playlist",
    "unseen_song",
    "unseen_playlist",
    "both_unseen",
    "later",
    "aside",
)


@dataclass(frozen=True)
class SplitRow:
    """A split with its counts."""

    title: str
    meaning: str
    counts: Mapping[str, int]


@dataclass(frozen=True)
class SilentTitles:
    """Playlists that were left out of the training because their text says nothing; `more` are not shown."""

    shown: Sequence[Mapping[str, Any]]
    more: int


@dataclass(frozen=True)
class Similarity:
    """General similarity of the version and of its base model; `lost` is how much went, `margin` how much may."""

    new: float
    base: float | None
    base_version: str | None
    pairs: int
    margin: float

    @property
    def lost(self) -> float | None:
        return None if self.base is None else self.base - self.new

    @property
    def kept(self) -> bool:
        return self.lost is None or self.lost <= self.margin + 1e-9


def split_rows(document: Document) -> list[SplitRow]:
    """The splits with their counts, what is trained on first."""
    splits = ((document["dataset"].get("audit") or {}).get("splits")) or {}
    names = sorted(splits, key=lambda name: (_SPLITS.index(name) if name in _SPLITS else len(_SPLITS), name))
    return [SplitRow(split_title(name), split_meaning(name), splits[name]) for name in names]


def silent_titles(document: Document) -> SilentTitles:
    """The titles that say nothing, those that say least first."""
    found = sorted(_record(document).get("silent_titles") or [], key=lambda each: each["informativeness"])
    return SilentTitles(found[:_SHOWN_TITLES], max(0, len(found) - _SHOWN_TITLES))


def similarity(document: Document, margin: float) -> Similarity | None:
    """General similarity before and after, if it was measured."""
    found = (document["evaluation"] or {}).get("general_similarity")
    if not found:
        return None
    base = document["base"] or {}
    before = (base.get("evaluation") or {}).get("general_similarity") or {}
    return Similarity(found["spearman"], before.get("spearman"), base.get("version"), found["n"], margin)


def recipe_facts(document: Document) -> list[Fact]:
    """Every value of the training configuration."""
    configuration = (document["training"] or {}).get("configuration") or {}
    return [(words(name), plain(value)) for name, value in configuration.items()]


def gate_facts(document: Document) -> list[Fact]:
    """The gate's rules as they were fixed before the training."""
    policy = (document["training"] or {}).get("gate") or {}
    return [(words(name), plain(value)) for name, value in policy.items()]


def run_facts(document: Document) -> list[Fact]:
    """How the training went."""
    record = _record(document)
    planned = record.get("planned_steps")
    steps = count(record.get("steps"))
    facts = [
        ("took", duration(record.get("seconds"))),
        ("steps", f"{steps} of {count(planned)} planned" if planned and planned != record.get("steps") else steps),
        ("rows shown", count(record.get("rows"))),
        ("hard negatives", count(record.get("hard_negatives"))),
        ("precision", str(record.get("precision", ""))),
        ("device", str(record.get("device", ""))),
        ("chosen coefficient", number(record.get("chosen_coefficient"), 2)),
    ]
    return [(name, value) for name, value in facts if value not in ("", "–")]


def provenance_facts(document: Document) -> list[Fact]:
    """What the version is, byte for byte."""
    specification, training = document["specification"], document["training"] or {}
    embedder, reranker = specification["embedder"], specification.get("reranker")
    emotions = specification.get("emotions")
    facts = [
        ("version", f"{document['version']}, {document['stage']}"),
        ("registered", document["registered_at"].replace("T", " ")),
        ("fine-tuned from", training.get("parent", "nothing: it is the base model itself")),
        ("base model", f"{embedder['base_model']} at {embedder['base_revision']}"),
        ("artifact (SHA-256)", embedder["artifact"]),
        ("dataset (SHA-256)", document["dataset"]["fingerprint"] or ""),
        ("recipe (SHA-256)", document.get("recipe") or ""),
        ("toolkit", training.get("code_revision", "")),
        ("vectors", f"{embedder['dimensions']} dimensions, texts of up to {embedder['max_length']} tokens"),
        ("playlist prompt", embedder.get("playlist_prompt", "")),
        ("song prompt", embedder.get("song_prompt", "")),
        ("text template", str(specification["text_template"])),
        ("match weights", plain(specification["matching"]["weights"])),
        ("reranker (SHA-256)", reranker["artifact"] if reranker else "none"),
        ("emotions (SHA-256)", emotions["artifact"] if emotions else "none"),
        ("emotion model", f"{emotions['base_model']} at {emotions['base_revision']}" if emotions else ""),
    ]
    return [(name, value) for name, value in facts if value]


def _record(document: Document) -> Mapping[str, Any]:
    return (document["training"] or {}).get("record") or {}
