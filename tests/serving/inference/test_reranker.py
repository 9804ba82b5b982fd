"""A reranker says of pairs what sentence-transformers' CrossEncoder says of them, whatever they are batched with."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import CrossEncoder

from registry.errors import ArtifactError
from registry.versions import RerankerSpec
from serving.inference import precision
from serving.inference.precision import settle
from serving.inference.rerank_precision import RerankTrial, try_reranking
from serving.inference.reranker import Pair, Reranker, ServedReranker
from serving.inference.scheduler import Scheduler
from tests.support.small_models import small_reranker

PAIRS: list[Pair] = [
    ("Late night drives", "Neon rain over an empty road."),
    ("Late night drives", ""),
    ("", "Neon rain"),
    ("", ""),
    (" ", "\n\t"),
    ("Regenlieder", "\u96e8\u306e\u6b4c \U0001f3b5 lluvia de oto\u00f1o"),
    ("word " * 300, "short"),
    ("short", "word " * 300),
    ("many words " * 40, "even more words " * 50),
    *((f"list {'of rain ' * (number % 7)}", f"song {number}") for number in range(40)),
]


def spec(max_length: int = 64) -> RerankerSpec:
    return RerankerSpec(artifact="a" * 64, base_model="small", max_length=max_length)


@dataclass(frozen=True)
class Both:
    """A model as it is served and as its own library loads it."""

    served: Reranker
    library: CrossEncoder

    @classmethod
    def open(cls, folder: Path) -> "Both":
        return cls(
            Reranker.open(folder, spec(), device="cpu"), CrossEncoder(str(folder), device="cpu", local_files_only=True)
        )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_reranker(tmp_path_factory.mktemp("reranker"))


@pytest.fixture(scope="module")
def bert(folder: Path) -> Both:
    return Both.open(folder)


@pytest.fixture(scope="module")
def xlm_r(tmp_path_factory: pytest.TempPathFactory, shrunken_e5: Path) -> Both:
    return Both.open(small_reranker(tmp_path_factory.mktemp("xlm-r"), encoder=shrunken_e5.parent / "encoder"))


@pytest.fixture
def scheduler() -> Iterator[Scheduler]:
    made = Scheduler(2, 2)
    made.start()
    yield made
    made.stop()


@pytest.mark.parametrize("shape", ["bert", "xlm_r"])
def test_scores_are_those_of_the_library(shape: str, request: pytest.FixtureRequest, scheduler: Scheduler) -> None:
    both: Both = request.getfixturevalue(shape)
    expected = np.asarray(both.library.predict(PAIRS))
    assert expected.std() > 0.03, "a model that says the same of all pairs shows nothing"
    read = both.served.read(PAIRS)
    np.testing.assert_allclose(read.relevance, expected, atol=1e-5)
    raw = both.library.predict(PAIRS, activation_fn=torch.nn.Identity())
    np.testing.assert_allclose(read.logits, raw, atol=1e-4)

    assert both.served._unpadded is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(both.served, "_unpadded", None)  # as on a GPU
        np.testing.assert_allclose(both.served.read(PAIRS).logits, raw, atol=1e-4)

    served = ServedReranker(both.served, scheduler)
    halves = [served.submit(PAIRS[:20]), served.submit(PAIRS[20:])]
    shared = np.concatenate([each.result(20).relevance for each in halves])
    np.testing.assert_allclose(shared, expected, atol=1e-5)
    assert sum(each.result().tokens for each in halves) == read.tokens


def test_a_model_that_was_saved_with_another_activation_ranks_alike(folder: Path, tmp_path: Path) -> None:
    model = CrossEncoder(str(folder), device="cpu", local_files_only=True, activation_fn=torch.nn.Identity())
    model.save_pretrained(str(tmp_path), safe_serialization=True)
    found = Reranker.open(tmp_path, spec(), device="cpu").read(PAIRS)
    np.testing.assert_allclose(found.logits, model.predict(PAIRS), atol=1e-4)
    assert 0 <= found.relevance.min() <= found.relevance.max() <= 1


def test_pairs_are_cut_where_the_version_says(folder: Path) -> None:
    short = Reranker.open(folder, spec(max_length=16), device="cpu")
    assert max(map(len, short.tokenize(PAIRS))) == 16
    assert short.sizes(PAIRS[6:7])[0] > 300
    assert max(map(len, short.tokenize(PAIRS))) == 16, "looking at whole texts changes nothing"


def test_threads_that_cut_and_threads_that_do_not_never_mix_that_up(bert: Both) -> None:
    long = [("short", "word " * 300)] * 8
    with ThreadPoolExecutor(2) as pool:
        cut = pool.submit(lambda: {len(each) for _ in range(60) for each in bert.served.tokenize(long)})
        whole = pool.submit(lambda: {size for _ in range(60) for size in bert.served.sizes(long)})
    assert (cut.result(), whole.result()) == ({64}, {304})


def test_no_pairs_have_no_scores(bert: Both, scheduler: Scheduler) -> None:
    assert ServedReranker(bert.served, scheduler).submit([]).result(5).logits.shape == (0,)


def test_a_classifier_of_several_labels_is_no_reranker(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="gives 3 numbers"):
        Reranker.open(small_reranker(tmp_path, labels=3), spec(), device="cpu")


# Precision ----------------------------------------------------------------------------------------------------------


def test_bf16_ranks_nearly_alike_and_its_logits_are_not_rounded_to_it(folder: Path, bert: Both) -> None:
    coarse = Reranker.open(folder, spec(), device="cpu", precision="bf16")
    trial = try_reranking(bert.served, coarse, PAIRS)
    assert 0 < trial.error < 0.5
    logits = torch.from_numpy(coarse.read(PAIRS).logits)
    assert (logits.bfloat16().float() != logits).any()


@pytest.mark.parametrize(("speedup", "error", "used"), [(2.0, 0.05, "bf16"), (2.0, 0.2, "fp32"), (1.0, 0.0, "fp32")])
def test_a_precision_is_used_if_it_is_faster_and_ranks_alike(
    monkeypatch: pytest.MonkeyPatch, speedup: float, error: float, used: str
) -> None:
    monkeypatch.setattr(precision, "offered_precision", lambda _: "bf16")
    trial = RerankTrial("bf16", speedup=speedup, error=error)
    assert settle(str, "cpu", "auto", lambda *_: trial) == used
