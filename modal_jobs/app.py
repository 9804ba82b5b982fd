"""The app on Modal: `modal deploy modal_jobs/app.py`. What its functions do stands in the other packages."""

from pathlib import Path
from typing import Any

import modal

from modal_jobs.image import build_image
from modal_jobs.settings import ModalSettings

SETTINGS = ModalSettings()
ROOT = Path("/mnt/autosort")
GPU = "A10"
IMAGE = build_image(SETTINGS)

app = modal.App(SETTINGS.app)
volume = modal.Volume.from_name(SETTINGS.volume, create_if_missing=True, version=2)

_RETRIES = modal.Retries(max_retries=3, initial_delay=5.0, backoff_coefficient=2.0, max_delay=60.0)
_START_SECONDS = 600


@app.function(
    image=IMAGE,
    volumes={str(ROOT): volume},
    cpu=1.0,
    memory=4096,
    max_containers=1,  # one that writes: what arrives in pieces arrives in one place
    timeout=600,
    startup_timeout=_START_SECONDS,
    scaledown_window=60,
    region=SETTINGS.region,
)
def shelf(method: str, kind: str, *arguments: Any) -> Any:  # noqa: ANN401
    """One of `Shelf`'s methods, on the volume."""
    from lifecycle.compute.container import WRITING, use_shelf
    from lifecycle.compute.shelf import Shelf

    volume.reload()
    try:
        return use_shelf(Shelf(ROOT), method, kind, *arguments)
    finally:
        if method in WRITING:
            volume.commit()


@app.function(
    image=IMAGE,
    volumes={str(ROOT): volume},
    gpu=GPU,
    cpu=4.0,
    memory=16384,
    max_containers=1,  # one training at a time: asked twice for the same, the second finds what the first made
    timeout=6 * 3600,
    startup_timeout=_START_SECONDS,
    retries=_RETRIES,
    single_use_containers=True,
    region=SETTINGS.region,
)
def train(request: dict[str, Any]) -> dict[str, Any]:
    """One training, from its last checkpoint if it was begun; `Answer` as JSON."""
    from lifecycle.compute import container
    from lifecycle.compute.requests import TrainingRequest
    from lifecycle.compute.shelf import Shelf

    volume.reload()
    asked = TrainingRequest.model_validate(request)
    return container.answered(lambda: container.train(Shelf(ROOT), asked, volume.commit))


@app.cls(
    image=IMAGE,
    volumes={str(ROOT): volume.read_only()},
    gpu=GPU,
    cpu=2.0,
    memory=8192,
    max_containers=SETTINGS.embedders,
    timeout=600,
    startup_timeout=_START_SECONDS,
    retries=_RETRIES,
    scaledown_window=60,
    region=SETTINGS.region,
)
class Embedder:
    """A version's model; each container loads it once."""

    embedder: str = modal.parameter()

    @modal.enter()
    def load(self) -> None:
        """Load the model, its artifact verified."""
        from lifecycle.compute.container import Model
        from lifecycle.compute.shelf import Shelf
        from registry.versions import EmbedderSpec

        self._model = Model(Shelf(ROOT), EmbedderSpec.model_validate_json(self.embedder))
        self._model.load()

    @modal.method()
    def settle(self, texts: list[str]) -> str:
        """As `Model.settle`."""
        return self._model.settle(texts)

    @modal.method()
    def embed(self, texts: list[str], prompt: str, precision: str) -> dict[str, Any]:
        """As `Model.embed`."""
        return self._model.embed(texts, prompt, precision)
