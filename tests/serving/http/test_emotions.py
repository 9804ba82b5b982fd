"""Emotions over HTTP: the app's own shape and TEI's."""

from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest

from registry import catalogue, versions
from registry.database import open_database
from registry.settings import RegistrySettings
from registry.texts import render_feeling
from tests.support.service import serving

TEXT = "Thank you, this made my whole week!"
OTHER = "I am furious. How dare they?"


@pytest.fixture(scope="module")
def client(own_registry: RegistrySettings) -> Iterator[httpx.Client]:
    with serving(own_registry) as http:
        yield http


def test_a_text_has_a_dominant_emotion_the_first_three_and_all_scores(
    client: httpx.Client, trained_template: RegistrySettings
) -> None:
    response = client.post("/emotions", json={"texts": [TEXT, OTHER]})
    body = response.json()
    assert response.headers["X-Model-Version"] == body["model_version"] == "v1"
    assert body["generation"] == client.get("/live").json()["generation"]
    with open_database(trained_template) as database, database.transaction() as connection:
        spec = versions.get(connection, "v1").spec.emotions
    assert spec is not None
    for result in body["results"]:
        scores = result["scores"]
        assert tuple(scores) == spec.labels
        best = sorted(scores.items(), key=lambda each: -each[1])
        assert result["top"] == [{"label": label, "score": score} for label, score in best[:3]]
        assert result["dominant"] == result["top"][0]
        thresholds = dict(zip(spec.labels, spec.thresholds, strict=True))
        assert result["labels"] == [label for label, score in best if score >= thresholds[label]]
    assert [each["dominant"]["label"] for each in body["results"]] == ["gratitude", "anger"]


def test_songs_are_read_by_title_and_description(client: httpx.Client, trained_template: RegistrySettings) -> None:
    told = {"title": "Letter home", "artist": "Panic Grief Joy", "genre": "Blues", "description": TEXT}
    songs, texts = (
        client.post("/emotions", json=body).json()["results"]
        for body in ({"songs": [told, {"song_id": "song-00001"}]}, {"texts": [f"Letter home. {TEXT}"]})
    )
    assert songs[0] == texts[0]
    with open_database(trained_template) as database, database.transaction() as connection:
        (known,) = catalogue.songs_by_id(connection, ["song-00001"]).values()
    (again,) = client.post("/emotions", json={"texts": [render_feeling(known)]}).json()["results"]
    assert songs[1] == again
    unknown = client.post("/emotions", json={"songs": [{"song_id": "nobody's"}]})
    assert (unknown.status_code, unknown.json()["error"]) == (404, "NotFound")


@pytest.mark.parametrize("body", [{}, {"texts": []}, {"texts": ["a"], "songs": [{"title": "b"}]}, {"texts": [""]}])
def test_it_takes_songs_or_texts(client: httpx.Client, body: dict[str, Any]) -> None:
    assert client.post("/emotions", json=body).status_code == 422


def test_predict_has_teis_shapes(client: httpx.Client) -> None:
    one, listed, batch = (
        client.post("/predict", json={"inputs": inputs}).json() for inputs in (TEXT, [TEXT], [[TEXT], [OTHER]])
    )
    assert one == listed == batch[0]
    assert [set(each) for each in one] == [{"label", "score"}] * 28
    scores = [each["score"] for each in one]
    assert scores == sorted(scores, reverse=True)
    assert (one[0]["label"], batch[1][0]["label"]) == ("gratitude", "anger")
    (own,) = client.post("/emotions", json={"texts": [TEXT]}).json()["results"]
    assert {each["label"]: each["score"] for each in one} == own["scores"]


def test_raw_scores_are_log_odds(client: httpx.Client) -> None:
    raw, scores = (
        {each["label"]: each["score"] for each in client.post("/predict", json=body).json()}
        for body in ({"inputs": TEXT, "raw_scores": True}, {"inputs": TEXT})
    )
    assert min(raw.values()) < 0
    for label, score in scores.items():
        assert 1 / (1 + np.exp(-raw[label])) == pytest.approx(score, abs=1e-6)


def test_what_teis_clients_may_get_wrong_is_refused(client: httpx.Client) -> None:
    wrong: list[Any] = [[TEXT, OTHER], [[TEXT, OTHER]], [], [[]], 7]
    for inputs in wrong:
        assert client.post("/predict", json={"inputs": inputs}).status_code == 422, inputs
    long: dict[str, Any] = {"inputs": [[TEXT], ["word " * 600]]}
    assert client.post("/predict", json=long).status_code == 200
    refused = client.post("/predict", json={**long, "truncate": False})
    assert (refused.status_code, refused.json()["error"]) == (400, "BadInput")
    assert refused.json()["message"] == "Text 1 (counted from 0) has 602 tokens; the model reads 256."
    assert client.post("/predict", json={"inputs": TEXT, "truncate": False}).status_code == 200


def test_both_versions_answer_with_their_own_name(client: httpx.Client) -> None:
    body = client.post("/emotions", json={"texts": [TEXT]}, headers={"X-Model-Version": "v2"}).json()
    assert body["model_version"] == "v2", "a retrained version takes over its parent's model"
    assert body["results"] == client.post("/emotions", json={"texts": [TEXT]}).json()["results"]
