"""Files of GoEmotions' form, and what is said of those that are not."""

from pathlib import Path

import numpy as np
import pytest

from registry.errors import BadInput
from training.emotions.texts import read_labels, read_texts

ROWS = "A quiet morning.\t2\tc1\nWell done, and thank you!\t0,1\tc2\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "labels.txt").write_text("admiration\ngratitude\nneutral")
    (tmp_path / "train.tsv").write_text(ROWS)
    return tmp_path


def test_texts_have_the_labels_that_their_numbers_name(folder: Path) -> None:
    assert read_labels(folder) == ("admiration", "gratitude", "neutral")
    found = read_texts(folder / "train.tsv", 3)
    assert found.texts == ["A quiet morning.", "Well done, and thank you!"]
    np.testing.assert_array_equal(found.labels, [[False, False, True], [True, True, False]])


def test_a_quotation_mark_is_a_character_like_others(folder: Path) -> None:
    (folder / "train.tsv").write_text('"Open, never closed.\t0\tc1\nNext.\t1\tc2\n')
    assert read_texts(folder / "train.tsv", 3).texts == ['"Open, never closed.', "Next."]


def test_always_the_same_tenth_is_held_out(folder: Path) -> None:
    (folder / "train.tsv").write_text("".join(f"text {number}\t{number % 3}\tc{number}\n" for number in range(1000)))
    texts = read_texts(folder / "train.tsv", 3)
    fit, held = texts.parted()
    assert 60 < len(held) < 140
    assert sorted([*fit.ids, *held.ids]) == sorted(texts.ids)
    assert all(text == f"text {own[1:]}" for text, own in zip(held.texts, held.ids, strict=True))
    assert texts.parted()[1].ids == held.ids


@pytest.mark.parametrize(
    ("row", "number"),
    [("no tabs", 3), ("text\t3\tc", 3), ("text\t-1\tc", 3), ("text\tjoy\tc", 3), ("text\t\tc", 3), ("a\tb\t1\tc", 3)],
)
def test_a_row_that_cannot_be_used_is_named(folder: Path, row: str, number: int) -> None:
    (folder / "train.tsv").write_text(f"{ROWS}{row}\n")
    with pytest.raises(BadInput, match=f"Row {number} of .*train.tsv has no labels from 0 to 2"):
        read_texts(folder / "train.tsv", 3)


def test_what_is_missing_or_empty_is_named(folder: Path) -> None:
    with pytest.raises(BadInput, match=r"dev\.tsv cannot be read: FileNotFoundError"):
        read_texts(folder / "dev.tsv", 3)
    (folder / "dev.tsv").write_text("")
    with pytest.raises(BadInput, match="holds no text"):
        read_texts(folder / "dev.tsv", 3)
    (folder / "labels.txt").write_text("joy\njoy\n")
    with pytest.raises(BadInput, match="each once"):
        read_labels(folder)
