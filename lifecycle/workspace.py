"""What every command works with: the database, the artifacts and the folders, opened once and closed together."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from registry.artifacts import ArtifactStore
from registry.database import Database, open_database
from registry.settings import RegistrySettings
from registry.versions import EmbedderSpec, EmotionsSpec
from serving.settings import ServingSettings

if TYPE_CHECKING:
    from serving.inference.emotions import EmotionModel
    from serving.inference.encoder import Encoder


@dataclass(frozen=True)
class Workspace:
    """An open database, the artifact store and the folders beside it."""

    database: Database
    artifacts: ArtifactStore
    settings: RegistrySettings
    device: str | None = None

    @property
    def datasets(self) -> Path:
        return self.settings.datasets_folder

    @property
    def runs(self) -> Path:
        return self.settings.runs_folder

    def load_encoder(self, spec: EmbedderSpec, *, precision: str = "fp32") -> "Encoder":
        """The encoder of a version, its artifact verified."""
        # Imported here because it takes seconds, which `autosort rollback` does not have.
        from serving.inference.encoder import Encoder

        return Encoder.load(self.artifacts, spec, device=self.device, precision=precision)

    def load_emotions(self, spec: EmotionsSpec) -> "EmotionModel":
        """The emotion model of a version, its artifact verified."""
        from serving.inference.emotions import EmotionModel
        from serving.inference.precision import chosen_device

        return EmotionModel.load(self.artifacts, spec, device=chosen_device(self.device))


@contextmanager
def open_workspace(settings: RegistrySettings | None = None) -> Iterator[Workspace]:
    """The workspace that the settings (by default, the environment) name."""
    settings = settings or RegistrySettings()
    with open_database(settings) as database:
        store = ArtifactStore(settings.artifacts_folder)
        yield Workspace(database, store, settings, device=ServingSettings().device)
