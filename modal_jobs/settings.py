"""How the app is deployed, read from the environment of whoever deploys it."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ModalSettings(BaseSettings):
    """Names, regions and sizes of the app on Modal; what is deployed keeps those of its deployment.

    Attributes:
        app: name of the app (`AUTOSORT_MODAL_APP`).
        volume: that holds weights, datasets and runs (`AUTOSORT_MODAL_VOLUME`).
        secret: with `DATABASE_URL` in it, for what needs the database (`AUTOSORT_MODAL_SECRET`).
        region: where containers run, by Modal's names; anywhere unless set, which is cheapest
            (`AUTOSORT_MODAL_REGION`).
        embedders: containers that embed at once, at most (`AUTOSORT_MODAL_EMBEDDERS`).
        warm: containers that serve although nobody asks (`AUTOSORT_MODAL_WARM`).
        cron: when the quarter is looked at (`AUTOSORT_MODAL_CRON`), in `timezone` (`AUTOSORT_MODAL_TIMEZONE`).
    """

    model_config = SettingsConfigDict(env_prefix="AUTOSORT_MODAL_", env_ignore_empty=True, frozen=True)

    app: str = "autosort"
    volume: str = "autosort"
    secret: str = "autosort-database"  # noqa: S105 - its name
    region: str | None = None
    embedders: Annotated[int, Field(ge=1, le=100)] = 8
    warm: Annotated[int, Field(ge=0, le=20)] = 0
    cron: str = "0 6 2 1,4,7,10 *"
    timezone: str = "UTC"

    def environment(self) -> dict[str, str]:
        """The same settings as variables, so that a container finds what the deployment said."""
        return {f"AUTOSORT_MODAL_{name.upper()}": str(value) for name, value in self if value is not None}
