"""Predictions that a server writes down, and versions whose emotion model is not there."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from lifecycle.emotion_rates import emotion_rates
from lifecycle.workspace import Workspace
from registry import emotions, versions
from tests.support.service import serving

TEXT = "Thank you, this made my whole week!"
OTHER = "I am furious. How dare they?"


def test_what_is_predicted_is_written_down(trained: Workspace) -> None:
    with trained.database.transaction() as connection:
        connection.execute("DELETE FROM predicted_emotions")  # what other tests asked of the one that this is a copy of
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
        # As it was registered before there were emotion models; no version may change otherwise.
        connection.execute("ALTER TABLE model_versions DISABLE TRIGGER model_versions_immutable")
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
