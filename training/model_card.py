"""The README that travels with a model's artifact."""

from collections.abc import Mapping
from pathlib import Path

from training.configuration import TrainingConfiguration
from training.dataset import PairDataset


def write_model_card(
    folder: Path,
    base_model: str,
    dataset: PairDataset,
    configuration: TrainingConfiguration,
    metrics: Mapping[str, float],
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
        )
    )


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

In-batch contrastive loss (MultipleNegativesRankingLoss) in both directions; the best checkpoint on the development
split was kept.

| setting | value |
|---|---|
{recipe}

## Development split

Songs that were not trained on, ranked among the trained playlists by text alone.

| metric | value |
|---|---|
{figures}

## Limits

It knows the taste of the playlists it was trained on. It may serve playlists unlike them worse than its base model
does: look at the `unseen_playlist` regime of its evaluation before promoting it.
"""
