"""Settings of the service, read from the environment."""

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ServingSettings(BaseSettings):
    """Settings of the service.

    Attributes:
        device: "cpu", "cuda" or "mps"; the best there is unless set (`AUTOSORT_DEVICE`).
        poll_seconds: how often the live pointer is looked at (`AUTOSORT_POLL_SECONDS`).
        precision: that models compute in: "fp32", "bf16", "fp16", or "auto" for the fastest one that gives the same
            answers on this device (`AUTOSORT_PRECISION`).
        rerank_seconds: that a request for matches waits for its reranking (`AUTOSORT_RERANK_SECONDS`).
    """

    model_config = SettingsConfigDict(env_prefix="AUTOSORT_", env_ignore_empty=True, frozen=True)

    device: str | None = None
    poll_seconds: float = Field(default=0.25, gt=0, le=60)
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    rerank_seconds: float = Field(default=0.5, gt=0, le=60)
