"""A song's sound against a playlist's distribution."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from registry.records import AudioFeatures, Song
from registry.vectors.records import StoredProfile
from registry.versions import MatchSpec, SoundScale
from serving.matching.calibration import measure_features, measure_sounds, uncalibrated
from serving.matching.signals.asked import AskedSongs
from serving.matching.signals.sound import SOUNDS, SoundSignal, normal_scores

Holding = Callable[..., StoredProfile]


def songs(energies: Sequence[float | None], **others: float) -> list[Song]:
    return [
        Song(song_id=f"s{number}", title="T", audio_features=AudioFeatures(energy=energy, **others))
        for number, energy in enumerate(energies)
    ]


def spec_of(every: Sequence[Song]) -> MatchSpec:
    return uncalibrated(measure_features(every), measure_sounds(every, [every]), signals=("acoustic",))


def scores(signal: SoundSignal, *asked: Song) -> list[list[float]]:
    found = signal.scores(AskedSongs(asked, np.zeros((len(asked), 3), np.float32)))
    return [list(map(float, row)) for row in found]


SPREAD = np.linspace(0, 1, 101).tolist()
SPEC = spec_of(songs(SPREAD))


def test_features_become_normal_scores() -> None:
    found = normal_scores(songs([0.1, 0.5, 0.9, None]), SPEC.sounds)[:, list(SOUNDS).index("energy")]
    np.testing.assert_allclose(found[:3], norm.ppf([0.1, 0.5, 0.9]), atol=0.05)
    assert np.isnan(found[3])


def test_a_value_that_many_songs_have_stands_for_the_middle_of_its_ranks() -> None:
    scales = measure_sounds(songs([0.0] * 60 + [0.5] * 40), [])
    assert scales["energy"].values == (0.0, 0.5)
    np.testing.assert_allclose(scales["energy"].scores, norm.ppf([0.3, 0.8]), atol=0.03)


def test_the_spread_within_playlists_is_pooled() -> None:
    every = songs(SPREAD)
    apart = measure_sounds(every, [every[:50], every[51:]])["energy"].within
    assert 0.4 < apart < measure_sounds(every, [every])["energy"].within < 1.05
    assert measure_sounds(every, [])["energy"].within == 0.9  # not measured


def test_it_is_the_log_of_how_much_likelier_the_sound_is_there(holding: Holding) -> None:
    """By hand: four songs at normal score 1, one made-up song at 0, five made-up songs of the usual spread."""
    scale = SoundScale(values=(0.0, 1.0), scores=(-2.0, 2.0), within=0.5)
    spec = SPEC.model_copy(update={"sounds": {"energy": scale}})
    signal = SoundSignal.build([holding("p", songs([0.75] * 4))], spec)
    mean = 4 * 1.0 / 5
    variance = (4 * (1 - mean) ** 2 + 5 * 0.25) / 9 * (1 + 1 / 5)
    for energy in (0.0, 0.5, 0.75, 1.0):
        at = 4 * energy - 2
        wanted = norm.logpdf(at, mean, np.sqrt(variance)) - norm.logpdf(at)
        assert scores(signal, *songs([energy]))[0] == [pytest.approx(wanted, abs=1e-4)]


def test_two_playlists_of_one_mean_are_told_apart_by_their_spread(holding: Holding) -> None:
    narrow, wide = holding("narrow", songs([0.5] * 20)), holding("wide", songs([0.1, 0.9] * 10))
    signal = SoundSignal.build([narrow, wide], SPEC)
    middle, edge = scores(signal, *songs([0.5, 0.9]))
    assert middle[0] > middle[1]
    assert edge[1] > edge[0]


def test_what_a_song_does_not_have_says_nothing(holding: Holding) -> None:
    signal = SoundSignal.build(
        [holding("quiet", songs([0.1] * 5, valence=0.5)), holding("loud", songs([0.9] * 5))], SPEC
    )
    loud_without_valence = scores(signal, *songs([0.9]))[0]
    assert loud_without_valence[1] > loud_without_valence[0]
    assert np.isnan(scores(signal, *songs([None]))[0]).all()


def test_few_songs_do_not_pass_for_a_narrow_taste(holding: Holding) -> None:
    few, many = holding("few", songs([0.5] * 3)), holding("many", songs([0.5] * 50))
    near, far = scores(SoundSignal.build([few, many], SPEC), *songs([0.5, 0.99]))
    assert near[1] > near[0]
    assert far[0] > far[1]


def test_a_playlist_without_sound_or_without_songs_says_nothing(holding: Holding) -> None:
    signal = SoundSignal.build([holding("mute", songs([None] * 4)), holding("none", [])], SPEC)
    assert np.isnan(scores(signal, *songs([0.5]))[0]).all()


def test_the_features_that_speak_for_it_are_named_the_most_telling_first(holding: Holding) -> None:
    every = [
        Song(song_id=f"s{row}", title="T", audio_features=AudioFeatures(energy=one, valence=other))
        for row, (one, other) in enumerate(zip(SPREAD, reversed(SPREAD), strict=True))
    ]
    signal = SoundSignal.build([holding("p", every[90:])], spec_of(every))
    loud_and_sad = Song(song_id="x", title="T", audio_features=AudioFeatures(energy=0.97, valence=0.5))
    assert signal.most_alike(loud_and_sad, 0) == ["energy"]


levels = st.lists(st.none() | st.floats(0, 1), max_size=6)


@given(playlists=st.lists(levels, min_size=1, max_size=4), asked=levels)
def test_a_score_is_a_number_wherever_both_have_a_sound(
    holding: Holding, playlists: list[list[float | None]], asked: list[float | None]
) -> None:
    signal = SoundSignal.build([holding(str(row), songs(each)) for row, each in enumerate(playlists)], SPEC)
    found = signal.scores(AskedSongs(songs(asked), np.zeros((len(asked), 3), np.float32)))
    known = np.array(
        [[value is not None and any(each is not None for each in held) for held in playlists] for value in asked]
    )
    assert (np.isfinite(found) == known.reshape(found.shape)).all()
    for row in range(len(playlists)):
        alone = signal.only(row).scores(AskedSongs(songs(asked), np.zeros((len(asked), 3), np.float32)))
        np.testing.assert_array_equal(alone[:, 0], found[:, row])
