"""Base versions: a base model itself, registered before anything is trained from it. The first, `v1`, goes live."""

from hashlib import sha256

from lifecycle.base_models import base_model, store_base_model
from lifecycle.calibration import calibrated_matching, training_sample
from lifecycle.compute.far_dataset import encode_where_it_pays
from lifecycle.compute.metering import Spend, unbilled
from lifecycle.emotion_models import store_emotions
from lifecycle.progress import Progress
from lifecycle.promotion import promote
from lifecycle.reconcile.operation import reconcile
from lifecycle.settings import read_settings
from lifecycle.workspace import Workspace
from registry import catalogue, pointer, versions
from registry.database import actor
from registry.errors import BadInput
from registry.texts import CURRENT_TEMPLATE
from registry.versions import ModelSpec, ModelVersion
from training.configuration import profile
from training.dataset import unsplit_dataset


def ensure_base_version(
    workspace: Workspace, progress: Progress, base: str | None = None, *, spend: Spend = unbilled
) -> ModelVersion:
    """The version that is a base model itself: registered, and embedded and made live if no version is live yet.

    Args:
        base: package or hub id; by default that of the first version, or of the recipe that the settings name.
        spend: told what other machines worked for.

    Raises:
        BadInput: the catalogue holds nothing to serve.
        NotFound: there is no such base model.
        ArtifactError: it cannot be fetched.
    """
    version = register_base_version(workspace, progress, base, spend=spend)
    with workspace.database.transaction() as connection:
        live = pointer.read(connection).live
    if live is None:
        reconcile(workspace, version.version, progress, spend=spend)
        promote(workspace, version.version, progress, reason="the first version")
    return version


def register_base_version(
    workspace: Workspace, progress: Progress, base: str | None = None, *, spend: Spend = unbilled
) -> ModelVersion:
    """The version that is a base model itself, registered unless it is; nothing is embedded.

    Raises:
        BadInput, NotFound, ArtifactError: as `ensure_base_version`.
    """
    known = _registered(workspace, base)
    return known or _register(workspace, base or profile(read_settings().recipe).base, progress, spend)


def _registered(workspace: Workspace, base: str | None) -> ModelVersion | None:
    with workspace.database.transaction() as connection:
        known = versions.list_all(connection)
    if base is None:
        return next(iter(known), None)
    return next((each for each in known if each.spec.training is None and each.spec.embedder.base_model == base), None)


def _register(workspace: Workspace, base: str, progress: Progress, spend: Spend) -> ModelVersion:
    with workspace.database.transaction() as connection:
        snapshot = catalogue.snapshot(connection)
    dataset = training_sample(unsplit_dataset(snapshot))
    if not dataset.pairs:
        raise BadInput("The catalogue holds no playlist with a song.", "Import some with `autosort import FILE`.")
    settings = read_settings()
    embedder = store_base_model(base_model(base), workspace.artifacts, settings.base_folder)
    emotions = store_emotions(base, workspace.artifacts, settings)
    vectors = encode_where_it_pays(
        workspace, embedder, dataset, progress, label="Measuring the base model", published=True, spend=spend
    )
    matching = calibrated_matching(dataset, vectors)
    spec = ModelSpec(embedder=embedder, text_template=CURRENT_TEMPLATE, matching=matching, emotions=emotions)
    recipe = sha256(f"base:{embedder.artifact}".encode()).hexdigest()
    with workspace.database.transaction() as connection:
        return versions.register(connection, spec, recipe=recipe, actor=actor())
