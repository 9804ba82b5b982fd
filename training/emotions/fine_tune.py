"""Training an emotion model: the bundled encoder, low-rank adapters on its layers, a pooler and a head of its own."""

import math
import random
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from training.emotions.adapter import Tensors, merge_adapter, save_adapter
from training.emotions.low_rank import adapt, trained_tensors
from training.emotions.texts import EmotionTexts, read_labels, read_texts
from training.emotions.thresholds import Quality, Scores, fit_thresholds
from training.trainer import Progress, ignore_progress

_BATCH_AT_TEST = 256
_LENGTH_NOISE = 2.0
"""Tokens by which lengths are blurred before texts of one length are batched, so that each epoch has other batches."""


@dataclass(frozen=True)
class EmotionTraining:
    """The recipe. Of what else was tried, docs/experiments.md tells.

    Attributes:
        epochs: passes over the texts; the learning rate falls to nothing over them (half a cosine).
        max_length: tokens after which texts are cut.
    """

    epochs: int = 2
    learning_rate: float = 1e-3
    rank: int = 48
    batch_size: int = 64
    weight_decay: float = 0.01
    warmup: float = 0.06
    max_length: int = 256
    seed: int = 0


@dataclass(frozen=True)
class TrainedEmotions:
    """An adapter's folder, its thresholds, and how well it does on texts that it was not made with."""

    folder: Path
    labels: tuple[str, ...]
    thresholds: tuple[float, ...]
    quality: Quality


def train_emotions(
    base: Path,
    base_name: str,
    data: Path,
    out: Path,
    recipe: EmotionTraining | None = None,
    *,
    on_progress: Progress = ignore_progress,
) -> TrainedEmotions:
    """Train on nine tenths of `train.tsv`, set thresholds on the tenth, measure on `dev.tsv`; write the adapter.

    Args:
        base: folder of the encoder.
        base_name: what others may get it by, with its version.
        data: folder of GoEmotions' form.
        out: folder to write the adapter into.

    Raises:
        BadInput: the data cannot be read.
    """
    recipe = recipe or EmotionTraining()
    labels = read_labels(data)
    fit, held = read_texts(data / "train.tsv", len(labels)).parted()
    development = read_texts(data / "dev.tsv", len(labels))
    model = _Tuned(base, len(labels), recipe)
    model.train(fit, on_progress)
    with tempfile.TemporaryDirectory() as folder:
        # Measured as it will be used: rounded to fp16, merged, read back.
        draft = Path(folder)
        save_adapter(draft / "adapter", model.adapter(), {"labels": labels})
        merge_adapter(base, draft / "adapter", draft / "merged")
        thresholds = fit_thresholds(score(draft / "merged", held.texts, recipe.max_length), held.labels).round(4)
        scores = score(draft / "merged", development.texts, recipe.max_length)
        quality = Quality.measure(scores, thresholds, development.labels)
        facts = _facts(labels, thresholds.tolist(), quality, recipe, base_name, (fit, held, development))
        save_adapter(draft / "adapter", model.adapter(), facts)
        shutil.copytree(draft / "adapter", out, dirs_exist_ok=True)
    return TrainedEmotions(out, labels, tuple(thresholds.tolist()), quality)


def score(folder: Path, texts: Sequence[str], max_length: int) -> Scores:
    """Sigmoid scores of texts by a merged model, shape (texts, labels), in fp32."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    model = AutoModelForSequenceClassification.from_pretrained(
        str(folder), local_files_only=True, use_safetensors=True, dtype=torch.float32
    ).eval()
    tokens: list[list[int]] = tokenizer(list(texts), truncation=True, max_length=max_length)["input_ids"]
    order = sorted(range(len(tokens)), key=lambda row: len(tokens[row]))
    found = np.empty((len(tokens), model.config.num_labels), np.float32)
    with torch.inference_mode():
        for start in range(0, len(order), _BATCH_AT_TEST):
            rows = order[start : start + _BATCH_AT_TEST]
            found[rows] = model(**_padded([tokens[row] for row in rows])).logits.sigmoid().numpy()
    return found


class _Tuned:
    """A classifier over the encoder with adapters, while it is trained."""

    def __init__(self, base: Path, labels: int, recipe: EmotionTraining) -> None:
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        torch.manual_seed(recipe.seed)
        self._recipe = recipe
        self._tokenizer = AutoTokenizer.from_pretrained(str(base), local_files_only=True)
        self.model = AutoModelForSequenceClassification.from_pretrained(
            str(base),
            local_files_only=True,
            use_safetensors=True,
            dtype=torch.float32,
            num_labels=labels,
            problem_type="multi_label_classification",
        )
        adapt(self.model, recipe.rank)

    def train(self, texts: EmotionTexts, on_progress: Progress) -> None:
        """Go over the texts as often as the recipe says."""
        tokens = self._tokenizer(texts.texts, truncation=True, max_length=self._recipe.max_length)["input_ids"]
        truth = torch.from_numpy(texts.labels.astype(np.float32))
        self._start_at(truth.mean(0).clamp(1e-4, 1 - 1e-4))
        steps = self._recipe.epochs * math.ceil(len(tokens) / self._recipe.batch_size)
        optimizer, schedule = self._optimizer(steps)
        self.model.train()
        for step, rows in enumerate(self._batches([len(each) for each in tokens]), 1):
            with torch.autocast("cpu", torch.bfloat16, enabled=_computes_bf16()):
                logits = self.model(**_padded([tokens[row] for row in rows])).logits.float()
            _loss(logits, truth[rows]).backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            on_progress(step, steps)

    def adapter(self) -> Tensors:
        """What is added to the encoder, under the names that its weights have in a classifier."""
        return {name: value.detach().numpy() for name, value in trained_tensors(self.model).items()}

    def _start_at(self, frequency: torch.Tensor) -> None:
        """Let the head begin at the labels' frequencies, which it would spend the first hundred steps on."""
        self.model.classifier.bias.data = torch.log(frequency / (1 - frequency))

    def _batches(self, lengths: Sequence[int]) -> Iterator[list[int]]:
        """Rows of about one length together, in another order and other company at each pass."""
        chance = random.Random(self._recipe.seed)  # noqa: S311 - reproducible, not secret
        size = self._recipe.batch_size
        for _ in range(self._recipe.epochs):
            blurred = [length + chance.uniform(-_LENGTH_NOISE, _LENGTH_NOISE) for length in lengths]
            order = sorted(range(len(lengths)), key=blurred.__getitem__)
            batches = [order[start : start + size] for start in range(0, len(order), size)]
            chance.shuffle(batches)
            yield from batches

    def _optimizer(self, steps: int) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
        trained = trained_tensors(self.model).values()
        rate, decay = self._recipe.learning_rate, self._recipe.weight_decay
        optimizer = torch.optim.AdamW(trained, lr=rate, weight_decay=decay, betas=(0.9, 0.98))
        warm = max(1.0, self._recipe.warmup * steps)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: min(1.0, (step + 1) / warm) * 0.5 * (1 + math.cos(math.pi * min(1.0, step / steps)))
        )
        return optimizer, schedule


def _loss(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy, added up over the labels."""
    return nn.functional.binary_cross_entropy_with_logits(logits, truth, reduction="none").sum(1).mean()


def _padded(tokens: Sequence[Sequence[int]]) -> dict[str, torch.Tensor]:
    """A batch for BERT, whose padding has number 0."""
    width = max(map(len, tokens))
    ids = np.zeros((len(tokens), width), np.int64)
    mask = np.zeros_like(ids)
    for row, each in enumerate(tokens):
        ids[row, : len(each)] = each
        mask[row, : len(each)] = 1
    return {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}


def _computes_bf16() -> bool:
    """Whether this CPU computes in bf16 itself; one that emulates it is many times slower than in fp32."""
    features = torch.cpu.get_capabilities()
    return bool(features.get("amx_bf16") or features.get("avx512_bf16"))


def _facts(
    labels: Sequence[str],
    thresholds: Sequence[float],
    quality: Quality,
    recipe: EmotionTraining,
    base_name: str,
    parts: tuple[EmotionTexts, EmotionTexts, EmotionTexts],
) -> dict[str, Any]:
    """All that is known of an adapter, as JSON."""
    fit, held, development = parts
    figures = {
        label: {
            "precision": round(float(quality.precision[number]), 4),
            "recall": round(float(quality.recall[number]), 4),
            "f1": round(float(quality.f1[number]), 4),
            "support": int(quality.support[number]),
        }
        for number, label in enumerate(labels)
    }
    return {
        "base_model": base_name,
        "max_length": recipe.max_length,
        "labels": list(labels),
        "thresholds": list(thresholds),
        "rates": [round(float(each), 6) for each in quality.rate],
        "macro_f1": round(quality.macro_f1, 4),
        "quality": figures,
        "recipe": asdict(recipe),
        "texts": {"trained_on": len(fit), "thresholds_on": len(held), "measured_on": len(development)},
    }
