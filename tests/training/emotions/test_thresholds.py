"""Thresholds find what scores allow; the figures are scikit-learn's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_fscore_support

from training.emotions.thresholds import Quality, fit_thresholds


def test_the_figures_are_scikit_learns() -> None:
    chance = np.random.default_rng(0)
    scores, labels = chance.random((200, 5), np.float32), chance.random((200, 5)) < [0.01, 0.1, 0.3, 0.5, 0.9]
    thresholds = [0.9, 0.5, 0.4, 0.2, 0.999]
    quality = Quality.measure(scores, thresholds, labels)
    expected = precision_recall_fscore_support(labels, scores >= np.array(thresholds, np.float32), zero_division=0)
    np.testing.assert_allclose([quality.precision, quality.recall, quality.f1, quality.support], expected)
    assert quality.macro_f1 == pytest.approx(np.mean(expected[2]))
    assert quality.rate[3] == pytest.approx((scores[:, 3] >= 0.2).mean())


def test_each_label_gets_the_threshold_that_parts_it() -> None:
    chance = np.random.default_rng(0)
    labels = chance.random((4000, 2)) < 0.3
    low, high = np.where(labels, 0.2, 0.05), np.where(labels, 0.8, 0.6)
    scores = np.stack([low[:, 0], high[:, 1]], 1) + chance.normal(0, 0.01, labels.shape)
    thresholds = fit_thresholds(scores.astype(np.float32), labels)
    assert 0.08 < thresholds[0] < 0.17
    assert 0.63 < thresholds[1] < 0.77
    assert Quality.measure(scores.astype(np.float32), thresholds, labels).macro_f1 > 0.99


def test_a_rare_label_does_not_follow_one_text() -> None:
    chance = np.random.default_rng(0)
    labels = np.stack([chance.random(4000) < 0.3, np.zeros(4000, bool)], 1)
    scores = np.stack([np.where(labels[:, 0], 0.7, 0.3), chance.random(4000) * 0.5], 1).astype(np.float32)
    labels[0, 1], scores[0, 1] = True, 0.86
    common, rare = fit_thresholds(scores, labels)
    assert abs(rare - common) < 0.15, "one text moves a threshold by a tenth of the way at most"


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0, 0.5))
def test_thresholds_are_scores_whatever_the_labels(seed: int, frequency: float) -> None:
    chance = np.random.default_rng(seed)
    thresholds = fit_thresholds(chance.random((30, 3), np.float32), chance.random((30, 3)) < frequency)
    assert ((thresholds > 0) & (thresholds < 1)).all()
