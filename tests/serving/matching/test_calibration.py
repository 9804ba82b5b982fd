"""Scales measured when a version is made."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.records import ACOUSTIC_FEATURES, AudioFeatures, Song
from registry.vectors.records import StoredProfile
from registry.versions import Scale
from serving.matching.calibration import calibrate, measure_features, uncalibrated
from serving.matching.index import PlaylistIndex
from serving.matching.scoring import scaled_signals
from serving.matching.signals.asked import AskedSongs

Profile = Callable[..., StoredProfile]


def songs_with(**features: list[float]) -> list[Song]:
    rows = [dict(zip(features, values, strict=True)) for values in zip(*features.values(), strict=True)]
    return [
        Song(song_id=f"s{number}", title="T", description="d", audio_features=AudioFeatures.model_validate(row))
        for number, row in enumerate(rows)
    ]


def test_mean_and_spread_of_a_feature_are_recovered() -> None:
    scales = measure_features(songs_with(energy=[0.2, 0.4, 0.6, 0.8], tempo=[60, 120, 60, 120]))
    assert scales["energy"].mean == pytest.approx(0.5, abs=1e-6)
    assert scales["energy"].spread == pytest.approx(np.std([0.2, 0.4, 0.6, 0.8]), abs=1e-6)
    assert scales["tempo"] == Scale(mean=90, spread=30)


def test_songs_that_lack_a_feature_do_not_count_for_it() -> None:
    known = songs_with(energy=[0.25, 0.75])
    assert measure_features([*known, Song(song_id="x", title="T")])["energy"] == Scale(mean=0.5, spread=0.25)


def test_a_feature_that_nobody_has_changes_nothing() -> None:
    scales = measure_features(songs_with(energy=[0.25, 0.75]))
    assert set(scales) == set(ACOUSTIC_FEATURES)
    assert scales["valence"] == Scale(mean=0, spread=1)


def test_a_feature_without_spread_is_not_blown_up() -> None:
    assert measure_features(songs_with(energy=[0.5, 0.5, 0.5]))["energy"] == Scale(mean=0.5, spread=1)
    assert measure_features(songs_with(energy=[0.5]))["energy"] == Scale(mean=0.5, spread=1)


def test_no_songs_give_no_scales_to_speak_of() -> None:
    assert set(measure_features([]).values()) == {Scale(mean=0, spread=1)}


@given(st.lists(st.floats(0, 1), min_size=2, max_size=50))
def test_spreads_can_always_be_divided_by(values: list[float]) -> None:
    assert measure_features(songs_with(valence=values))["valence"].spread > 0


def test_signals_are_scaled_by_what_does_not_belong_together(profile: Profile) -> None:
    generator = np.random.default_rng(0)
    vectors = generator.normal(size=(40, 3)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    songs = songs_with(energy=generator.uniform(size=40).tolist(), valence=generator.uniform(size=40).tolist())
    spec = uncalibrated(measure_features(songs), signals=("text", "centroid", "acoustic"))
    profiles = [
        profile(f"p{number}", tuple(vectors[number]), tuple(vectors[number + 1]), energy=0.1 * number, valence=0.5)
        for number in range(6)
    ]
    index = PlaylistIndex.build(profiles, spec, 3)
    belongs = generator.uniform(size=(40, 6)) < 0.2
    made = calibrate(vectors, songs, index, belongs, spec)
    asked = AskedSongs(songs, vectors)
    raw, scaled = index.raw(asked), scaled_signals(asked, index, made)
    for signal in spec.signals:
        unrelated = raw[signal][~belongs]
        assert made.signals[signal].mean == pytest.approx(float(unrelated.mean()), abs=2e-6)
        assert made.signals[signal].spread == pytest.approx(float(unrelated.std()), abs=2e-6)
        alone = scaled[signal][~belongs]
        assert alone.mean() == pytest.approx(0, abs=1e-3)
        assert alone.std() == pytest.approx(1, abs=1e-3)
    assert (made.weights, made.features) == (spec.weights, spec.features)


def test_a_signal_that_is_missing_everywhere_is_left_as_it_comes(profile: Profile) -> None:
    songs = [Song(song_id="a", title="T"), Song(song_id="b", title="T")]
    spec = uncalibrated(measure_features(songs))
    index = PlaylistIndex.build([profile("p", centroid=None)], spec, 3)
    vectors = np.array([[1, 0, 0], [0, 1, 0]], np.float32)
    made = calibrate(vectors, songs, index, np.zeros((2, 1), np.bool_), spec)
    assert made.signals["centroid"] == made.signals["acoustic"] == Scale(mean=0, spread=1)
    assert made.signals["text"] == Scale(mean=0.5, spread=0.5)


def test_where_everything_belongs_together_nothing_can_be_measured(profile: Profile) -> None:
    songs = songs_with(energy=[0.1, 0.9])
    spec = uncalibrated(measure_features(songs))
    index = PlaylistIndex.build([profile(energy=0.5)], spec, 3)
    made = calibrate(np.eye(2, 3, dtype=np.float32), songs, index, np.ones((2, 1), np.bool_), spec)
    assert set(made.signals.values()) == {Scale(mean=0, spread=1)}
