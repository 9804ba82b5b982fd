"""Settings of the service, read from the environment."""

from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from registry.errors import BadInput

Auth = Literal["auto", "required", "off"]

Tier = Literal["metadata", "vectors", "audio", "deep"]
"""What matching takes: a song's record, the embedding, audio features; deep is what reads a song once more."""

ALL_TIERS: tuple[Tier, ...] = get_args(Tier)


def _parted(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _with_signals(tiers: tuple[Tier, ...]) -> tuple[Tier, ...]:
    if not set(tiers) - {"deep"}:
        raise ValueError("songs are matched by one of metadata, vectors and audio at least")
    return tiers


class ServingSettings(BaseSettings):
    """Settings of the service.

    Attributes:
        device: "cpu", "cuda" or "mps"; the best there is unless set (`AUTOSORT_DEVICE`).
        poll_seconds: how often the live pointer is looked at (`AUTOSORT_POLL_SECONDS`).
        precision: that models compute in: "fp32", "bf16", "fp16", or "auto" for the fastest one that gives the same
            answers on this device (`AUTOSORT_PRECISION`).
        auth: whether requests need a key: "required", "off", or "auto" for as soon as there was one (`AUTOSORT_AUTH`).
        cors_origins: origins whose pages may ask from a browser, parted by commas (`AUTOSORT_CORS_ORIGINS`).
        drain_seconds: for how long a server that is to end goes on answering, while it says that it is not ready
            (`AUTOSORT_DRAIN_SECONDS`).
        log_format: "json" or "text"; unless set, text on a terminal (`AUTOSORT_LOG_FORMAT`).
        rerank_seconds: that a request for matches waits for its reranking (`AUTOSORT_RERANK_SECONDS`).
        tiers: of signals that songs are matched by, parted by commas: "metadata", "vectors", "audio" and "deep"
            (`AUTOSORT_TIERS`).
    """

    model_config = SettingsConfigDict(env_prefix="AUTOSORT_", env_ignore_empty=True, frozen=True)

    device: str | None = None
    poll_seconds: float = Field(default=0.25, gt=0, le=60)
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    auth: Auth = "auto"
    cors_origins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_parted)] = ()
    drain_seconds: float = Field(default=5.0, ge=0, le=600)
    log_format: Literal["json", "text"] | None = None
    rerank_seconds: float = Field(default=0.5, gt=0, le=60)
    tiers: Annotated[tuple[Tier, ...], NoDecode, BeforeValidator(_parted), AfterValidator(_with_signals)] = ALL_TIERS


def read_settings() -> ServingSettings:
    """The settings of the environment.

    Raises:
        BadInput: a variable holds something that cannot be used.
    """
    try:
        return ServingSettings()
    except ValidationError as error:
        wrong = error.errors()[0]
        variable = f"AUTOSORT_{wrong['loc'][0]}".upper()  # behind it may stand the place in a list
        raise BadInput(
            f"{variable} is {str(wrong['input'])[:80]!r}: {wrong['msg']}.", "docs/reference.md lists the settings."
        ) from None
