"""Which emotions a version predicts: rates beside those before, and their drift."""

from datetime import UTC, datetime, timedelta

import pytest

from lifecycle.emotion_rates import compare_rates, emotion_rates
from lifecycle.workspace import Workspace
from registry.emotions import Predicted
from registry.errors import NotFound, Refused
from registry.versions import EmotionsSpec
from tests.support.trained_versions import register_trained, with_two_versions

SPEC = EmotionsSpec(
    artifact="a" * 64,
    base_model="m",
    base_revision="1",
    max_length=64,
    labels=("fear", "joy", "neutral"),
    thresholds=(0.5, 0.5, 0.5),
    rates=(0.1, 0.2, 0.7),
)


def counts(fear: int, joy: int, neutral: int, texts: int = 1000) -> dict[str, Predicted]:
    held = {"fear": fear, "joy": joy, "neutral": neutral}
    return {label: Predicted(texts, number, number / 2) for label, number in held.items()}


def test_each_label_is_told_beside_before_and_beside_where_it_was_measured() -> None:
    rates = compare_rates("v2", SPEC, counts(100, 200, 700), counts(50, 100, 350, texts=500), days=7)
    assert (rates.texts, rates.texts_before) == (1000, 500)
    assert [vars(each) for each in rates.labels[:1]] == [
        {"label": "fear", "rate": 0.1, "rate_before": 0.1, "rate_measured": 0.1, "score": 0.05}
    ]
    assert (rates.from_before.index, rates.from_measured.index) == (0, 0)
    assert rates.from_before.by_chance == pytest.approx(2 * (1 / 1000 + 1 / 500))
    assert rates.from_measured.by_chance == pytest.approx(2 / 1000)


def test_another_mix_of_emotions_drifts() -> None:
    rates = compare_rates("v2", SPEC, counts(600, 200, 200), counts(100, 200, 700), days=7)
    assert rates.from_before.index is not None
    assert rates.from_before.index == pytest.approx(rates.from_measured.index)
    assert rates.from_before.index > 0.25 > (rates.from_before.by_chance or 1)


def test_without_predictions_nothing_is_known() -> None:
    rates = compare_rates("v2", SPEC.model_copy(update={"rates": ()}), counts(1, 2, 3), {}, days=7)
    assert {each.rate_before for each in rates.labels} == {each.rate_measured for each in rates.labels} == {None}
    assert (rates.from_before.index, rates.from_measured.index) == (None, None)
    assert compare_rates("v2", SPEC, {}, {}, days=7).labels[0].rate is None


def test_two_periods_are_read_one_after_the_other(workspace: Workspace) -> None:
    version = register_trained(workspace, "second", emotions={"model.safetensors": b"weights"}).version
    with workspace.database.transaction() as connection:
        for days, texts in ((0, 1), (1.5, 4), (3.5, 16)):
            connection.execute(
                "INSERT INTO predicted_emotions VALUES (date_trunc('hour', %s::timestamptz), %s, 'joy', %s, 0, 0)",
                [datetime.now(UTC) - timedelta(days=days), version, texts],
            )
    rates = emotion_rates(workspace, version, days=1)
    assert (rates.texts, rates.texts_before) == (1, 4)


def test_who_has_no_emotion_model_is_told_so(workspace: Workspace) -> None:
    with pytest.raises(Refused, match="No model version is live"):
        emotion_rates(workspace, None, days=7)
    with_two_versions(workspace)
    with pytest.raises(Refused, match=r"v1 has no emotion model.*autosort retrain"):
        emotion_rates(workspace, None, days=7)
    with pytest.raises(NotFound, match="v9"):
        emotion_rates(workspace, "v9", days=7)
