"""Bringing models to where they are needed on Modal, before anybody asks for them."""

from lifecycle.base_models import base_model
from lifecycle.compute.remote import ModalApp
from lifecycle.compute.shelf import Kind
from lifecycle.compute.transfer import send
from lifecycle.progress import Progress
from lifecycle.settings import read_settings
from lifecycle.workspace import Workspace
from registry import versions
from registry.artifacts import ArtifactStore
from registry.errors import ComputeUnavailable, NotFound
from registry.stages import GIVEN_UP
from registry.versions import EmbedderSpec


def ship(workspace: Workspace, progress: Progress, name: str | None = None) -> int:
    """Bring the artifacts of a version, or of every one that could serve, to Modal; how many were not there.

    Where heavy work is done on this machine there is nothing to bring. While Modal is away that is said, no more: work
    here goes on, and what serves there asks for what it lacks and says so until it has it.

    Raises:
        ComputeError: the app is not deployed.
        ArtifactError: an artifact is missing here, unsafe or changed.
    """
    settings = read_settings()
    if settings.compute != "modal":
        return 0
    try:
        return _ship(workspace, ModalApp(settings.modal_app), progress, name)
    except ComputeUnavailable as error:
        progress.say(f"{error.fact} Models that it lacks are brought there by the next `autosort sync`.")
        return 0


def _ship(workspace: Workspace, app: ModalApp, progress: Progress, name: str | None) -> int:
    with workspace.database.transaction() as connection:
        wanted = [versions.get(connection, name)] if name else versions.list_all(connection)
    kept = [each for each in wanted if each.stage not in GIVEN_UP]
    brought = sum(
        bring_embedder(app, workspace.artifacts, each.spec.embedder, progress, published=each.spec.training is None)
        for each in kept
    )
    others = {digest for each in kept for digest in each.spec.artifacts if digest != each.spec.embedder.artifact}
    return brought + sum(
        send(app.shelf(), Kind.ARTIFACT, each, workspace.artifacts.verified(each), progress) for each in sorted(others)
    )


def bring_embedder(
    app: ModalApp, artifacts: ArtifactStore, embedder: EmbedderSpec, progress: Progress, *, published: bool
) -> bool:
    """Bring an embedding model there unless it is; whether it had to be.

    Args:
        published: whether it is a base model, which is fetched there from where it is published; what comes of that is
            the same bytes, or it is sent.
    """
    if app.shelf().call("has", Kind.ARTIFACT.value, embedder.artifact):
        return False
    if published and _is_pinned(embedder) and _fetched_there(app, embedder, progress):
        return True
    return send(app.shelf(), Kind.ARTIFACT, embedder.artifact, artifacts.verified(embedder.artifact), progress)


def _is_pinned(embedder: EmbedderSpec) -> bool:
    """Whether it was taken at the pinned revision, not from a folder."""
    try:
        return base_model(embedder.base_model).revision == embedder.base_revision
    except NotFound:
        return False


def _fetched_there(app: ModalApp, embedder: EmbedderSpec, progress: Progress) -> bool:
    progress.say(f"Fetching {embedder.base_model} on Modal.")
    return bool(app.shelf().call("fetch_base", Kind.ARTIFACT.value, embedder.base_model) == embedder.artifact)
