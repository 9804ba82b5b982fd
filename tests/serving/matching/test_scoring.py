"""Scores: what each signal adds, what happens where one is missing, and that nothing is ever no number."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.records import ACOUSTIC_FEATURES, AudioFeatures, Playlist, Song
from registry.vectors.records import StoredProfile
from registry.versions import MatchSpec, Scale, SignalWeights
from serving.matching.calibration import uncalibrated
from serving.matching.index import PlaylistIndex
from serving.matching.scoring import combined, leans_on_sound, match_songs, scaled_signals
from serving.matching.signals.asked import AskedSongs, Matrix
from serving.matching.signals.sound import features_of

Profile = Callable[..., StoredProfile]
MakeSong = Callable[..., Song]

SIGNALS = ("text", "centroid", "acoustic")
"""What versions matched by that were registered before there were more; sounds are compared by their means."""

SPEC = uncalibrated(dict.fromkeys(ACOUSTIC_FEATURES, Scale(mean=0.5, spread=0.25)), signals=SIGNALS)
AXES = np.eye(3, dtype=np.float32)


def scores(song: Song, *profiles: StoredProfile, vector: Matrix = AXES[0], spec: MatchSpec = SPEC) -> dict[str, Matrix]:
    """The shares and the score of one song, each of shape (playlists,)."""
    made = match_songs(vector[None, :], [song], PlaylistIndex.build(profiles, spec, 3), spec)
    return {"score": made.score[0], **{signal: made.shares[signal][0] for signal in SIGNALS}}


def signals_of(song: Song, profile: StoredProfile, vector: Matrix = AXES[0]) -> dict[str, float]:
    found = PlaylistIndex.build([profile], SPEC, 3).raw(AskedSongs([song], vector[None, :]))
    return {name: float(found[name][0, 0]) for name in SIGNALS}


# Signals ------------------------------------------------------------------------------------------------------------


def test_text_and_centroid_are_cosines(profile: Profile, song: MakeSong) -> None:
    found = signals_of(song(), profile(text=(3, 4, 0), centroid=(0, 0, 1)))
    assert found["text"] == pytest.approx(0.6)
    assert found["centroid"] == pytest.approx(0)


def test_equal_sound_is_one_and_distance_lowers_it(profile: Profile, song: MakeSong) -> None:
    near = signals_of(song(energy=0.5, valence=0.5), profile(energy=0.5, valence=0.5))
    far = signals_of(song(energy=0.5, valence=0.5), profile(energy=0.75, valence=0.5))
    assert near["acoustic"] == pytest.approx(1)
    assert far["acoustic"] == pytest.approx(np.exp(-(0.5**2)))


def test_only_features_that_both_have_are_compared(profile: Profile, song: MakeSong) -> None:
    assert signals_of(song(energy=0.5, tempo=100), profile(energy=0.5, valence=0.1))["acoustic"] == pytest.approx(1)
    assert np.isnan(signals_of(song(tempo=100), profile(valence=0.1))["acoustic"])


def test_key_mode_and_metre_do_not_count() -> None:
    assert features_of(AudioFeatures(key=3, mode=1, time_signature=4, energy=0.5)) == {"energy": 0.5}


def test_a_feature_of_zero_is_known() -> None:
    assert features_of(AudioFeatures(energy=0.0)) == {"energy": 0.0}


# Weights ------------------------------------------------------------------------------------------------------------


def test_shares_follow_the_playlists_type(profile: Profile, song: MakeSong) -> None:
    gym, tears = (profile(name, (1, 0, 0), (1, 0, 0), energy=0.5) for name in ("Gym", "Tears"))
    found = scores(song(energy=0.5), gym, tears)
    assert found["acoustic"] == pytest.approx([0.7, 0.2])
    assert found["text"] == pytest.approx([0.15, 0.4])
    assert found["centroid"] == pytest.approx([0.15, 0.4])
    assert found["score"] == pytest.approx([1, 1])


def test_signals_are_brought_to_scale_before_they_are_weighed(profile: Profile, song: MakeSong) -> None:
    signals = {
        "text": Scale(mean=0.5, spread=0.25),
        "centroid": Scale(mean=0.0, spread=1.0),
        "acoustic": Scale(mean=1.0, spread=0.5),
    }
    spec = SPEC.model_copy(update={"signals": signals})
    found = scores(song(energy=0.5), profile("Songs", (1, 0, 0), (1, 0, 0), energy=0.5), spec=spec)
    assert [float(found[name][0]) for name in SIGNALS] == pytest.approx([0.25 * 2, 0.25 * 1, 0.5 * 0])


def test_a_type_that_the_version_does_not_know_is_weighed_as_the_default(profile: Profile, song: MakeSong) -> None:
    spec = SPEC.model_copy(update={"weights": {"default": SignalWeights(semantic=0.9, acoustic=0.1)}})
    found = scores(song(energy=0.5), profile("Gym", (1, 0, 0), (1, 0, 0), energy=0.5), spec=spec)
    assert found["acoustic"] == pytest.approx([0.1])


# Missing signals ----------------------------------------------------------------------------------------------------


def test_without_sound_meaning_takes_its_weight(profile: Profile, song: MakeSong) -> None:
    found = scores(song(), profile("Gym", (1, 0, 0), (1, 0, 0), energy=0.5))
    assert found["acoustic"] == pytest.approx([0])
    assert found["text"] == found["centroid"] == pytest.approx([0.5])


def test_without_a_centroid_the_others_take_its_weight(profile: Profile, song: MakeSong) -> None:
    found = scores(song(energy=0.5), profile("Gym", (1, 0, 0), None, energy=0.5))
    assert found["centroid"] == pytest.approx([0])
    assert found["text"] == pytest.approx([0.15 / 0.85])
    assert found["acoustic"] == pytest.approx([0.7 / 0.85])


def test_a_playlist_without_songs_is_known_by_its_text_alone(profile: Profile, song: MakeSong) -> None:
    found = scores(song(energy=0.5), profile("Gym", (1, 0, 0), None, 0))
    assert found["text"] == found["score"] == pytest.approx([1])
    assert found["centroid"] == found["acoustic"] == pytest.approx([0])


def test_one_song_is_enough(profile: Profile, song: MakeSong) -> None:
    found = scores(song(energy=0.5), profile("Gym", (1, 0, 0), (1, 0, 0), 1, energy=0.5))
    assert found["acoustic"] == pytest.approx([0.7])


def test_one_playlist_without_a_centroid_does_not_change_another(profile: Profile, song: MakeSong) -> None:
    whole = profile("A", (1, 0, 0), (1, 0, 0), energy=0.5)
    alone = scores(song(energy=0.5), whole)["score"]
    beside = scores(song(energy=0.5), profile("B", (0, 1, 0), None, 0), whole)["score"]
    assert beside[1] == pytest.approx(alone[0])


# Songs that have little to say --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "leans"),
    [
        ({"description": "words"}, False),
        ({"artist": "A"}, False),
        ({"album": "B"}, False),
        ({}, True),
        ({"genre": "Jazz"}, True),
        ({"description": "words", "audio_features": AudioFeatures(instrumentalness=0.5)}, True),
        ({"description": "words", "audio_features": AudioFeatures(instrumentalness=0.49)}, False),
    ],
)
def test_instrumentals_and_songs_known_by_title_alone_lean_on_sound(fields: dict[str, object], *, leans: bool) -> None:
    assert leans_on_sound(Song.model_validate({"song_id": "s", "title": "T", **fields})) is leans


def test_leaning_on_sound_moves_a_fifth_of_the_weight(profile: Profile, song: MakeSong) -> None:
    listed = profile("Songs", (1, 0, 0), (1, 0, 0), energy=0.5, instrumentalness=0.9)
    worded = scores(song(energy=0.5, instrumentalness=0.1), listed)
    bare = scores(song(description=None, energy=0.5, instrumentalness=0.9), listed)
    share = bare["acoustic"] / bare["score"]
    assert share == pytest.approx([0.7])
    assert worded["text"] == pytest.approx([0.25])


def test_a_leaning_song_without_sound_is_matched_by_meaning(profile: Profile, song: MakeSong) -> None:
    found = scores(song(description=None), profile("Gym", (1, 0, 0), (1, 0, 0), energy=0.5))
    assert found["score"] == pytest.approx([1])


# Signals left out ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("signal", SIGNALS)
def test_one_signal_alone_is_the_whole_score(profile: Profile, song: MakeSong, signal: str) -> None:
    index = PlaylistIndex.build([profile("Gym", (1, 1, 0), (1, 0, 1), energy=0.6), profile("B", songs=1)], SPEC, 3)
    asked = AskedSongs([song(energy=0.5)], AXES[:1])
    only = combined({signal: scaled_signals(asked, index, SPEC)[signal]}, asked.songs, index, SPEC)
    np.testing.assert_allclose(only.score, np.nan_to_num(index.raw(asked)[signal]), atol=1e-6)
    assert list(only.shares) == [signal]


# Shapes -------------------------------------------------------------------------------------------------------------


def test_no_songs_give_no_rows(profile: Profile) -> None:
    index = PlaylistIndex.build([profile()], SPEC, 3)
    assert match_songs(np.zeros((0, 3), np.float32), [], index, SPEC).score.shape == (0, 1)


def test_no_playlists_give_no_columns(song: MakeSong) -> None:
    index = PlaylistIndex.build([], SPEC, 3)
    assert match_songs(AXES[:1], [song()], index, SPEC).score.shape == (1, 0)


units = st.lists(st.integers(-9, 9), min_size=3, max_size=3).filter(any).map(tuple)
levels = st.none() | st.floats(0, 1)
features = st.fixed_dictionaries(
    {},
    optional={
        "energy": st.floats(0, 1),
        "valence": st.floats(0, 1),
        "instrumentalness": st.floats(0, 1),
        "loudness": st.floats(-100, 20),
        "tempo": st.floats(0, 1000),
    },
)
names = st.sampled_from(["Gym", "Chill", "Tears", "My songs"])
scales = st.builds(Scale, mean=st.floats(-1, 1), spread=st.floats(1e-6, 10))
specs = st.builds(
    MatchSpec,
    weights=st.just(SPEC.weights) | st.just({"default": SignalWeights(semantic=0, acoustic=1)}),
    signals=st.fixed_dictionaries(dict.fromkeys(SIGNALS, scales)),
    features=st.fixed_dictionaries(dict.fromkeys(ACOUSTIC_FEATURES, scales)),
)


@given(
    spec=specs,
    songs=st.lists(st.tuples(units, st.none() | st.just("words"), features), min_size=1, max_size=4),
    playlists=st.lists(st.tuples(names, units, st.none() | units, st.integers(0, 5), features), min_size=1, max_size=4),
)
def test_scores_are_numbers_and_their_shares_add_up(
    profile: Profile,
    spec: MatchSpec,
    songs: list[tuple[tuple[int, ...], str | None, dict[str, float]]],
    playlists: list[tuple[str, tuple[int, ...], tuple[int, ...] | None, int, dict[str, float]]],
) -> None:
    made = [
        Song(song_id=f"s{row}", title="T", description=words, audio_features=AudioFeatures.model_validate(sound))
        for row, (_, words, sound) in enumerate(songs)
    ]
    vectors = np.array([vector for vector, _, _ in songs], np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    profiles = [profile(name, text, mean, size, **sound) for name, text, mean, size, sound in playlists]
    index = PlaylistIndex.build(profiles, spec, 3)
    found = match_songs(vectors, made, index, spec)
    assert found.score.shape == (len(songs), len(playlists))
    assert np.isfinite(found.score).all()
    total = sum(found.shares[signal].astype(np.float64) for signal in SIGNALS)
    np.testing.assert_allclose(found.score, total, rtol=1e-4, atol=1e-4 * max(1.0, float(np.abs(total).max())))


def test_the_index_keeps_the_order_of_profiles(profile: Profile) -> None:
    index = PlaylistIndex.build([profile("b"), profile("Gym")], SPEC, 3)
    assert index.playlists == (Playlist(playlist_id="b", name="b"), Playlist(playlist_id="Gym", name="Gym"))
    assert [each.name for each in index.types] == ["default", "workout"]
