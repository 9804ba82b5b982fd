"""The embedding model of one version: loaded by digest, warmed, and given the right instructions."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize

from registry.artifacts import ArtifactStore
from registry.errors import ArtifactError
from registry.versions import EmbedderSpec
from serving.inference.batching import batches_by_tokens
from serving.inference.waiting import Matrix, Tokens

TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_CPU_BATCH_TOKENS = 1_024
_GPU_BATCH_TOKENS = 65_536


def batch_tokens_of(device: str) -> int:
    """Padded tokens of a batch that keep a kind of device busy and its memory small."""
    return _CPU_BATCH_TOKENS if device == "cpu" else _GPU_BATCH_TOKENS


@dataclass(frozen=True)
class Piece:
    """A token: its number, what it stands for, and from and to which character it goes; one that was added has none."""

    id: int
    text: str
    special: bool
    start: int | None
    stop: int | None


class Encoder:
    """Texts to unit vectors of one version, float32. Threads may share it: whole texts take turns, batches do not.

    Attributes:
        batch_tokens: padded tokens of a batch that keep the device busy and its memory small.
    """

    def __init__(self, model: SentenceTransformer, spec: EmbedderSpec, *, precision: str = "fp32") -> None:
        self.spec = spec
        self.precision = precision
        self.device: str = model.device.type
        self.batch_tokens = batch_tokens_of(self.device)
        self._model = model.eval()
        # The layers behind the transformer (pooling, normalisation) stay in fp32: a mean of bf16 loses two digits.
        self._model[0].to(TYPES[precision])
        self._turn = threading.Lock()
        self._cutting = threading.Lock()

    @classmethod
    def load(
        cls, artifacts: ArtifactStore, spec: EmbedderSpec, *, device: str | None = None, precision: str = "fp32"
    ) -> "Encoder":
        """Load and warm the model of a version, after checking that its artifact is the registered one.

        Args:
            precision: that the transformer computes in: "fp32", "bf16" or "fp16".

        Raises:
            ArtifactError: the artifact is missing, unsafe or changed, or is not the model that the version says.
        """
        return cls.open(artifacts.verified(spec.artifact), spec, device=device, precision=precision)

    @classmethod
    def open(cls, folder: Path, spec: EmbedderSpec, *, device: str | None = None, precision: str = "fp32") -> "Encoder":
        """Load and warm a model from a folder that the caller vouches for."""
        model = SentenceTransformer(
            str(folder),
            device=device,
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs={"use_safetensors": True},
        )
        model.max_seq_length = spec.max_length
        encoder = cls(model, spec, precision=precision)
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
        tokens = self.tokenize(texts, prompt)
        with self._turn:
            parts = [
                (rows, self.forward([tokens[row] for row in rows]))
                for rows in batches_by_tokens([len(each) for each in tokens], self.batch_tokens)
            ]
        vectors = np.empty((len(texts), parts[0][1].shape[1]), np.float32)
        for rows, part in parts:
            vectors[rows] = part
        return vectors

    def tokenize(self, texts: Sequence[str], prompt: str = "") -> list[list[int]]:
        """Token ids of texts with a prompt before each, cut to the version's longest, not padded."""
        told = [prompt + text for text in texts]
        with self._cutting:  # where to cut is set in the tokenizer itself, which threads share
            found: list[list[int]] = self._model.tokenizer(told, truncation=True, max_length=self.spec.max_length)[
                "input_ids"
            ]
        return found

    def pieces(self, texts: Sequence[str], prompt: str = "", *, special: bool = True) -> list[list[Piece]]:
        """The tokens of texts with a prompt before each, none cut off; "special" are those that the model adds."""
        told = [prompt + text for text in texts]
        with self._cutting:
            found = self._model.tokenizer(
                told,
                add_special_tokens=special,
                return_offsets_mapping=True,
                return_special_tokens_mask=True,
                verbose=False,
            )
        columns = zip(found["input_ids"], found["special_tokens_mask"], found["offset_mapping"], strict=True)
        return [
            [
                Piece(
                    number,
                    self._model.tokenizer.convert_ids_to_tokens(number),
                    bool(added),
                    *(span if not added else (None, None)),
                )
                for number, added, span in zip(*row, strict=True)
            ]
            for row in columns
        ]

    def forward(self, tokens: Sequence[Tokens]) -> Matrix:
        """Vectors of one batch, shape (len(tokens), dimensions); any number of threads at once."""
        with torch.inference_mode():
            vectors = torch.nn.functional.normalize(self._pooled(tokens, normalized=True), dim=1)
        return np.asarray(vectors.cpu().numpy(), np.float32)

    def pool(self, tokens: Sequence[Tokens]) -> Matrix:
        """The same as the model's pooling gives them, not of length 1."""
        with torch.inference_mode():
            return np.asarray(self._pooled(tokens, normalized=False).cpu().numpy(), np.float32)

    def _pooled(self, tokens: Sequence[Tokens], *, normalized: bool) -> torch.Tensor:
        width = max(len(each) for each in tokens)
        ids = np.full((len(tokens), width), self._model.tokenizer.pad_token_id or 0, np.int64)
        mask = np.zeros_like(ids)
        for row, each in enumerate(tokens):
            ids[row, : len(each)] = each
            mask[row, : len(each)] = 1
        features: dict[str, Any] = {
            "input_ids": torch.from_numpy(ids).to(self._model.device),
            "attention_mask": torch.from_numpy(mask).to(self._model.device),
        }
        for layer in self._model:
            if isinstance(layer, Normalize) and not normalized:
                continue
            features = layer(features)
            if "token_embeddings" in features:
                features["token_embeddings"] = features["token_embeddings"].float()
        return features["sentence_embedding"].float()  # type: ignore[no-any-return]
