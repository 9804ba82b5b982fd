"""The emotion model of a version: texts to a score for each of its labels, any number of which may hold at once."""

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from registry.artifacts import ArtifactStore
from registry.errors import ArtifactError
from registry.versions import EmotionsSpec
from serving.inference.batching import batches_by_tokens
from serving.inference.cache import Known, VectorCache
from serving.inference.encoder import batch_tokens_of
from serving.inference.futures import then
from serving.inference.scheduler import Scheduler
from serving.inference.unpadded import UnpaddedClassifier
from serving.inference.waiting import Matrix, Tokens

_CACHED_TEXTS = 16_384


@dataclass(frozen=True)
class Felt:
    """What a model says of texts: log-odds of each label, shape (n, labels), and how many tokens the texts have in all.

    Attributes:
        spec: of the model: its labels, in this order, and from which score on each holds.
    """

    spec: EmotionsSpec
    logits: Matrix
    tokens: int

    @property
    def scores(self) -> Matrix:
        """Each label's own score, from 0 to 1."""
        # Written so that nothing overflows: e^-|x| is at most 1.
        small = np.exp(-np.abs(self.logits))
        return np.asarray(np.where(self.logits >= 0, 1, small) / (1 + small), np.float32)


class EmotionReader(Protocol):
    """What matching needs of an emotion model."""

    def read(self, texts: Sequence[str]) -> Felt:
        """What it says of texts, one at least."""


class EmotionModel:
    """Texts to log-odds of labels, float32. Threads may share it.

    Attributes:
        batch_tokens: padded tokens of a batch that keep the device busy and its memory small.
    """

    def __init__(self, model: Any, tokenizer: Any, spec: EmotionsSpec) -> None:  # noqa: ANN401 - transformers' own
        self.spec = spec
        self.batch_tokens = batch_tokens_of(model.device.type)
        self._model = model.eval()
        self._tokenizer = tokenizer
        self._cutting = threading.Lock()
        self._unpadded = UnpaddedClassifier.of(model)

    @classmethod
    def load(cls, artifacts: ArtifactStore, spec: EmotionsSpec, *, device: str = "cpu") -> "EmotionModel":
        """Load and warm the model of a version, after checking that its artifact is the registered one.

        Raises:
            ArtifactError: the artifact is missing, unsafe or changed, or is not the model that the version says.
        """
        return cls.open(artifacts.verified(spec.artifact), spec, device=device)

    @classmethod
    def open(cls, folder: Path, spec: EmotionsSpec, *, device: str = "cpu") -> "EmotionModel":
        """Load and warm a model from a folder that the caller vouches for."""
        only_here = {"local_files_only": True, "trust_remote_code": False}
        model = AutoModelForSequenceClassification.from_pretrained(
            str(folder), use_safetensors=True, dtype=torch.float32, **only_here
        )
        tokenizer = AutoTokenizer.from_pretrained(str(folder), **only_here)
        opened = cls(model.to(device), tokenizer, spec)
        produced = opened.forward(opened.tokenize(["warm-up"])).shape[1]
        if produced != len(spec.labels):
            raise ArtifactError(
                f"The model in {folder} gives {produced} scores; its version names {len(spec.labels)} labels.",
                "Register the model as a part of a version of its own.",
            )
        return opened

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of texts, cut to the version's longest, not padded."""
        with self._cutting:  # where to cut is set in the tokenizer itself, which threads share
            found = self._tokenizer(list(texts), truncation=True, max_length=self.spec.max_length)
        return list(found["input_ids"])

    def sizes(self, texts: Sequence[str]) -> list[int]:
        """How many tokens texts have, none cut off."""
        with self._cutting:
            found = self._tokenizer(list(texts), truncation=False, verbose=False)
        return [len(each) for each in found["input_ids"]]

    def read(self, texts: Sequence[str]) -> Felt:
        """What the model says of texts, computed here and now."""
        tokens = self.tokenize(texts) if texts else []
        logits = np.empty((len(tokens), len(self.spec.labels)), np.float32)
        for rows in batches_by_tokens([len(each) for each in tokens], self.batch_tokens):
            logits[rows] = self.forward([tokens[row] for row in rows])
        return Felt(self.spec, logits, sum(map(len, tokens)))

    def forward(self, tokens: Sequence[Tokens]) -> Matrix:
        """Log-odds of one batch, shape (len(tokens), labels); any number of threads at once."""
        if self._unpadded is not None:
            with torch.inference_mode():
                return np.asarray(self._unpadded(tokens).float().numpy(), np.float32)
        width = max(len(each) for each in tokens)
        ids = np.full((len(tokens), width), self._tokenizer.pad_token_id or 0, np.int64)
        mask = np.zeros_like(ids)
        for row, each in enumerate(tokens):
            ids[row, : len(each)] = each
            mask[row, : len(each)] = 1
        features = {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}
        with torch.inference_mode():
            placed = {name: each.to(self._model.device) for name, each in features.items()}
            logits = self._model(**placed).logits.float()
        return np.asarray(logits.cpu().numpy(), np.float32)


class ServedEmotions:
    """An emotion model as requests use it: its cache asked first, its forward passes shared with other requests.

    Attributes:
        model: the model itself.
        cache: what it gave before.
    """

    def __init__(self, model: EmotionModel, scheduler: Scheduler) -> None:
        self.model = model
        self.cache = VectorCache(_CACHED_TEXTS)
        self._scheduler = scheduler

    def submit(self, texts: Sequence[str]) -> "Future[Felt]":
        """What the model says of texts, without waiting; cancel the future to have them let go.

        Raises:
            Overloaded: they would have to wait for too long.
        """
        known = self.cache.find("", texts)
        unknown = [row for row, each in enumerate(known) if each is None]
        told = [texts[row] for row in unknown]
        tokens = self.model.tokenize(told) if told else []

        def whole(rows: Matrix) -> Felt:
            # Copies: a row by itself would keep all of its batch in memory.
            computed = [Known(row.copy(), len(each)) for row, each in zip(rows, tokens, strict=True)]
            self.cache.keep("", told, computed)
            for row, each in zip(unknown, computed, strict=True):
                known[row] = each
            return self._together([each for each in known if each is not None])

        return then(self._scheduler.submit(self.model, tokens), whole)

    def read(self, texts: Sequence[str]) -> Felt:
        """The same, once it is there.

        Raises:
            Overloaded: they would have to wait for too long.
            InferenceFailed: the model failed on one.
        """
        return self.submit(texts).result()

    def _together(self, known: Sequence[Known]) -> Felt:
        return Felt(self.model.spec, np.stack([each.vector for each in known]), sum(each.tokens for each in known))
