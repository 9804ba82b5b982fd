"""Publishing a version on the Hugging Face Hub: its models and a card that tells what they can do."""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any

from lifecycle.evaluation import evaluate_version
from lifecycle.hub.card import render_card
from lifecycle.hub.contents import CARD, MANIFEST, artifacts_of, read_manifest, size_of, version_files
from lifecycle.hub.repository import Contents, Repository
from lifecycle.progress import Progress
from lifecycle.report.document import collect
from lifecycle.workspace import Workspace
from registry import pointer, versions
from registry.database import actor
from registry.errors import Refused
from registry.versions import ModelVersion


@dataclass(frozen=True)
class Published:
    """A version as it lies on the Hub.

    Attributes:
        url: page of the repository.
        commit: what holds it.
        tag: name of the commit that first held it; it never moves.
        changed: false if the repository held all of it before.
        files: paths of the version's files.
    """

    version: str
    repo: str
    url: str
    commit: str
    tag: str
    private: bool
    changed: bool
    files: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """It as a JSON object."""
        return {**asdict(self), "files": list(self.files)}


def publish(
    workspace: Workspace, name: str, repository: Repository, progress: Progress, *, public: bool = False
) -> Published:
    """Upload a version to a repository in one commit, tag the commit with the version's name, and write it down.

    Publishing again what is there already changes nothing.

    Args:
        public: the repository may be one that everybody can read; one that is made now will be.

    Raises:
        NotFound: there is no such version, or it cannot be evaluated on this machine.
        Refused: it was not trained here; or the repository is public, somebody else's, or holds another version of
            that name.
        ArtifactError: the model is missing, unsafe or changed.
        HubError, HubUnavailable: the Hub does not take it, or cannot be reached.
    """
    with workspace.database.transaction() as connection:
        version = versions.get(connection, name)
    _require_trained(version)
    account = repository.sign_in()
    evaluate_version(workspace, name, progress)
    card = render_card(collect(workspace, name, progress), repository.name)
    files = version_files(workspace, version, card)
    found = repository.open(private=not public)
    _require_welcome(version, repository, found, files, public=public)
    if public and found.private:
        progress.say(f"{repository.name} is private and stays so; its settings on the Hub can change that.")
    with progress.task(f"Uploading {size_of(files) / 1e6:,.1f} MB to {repository.name}", 1) as advance:
        gone = _outdated(repository, found) - files.keys()
        message = f"{name}: artifact {version.spec.embedder.artifact}"
        commit = repository.commit(files, gone, message=message, parent=found.head)
        advance(1)
    repository.tag(name, commit)
    changed = commit != found.head
    done = Published(name, repository.name, found.url, commit, name, found.private, changed, tuple(sorted(files)))
    _write_down(workspace, repository, done, account)
    return done


def _require_trained(version: ModelVersion) -> None:
    if version.spec.training is None:
        raise Refused(
            f"{version.version} is {version.spec.embedder.base_model} itself, which others have published.",
            "Publish a version that `autosort retrain` made.",
        )


def _require_welcome(
    version: ModelVersion, repository: Repository, found: Contents, files: Collection[str], *, public: bool
) -> None:
    if not found.private and not public:
        raise Refused(
            f"{repository.name} is public: everybody could read {version.version} and its card.",
            "Add --public if that is meant, or name another repository.",
        )
    foreign = (found.files & set(files)) - {CARD}
    if foreign and MANIFEST not in found.files:
        raise Refused(
            f"{repository.name} holds another model: {', '.join(sorted(foreign)[:3])}.",
            "Name a repository of the versions' own; it is made if it is not there.",
        )
    tagged = found.tags.get(version.version)
    if tagged and _artifacts_at(repository, tagged) != artifacts_of(version):
        raise Refused(
            f"{repository.name} has a tag {version.version} already, on another model.",
            "Name another repository; or, if that tag is of no use any more, delete it there and publish again.",
        )


def _artifacts_at(repository: Repository, commit: str) -> dict[str, str | None] | None:
    content = repository.read(MANIFEST, commit)
    if content is None:
        return None
    manifest = read_manifest(content)
    return {name: manifest.get(name) for name in ("artifact", "reranker", "emotions")}


def _outdated(repository: Repository, found: Contents) -> set[str]:
    """Files of the version that was published before, such as a reranker that the present one does not have."""
    content = repository.read(MANIFEST, found.head) if MANIFEST in found.files else None
    return found.files & read_manifest(content)["files"].keys() if content else set()


def _write_down(workspace: Workspace, repository: Repository, done: Published, account: str) -> None:
    evidence = {
        "repo": done.repo,
        "endpoint": repository.endpoint,
        "account": account,
        "commit": done.commit,
        "private": done.private,
        "changed": done.changed,
    }
    with workspace.database.transaction() as connection:
        pointer.audit(connection, "publish", done.version, actor=actor(), evidence=evidence)
