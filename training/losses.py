"""The contrastive loss of a configuration, and the padding that it need not compute."""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import (
    CachedGISTEmbedLoss,
    CachedMultipleNegativesRankingLoss,
    GISTEmbedLoss,
    MatryoshkaLoss,
    MultipleNegativesRankingLoss,
)
from torch import Tensor, nn

from training.configuration import TrainingConfiguration

_BOTH_WAYS: tuple[Literal["query_to_doc"], Literal["doc_to_query"]] = ("query_to_doc", "doc_to_query")
_BUCKET = 8
"""Texts a bucket: measured on song texts, 8 leave about 13 % padding where a batch of 64 has 128 %."""


class LengthBuckets(nn.Module):
    """Embeds a batch in buckets of texts of about equal length, each padded only to its own longest.

    The embeddings are the same as without it, but for dropout's draws; the work is that of the tokens there are.
    """

    def __init__(self, model: SentenceTransformer, size: int = _BUCKET) -> None:
        super().__init__()
        self.model = model
        self._size = size

    def forward(self, features: Mapping[str, Any]) -> dict[str, Tensor]:
        """Embed features of shape (texts, tokens); returns "sentence_embedding" of shape (texts, dimensions)."""
        lengths = features["attention_mask"].sum(dim=1)
        order = torch.argsort(lengths)
        embedded = [
            self.model(_cut(features, rows, int(lengths[rows].max())))["sentence_embedding"]
            for rows in torch.split(order, self._size)
        ]
        return {"sentence_embedding": torch.cat(embedded)[torch.argsort(order)]}


def contrastive_loss(
    model: SentenceTransformer, configuration: TrainingConfiguration, guide: SentenceTransformer | None = None
) -> nn.Module:
    """The in-batch contrastive loss of a configuration.

    Plain: every song of the batch and every anchor is a negative (InfoNCE in both directions). Guided: what the guide
    takes for as near as the positive is no negative (Solatorio, "GISTEmbed", 2024). With a mini-batch size the same in
    pieces that fit the memory, at the price of a second forward pass (Gao et al., "Scaling Deep Contrastive Learning
    Batch Size under Memory Limited Setup", 2021).

    Args:
        guide: the frozen model that guards against false negatives; needed if the configuration is guided.
    """
    loss = _plain(model, configuration) if guide is None else _guided(model, configuration, guide)
    if not configuration.matryoshka:
        return loss
    return MatryoshkaLoss(model, loss, matryoshka_dims=list(configuration.matryoshka))


def _plain(model: SentenceTransformer, configuration: TrainingConfiguration) -> nn.Module:
    if configuration.mini_batch_size is not None:
        return CachedMultipleNegativesRankingLoss(
            model, scale=configuration.scale, mini_batch_size=configuration.mini_batch_size, directions=_BOTH_WAYS
        )
    # A GPU would rather have one large launch than many small ones; MatryoshkaLoss reads more of the model than calls.
    buckets = model.device.type == "cpu" and not configuration.matryoshka
    embedder: Any = LengthBuckets(model) if buckets else model
    return MultipleNegativesRankingLoss(embedder, scale=configuration.scale, directions=_BOTH_WAYS)


def _guided(model: SentenceTransformer, configuration: TrainingConfiguration, guide: SentenceTransformer) -> nn.Module:
    options: dict[str, Any] = {
        "temperature": 1 / configuration.scale,
        "margin_strategy": "relative",
        "margin": configuration.relative_margin,
    }
    if configuration.mini_batch_size is not None:
        return CachedGISTEmbedLoss(model, guide, mini_batch_size=configuration.mini_batch_size, **options)
    return GISTEmbedLoss(model, guide, **options)


def _cut(features: Mapping[str, Any], rows: Tensor, length: int) -> dict[str, Any]:
    """The same features of some rows, cut to a number of tokens."""
    whole = features["attention_mask"].shape
    return {
        name: value[rows, :length] if isinstance(value, Tensor) and value.shape == whole else value
        for name, value in features.items()
    }
