"""Settings of the lifecycle, read from the environment: where heavy work runs, its prices and its budget."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from registry.errors import BadInput
from training.configuration import PROFILES

Dollars = Annotated[float, Field(ge=0, allow_inf_nan=False)]


def _known_profile(value: str) -> str:
    if value not in PROFILES:
        raise ValueError(f"there are {', '.join(PROFILES)}")
    return value


def _parted(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


class LifecycleSettings(BaseSettings):
    """Settings of heavy work. The prices are Modal's of an A10 container.

    Attributes:
        compute: where heavy work runs: this machine or Modal (`AUTOSORT_COMPUTE`).
        profile: the training recipe unless a command names one; the first version is its base model
            (`AUTOSORT_PROFILE`).
        gpu_price: of an A10, in dollars a second (`AUTOSORT_GPU_PRICE`).
        core_price: of a processor core, in dollars a second (`AUTOSORT_CORE_PRICE`).
        memory_price: of a GiB of memory, in dollars a second (`AUTOSORT_MEMORY_PRICE`).
        local_price: of this machine, in dollars a second; 0 for one of your own (`AUTOSORT_LOCAL_PRICE`).
        base_folder: the profile's base model, for a machine that cannot reach the Hugging Face Hub
            (`AUTOSORT_BASE_FOLDER`).
        emotions_folder: the emotion model of versions made from now on, a folder of transformers' form, instead of the
            one that goes with the base model (`AUTOSORT_EMOTIONS_FOLDER`).
        budget: what may be spent in a calendar month, by UTC, in dollars (`AUTOSORT_BUDGET`).
        tracking: whether retrainings are tracked with Weights & Biases where it is installed (`AUTOSORT_TRACKING`).
        bake_minutes: how long after its promotion a version is watched (`AUTOSORT_BAKE_MINUTES`).
        auto_rollback: whether a version that does worse then is rolled back by itself (`AUTOSORT_AUTO_ROLLBACK`).
        modal_app: the app on Modal that work is sent to (`AUTOSORT_MODAL_APP`).
        modal_embedders: containers there that embed at once, at most (`AUTOSORT_MODAL_EMBEDDERS`).
        auto_promote: whether a quarter's version that passes the gate goes live by itself (`AUTOSORT_AUTO_PROMOTE`).
        webhooks: addresses that are told of it, parted by commas (`AUTOSORT_WEBHOOKS`).
    """

    model_config = SettingsConfigDict(env_prefix="AUTOSORT_", env_ignore_empty=True, frozen=True)

    compute: Literal["local", "modal"] = "local"
    profile: Annotated[str, AfterValidator(_known_profile)] | None = None
    base_folder: Path | None = None
    emotions_folder: Path | None = None
    gpu_price: Dollars = 0.000306
    core_price: Dollars = 0.0000131
    memory_price: Dollars = 0.00000222
    local_price: Dollars = 0.0
    budget: Dollars = 30.0
    tracking: Literal["auto", "off"] = "auto"
    bake_minutes: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 60.0
    auto_rollback: bool = False
    auto_promote: bool = False
    modal_app: str = "autosort"
    modal_embedders: Annotated[int, Field(ge=1, le=100)] = 8
    webhooks: Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_parted)] = ()

    @property
    def recipe(self) -> str:
        """The profile; unless it was set, the one that is meant for where heavy work runs."""
        return self.profile or {"local": "bundled", "modal": "e5-large"}[self.compute]


def read_settings() -> LifecycleSettings:
    """The settings of the environment.

    Raises:
        BadInput: a variable holds something that cannot be used.
    """
    try:
        return LifecycleSettings()
    except ValidationError as error:
        wrong = error.errors()[0]
        variable = f"AUTOSORT_{'_'.join(map(str, wrong['loc']))}".upper()
        raise BadInput(
            f"{variable} is {str(wrong['input'])[:80]!r}: {wrong['msg']}.", "docs/reference.md lists the settings."
        ) from None
