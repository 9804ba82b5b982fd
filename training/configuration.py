"""Training configurations: frozen, validated, and stored whole with the version they made."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from registry.errors import NotFound


class TrainingConfiguration(BaseModel):
    """Every value that decides what a training makes of its dataset.

    Attributes:
        profile: name of the recipe.
        epochs: passes over the training pairs.
        batch_size: pairs a step; the others of a batch are the negatives.
        learning_rate: peak of a linear schedule with warm-up.
        warmup: share of the steps over which the learning rate rises.
        weight_decay: of AdamW.
        scale: inverse temperature of the contrastive loss; MiniLM wants about 20, E5 50 to 100.
        checkpoints: how often in a training the model is saved and measured on the development split.
        seed: of everything random.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    profile: str
    epochs: Annotated[int, Field(ge=1, le=100)]
    batch_size: Annotated[int, Field(ge=2, le=8192)]
    learning_rate: Annotated[float, Field(gt=0, le=0.01)]
    warmup: Annotated[float, Field(ge=0, le=1)] = 0.1
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.01
    scale: Annotated[float, Field(gt=0, le=1000)] = 20.0
    checkpoints: Annotated[int, Field(ge=1, le=1000)] = 8
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0


PROFILES: dict[str, TrainingConfiguration] = {
    "bundled": TrainingConfiguration(profile="bundled", epochs=4, batch_size=64, learning_rate=5e-5),
}


def profile(name: str, *, seed: int = 0, epochs: int | None = None) -> TrainingConfiguration:
    """The configuration of a profile, with another seed or number of epochs if asked.

    Raises:
        NotFound: there is no such profile.
    """
    if name not in PROFILES:
        raise NotFound(f"There is no training profile {name!r}.", f"Profiles: {', '.join(sorted(PROFILES))}.")
    changes = {"seed": seed} if epochs is None else {"seed": seed, "epochs": epochs}
    return TrainingConfiguration.model_validate(PROFILES[name].model_dump() | changes)
