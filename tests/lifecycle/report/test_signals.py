"""What the report tells of signals: what each is worth, and only what was measured."""

import re
from typing import Any

import pytest

from lifecycle.report.figures import UNKNOWN
from lifecycle.report.page import render
from lifecycle.report.signals import none_fits_chart, signal_table
from tests.support.report_document import base_document, full_document


def figures_of(document: dict[str, Any]) -> dict[str, Any]:
    figures: dict[str, Any] = document["evaluation"]["regimes"]["unseen_song"]
    return figures


def section(document: dict[str, Any]) -> str:
    """The text of the page's section, without markup."""
    found = re.search(r'<section id="signals".*?</section>', render(document), re.DOTALL)
    assert found is not None
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", found[0]))


def test_a_signal_adds_what_is_missing_without_it() -> None:
    document = full_document()
    table = signal_table(document)
    assert table is not None
    (sound,) = (each for each in table.signals if each.title == "audio features")
    figures = figures_of(document)
    assert sound.adds == pytest.approx(figures["mrr"] - figures["without"]["acoustic"]["mrr"])
    assert (sound.known, sound.by_text) == (0.77, None)
    assert [each.title for each in table.tiers] == ["vectors", "audio"]
    assert table.tiers[1].adds == pytest.approx(sound.adds)


def test_the_page_tells_signals_tiers_types_and_what_decided_them() -> None:
    document = full_document()
    told = section(document)
    sound = figures_of(document)["without"]["acoustic"]
    adds = f"+{figures_of(document)['mrr'] - sound['mrr']:.3f}"
    assert (
        f"audio features {adds} 0.210 {sound['top1']:.3f} {sound['top5']:.3f} {sound['mrr']:.3f} 0.77 {UNKNOWN}" in told
    )
    assert f"audio {adds} {sound['top1']:.3f} {sound['top5']:.3f} {sound['mrr']:.3f}" in told
    assert "activity insufficient 28" in told
    assert "Weights learned, from 131 songs" in told
    assert "Reranker not taken: MRR 0.641 without it, 0.643 with it on 200 development songs, at 58 ms a song" in told
    assert "Of 418 songs with all their playlists taken away 0.381 are recognised" in told


def test_all_is_told_in_one_order_whatever_that_of_the_database() -> None:
    document = full_document()
    evaluation = document["evaluation"]
    evaluation["regimes"] = dict(reversed(evaluation["regimes"].items()))
    evaluation["types"] = dict(reversed(evaluation["types"].items()))
    for figures in evaluation["regimes"].values():
        for part in ("signals", "without_tiers"):
            figures[part] = dict(reversed(figures[part].items()))
    assert signal_table(document) == signal_table(full_document())
    assert section(document) == section(full_document())


def test_the_curve_runs_from_left_to_right() -> None:
    chart = none_fits_chart(full_document())
    assert chart is not None
    (line,) = chart.series
    assert [kept for kept, _ in line.points] == [0.8, 0.85, 0.9, 0.95, 0.98]
    assert chart.chosen == 0.951


def test_versions_of_before_are_told_with_what_is_known_of_them() -> None:
    document = full_document()
    for figures in document["evaluation"]["regimes"].values():
        del figures["without"], figures["without_tiers"]
    del document["evaluation"]["types"], document["evaluation"]["none_fits"]
    del document["specification"]["matching"]["learned"]
    del document["training"]["record"]["fusion"], document["training"]["record"]["reranker"]
    told = section(document)
    assert " ".join(("audio features", UNKNOWN, "0.210", *[UNKNOWN] * 5)) in told
    for missing in ("Tier", "Type", "recognised", "Weights", "Reranker"):
        assert missing not in told


def test_what_cannot_tell_whether_nothing_fits_has_no_curve() -> None:
    document = full_document()
    document["evaluation"]["none_fits"]["curve"] = document["evaluation"]["none_fits"]["curve"][:1]
    assert none_fits_chart(document) is None


def test_where_nothing_was_measured_there_is_no_section() -> None:
    assert signal_table(base_document()) is None
    assert 'id="signals"' not in render(base_document())
    document = full_document()
    for figures in document["evaluation"]["regimes"].values():
        figures["signals"] = {}
    assert 'id="signals"' not in render(document)
