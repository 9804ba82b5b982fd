"""The README that travels with a model's artifact."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from training.configuration import TrainingConfiguration
from training.dataset import PairDataset


def write_model_card(
    folder: Path,
    base_model: str,
    dataset: PairDataset,
    configuration: TrainingConfiguration,
    metrics: Mapping[str, float],
    record: Mapping[str, Any],
) -> None:
    """Write `README.md` into a model's folder: what it is, what it was trained on and how, and its limits."""
    counts = "\n".join(f"| {split} | {count} |" for split, count in dataset.counts().items())
    recipe = "\n".join(f"| {name} | {value} |" for name, value in configuration.model_dump().items())
    figures = "\n".join(f"| {name} | {value} |" for name, value in sorted(metrics.items()))
    folder.joinpath("README.md").write_text(
        _CARD.format(
            base_model=base_model,
            fingerprint=dataset.fingerprint,
            songs=len(dataset.songs),
            playlists=len(dataset.playlists),
            counts=counts,
            recipe=recipe,
            figures=figures,
            coefficient=record.get("chosen_coefficient", 1.0),
            curve="\n".join(_point(each) for each in record.get("interpolation", [])),
            silent=", ".join(_plain(each["name"]) for each in record.get("silent_titles", [])) or "none",
        )
    )


def _plain(name: str) -> str:
    """A playlist's name as text, not as markup."""
    return " ".join(re.sub(r"[^\w\s'&.,!?-]", "", name).split())


def _point(point: Mapping[str, Any]) -> str:
    return f"| {point['coefficient']} | {point['mean']} | {point['general_similarity']} |"


_CARD = """\
---
library_name: sentence-transformers
pipeline_tag: sentence-similarity
base_model: {base_model}
---

# Playlist-song embedding model

Fine-tuned from {base_model} so that a song's text lies near the text of the playlists that hold it. Vectors have
length 1; compare them by their inner product, with vectors of this model only.

## Data

Dataset `{fingerprint}`: {songs} songs, {playlists} playlists. Pairs by split:

| split | pairs |
|---|---|
{counts}

Near-duplicate recordings (remasters, live and radio versions) are kept on one side of the split.

## Recipe

In-batch contrastive loss in both directions, over batches in which no negative is a known positive; the best checkpoint
on the development regimes was kept. Playlists whose titles say nothing of their songs stood for nothing: {silent}.

| setting | value |
|---|---|
{recipe}

The weights lie at {coefficient} of the way from the base model (0) to the fine-tuned one (1):

| coefficient | mean MRR of the development regimes | general similarity (Spearman) |
|---|---|---|
{curve}

## Development regimes

Songs that were not trained on, ranked among the trained playlists by text and centroid; and the songs of playlists that
were not trained on, ranked by text alone.

| metric | value |
|---|---|
{figures}

## Limits

It knows the taste of the playlists it was trained on. It may serve playlists unlike them worse than its base model
does: look at the `unseen_playlist` regime of its evaluation before promoting it.
"""
