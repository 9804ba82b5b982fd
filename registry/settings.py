"""Where the registry keeps its things, read from the environment."""

from pathlib import Path

import platformdirs
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


def default_home() -> Path:
    """The user's data folder; one without spaces in its path, which the embedded Postgres cannot take."""
    data = platformdirs.user_data_path("autosort")
    return Path.home() / ".autosort" if " " in str(data) else data


class RegistrySettings(BaseSettings):
    """Settings of the ground floor.

    Attributes:
        home: folder of the embedded database, artifacts, datasets and training runs (`AUTOSORT_HOME`).
        database_url: a Postgres to use instead of the embedded one (`DATABASE_URL`); secret, it may hold a password.
    """

    model_config = SettingsConfigDict(env_ignore_empty=True, frozen=True)

    home: Path = Field(
        default_factory=default_home,
        validation_alias="AUTOSORT_HOME",
    )
    database_url: SecretStr | None = Field(default=None, validation_alias="DATABASE_URL")

    @property
    def database_folder(self) -> Path:
        return self.home / "postgres"

    @property
    def artifacts_folder(self) -> Path:
        return self.home / "artifacts"

    @property
    def datasets_folder(self) -> Path:
        return self.home / "datasets"

    @property
    def runs_folder(self) -> Path:
        return self.home / "runs"
