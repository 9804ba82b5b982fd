from datetime import UTC, datetime, timedelta

import pytest

from registry.imports import cells


@pytest.mark.parametrize("missing", ["", "  ", "nan", "NaN", "null", "None", "undefined", "<NA>"])
def test_numbers_and_times_that_say_nothing_are_missing(missing: str) -> None:
    assert [read(missing) for read in (cells.number, cells.whole_number, cells.moment)] == [None] * 3


def test_only_an_empty_text_is_missing() -> None:
    assert cells.text("  ") is None
    assert cells.text(" nan ") == "nan"


@pytest.mark.parametrize(
    ("cell", "expected"),
    [("251668.0", 251668), (" 97 ", 97), ("2.5e3", 2500), ("97.5", "97.5"), ("inf", "inf"), ("soon", "soon")],
)
def test_whole_numbers(cell: str, expected: object) -> None:
    assert cells.whole_number(cell) == expected


def test_moments() -> None:
    assert cells.moment("2025-03-02T18:40:00Z") == datetime(2025, 3, 2, 18, 40, tzinfo=UTC)
    assert cells.moment("2025-03-02T18:40:00") == datetime(2025, 3, 2, 18, 40, tzinfo=UTC)
    offset = cells.moment("2025-03-02T18:40:00+02:00")
    assert offset is not None
    assert offset.utcoffset() == timedelta(hours=2)
    with pytest.raises(ValueError, match="ISO 8601 date and time, not 'yesterday'"):
        cells.moment("yesterday")


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("Mira Vale", "Mira Vale"),
        ("Mira Vale,The Low Tides", "Mira Vale, The Low Tides"),
        ("Mira Vale, The Low Tides", "Mira Vale, The Low Tides"),
        ("Mira Vale;The Low Tides", "Mira Vale, The Low Tides"),
        ("Vale, the Younger;The Low Tides", "Vale, the Younger, The Low Tides"),
        ("Vale\\, the Younger, The Low Tides", "Vale, the Younger, The Low Tides"),
        ("20,000 Lanterns", "20,000 Lanterns"),
        ("20,000 Lanterns;9,999", "20,000 Lanterns, 9,999"),
        (" ,; ", ","),
        ("", None),
    ],
)
def test_artists(cell: str, expected: str | None) -> None:
    assert cells.artists(cell) == expected


def test_the_first_genre() -> None:
    assert cells.first_genre(" indie folk,folk") == "indie folk"
    assert cells.first_genre(";r&b; soul") == "r&b"
    assert cells.first_genre("") is None
