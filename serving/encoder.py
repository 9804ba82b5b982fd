"""The embedding model of one version: loaded by digest, warmed, and given the right instructions."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sentence_transformers import SentenceTransformer

from registry.artifacts import ArtifactStore
from registry.errors import ArtifactError
from registry.versions import EmbedderSpec

Matrix = npt.NDArray[np.float32]

_BATCH = 32


class Encoder:
    """Texts to unit vectors of one version, float32. Threads may share it: they take turns."""

    def __init__(self, model: SentenceTransformer, spec: EmbedderSpec) -> None:
        self.spec = spec
        self._model = model
        self._turn = threading.Lock()

    @classmethod
    def load(cls, artifacts: ArtifactStore, spec: EmbedderSpec, *, device: str | None = None) -> "Encoder":
        """Load and warm the model of a version, after checking that its artifact is the registered one.

        Raises:
            ArtifactError: the artifact is missing, unsafe or changed, or is not the model that the version says.
        """
        return cls.open(artifacts.verified(spec.artifact), spec, device=device)

    @classmethod
    def open(cls, folder: Path, spec: EmbedderSpec, *, device: str | None = None) -> "Encoder":
        """Load and warm a model from a folder that the caller vouches for."""
        model = SentenceTransformer(
            str(folder),
            device=device,
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs={"use_safetensors": True},
        )
        model.max_seq_length = spec.max_length
        encoder = cls(model, spec)
        produced = encoder.songs(["warm-up"]).shape[1]
        if produced != spec.dimensions:
            raise ArtifactError(
                f"The model in {folder} gives {produced} dimensions; its version says {spec.dimensions}.",
                "Register the model as a version of its own.",
            )
        return encoder

    def songs(self, texts: Sequence[str]) -> Matrix:
        """Vectors of songs' texts, shape (len(texts), dimensions)."""
        return self.encode(texts, self.spec.song_prompt)

    def playlists(self, texts: Sequence[str]) -> Matrix:
        """Vectors of playlists' texts, with the model's instruction before each; shape (len(texts), dimensions)."""
        return self.encode(texts, self.spec.playlist_prompt)

    def encode(self, texts: Sequence[str], prompt: str = "") -> Matrix:
        """Vectors of texts with a prompt before each, shape (len(texts), dimensions)."""
        if not texts:
            return np.zeros((0, self.spec.dimensions), np.float32)
        encode: Any = self._model.encode
        with self._turn:
            vectors = encode(
                list(texts), prompt=prompt, batch_size=_BATCH, normalize_embeddings=True, show_progress_bar=False
            )
        return np.asarray(vectors, dtype=np.float32)
