"""Reranking as its clients see it: over HTTP, from a real server, as TEI, Cohere and Jina speak."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cohere
import httpx
import numpy as np
import pytest
from sentence_transformers import CrossEncoder

from lifecycle.matching import match_queries
from lifecycle.workspace import Workspace, open_workspace
from registry import catalogue, versions
from registry.errors import ArtifactError, Refused
from registry.records import ACOUSTIC_FEATURES, CatalogueRecord, Membership, Playlist, Song
from registry.settings import RegistrySettings
from registry.texts import render_playlist, render_song
from registry.versions import EmbedderSpec, ModelSpec, RerankerSpec, Scale
from serving.http.app import create_app
from serving.inference.reranker import ServedReranker
from serving.inference.waiting import Matrix, Tokens
from serving.matching.calibration import uncalibrated
from serving.service import Service
from serving.settings import ServingSettings
from tests.support.command_line import CommandLine, environment
from tests.support.random_vectors import make_live, make_ready
from tests.support.service import running
from tests.support.small_models import small_embedder, small_reranker

WORDS = ["rain", "iron", "summer", "night", "engine", "river", "dance", "winter", "letters", "harbour", "wolf", "gold"]
PLAYLISTS = [
    Playlist(
        playlist_id=f"p-{n:02}",
        name=f"{WORDS[n % 12].title()} and {WORDS[n * 5 % 11]}",
        description=f"For the {WORDS[n * 7 % 10]}." if n % 3 else None,
        genre=WORDS[n % 7] if n % 4 else None,
    )
    for n in range(30)
]
SONGS = [
    Song(song_id=f"s-{n}", title=f"Song of {WORDS[n]}", artist=f"Band {n}", description=f"It tells of {WORDS[-n]}.")
    for n in range(4)
]
TOLD = {"title": "Untold", "description": "A wolf in the harbour at night."}
TEXTS = ["rain on the window", "iron and sweat", "a harbour at night, and nothing else", "\u96e8\u306e\u6b4c", "rain"]


@dataclass(frozen=True)
class World:
    """v1, without a reranker; v2, live, with one; v3, whose reranker is gone. Served, with v2's own library beside."""

    workspace: Workspace
    client: httpx.Client
    service: Service
    library: CrossEncoder

    def reranker(self) -> ServedReranker:
        answering = self.service.slot.answering
        assert answering is not None
        assert answering.reranker is not None
        loaded = answering.reranker.wait()
        assert isinstance(loaded, ServedReranker)
        return loaded

    def match(self, *songs: dict[str, Any], version: str = "v2", **more: Any) -> list[dict[str, Any]]:
        body = {"songs": songs, "top_k": 100, **more}
        response = self.client.post("/match", json=body, headers={"X-Model-Version": version})
        assert response.status_code == 200, response.text
        results: list[dict[str, Any]] = response.json()["results"]
        return results

    def post(self, path: str, version: str = "v2", **body: Any) -> httpx.Response:
        return self.client.post(path, json=body, headers={"X-Model-Version": version})


@pytest.fixture(scope="module")
def world(clone: Callable[[str], str], migrated: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("reranking")
    settings = RegistrySettings.model_validate({"AUTOSORT_HOME": folder / "home", "DATABASE_URL": clone(migrated)})
    reranker = small_reranker(folder)
    with open_workspace(settings) as workspace:
        register(workspace, small_embedder(folder / "embedder"), reranker)
        app = create_app(settings, ServingSettings(device="cpu", precision="fp32", rerank_seconds=60))
        with running(app) as client:
            library = CrossEncoder(str(reranker), device="cpu", local_files_only=True)
            made = World(workspace, client, app.state.service, library)
            made.reranker()
            yield made


def register(workspace: Workspace, embedder: Path, reranker: Path) -> None:
    held = [Membership(playlist_id=each.playlist_id, song_id="s-0") for each in PLAYLISTS[:3]]
    records: list[CatalogueRecord] = [*SONGS, *PLAYLISTS, *held]
    digest = workspace.artifacts.add(embedder)
    spec = ModelSpec(
        embedder=EmbedderSpec(artifact=digest, base_model="small", base_revision="1", dimensions=32, max_length=64),
        text_template=1,
        matching=uncalibrated(dict.fromkeys(ACOUSTIC_FEATURES, Scale(mean=0.5, spread=0.25))),
    )
    rerankers = [None, workspace.artifacts.add(reranker), "f" * 64]
    with workspace.database.transaction() as connection:
        catalogue.merge(connection, enumerate(records, start=1))
        for number, each in enumerate(rerankers):
            second = RerankerSpec(artifact=each, base_model="small", max_length=64) if each else None
            changed = spec.model_copy(update={"reranker": second})
            versions.register(connection, changed, recipe=f"recipe {number}", actor="tester")
    for name in ("v1", "v2", "v3"):
        make_ready(workspace.database, name)
    make_live(workspace.database, "v2")


def order(result: dict[str, Any]) -> list[str]:
    return [match["playlist_id"] for match in result["matches"]]


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


# /match -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("named", [{"song_id": "s-2"}, TOLD])
def test_the_first_twenty_playlists_come_as_the_cross_encoder_orders_them(world: World, named: dict[str, Any]) -> None:
    (before,), (after,) = world.match(named), world.match(named, rerank=True)
    song = SONGS[2] if "song_id" in named else Song(song_id="told", **TOLD)
    playlists = {each.playlist_id: each for each in PLAYLISTS}
    first = order(before)[:20]
    pairs = [(render_playlist(playlists[each], 1), render_song(song, 1)) for each in first]
    relevance = dict(zip(first, np.asarray(world.library.predict(pairs)).tolist(), strict=True))
    expected = [*sorted(first, key=lambda each: -relevance[each]), *order(before)[20:]]
    assert "reranked" not in before
    assert after["reranked"] is True
    assert order(after) == expected != order(before)
    scores = [match["score"] for match in after["matches"]]
    assert scores == sorted(scores, reverse=True) == [match["score"] for match in before["matches"]]
    told = set(before["matches"][0]["signals"])
    for match in after["matches"]:
        assert set(match["signals"]) == {*told, "rerank"} > {"text", "nearest", "acoustic"}
        assert sum(match["signals"].values()) == pytest.approx(match["score"], abs=3e-4)
        assert match.get("relevance") == pytest.approx(relevance.get(match["playlist_id"]), abs=1e-5)


def test_fewer_playlists_are_the_first_of_the_same(world: World) -> None:
    (whole,), (short,) = (world.match({"song_id": "s-1"}, rerank=True, top_k=k) for k in (100, 3))
    assert short["matches"] == whole["matches"][:3]


def test_the_command_line_reranks_alike(world: World) -> None:
    settings = world.workspace.settings
    assert settings.database_url is not None
    url = settings.database_url.get_secret_value()
    line = CommandLine(environment(AUTOSORT_HOME=str(settings.home), DATABASE_URL=url))
    document = line.run("match", "s-0", "--rerank").document
    (by_server,) = world.match({"song_id": "s-0"}, rerank=True, top_k=5)
    assert document["model_version"] == "v2"
    assert document["results"][0]["reranked"] is True
    assert order(document["results"][0]) == order(by_server)
    with pytest.raises(Refused, match="v1 has no reranker"):
        match_queries(world.workspace, ["s-0"], version="v1", rerank=True)
    with pytest.raises(ArtifactError, match="is not in"):
        match_queries(world.workspace, ["s-0"], version="v3", rerank=True)


def test_what_misses_the_deadline_is_not_computed_and_the_order_stays(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    songs = [{"song_id": song.song_id} for song in SONGS]
    before = world.match(*songs)
    model, computed, go = world.reranker().reranker, list[int](), threading.Event()
    real = model.forward

    def forward(tokens: Sequence[Tokens]) -> Matrix:
        assert go.wait(20)
        computed.append(len(tokens))
        return real(tokens)

    with monkeypatch.context() as patch:
        patch.setattr(model, "forward", forward)
        patch.setattr(world.service.matching, "_rerank_seconds", 0.1)
        after = world.match(*songs, rerank=True)
        assert [(each["reranked"], each["reason"]) for each in after] == [(False, "deadline")] * 4
        assert [each["matches"] for each in after] == [each["matches"] for each in before]
        begun = len(world.service.scheduler._running)
        go.set()
        assert eventually(lambda: not world.service.scheduler._running)
        assert eventually(lambda: not world.service.scheduler._waiting)
    assert len(computed) == begun, "only what had begun was computed to its end"
    assert world.match(*songs, rerank=True)[0]["reranked"] is True


def test_without_a_reranker_matches_come_as_they_are_and_say_so(world: World) -> None:
    (plain,), (asked,) = (world.match(TOLD, version="v1", rerank=rerank) for rerank in (False, True))
    assert (asked["reranked"], asked["reason"], order(asked)) == (False, "no_reranker", order(plain))


def test_without_a_reranker_texts_are_refused(world: World) -> None:
    for path, body in (
        ("/rerank", {"query": "rain", "texts": TEXTS}),
        ("/v1/rerank", {"query": "rain", "documents": TEXTS}),
    ):
        refused = world.post(path, "v1", **body)
        assert (refused.status_code, refused.json()["error"]) == (409, "Refused")
        assert "retrain --set reranker=true" in refused.json()["remedy"]
        assert refused.headers["X-Model-Version"] == "v1"


def test_a_broken_reranker_stops_nothing_but_reranking(world: World) -> None:
    (before,) = world.match(TOLD, version="v3")
    failed = world.post("/rerank", "v3", query="rain", texts=TEXTS)
    assert (failed.status_code, failed.json()["error"]) == (503, "ModelUnavailable")
    assert "The reranker of v3 cannot be loaded: The artifact ffffffffffff is not in" in failed.json()["message"]
    (after,) = world.match(TOLD, version="v3", rerank=True)
    assert (after["reranked"], after["reason"], after["matches"]) == (False, "unavailable", before["matches"])


def test_interleaving_and_reranking_exclude_each_other(world: World) -> None:
    refused = world.post("/match", songs=[TOLD], rerank=True, interleave=True)
    assert refused.status_code == 422
    assert "exclude each other" in refused.json()["fields"][0]["reason"]


# TEI ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("raw", [False, True])
def test_tei_gets_indices_and_scores_best_first(world: World, raw: bool) -> None:
    found = world.post("/rerank", query="rain", texts=TEXTS, raw_scores=raw).json()
    pairs = [("rain", text) for text in TEXTS]
    shares = np.asarray(world.library.predict(pairs), np.float64)
    expected = np.log(shares / (1 - shares)) if raw else shares
    assert [each["index"] for each in found] == np.argsort(-expected).tolist()
    assert all(set(each) == {"index", "score"} for each in found)
    np.testing.assert_allclose([each["score"] for each in found], -np.sort(-expected), atol=1e-4 if raw else 1e-5)


def test_tei_gets_the_texts_if_it_wants_them(world: World) -> None:
    found = world.post("/rerank", query="rain", texts=TEXTS, return_text=True).json()
    assert [each["text"] for each in found] == [TEXTS[each["index"]] for each in found]


def test_long_pairs_are_cut_or_refused(world: World) -> None:
    texts = ["short", "word " * 300]
    assert len(world.post("/rerank", query="rain", texts=texts).json()) == 2
    refused = world.post("/rerank", query="rain", texts=texts, truncate=False)
    assert refused.status_code == 400
    assert refused.json()["message"] == "Query and text 1 (counted from 0) have 304 tokens; the model reads 64."


# Cohere and Jina ----------------------------------------------------------------------------------------------------


def test_jina_gets_its_shape(world: World) -> None:
    documents = [TEXTS[0], {"text": TEXTS[1]}, *TEXTS[2:]]
    body: dict[str, Any] = {"model": "jina-reranker-v3", "query": "rain", "documents": documents, "top_n": 3}
    found = world.post("/v1/rerank", **body, return_documents=True).json()
    tei = world.post("/rerank", query="rain", texts=TEXTS).json()
    assert found["model"] == "v2"
    assert [(each["index"], each["relevance_score"]) for each in found["results"]] == [
        (each["index"], each["score"]) for each in tei[:3]
    ]
    assert [each["document"]["text"] for each in found["results"]] == [TEXTS[each["index"]] for each in tei[:3]]
    assert found["usage"]["total_tokens"] > len(TEXTS) * 4
    assert "document" not in world.post("/v1/rerank", **body).json()["results"][0]


@pytest.mark.parametrize("client", [cohere.Client, cohere.ClientV2])
def test_coheres_own_client_works(world: World, client: type[cohere.Client] | type[cohere.ClientV2]) -> None:
    with httpx.Client() as opened:
        asking = client("none", base_url=str(world.client.base_url), httpx_client=opened)
        found = asking.rerank(model="rerank-v4.0-pro", query="rain", documents=TEXTS, top_n=2)
    tei = world.post("/rerank", query="rain", texts=TEXTS).json()
    assert [each.index for each in found.results] == [each["index"] for each in tei[:2]]
    assert found.results[0].relevance_score == pytest.approx(tei[0]["score"])
    assert found.id


def test_a_version_may_be_named(world: World) -> None:
    refused = world.post("/v1/rerank", model="v1", query="rain", documents=TEXTS)
    assert (refused.status_code, refused.headers["X-Model-Version"]) == (409, "v1")
    assert world.post("/v1/rerank", model="v99", query="rain", documents=TEXTS).status_code == 404


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/rerank", {"query": "a"}, "body.texts"),
        ("/rerank", {"query": "a", "texts": []}, "body.texts"),
        ("/rerank", {"query": "", "texts": ["a"]}, "body.query"),
        ("/rerank", {"query": "a", "texts": ["secret"] * 1025}, "body.texts"),
        ("/rerank", {"query": "a", "texts": ["secret " * 4000]}, "body.texts"),
        ("/v1/rerank", {"query": "a", "documents": [{"secret": "b"}]}, "body.documents"),
        ("/v1/rerank", {"query": "a", "documents": ["secret"], "top_n": 0}, "body.top_n"),
    ],
)
def test_another_form_is_refused_and_not_repeated(world: World, path: str, body: dict[str, Any], field: str) -> None:
    refused = world.post(path, **body)
    assert refused.status_code == 422
    assert all(each["field"].startswith(field) for each in refused.json()["fields"])
    assert "secret " not in refused.text
