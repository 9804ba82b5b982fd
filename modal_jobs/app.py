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
_DATABASE = modal.Secret.from_name(SETTINGS.secret, required_keys=["DATABASE_URL"])


@app.function(
    image=IMAGE,
    volumes={str(ROOT): volume},
    cpu=1.0,
    memory=4096,
    max_containers=1,  # one that writes: what arrives in pieces arrives in one place
    timeout=1800,
    startup_timeout=_START_SECONDS,
    scaledown_window=60,
    region=SETTINGS.region,
)
def shelf(method: str, kind: str, *arguments: Any) -> Any:  # noqa: ANN401
    """One of `Shelf`'s methods, on the volume, or a base model onto it."""
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


@app.function(
    image=IMAGE,
    volumes={str(ROOT): volume},
    secrets=[_DATABASE],
    env={"AUTOSORT_HOME": str(ROOT)},
    gpu=GPU,
    cpu=2.0,
    memory=8192,
    min_containers=SETTINGS.warm,
    timeout=300,
    startup_timeout=_START_SECONDS,
    scaledown_window=300,
    region=SETTINGS.region,
)
@modal.concurrent(max_inputs=64, target_inputs=32)
@modal.asgi_app()
def serve() -> Any:  # noqa: ANN401 - an ASGI app
    """The service, as `autosort serve` runs it; it follows the live pointer by asking."""
    from lifecycle.compute.container import service_app

    return service_app(volume.reload)


@app.function(
    image=IMAGE,
    volumes={str(ROOT): volume},
    secrets=[_DATABASE],
    env={"AUTOSORT_HOME": str(ROOT), "AUTOSORT_COMPUTE": "modal"},
    cpu=2.0,
    memory=8192,
    max_containers=1,
    timeout=12 * 3600,
    startup_timeout=_START_SECONDS,
    schedule=modal.Cron(SETTINGS.cron, timezone=SETTINGS.timezone),
    region=SETTINGS.region,
)
def quarter() -> dict[str, Any]:
    """The quarter, as `autosort quarter` runs it; what is not due costs a minute of a processor."""
    from lifecycle.compute.container import run_quarter_here

    volume.reload()
    try:
        return run_quarter_here()
    finally:
        volume.commit()
