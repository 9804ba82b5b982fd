"""Tables for people."""

from typing import Any

import pytest
from rich.console import Console

from lifecycle.cli.tables import evaluation_table

FIGURES = {"n": 40, "top1": 0.5, "top5": 0.8, "mrr": 0.6, "recall_at_20": 0.9, "ndcg_at_10": 0.7}
REPORT: dict[str, Any] = {"version": "v2", **FIGURES, "regimes": {}, "genres": {}}


def test_an_evaluation_says_how_many_songs_without_a_home_are_recognised(capsys: pytest.CaptureFixture[str]) -> None:
    none_fits = {"n": 40, "threshold": 0.2, "kept": 0.9, "recognised": 0.65, "curve": []}
    Console(width=120).print(evaluation_table({**REPORT, "none_fits": none_fits}))
    said = capsys.readouterr().out
    assert "65.0% of 40 songs" in said
    assert "90.0% of the right answers stand" in said


def test_an_older_evaluation_says_nothing_of_songs_without_a_home(capsys: pytest.CaptureFixture[str]) -> None:
    Console(width=120).print(evaluation_table(REPORT))
    assert "none fits" not in capsys.readouterr().out
