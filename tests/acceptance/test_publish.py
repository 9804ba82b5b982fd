"""`autosort publish` with the real client against a server that speaks the Hub's protocol, and the model got back."""

import json
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from huggingface_hub import ModelCard

from lifecycle.workspace import Workspace
from registry import catalogue, versions
from registry.settings import RegistrySettings
from serving.inference.encoder import Encoder
from tests.support.command_line import CommandLine
from tests.support.hub import ModelHub, served_hub

REPO = "ada/playlists"
FETCH = "import sys, huggingface_hub as h; print(h.snapshot_download(sys.argv[1], revision=sys.argv[2]))"


@pytest.fixture
def hub() -> Iterator[ModelHub]:
    with served_hub() as served:
        yield served


@pytest.fixture
def ada(trained_autosort: CommandLine, hub: ModelHub, tmp_path: Path) -> CommandLine:
    """The command line of somebody with a token of the Hub, on a machine that never used it."""
    trained_autosort.environment |= {
        "HF_ENDPOINT": hub.url,
        "HF_TOKEN": hub.token("ada"),
        "HF_HOME": str(tmp_path / "hf"),
        "HF_HUB_DISABLE_XET": "1",
    }
    return trained_autosort


def python(line: CommandLine, code: str, *arguments: str) -> str:
    """What a script prints that runs where the command line does."""
    command = [sys.executable, "-W", "ignore", "-c", code, *arguments]
    return subprocess.run(command, env=line.environment, check=True, capture_output=True, text=True).stdout


def embedder_files(settings: RegistrySettings, line: CommandLine) -> dict[str, bytes]:
    digest = next(each["artifact"] for each in line.run("status").document["versions"] if each["version"] == "v2")
    folder = settings.artifacts_folder / str(digest)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_version_is_published_fetched_and_used(
    ada: CommandLine, hub: ModelHub, trained: Workspace, trained_settings: RegistrySettings
) -> None:
    ended = ada.run("publish", "v2", "--repo", REPO)
    done = ended.document

    assert (done["version"], done["repo"], done["tag"], done["private"]) == ("v2", REPO, "v2", True)
    assert done["commit"] == hub.repositories[REPO].head
    token = ada.environment["HF_TOKEN"]
    assert token not in ended.stdout + ended.stderr

    original = embedder_files(trained_settings, ada)
    fetched = Path(python(ada, FETCH, REPO, "v2").strip())
    for path in original.keys() - {"README.md"}:
        assert (fetched / path).read_bytes() == original[path], path
    weights = sha256((fetched / "model.safetensors").read_bytes()).hexdigest()
    assert json.loads((fetched / "autosort.json").read_text())["files"]["model.safetensors"] == weights

    card = ModelCard.load(fetched / "README.md")
    evaluation = ada.run("evaluate", "v2").document
    check_results(card, evaluation)
    check_nothing_private(trained, fetched, card)
    check_code(ada, trained, card)


def check_results(card: ModelCard, evaluation: dict[str, Any]) -> None:
    data: dict[str, Any] = card.data.to_dict()  # type: ignore[no-untyped-call]
    results = {each["dataset"]["config"]: each for each in data["model-index"][0]["results"]}
    assert results.keys() == evaluation["regimes"].keys()
    for name, regime in evaluation["regimes"].items():
        found = {each["type"]: each["value"] for each in results[name]["metrics"]}
        assert found["top5"] == regime["top5"]
        low, high = regime["intervals"]["mrr"]
        assert f"| MRR | {regime['mrr']:.3f} | {low:.3f} to {high:.3f} |" in card.text
    for genre, figures in evaluation["genres"].items():
        shown = f"{figures['top5']:.3f}" if figures["sufficient"] else "insufficient"
        assert f"| {genre} | {figures['n']} | {shown}" in card.text


def check_nothing_private(workspace: Workspace, fetched: Path, card: ModelCard) -> None:
    """Nothing of the catalogue, nor of the machine, is in any file but the vocabulary and the weights."""
    with workspace.database.transaction() as connection:
        snapshot = catalogue.snapshot(connection)
    playlists = {each.name for each in snapshot.playlists} | {
        each.description or "-" * 99 for each in snapshot.playlists
    }
    songs = {each.title for each in snapshot.songs if " " in each.title} | {
        each.artist or "" for each in snapshot.songs
    }
    known = {each for each in playlists | songs if " " in each} | {str(workspace.settings.home)}
    assert len(known) > 100
    small = [path for path in fetched.rglob("*") if path.suffix in (".md", ".json") and path.name != "tokenizer.json"]
    assert fetched / "README.md" in small
    for path in small:
        text = path.read_text()
        assert not [each for each in known if each in text], path.name
    assert card.content == (fetched / "README.md").read_text()


def check_code(line: CommandLine, workspace: Workspace, card: ModelCard) -> None:
    """The card's own lines of Python give what the version gives here."""
    code = card.text.split("```python\n")[1].split("```")[0]
    printed = python(line, f"{code}\nimport json; print('=', json.dumps([playlists.tolist(), songs.tolist()]))")
    playlist, song = json.loads(printed.rsplit("= ", 1)[1])
    with workspace.database.transaction() as connection:
        spec = versions.get(connection, "v2").spec.embedder
    encoder: Encoder = workspace.load_encoder(spec)
    texts = [line.split("['")[1].split("']")[0] for line in code.splitlines() if "model.encode" in line]
    np.testing.assert_allclose(encoder.playlists(texts[:1]), playlist, atol=1e-5)
    np.testing.assert_allclose(encoder.songs(texts[1:]), song, atol=1e-5)


def test_publishing_again_changes_nothing_and_says_so(ada: CommandLine, hub: ModelHub) -> None:
    first = ada.run("publish", "v2", "--repo", REPO).document
    commits, uploads = len(hub.repositories[REPO].commits), len(hub.uploads)

    again = ada.run("publish", "v2", "--repo", REPO).document
    said = ada.show("publish", "v2", "--repo", REPO).stdout

    assert (first["changed"], again["changed"]) == (True, False)
    assert again["commit"] == first["commit"]
    assert (len(hub.repositories[REPO].commits), len(hub.uploads)) == (commits, uploads)
    assert "All of it was there before." in said
    assert f"{hub.url}/{REPO}" in said
    acts = [each["action"] for each in ada.run("history").document]
    assert acts[:3] == ["publish"] * 3


def test_what_is_refused(ada: CommandLine, hub: ModelHub) -> None:
    base = ada.run("publish", "v1", "--repo", REPO, code=1).document
    assert (base["error"], base["remedy"]) == ("Refused", "Publish a version that `autosort retrain` made.")
    name = ada.run("publish", "v2", "--repo", "playlists", code=1).document
    assert name["error"] == "BadInput"
    assert "OWNER/NAME" in name["remedy"]
    ada.run("publish", "v2", code=2)

    theirs = ada.run("publish", "v2", "--repo", "bob/playlists", code=1).document
    assert theirs["error"] == "HubError"
    assert "may not write to bob/playlists" in theirs["message"]
    ada.environment["HF_TOKEN"] = "hf_of_yesterday"  # noqa: S105 - it opens nothing
    unknown = ada.run("publish", "v2", "--repo", REPO, code=1)
    assert unknown.document["error"] == "HubError"
    assert "hf_of_yesterday" not in unknown.stdout + unknown.stderr
    del ada.environment["HF_TOKEN"]
    none = ada.run("publish", "v2", "--repo", REPO, code=1).document
    assert none["message"] == "There is no token for the Hugging Face Hub."
    assert "HF_TOKEN" in none["remedy"]
    assert not hub.repositories


def test_a_hub_that_is_not_there(ada: CommandLine) -> None:
    ada.environment["HF_ENDPOINT"] = "http://127.0.0.1:9"

    ended = ada.run("publish", "v2", "--repo", REPO, code=1)

    assert ended.document["error"] == "HubUnavailable"
    assert "http://127.0.0.1:9 cannot be reached" in ended.document["message"]
    assert ada.environment["HF_TOKEN"] not in ended.stdout + ended.stderr
    assert [each["action"] for each in ada.run("history").document if each["action"] == "publish"] == []
