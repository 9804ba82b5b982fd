"""Bringing versions to where they are served on Modal: everything that decides an answer, before it is asked for."""

from lifecycle.compute.remote import ModalApp
from lifecycle.compute.shelf import Kind
from lifecycle.compute.transfer import send
from lifecycle.progress import Progress
from lifecycle.settings import read_settings
from lifecycle.workspace import Workspace
from registry import versions
from registry.stages import GIVEN_UP


def ship(workspace: Workspace, progress: Progress, name: str | None = None) -> int:
    """Send the artifacts of a version, or of every one that could serve, that are not on Modal yet; how many were not.

    Where heavy work is done on this machine there is nothing to send.

    Raises:
        ComputeUnavailable, ComputeError: Modal is away, or the app is not deployed.
        ArtifactError: an artifact is missing here, unsafe or changed.
    """
    settings = read_settings()
    if settings.compute != "modal":
        return 0
    with workspace.database.transaction() as connection:
        wanted = [versions.get(connection, name)] if name else versions.list_all(connection)
    digests = {digest for each in wanted if each.stage not in GIVEN_UP for digest in each.spec.artifacts}
    shelf = ModalApp(settings.modal_app).shelf()
    return sum(
        send(shelf, Kind.ARTIFACT, each, workspace.artifacts.verified(each), progress) for each in sorted(digests)
    )
