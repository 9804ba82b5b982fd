"""Texts labelled with emotions, read from files of GoEmotions' form (Demszky et al., 2020).

A folder holds `labels.txt` (a label a line), `train.tsv` and `dev.tsv`: text, numbers of its labels parted by commas,
id of the comment, parted by tabs.
"""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt

from registry.errors import BadInput

Labelled = npt.NDArray[np.bool_]

_COLUMNS = 3
_HELD_OUT = 10
"""One text in so many is held out of the training, for the thresholds."""


@dataclass(frozen=True)
class EmotionTexts:
    """Texts, their labels of shape (texts, labels), and the ids of their comments."""

    texts: list[str]
    labels: Labelled
    ids: list[str]

    def __len__(self) -> int:
        return len(self.texts)

    def parted(self) -> "tuple[EmotionTexts, EmotionTexts]":
        """Those to train on, and the tenth that is held out: by a hash of the id, so always the same ones."""
        out = np.array([int.from_bytes(sha256(each.encode()).digest()) % _HELD_OUT == 0 for each in self.ids], bool)
        return self._where(~out), self._where(out)

    def _where(self, chosen: Labelled) -> "EmotionTexts":
        rows = np.flatnonzero(chosen)
        return EmotionTexts([self.texts[row] for row in rows], self.labels[rows], [self.ids[row] for row in rows])


def read_labels(folder: Path) -> tuple[str, ...]:
    """The labels of `labels.txt`, in their order.

    Raises:
        BadInput: there is no such file, or a label is there twice.
    """
    labels = tuple(line.strip() for line in _read(folder / "labels.txt").splitlines() if line.strip())
    if not labels or len(set(labels)) != len(labels):
        raise BadInput(f"{folder / 'labels.txt'} does not name labels, each once.", "Write one label a line.")
    return labels


def read_texts(path: Path, labels: int) -> EmotionTexts:
    """The texts of a `.tsv` file, whose labels are numbered from 0.

    Raises:
        BadInput: there is no such file, or a row is not of that form.
    """
    rows = [line.split("\t") for line in _read(path).split("\n") if line]
    if not rows:
        raise BadInput(f"{path} holds no text.", _FORM)
    marked = np.zeros((len(rows), labels), bool)
    for number, row in enumerate(rows):
        marked[number, _numbers(path, number, row, labels)] = True
    return EmotionTexts([row[0] for row in rows], marked, [row[2] for row in rows])


_FORM = "Each row is a text, the numbers of its labels parted by commas, and an id, parted by tabs."


def _numbers(path: Path, number: int, row: list[str], labels: int) -> list[int]:
    try:
        numbers = [int(each) for each in row[1].split(",")]
        if len(row) == _COLUMNS and all(0 <= each < labels for each in numbers):
            return numbers
    except (ValueError, IndexError):
        pass
    raise BadInput(f"Row {number + 1} of {path} has no labels from 0 to {labels - 1}.", _FORM)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(
            f"{path} cannot be read: {type(error).__name__}.",
            "Name a folder that holds train.tsv, dev.tsv and labels.txt in UTF-8, as GoEmotions has them.",
        ) from None
