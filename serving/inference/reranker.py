"""The cross-encoder of one version: it reads two texts together and tells how well they belong together."""

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from scipy.special import expit
from sentence_transformers import CrossEncoder
from torch import nn

from registry.errors import ArtifactError
from registry.versions import RerankerSpec
from serving.inference.batching import batches_by_tokens
from serving.inference.encoder import TYPES, batch_tokens_of
from serving.inference.futures import then
from serving.inference.scheduler import Scheduler
from serving.inference.steps import step
from serving.inference.unpadded import UnpaddedClassifier
from serving.inference.waiting import Matrix, Row, Tokens

Pair = tuple[str, str]
"""What is asked for, and what may answer it: of playlists and songs, as in the training, the playlist's text first."""


@dataclass(frozen=True)
class Read:
    """What came of pairs: logits, shape (n,), and how many tokens the pairs have in all."""

    logits: Row
    tokens: int

    @property
    def relevance(self) -> Row:
        """The same between 0 and 1."""
        return np.asarray(expit(self.logits), np.float32)


class PairReader(Protocol):
    """What matching needs of a reranker."""

    def submit(self, pairs: Sequence[Pair]) -> "Future[Read]":
        """Read pairs together; cancel the future to have them let go."""


class Reranker:
    """Pairs of texts to one number each, float32: the logit of their belonging together. Threads may share it.

    In `Tokens` of a pair those of its second text are stored as their complements (`~token`): some models are told
    which text a token is of, and numbers below zero say so without a second list.

    Attributes:
        batch_tokens: padded tokens of a batch that keep the device busy and its memory small.
    """

    def __init__(self, model: CrossEncoder, spec: RerankerSpec, *, precision: str = "fp32") -> None:
        self.spec = spec
        self.precision = precision
        self.device: str = model.device.type
        self.batch_tokens = batch_tokens_of(self.device)
        self._model = model.eval()
        self._tokenizer: Any = model.tokenizer
        self._cutting = threading.Lock()
        if precision != "fp32":
            # The last layer stays in fp32: logits of bf16 have three digits, too few to keep the ranks apart.
            layers = model.named_modules()
            model.set_keep_in_fp32_modules([name for name, each in layers if _is_last(each)])
            model[0].to(TYPES[precision])
        transformer: Any = model[0].model
        self._unpadded = UnpaddedClassifier.of(transformer) if len(model) == 1 else None

    @classmethod
    def open(
        cls, folder: Path, spec: RerankerSpec, *, device: str | None = None, precision: str = "fp32"
    ) -> "Reranker":
        """Load and warm a model from a folder that the caller vouches for.

        Args:
            precision: that the transformer computes in: "fp32", "bf16" or "fp16".

        Raises:
            ArtifactError: it is none that gives one number for two texts.
        """
        model = CrossEncoder(
            str(folder),
            device=device,
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs={"use_safetensors": True},
        )
        if model.num_labels != 1:
            raise ArtifactError(
                f"The model in {folder} gives {model.num_labels} numbers for a pair of texts; a reranker gives one.",
                "Train the version again with `autosort retrain --set reranker=true`.",
            )
        reranker = cls(model, spec, precision=precision)
        reranker.read([("warm-up", "warm-up")])
        return reranker

    def tokenize(self, pairs: Sequence[Pair]) -> list[list[int]]:
        """Token ids of pairs, cut to the version's longest where the longer text ends, not padded."""
        if not pairs:
            return []
        first, second = zip(*pairs, strict=True)
        found = self._cut(list(first), list(second), truncation="longest_first", max_length=self.spec.max_length)
        if not self._told_apart:
            return list(found["input_ids"])
        return [
            [~token if kind else token for token, kind in zip(*row, strict=True)]
            for row in zip(found["input_ids"], found["token_type_ids"], strict=True)
        ]

    def sizes(self, pairs: Sequence[Pair]) -> list[int]:
        """How many tokens pairs have, none cut off."""
        first, second = zip(*pairs, strict=True)
        return [len(each) for each in self._cut(list(first), list(second), truncation=False)["input_ids"]]

    def forward(self, tokens: Sequence[Tokens]) -> Matrix:
        """Logits of one batch, shape (len(tokens), 1); any number of threads at once."""
        with torch.inference_mode():
            logits = self._padded(tokens) if self._unpadded is None else self._quickly(tokens, self._unpadded)
        return np.asarray(logits.float().reshape(len(tokens), 1).cpu().numpy(), np.float32)

    def _quickly(self, tokens: Sequence[Tokens], unpadded: UnpaddedClassifier) -> torch.Tensor:
        ids = [[max(each, ~each) for each in row] for row in tokens]
        return unpadded(ids, [[int(each < 0) for each in row] for row in tokens])

    def _padded(self, tokens: Sequence[Tokens]) -> torch.Tensor:
        """Logits as the library computes them."""
        width = max(map(len, tokens))
        ids = np.full((len(tokens), width), self._tokenizer.pad_token_id or 0, np.int64)
        mask = np.zeros_like(ids)
        for row, each in enumerate(tokens):
            ids[row, : len(each)] = each
            mask[row, : len(each)] = 1
        second = ids < 0
        features = {"input_ids": np.where(second, ~ids, ids), "attention_mask": mask}
        if self._told_apart:
            features["token_type_ids"] = second.astype(np.int64)
        placed = {name: torch.from_numpy(each).to(self._model.device) for name, each in features.items()}
        logits: torch.Tensor = self._model(placed)["scores"]
        return logits

    def read(self, pairs: Sequence[Pair]) -> Read:
        """What comes of pairs, computed here and now."""
        tokens = self.tokenize(pairs)
        logits = np.empty(len(pairs), np.float32)
        for rows in batches_by_tokens([len(each) for each in tokens], self.batch_tokens):
            logits[rows] = self.forward([tokens[row] for row in rows])[:, 0]
        return Read(logits, sum(map(len, tokens)))

    def submit(self, pairs: Sequence[Pair]) -> "Future[Read]":
        """The same as a future that is done."""
        done: Future[Read] = Future()
        done.set_result(self.read(pairs))
        return done

    def _cut(self, first: list[str], second: list[str], **options: Any) -> Any:  # noqa: ANN401
        with self._cutting:  # where to cut is set in the tokenizer itself, which threads share
            return self._tokenizer(first, second, verbose=False, **options)

    @property
    def _told_apart(self) -> bool:
        return "token_type_ids" in self._tokenizer.model_input_names


def _is_last(module: nn.Module) -> bool:
    return type(module) is nn.Linear and module.out_features == 1


class ServedReranker:
    """A reranker as requests use it: its forward passes shared with those of other requests; any number of threads.

    Attributes:
        reranker: the model itself.
    """

    def __init__(self, reranker: Reranker, scheduler: Scheduler) -> None:
        self.reranker = reranker
        self._scheduler = scheduler

    def submit(self, pairs: Sequence[Pair]) -> "Future[Read]":
        """Read pairs together, without waiting; cancel the future to have them let go.

        Raises:
            Overloaded: they would have to wait for too long.
        """
        with step("tokenize"):
            tokens = self.reranker.tokenize(pairs)
        size = sum(map(len, tokens))
        return then(self._scheduler.submit(self.reranker, tokens), lambda rows: Read(rows.reshape(-1), size))
