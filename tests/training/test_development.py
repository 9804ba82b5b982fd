"""The development regimes: measured also where a playlist has nothing but development songs."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from training.dataset import PairDataset
from training.development import Development, Measured
from training.examples import Prompts
from training.splits import Split


def by_theme(texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """Vectors that lie near one another where texts share words."""
    words = sorted({word for text in texts for word in text.lower().replace(".", "").split()})
    counts = np.array([[text.lower().replace(".", "").split().count(word) for word in words] for text in texts])
    padded = np.zeros((len(texts), 512), np.float32)
    padded[:, [int.from_bytes(word.encode()) % 509 for word in words]] = counts
    return np.asarray(padded / np.linalg.norm(padded, axis=1, keepdims=True), np.float32)


def test_a_playlist_without_a_training_song_is_measured_by_its_text(themed: PairDataset) -> None:
    lonely = themed.select(Split.DEVELOPMENT)[0].playlist_id
    pairs = tuple(pair for pair in themed.pairs if not (pair.split is Split.TRAIN and pair.playlist_id == lonely))
    found = Development(replace(themed, pairs=pairs), Prompts()).measure(by_theme)
    whole = Development(themed, Prompts()).measure(by_theme)
    assert found.queries == whole.queries
    assert 0 < found.mrr["development"] <= 1


def test_regimes_with_too_few_queries_do_not_count_beside_one_with_enough() -> None:
    assert Measured({"a": 0.2, "b": 0.8}, {"a": 100, "b": 29}).mean == 0.2
    assert Measured({"a": 0.2, "b": 0.8}, {"a": 100, "b": 30}).mean == 0.5
    assert Measured({"a": 0.2, "b": 0.8}, {"a": 3, "b": 4}).mean == 0.5
    assert Measured({}, {}).mean == 0
