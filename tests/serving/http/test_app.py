"""The service as its clients see it: over HTTP, from a real server."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psycopg
import pytest
from psycopg import sql
from sentence_transformers import SentenceTransformer

from lifecycle.progress import Silent
from lifecycle.promotion import promote
from lifecycle.workspace import Workspace
from registry import catalogue, pointer, versions
from registry.records import Song
from registry.settings import RegistrySettings
from serving.matching.filling import ELSEWHERE
from serving.matching.signals.names import PAYING_SIGNALS
from tests.support.service import serving

PRIVATE = "what-nobody-else-may-read"


@pytest.fixture(scope="module")
def client(trained_template: RegistrySettings, clone: Callable[[str], str]) -> Iterator[httpx.Client]:
    """A server with v1 live, for tests that change nothing."""
    assert trained_template.database_url is not None
    url = clone(database_name(trained_template))
    settings = RegistrySettings.model_validate({"AUTOSORT_HOME": trained_template.home, "DATABASE_URL": url})
    with serving(settings) as client:
        yield client


@pytest.fixture(scope="module")
def song(small_library: Path) -> dict[str, Any]:
    """A song of the catalogue that is in a playlist."""
    rows: list[dict[str, Any]] = [json.loads(line) for line in small_library.read_text().splitlines()]
    held = {row["song_id"] for row in rows if row["kind"] == "membership"}
    return next(row for row in rows if "title" in row and row.get("description") and row["song_id"] in held)


@pytest.fixture(scope="module")
def known_id(song: dict[str, Any]) -> str:
    return str(song["song_id"])


def database_name(settings: RegistrySettings) -> str:
    assert settings.database_url is not None
    return settings.database_url.get_secret_value().split("?", maxsplit=1)[0].rsplit("/", 1)[1]


def matched(client: httpx.Client, *songs: dict[str, Any], **more: Any) -> dict[str, Any]:
    response = client.post("/match", json={"songs": songs, **more})
    assert response.status_code == 200, response.text
    document: dict[str, Any] = response.json()
    return document


def raw(client: httpx.Client, path: str, body: bytes) -> httpx.Response:
    return client.post(path, content=body, headers={"Content-Type": "application/json"})


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


# /embed -------------------------------------------------------------------------------------------------------------


def test_one_text_gives_a_list_of_one_vector(client: httpx.Client, reference: SentenceTransformer) -> None:
    vectors = client.post("/embed", json={"inputs": "Rain on the window"}).json()
    encode: Any = reference.encode
    assert np.shape(vectors) == (1, 384)
    np.testing.assert_allclose(vectors, encode(["Rain on the window"], normalize_embeddings=True), atol=1e-5)


@pytest.mark.parametrize("prompt", [None, "document", "query"])
def test_a_list_gives_unit_vectors_in_its_order(
    client: httpx.Client, reference: SentenceTransformer, prompt: str | None
) -> None:
    texts = ["Iron and sweat", "\u96e8\u306e\u6b4c", "word " * 600]
    response = client.post("/embed", json={"inputs": texts, "prompt_name": prompt})
    encode: Any = reference.encode
    np.testing.assert_allclose(response.json(), encode(texts, normalize_embeddings=True), atol=1e-5)


def test_what_else_tei_takes_does_no_harm(client: httpx.Client) -> None:
    response = client.post("/embed", json={"inputs": "a", "truncate": True, "normalize": True})
    assert response.status_code == 200


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "body.inputs"),
        ({"inputs": []}, "body.inputs"),
        ({"inputs": ""}, "body.inputs"),
        ({"inputs": ["a", 1]}, "body.inputs"),
        ({"inputs": None}, "body.inputs"),
        ({"inputs": [PRIVATE, ["nested"]]}, "body.inputs"),
        ({"inputs": ["a"] * 1025}, "body.inputs"),
        ({"inputs": PRIVATE * 1000}, "body.inputs"),
        ({"inputs": "a", "prompt_name": PRIVATE}, "body.prompt_name"),
    ],
)
def test_embed_refuses_another_form_and_repeats_nothing_of_it(
    client: httpx.Client, body: dict[str, Any], field: str
) -> None:
    response = client.post("/embed", json=body)
    assert response.status_code == 422
    assert all(each["field"].startswith(field) for each in response.json()["fields"])
    assert PRIVATE not in response.text


# /match -------------------------------------------------------------------------------------------------------------


def test_a_song_of_the_catalogue_is_matched_by_its_id(
    client: httpx.Client, song: dict[str, Any], known_id: str
) -> None:
    document = matched(client, {"song_id": known_id})
    assert (document["model_version"], document["generation"]) == ("v1", 1)
    (result,) = document["results"]
    assert result["song"] == {"song_id": known_id, "title": song["title"], "artist": song["artist"]}
    assert len(result["matches"]) == 5
    scores = [match["score"] for match in result["matches"]]
    assert scores == sorted(scores, reverse=True)
    for match in result["matches"]:
        assert set(match["signals"]) == set(PAYING_SIGNALS)
        assert sum(match["signals"].values()) == pytest.approx(match["score"], abs=1e-3)


@pytest.fixture(scope="module")
def playlist(small_library: Path) -> tuple[dict[str, Any], set[str]]:
    """A playlist of the catalogue, and the ids of its songs."""
    rows: list[dict[str, Any]] = [json.loads(line) for line in small_library.read_text().splitlines()]
    found = next(row for row in rows if row["kind"] == "playlist")
    members = [row for row in rows if row["kind"] == "membership" and row["playlist_id"] == found["playlist_id"]]
    assert len(members) >= 3
    return found, {row["song_id"] for row in members}


def test_a_playlist_is_filled_with_songs_that_it_does_not_hold(
    client: httpx.Client, playlist: tuple[dict[str, Any], set[str]]
) -> None:
    about, members = playlist
    body = client.post("/match", json={"playlist": {"playlist_id": about["playlist_id"]}, "top_k": 7}).json()
    assert (body["model_version"], body["generation"]) == ("v1", 1)
    assert (body["playlist"]["playlist_id"], body["playlist"]["name"]) == (about["playlist_id"], about["name"])
    assert len(body["songs"]) == 7
    assert not any(each["already_in"] for each in body["songs"])
    assert not {each["song"]["song_id"] for each in body["songs"]} & members
    scores = [each["score"] for each in body["songs"]]
    assert scores == sorted(scores, reverse=True)


def test_signals_say_the_same_whichever_way_a_song_is_matched(
    client: httpx.Client, playlist: tuple[dict[str, Any], set[str]]
) -> None:
    about, members = playlist
    asked = {"playlist": {"playlist_id": about["playlist_id"]}, "include_members": True, "top_k": 10}
    songs = client.post("/match", json=asked).json()["songs"]
    assert any(each["already_in"] for each in songs)
    for each in songs:
        song_id = each["song"]["song_id"]
        assert each["already_in"] == (song_id in members)
        found = matched(client, {"song_id": song_id}, top_k=100)["results"][0]["matches"]
        (same,) = [match for match in found if match["playlist_id"] == about["playlist_id"]]
        elsewhere = each["signals"].pop(ELSEWHERE)
        assert same["score"] == pytest.approx(each["score"] - elsewhere, abs=1e-3)
        assert same["signals"] == pytest.approx(each["signals"], abs=2e-4)


def test_a_playlist_that_is_told_is_filled_by_its_words(client: httpx.Client, song: dict[str, Any]) -> None:
    told = {"name": song["title"], "description": song["description"]}
    body = client.post("/match", json={"playlist": told}).json()
    assert body["playlist"]["playlist_id"] is None
    assert song["song_id"] in [each["song"]["song_id"] for each in body["songs"]]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"playlist": {"playlist_id": "nobody-has-it"}}, 404),
        ({"playlist": {}}, 422),
        ({"playlist": {"playlist_id": "a", "name": "b"}}, 422),
        ({"playlist": {"name": "a"}, "songs": [{"title": "b"}]}, 422),
        ({"playlist": {"name": "a"}, "interleave": True}, 422),
    ],
)
def test_what_is_no_playlist_is_refused(client: httpx.Client, body: dict[str, Any], status: int) -> None:
    assert client.post("/match", json=body).status_code == status


def test_a_song_that_is_told_as_the_catalogue_has_it_is_matched_alike(
    client: httpx.Client, song: dict[str, Any], known_id: str
) -> None:
    words = ("title", "artist", "album", "genre", "language", "description")
    names = (*words, "release_date", "duration_ms", "audio_features")
    told = {name: song[name] for name in names if song.get(name) is not None}
    by_id, by_words = matched(client, {"song_id": known_id}, told, top_k=100)["results"]
    assert by_words["song"] == {"song_id": None, "title": song["title"], "artist": song["artist"]}
    # Where it is, it is told apart from its own copy only by its id.
    others = {each["playlist_id"]: each["score"] for each in by_id["matches"] if not each["already_in"]}
    told_scores = {each["playlist_id"]: each["score"] for each in by_words["matches"]}
    assert {name: told_scores[name] for name in others} == pytest.approx(others, abs=0.02)
    assert len(others) < len(told_scores)
    assert not any(match["already_in"] for match in by_words["matches"])


def test_results_come_in_the_order_of_the_songs(client: httpx.Client, known_id: str) -> None:
    told = {"title": "Told", "description": "Rain and sorrow."}
    results = matched(client, told, {"song_id": known_id}, {"title": "Other"}, {"song_id": known_id})["results"]
    assert [result["song"]["song_id"] for result in results] == [None, known_id, None, known_id]
    assert [results[0]["song"]["title"], results[2]["song"]["title"]] == ["Told", "Other"]
    assert results[1] == results[3]


@pytest.mark.parametrize(("top_k", "expected"), [(1, 1), (3, 3), (100, 13)])
def test_as_many_playlists_as_asked_for(client: httpx.Client, known_id: str, top_k: int, expected: int) -> None:
    (result,) = matched(client, {"song_id": known_id}, top_k=top_k)["results"]
    assert len(result["matches"]) == expected


def test_an_unknown_id_is_told_and_little_of_it_repeated(client: httpx.Client, known_id: str) -> None:
    unknown = "x" * 150
    response = client.post("/match", json={"songs": [{"song_id": known_id}, {"song_id": unknown}]})
    assert response.status_code == 404
    problem = response.json()
    assert problem["error"] == "NotFound"
    assert problem["remedy"]
    assert "x" * 81 not in response.text
    assert known_id not in response.text


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"songs": []},
        {"songs": [{}]},
        {"songs": [{"artist": PRIVATE}]},
        {"songs": [{"song_id": "a", "title": PRIVATE}]},
        {"songs": [{"song_id": ""}]},
        {"songs": [{"song_id": PRIVATE * 10}]},
        {"songs": [{"title": "  "}]},
        {"songs": [{"title": {"secret": PRIVATE}}]},
        {"songs": [{"title": "a", "audio_features": {"energy": 1.5}}]},
        {"songs": [{"title": "a", "audio_features": {"energy": PRIVATE}}]},
        {"songs": [{"title": "a"}], "top_k": 0},
        {"songs": [{"title": "a"}], "top_k": 101},
        {"songs": [{"title": "a"}], "rerank": PRIVATE},
        {"songs": [{"title": "a"}] * 257},
        {"songs": PRIVATE},
        [PRIVATE],
        PRIVATE,
        None,
    ],
)
def test_match_refuses_another_form_and_repeats_nothing_of_it(client: httpx.Client, body: Any) -> None:
    response = client.post("/match", json=body)
    assert response.status_code == 422
    problem = response.json()
    assert problem["error"] == "InvalidRequest"
    assert all(set(each) == {"field", "reason"} for each in problem["fields"])
    assert PRIVATE not in response.text


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_what_is_no_number_is_refused(client: httpx.Client, number: str) -> None:
    body = f'{{"songs": [{{"title": "a", "audio_features": {{"loudness": {number}}}}}]}}'
    assert raw(client, "/match", body.encode()).status_code == 422


def test_broken_json_is_refused_and_not_repeated(client: httpx.Client) -> None:
    response = raw(client, "/match", f'{{"songs": "{PRIVATE}'.encode())
    assert response.status_code == 422
    assert PRIVATE not in response.text


@pytest.mark.parametrize("text", [r"a\u0000b", r"\ud800", r"a\udfffb", r"\u0000"])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/embed", '{"inputs": "%s"}'),
        ("/embed", '{"inputs": ["fine", "%s"]}'),
        ("/embed", '{"inputs": "a", "prompt_name": "%s"}'),
        ("/match", '{"songs": [{"song_id": "%s"}]}'),
        ("/match", '{"songs": [{"title": "%s"}]}'),
        ("/match", '{"songs": [{"title": "a", "description": "%s"}]}'),
    ],
)
def test_characters_that_cannot_be_stored_never_break_the_service(
    client: httpx.Client, path: str, body: str, text: str
) -> None:
    response = raw(client, path, (body % text).encode())
    assert response.status_code in {200, 400, 422}
    assert response.headers["X-Model-Version"] == "v1"


@pytest.mark.parametrize("key", [r"\ud800", r"a\u0000b"])
def test_names_that_cannot_be_stored_never_break_the_service(client: httpx.Client, key: str) -> None:
    response = raw(client, "/match", f'{{"songs": [{{"title": "a", "{key}": 1}}]}}'.encode())
    assert response.status_code == 422


def test_names_of_unknown_fields_are_not_repeated_at_length(client: httpx.Client) -> None:
    response = client.post("/match", json={"songs": [{"title": "a", PRIVATE * 1000: 1}]})
    assert response.status_code == 422
    assert len(response.content) < 2_000


def test_of_many_wrong_fields_a_few_are_listed(client: httpx.Client) -> None:
    response = client.post("/match", json={"songs": [{"title": "a"}], **{f"field-{n}": 1 for n in range(500)}})
    assert response.status_code == 422
    assert len(response.json()["fields"]) == 20
    assert "500" in response.json()["message"]


@pytest.mark.parametrize(
    "body", [b'{"songs": [{"title": "\xff\xfe"}]}', b"[" * 100_000, b'{"top_k": ' + b"9" * 5_000 + b"}"]
)
def test_a_body_that_cannot_be_read_is_told_in_the_one_shape_of_errors(client: httpx.Client, body: bytes) -> None:
    response = raw(client, "/match", body)
    assert response.status_code in {400, 422}
    assert set(response.json()) >= {"error", "message", "remedy"}


# Which version answers ----------------------------------------------------------------------------------------------


def test_a_body_that_is_too_large_is_refused_by_its_header_or_while_it_is_read(client: httpx.Client) -> None:
    text = b'{"inputs": "' + b"a" * (9 * 2**20) + b'"}'
    for body in (text, (text[at : at + 2**16] for at in range(0, len(text), 2**16))):
        response = client.post("/embed", content=body, headers={"Content-Type": "application/json"})
        assert (response.status_code, response.json()["error"]) == (413, "BodyTooLarge")
    assert client.get("/ready").status_code == 200


def test_live_says_what_answers(client: httpx.Client) -> None:
    assert client.get("/live").json() == {"model_version": "v1", "generation": 1}


@pytest.mark.parametrize("path", ["/health", "/ready"])
def test_the_service_is_well(client: httpx.Client, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 200
    assert response.json() == {"status": "ok", "problem": None}


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/embed", {"inputs": "a"}, 200),
        ("POST", "/match", {"songs": [{"title": "a"}]}, 200),
        ("GET", "/live", None, 200),
        ("GET", "/health", None, 200),
        ("GET", "/ready", None, 200),
        ("POST", "/match", {"songs": [{"song_id": "unknown"}]}, 404),
        ("POST", "/match", {"songs": []}, 422),
        ("GET", "/nowhere", None, 404),
        ("GET", "/embed", None, 405),
    ],
)
def test_every_response_says_who_answered(
    client: httpx.Client, method: str, path: str, body: dict[str, Any] | None, status: int
) -> None:
    response = client.request(method, path, json=body)
    assert response.status_code == status
    assert (response.headers["X-Model-Version"], response.headers["X-Generation"]) == ("v1", "1")


@pytest.mark.parametrize(("method", "path"), [("GET", "/nowhere"), ("GET", "/embed")])
def test_wrong_addresses_are_told_in_the_one_shape_of_errors(client: httpx.Client, method: str, path: str) -> None:
    assert set(client.request(method, path).json()) >= {"error", "message", "remedy"}


def test_a_wrong_method_is_told_which_are_right(client: httpx.Client) -> None:
    assert client.get("/embed").headers["Allow"] == "POST"


def test_before_a_version_is_live_it_says_when_to_ask_again(settings: RegistrySettings) -> None:
    with serving(settings) as client:
        for method, path, body in (
            ("POST", "/embed", {"inputs": "a"}),
            ("POST", "/match", {"songs": [{"title": "a"}]}),
            ("GET", "/live", None),
            ("GET", "/ready", None),
        ):
            response = client.request(method, path, json=body)
            assert response.status_code == 503, path
            assert int(response.headers["Retry-After"]) >= 1
            assert response.json()["error"] == "NothingLive"
            assert "X-Model-Version" not in response.headers
        assert client.get("/health").status_code == 200


def test_a_promotion_is_followed_without_a_restart(
    trained: Workspace, trained_settings: RegistrySettings, known_id: str
) -> None:
    with serving(trained_settings) as client:
        before = client.post("/embed", json={"inputs": "Rain"})
        promote(trained, "v2", Silent(), force=True, reason="a test")
        assert eventually(lambda: client.get("/live").json()["model_version"] == "v2")
        after = client.post("/embed", json={"inputs": "Rain"})
        assert (before.headers["X-Model-Version"], after.headers["X-Model-Version"]) == ("v1", "v2")
        assert int(after.headers["X-Generation"]) == int(before.headers["X-Generation"]) + 1
        assert not np.allclose(before.json(), after.json(), atol=1e-4)
        assert matched(client, {"song_id": known_id})["model_version"] == "v2"


def test_while_versions_change_each_answer_is_of_one_version(
    trained: Workspace, trained_settings: RegistrySettings
) -> None:
    with serving(trained_settings) as client:
        answers: list[tuple[str, tuple[float, ...]]] = []
        done = threading.Event()

        def ask() -> None:
            while not done.is_set():
                response = client.post("/embed", json={"inputs": "Rain"})
                assert response.status_code == 200
                answers.append((response.headers["X-Model-Version"], tuple(np.round(response.json()[0], 4))))

        askers = [threading.Thread(target=ask) for _ in range(3)]
        for asker in askers:
            asker.start()
        promote(trained, "v2", Silent(), force=True, reason="a test")
        followed = eventually(lambda: any(version == "v2" for version, _ in answers[-3:]))
        done.set()
        for asker in askers:
            asker.join()
    assert followed
    assert len({version for version, _ in answers}) == 2
    by_version = {version: [vector for name, vector in answers if name == version] for version in ("v1", "v2")}
    for vectors in by_version.values():
        np.testing.assert_allclose(vectors, np.tile(vectors[0], (len(vectors), 1)), atol=2e-4)
    assert not np.allclose(by_version["v1"][0], by_version["v2"][0], atol=1e-3)


def test_a_tampered_model_is_not_taken_up_and_the_old_one_goes_on(
    trained: Workspace, trained_settings: RegistrySettings
) -> None:
    with trained.database.transaction() as connection:
        digest = versions.get(connection, "v2").spec.embedder.artifact
        pointer.set_candidate(connection, None)  # else it is held ready from the start
    artifact = trained_settings.artifacts_folder / digest
    with serving(trained_settings) as client:
        _tamper_with(artifact / "model.safetensors")
        # Promoting would refuse it: this is the artifact of a machine whose disk is not the promoter's.
        with trained.database.transaction() as connection:
            pointer.move(connection, "v2", expected=pointer.read(connection), action="promote", actor="test")
        assert eventually(lambda: client.get("/ready").json()["problem"] is not None)
        assert "was changed" in client.get("/ready").json()["problem"]
        assert client.get("/ready").status_code == 200
        assert client.get("/live").json()["model_version"] == "v1"
        assert client.post("/embed", json={"inputs": "a"}).status_code == 200
        assert matched(client, {"title": "Rain"})["model_version"] == "v1"


def _tamper_with(path: Path) -> None:
    """Change the last byte of a file; the file of which it is a link stays as it is."""
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def test_without_the_database_it_embeds_on_and_matches_again_once_it_is_back(
    postgres: str, trained_settings: RegistrySettings, known_id: str
) -> None:
    name = database_name(trained_settings)
    with serving(trained_settings) as client:
        assert matched(client, {"song_id": known_id})["model_version"] == "v1"
        _close(postgres, name)
        try:
            assert client.post("/embed", json={"inputs": "a"}).status_code == 200
            refused = client.post("/match", json={"songs": [{"song_id": known_id}]})
            assert refused.status_code == 503
            assert int(refused.headers["Retry-After"]) >= 1
            assert refused.json()["error"] == "DatabaseUnavailable"
            assert refused.headers["X-Model-Version"] == "v1"
            for method, path, body in (
                ("PUT", "/songs/a", {"title": "A"}),
                ("PUT", "/playlists/a", {"name": "A"}),
                ("POST", "/match", {"playlist": {"name": "A"}}),
                ("GET", "/versions", {}),
            ):
                refused = client.request(method, path, json=body)
                assert (refused.status_code, "Retry-After" in refused.headers) == (503, True), path
            assert client.post("/embed", json={"inputs": "a"}).status_code == 200
            assert client.get("/ready").status_code == 200
            assert client.get("/ready").json()["problem"]
        finally:
            _reopen(postgres, name)
        assert eventually(lambda: client.post("/match", json={"songs": [{"song_id": known_id}]}).status_code == 200)
        assert client.put("/songs/a", json={"title": "A"}).status_code == 201
        assert eventually(lambda: client.get("/ready").json()["problem"] is None)


def test_while_the_database_is_away_nobody_waits_for_those_who_need_it(
    postgres: str, trained_settings: RegistrySettings, known_id: str
) -> None:
    by_id = {"songs": [{"song_id": known_id}]}
    with serving(trained_settings) as client, ThreadPoolExecutor(60) as askers:
        matched(client, {"song_id": known_id})
        _close(postgres, database_name(trained_settings))
        asked = [askers.submit(client.post, "/match", json=by_id) for _ in range(60)]
        time.sleep(0.1)
        began = time.monotonic()
        assert client.post("/embed", json={"inputs": "a"}).status_code == 200
        assert matched(client, {"title": "Told"})["model_version"] == "v1"
        assert time.monotonic() - began < 2
        assert {each.result().status_code for each in asked} == {503}
        began = time.monotonic()
        assert client.post("/match", json=by_id).json() == {
            "error": "DatabaseUnavailable",
            "message": "The database cannot be reached.",
            "remedy": "",
        }
        assert time.monotonic() - began < 1
        _reopen(postgres, database_name(trained_settings))


def test_a_told_song_is_none_of_the_catalogue_whatever_ids_it_has(
    trained: Workspace, trained_settings: RegistrySettings
) -> None:
    with trained.database.transaction() as connection:
        for song_id in ("told", "0", "1", "\x7ftold-1"):
            catalogue.merge(connection, [(1, Song(song_id=song_id, title="Of the catalogue"))])
    with serving(trained_settings) as client:
        results = matched(client, {"song_id": "\x7ftold-1"}, {"title": "Told"}, {"song_id": "0"})["results"]
    assert [result["song"]["song_id"] for result in results] == ["\x7ftold-1", None, "0"]
    assert results[0]["matches"] == results[2]["matches"] != results[1]["matches"]


def test_without_playlists_it_answers_with_no_matches(
    trained: Workspace, trained_settings: RegistrySettings, known_id: str
) -> None:
    with trained.database.transaction() as connection:
        connection.execute("DELETE FROM playlists")
    with serving(trained_settings) as client:
        results = matched(client, {"song_id": known_id}, {"title": "Told"})["results"]
    assert [result["matches"] for result in results] == [[], []]


def test_a_live_version_that_cannot_be_taken_up_is_told_from_none(
    trained: Workspace, trained_settings: RegistrySettings
) -> None:
    with trained.database.transaction() as connection:
        digest = versions.get(connection, "v1").spec.embedder.artifact
    _tamper_with(trained_settings.artifacts_folder / digest / "model.safetensors")
    with serving(trained_settings) as client:
        response = client.get("/ready")
    assert response.status_code == 503
    assert "was changed" in response.json()["message"]


def _close(postgres: str, name: str) -> None:
    """Let nobody into a database any more and send away those who are in it."""
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(sql.Identifier(name)))
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])


def _reopen(postgres: str, name: str) -> None:
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(sql.Identifier(name)))
