"""The losses: what is computed, and that what is saved by it changes nothing."""

from pathlib import Path
from typing import Any

import pytest
import torch
from sentence_transformers import SentenceTransformer

from training.configuration import TrainingConfiguration
from training.losses import LengthBuckets, contrastive_loss
from training.models import load_model

PLAIN = TrainingConfiguration(profile="test", epochs=1, batch_size=8, learning_rate=1e-4)
ANCHORS = ["rain", "a gym playlist full of sweat and iron", "love", "road songs for a long night drive through deserts"]
POSITIVES = [
    "Grey Window by Band 1. A song of sorrow.",
    "Treadmill",
    "Kiss by Band 2. Album: Promise. A song of a rose and a wedding, sung softly by two who have met before.",
    "Engine by Band 3.",
]


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> SentenceTransformer:
    return load_model(tiny_model, device="cpu").eval()


def features(model: SentenceTransformer, *columns: list[str]) -> list[dict[str, Any]]:
    return [dict(model.preprocess(texts)) for texts in columns]


def gradients(model: SentenceTransformer) -> dict[str, torch.Tensor]:
    return {name: each.grad.clone() for name, each in model.named_parameters() if each.grad is not None}


@pytest.mark.parametrize("size", [1, 2, 3, 8])
def test_buckets_give_the_same_embeddings_in_the_same_order(model: SentenceTransformer, size: int) -> None:
    texts = ANCHORS + POSITIVES
    whole = model(features(model, texts)[0])["sentence_embedding"]
    bucketed = LengthBuckets(model, size)(features(model, texts)[0])["sentence_embedding"]
    torch.testing.assert_close(bucketed, whole, atol=1e-5, rtol=1e-4)


def test_buckets_leave_loss_and_gradients_as_they_are(model: SentenceTransformer) -> None:
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    stock = MultipleNegativesRankingLoss(model, scale=PLAIN.scale, directions=("query_to_doc", "doc_to_query"))
    found = []
    for loss in (stock, contrastive_loss(model, PLAIN)):
        model.zero_grad()
        value = loss(features(model, ANCHORS, POSITIVES), torch.empty(0))
        value.backward()
        found.append((float(value.detach()), gradients(model)))
    (one, first), (other, second) = found
    assert one == pytest.approx(other, rel=1e-5)
    assert first.keys() == second.keys()
    for name, values in first.items():
        torch.testing.assert_close(values, second[name], atol=1e-5, rtol=1e-3)


def test_buckets_are_padded_to_their_own_longest_text_only(model: SentenceTransformer) -> None:
    seen = []
    forward = model.forward

    def noting(passed: dict[str, Any], **options: Any) -> dict[str, Any]:
        seen.append(tuple(passed["input_ids"].shape))
        return forward(passed, **options)

    model.forward = noting  # type: ignore[method-assign,assignment]
    try:
        LengthBuckets(model, 2)(features(model, POSITIVES)[0])
    finally:
        model.forward = forward  # type: ignore[method-assign]
    lengths = sorted(len(model.preprocess([text])["input_ids"][0]) for text in POSITIVES)
    assert seen == [(2, lengths[1]), (2, lengths[3])]


def test_the_cached_loss_is_the_plain_one(model: SentenceTransformer) -> None:
    cached = contrastive_loss(model, PLAIN.model_copy(update={"mini_batch_size": 3}))
    plain = contrastive_loss(model, PLAIN)
    values = [float(loss(features(model, ANCHORS, POSITIVES), torch.empty(0)).detach()) for loss in (plain, cached)]
    assert values[0] == pytest.approx(values[1], rel=1e-4)


def test_the_scale_is_the_configured_one(model: SentenceTransformer) -> None:
    sharp = contrastive_loss(model, PLAIN.model_copy(update={"scale": 50.0}))
    plain = contrastive_loss(model, PLAIN)
    values = [float(loss(features(model, ANCHORS, POSITIVES), torch.empty(0)).detach()) for loss in (plain, sharp)]
    assert values[1] > values[0] * 1.2


def test_a_guided_loss_does_not_push_away_what_the_guide_takes_for_as_near(model: SentenceTransformer) -> None:
    """A song that stands twice in the batch is a false negative of itself: the guide sees it, the plain loss not."""
    guided = contrastive_loss(model, PLAIN.model_copy(update={"guided": True}), guide=model)
    plain = contrastive_loss(model, PLAIN)
    anchors, twice = [ANCHORS[0], ANCHORS[0]], [POSITIVES[0], POSITIVES[0]]
    values = [float(loss(features(model, anchors, twice), torch.empty(0)).detach()) for loss in (plain, guided)]
    assert values[1] < values[0] / 10
