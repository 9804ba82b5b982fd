"""Emotions over HTTP: the app's own shape and TEI's; what is told when there is no model; what is written down."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import numpy as np
import pytest

from lifecycle.emotion_rates import emotion_rates
from lifecycle.workspace import Workspace
from registry import catalogue, emotions, versions
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
        known = catalogue.songs_by_id(connection, ["song-00001"])["song-00001"]
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
    for inputs in ([TEXT, OTHER], [[TEXT, OTHER]], [], [[]], 7):
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


def test_what_is_predicted_is_written_down(trained: Workspace) -> None:
    with serving(trained.settings) as client:
        for _ in range(3):  # the second and third from the cache: predictions all the same
            results = client.post("/emotions", json={"texts": [TEXT, OTHER]}).json()["results"]
        client.post("/predict", json={"inputs": TEXT})
    with trained.database.transaction() as connection:
        found = emotions.read(connection, "v1", since=datetime.now(UTC) - timedelta(hours=1))
    scores = [result["scores"]["gratitude"] for result in results]
    assert found["gratitude"].texts == 7
    assert found["gratitude"].score == pytest.approx(4 * scores[0] + 3 * scores[1], abs=1e-4)
    assert found["gratitude"].held >= 4
    rates = emotion_rates(trained, None, days=1)
    assert (rates.version, rates.texts, rates.texts_before) == ("v1", 7, 0)
    (gratitude,) = (each for each in rates.labels if each.label == "gratitude")
    assert gratitude.rate == pytest.approx(found["gratitude"].held / 7, abs=1e-4)
    assert rates.from_before.index is None
    assert rates.from_measured.index is not None
    json.dumps(rates.as_json())


def test_a_version_without_a_model_says_so_and_one_that_is_damaged_still_embeds(trained: Workspace) -> None:
    with trained.database.transaction() as connection:
        spec = versions.get(connection, "v2").spec.emotions
        connection.execute("UPDATE model_versions SET spec = spec - 'emotions' WHERE version = 'v1'")
    assert spec is not None
    config = trained.settings.artifacts_folder / spec.artifact / "config.json"
    text = config.read_text()
    config.unlink()  # it is linked to that of other tests
    config.write_text(f"{text} ")
    with serving(trained.settings) as client:
        none = client.post("/emotions", json={"texts": [TEXT]})
        assert (none.status_code, none.json()["error"]) == (409, "Refused")
        assert "v1 has no emotion model" in none.json()["message"]
        damaged = client.post("/predict", json={"inputs": TEXT}, headers={"X-Model-Version": "v2"})
        assert (damaged.status_code, damaged.json()["error"]) == (503, "ModelUnavailable")
        assert "The emotion model of v2 cannot be loaded" in damaged.json()["message"]
        for name in ("v1", "v2"):
            assert client.post("/embed", json={"inputs": TEXT}, headers={"X-Model-Version": name}).status_code == 200
