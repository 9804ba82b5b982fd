"""What a song makes one feel, against the feelings of the playlist's songs."""

from collections.abc import Sequence

import numpy as np
import pytest

from registry.records import Playlist, Song
from registry.vectors.records import Member, StoredProfile
from registry.versions import EmotionScale
from serving.matching.calibration import measure_emotions
from serving.matching.signals.asked import AskedSongs, Matrix
from serving.matching.signals.emotional import EmotionSignal, standardised

LABELS = ("joy", "love", "grief", "neutral")
SCALES = tuple(EmotionScale(label=label, mean=2 if label == "neutral" else -3, spread=1) for label in LABELS)

JOYFUL, LOVING, GRIEVING = ([0.9, 0.2, 0.01, 0.8], [0.3, 0.9, 0.01, 0.8], [0.01, 0.01, 0.9, 0.8])


def asked(*scores: Sequence[float]) -> AskedSongs:
    songs = [Song(song_id=f"a{row}", title="T") for row in range(len(scores))]
    return AskedSongs(songs, np.zeros((len(songs), 3), np.float32), np.array(scores, np.float32))


def holding(*scores: Sequence[float] | None) -> StoredProfile:
    members = tuple(
        Member(Song(song_id=f"m{row}", title="T"), None, None if each is None else np.array(each, np.float32))
        for row, each in enumerate(scores)
    )
    return StoredProfile(Playlist(playlist_id="p", name="P"), np.ones(3, np.float32), None, len(members), {}, members)


def signal(*profiles: StoredProfile) -> EmotionSignal:
    return EmotionSignal.build(profiles, SCALES)


def scores(*profiles: StoredProfile, of: AskedSongs) -> Matrix:
    return signal(*profiles).scores(of)


def test_a_song_is_nearer_to_playlists_that_feel_as_it_does() -> None:
    (found,) = scores(holding(JOYFUL, LOVING), holding(GRIEVING), of=asked(JOYFUL))
    assert found[0] > 0.5
    assert found[1] < 0


def test_it_is_the_cosine_of_standardised_log_odds_and_their_mean() -> None:
    def told(score: Sequence[float]) -> np.ndarray:
        odds = np.log(np.array(score) / (1 - np.array(score)))
        return np.asarray(odds - [-3, -3, -3, 2])

    mean = (told(JOYFUL) + told(GRIEVING)) / 2
    wanted = told(LOVING) @ mean / np.linalg.norm(told(LOVING)) / np.linalg.norm(mean)
    assert scores(holding(JOYFUL, GRIEVING), of=asked(LOVING))[0, 0] == pytest.approx(wanted, abs=1e-5)


def test_what_is_felt_in_every_song_counts_for_nothing() -> None:
    """All songs are neutral: that two are says nothing."""
    (found,) = scores(holding(GRIEVING), of=asked(JOYFUL))
    assert found[0] < 0


def test_without_emotions_of_song_or_playlist_nothing_is_said() -> None:
    unknown = [np.nan] * len(LABELS)
    found = scores(holding(JOYFUL), holding(None), holding(), holding(unknown), of=asked(JOYFUL, unknown))
    assert np.isnan(found).tolist() == [[False, True, True, True], [True] * 4]
    nobody = AskedSongs([Song(song_id="a", title="T")], np.zeros((1, 3), np.float32))
    assert np.isnan(scores(holding(JOYFUL), of=nobody)).all()
    assert signal(holding(JOYFUL)).shared(nobody, 0) == []
    assert np.isnan(EmotionSignal.build([holding(None)], ()).scores(nobody)).all()


def test_songs_without_emotions_have_no_part_in_their_playlists() -> None:
    some, known = scores(holding(JOYFUL, None, [np.nan] * 4), holding(JOYFUL), of=asked(LOVING))[0]
    assert some == pytest.approx(known)


def test_scores_of_0_and_1_are_numbers_like_others() -> None:
    assert np.isfinite(scores(holding([0, 1, 0, 1]), of=asked([1, 1, 0, 0]))).all()


def test_the_emotions_that_stand_out_in_both_are_told() -> None:
    found = signal(holding(LOVING), holding(GRIEVING), holding(None))
    assert found.shared(asked(JOYFUL), 0) == ["joy", "love"]
    assert found.shared(asked(JOYFUL), 1) == []
    assert found.shared(asked(JOYFUL), 2) == []


def test_one_playlist_alone_is_scored_as_among_the_others() -> None:
    found, of = signal(holding(LOVING), holding(GRIEVING)), asked(JOYFUL, LOVING)
    np.testing.assert_array_equal(found.only(1).scores(of), found.scores(of)[:, 1:])


def test_scales_are_those_of_the_songs_that_have_emotions() -> None:
    generator = np.random.default_rng(5)
    odds = generator.normal([-3, 0, 1, 2], [1, 2, 0.5, 1], (4000, 4))
    felt = (1 / (1 + np.exp(-odds))).astype(np.float32)
    felt[::7] = np.nan
    scales = measure_emotions(LABELS, felt)
    assert [each.label for each in scales] == list(LABELS)
    assert [each.mean for each in scales] == pytest.approx([-3, 0, 1, 2], abs=0.15)
    assert [each.spread for each in scales] == pytest.approx([1, 2, 0.5, 1], rel=0.1)
    told = standardised(felt, scales)
    assert np.nanmean(told, axis=0) == pytest.approx([0] * 4, abs=1e-3)
    assert np.nanstd(told, axis=0) == pytest.approx([1] * 4, abs=1e-3)
