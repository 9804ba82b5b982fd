"""Two versions, query by query: what is compared, and what is called a difference."""

import json
from typing import Any

import numpy as np
import pytest

from lifecycle.comparison import compare
from lifecycle.outcomes import METRICS, Outcomes, RegimeOutcomes


def regime(values: dict[str, float], genre: str = "rock", groups: int = 10) -> RegimeOutcomes:
    """Queries by song; every metric has the same value."""
    songs = tuple(values)
    found = np.array(list(values.values()), np.float64)
    return RegimeOutcomes(
        songs,
        tuple(f"p{row % groups}" for row in range(len(songs))),
        (genre,) * len(songs),
        dict.fromkeys(METRICS, found),
    )


def many(value: float, count: int = 40, noise: float = 0.05) -> dict[str, float]:
    chance = np.random.default_rng(round(1000 * value))
    return {f"s{number}": float(np.clip(value + noise * chance.normal(), 0, 1)) for number in range(count)}


def compared(new: Outcomes, old: Outcomes) -> dict[str, Any]:
    return compare(new, old).as_json()


def test_outcomes_survive_being_written_down() -> None:
    outcomes = Outcomes({"unseen_song": regime(many(0.5))})
    again = Outcomes.from_json(json.loads(json.dumps(outcomes.as_json())))
    assert again.regimes["unseen_song"].songs == outcomes.regimes["unseen_song"].songs
    for metric in METRICS:
        np.testing.assert_allclose(
            again.regimes["unseen_song"].values[metric], outcomes.regimes["unseen_song"].values[metric], atol=1e-6
        )


def test_only_what_both_were_asked_is_compared() -> None:
    new = Outcomes({"unseen_song": regime({"a": 1.0, "b": 0.0}), "later": regime({"z": 1.0})})
    old = Outcomes({"unseen_song": regime({"b": 1.0, "c": 0.0})})
    found = compared(new, old)
    assert list(found["regimes"]) == ["unseen_song"]
    assert found["regimes"]["unseen_song"]["n"] == 1
    assert found["overall"]["mrr"]["difference"] == -1.0


def test_a_clear_difference_is_significant_and_none_is_not() -> None:
    better, worse = (Outcomes({"unseen_song": regime(many(value))}) for value in (0.7, 0.5))
    found = compared(better, worse)["overall"]["mrr"]
    assert found["new"] > found["old"]
    assert found["low"] > 0.1
    assert found["p"] < 0.01
    same = compared(better, better)["overall"]["mrr"]
    assert same["difference"] == same["low"] == same["high"] == 0
    assert same["p"] == 1


@pytest.mark.parametrize(
    ("new", "old", "count", "verdict"),
    [
        (0.7, 0.5, 40, "better"),
        (0.5, 0.7, 40, "worse"),
        (0.5, 0.5, 40, "no difference"),
        (0.7, 0.5, 29, "insufficient"),
    ],
)
def test_the_verdict_of_a_genre(new: float, old: float, count: int, verdict: str) -> None:
    one, other = (Outcomes({"unseen_song": regime(many(value, count), "jazz")}) for value in (new, old))
    found = compared(one, other)["genres"]["jazz"]
    assert found["verdict"] == verdict
    assert found["sufficient"] == (count >= 30)
    assert (found["mrr"]["p_holm"] is None) == (verdict == "insufficient")


def test_regimes_are_pooled_overall() -> None:
    new = Outcomes({"unseen_song": regime({"a": 1.0}), "unseen_playlist": regime({"a": 0.0})})
    assert compared(new, new)["overall"]["mrr"]["new"] == 0.5


def test_no_worse_by_more_than_the_margin() -> None:
    good, bad = (Outcomes({"unseen_playlist": regime(many(value))}) for value in (0.7, 0.5))
    assert not compare(bad, good).no_worse("top5", ["unseen_playlist"], 0.05).passed
    assert compare(good, bad).no_worse("top5", ["unseen_playlist"], 0.05).passed
    assert compare(good, good).no_worse("top5", ["unseen_playlist"], 0.05).passed


def test_only_the_regimes_asked_for_are_pooled() -> None:
    better, worse = regime(many(0.7)), regime(many(0.5))
    new = Outcomes({"unseen_song": better, "unseen_playlist": worse})
    old = Outcomes({"unseen_song": worse, "unseen_playlist": better})
    found = compare(new, old)
    both, one = found.overall("mrr"), found.overall("mrr", ["unseen_playlist"])
    assert both is not None
    assert one is not None
    assert (both.n, one.n) == (80, 40)
    assert both.difference == pytest.approx(0, abs=1e-9)
    assert one.difference < -0.1
    assert found.overall("mrr", ["later"]) is None
