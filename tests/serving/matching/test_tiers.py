"""Tiers that are switched off take their signals with them; what is left still matches."""

from collections.abc import Collection
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from registry.records import AudioFeatures, Playlist, Song
from registry.vectors.records import Member, StoredProfile
from registry.versions import Belonging, EmotionScale, LearnedWeights, MatchSpec
from serving.matching.belonging import SCORE
from serving.matching.calibration import measure_features, measure_sounds, uncalibrated
from serving.matching.index import PlaylistIndex
from serving.matching.matcher import Answering, Recorded, match
from serving.matching.signals.names import SIGNALS, TIERS
from serving.settings import ALL_TIERS, Tier

AXES = np.eye(3, dtype=np.float32)


def song(number: int, energy: float, artist: str) -> Song:
    features = AudioFeatures(energy=energy, valence=energy)
    return Song(
        song_id=f"s{number}",
        title=f"{artist} sings {number}",
        artist=artist,
        album=artist,
        genre=artist,
        language="en",
        release_date="1999",
        audio_features=features,
    )


LOUD, QUIET = (
    [song(first + row, energy, artist) for row in range(4)]
    for first, energy, artist in ((0, 0.9, "Ada"), (9, 0.1, "Bo"))
)
LABELS = ("joy", "fear")
FELT = np.array([[0.9, 0.1], [0.1, 0.9]], np.float32)
SPEC = uncalibrated(
    measure_features([*LOUD, *QUIET]),
    measure_sounds([*LOUD, *QUIET], [LOUD, QUIET]),
    [EmotionScale(label=label, mean=0, spread=1) for label in LABELS],
    signals=SIGNALS,
).model_copy(update={"belonging": Belonging(weights={SCORE: 1.0}, offset=0.0, threshold=0.5)})
LEARNED = SPEC.model_copy(
    update={
        "learned": LearnedWeights(known=dict.fromkeys(SIGNALS, 1.0), by_text={"text": 1.0}, by_text_offset=8.0),
    }
)


def profile(name: str, songs: list[Song], axis: int) -> StoredProfile:
    held = tuple(Member(each, AXES[axis], FELT[axis]) for each in songs)
    return StoredProfile(
        Playlist(playlist_id=name, name=name), AXES[axis], AXES[axis] if songs else None, len(songs), {}, held
    )


def found(spec: MatchSpec, tiers: Collection[Tier], *more: StoredProfile) -> dict[str, Any]:
    profiles = [profile("loud", LOUD, 0), profile("quiet", QUIET, 1), *more]
    parts = {"matching": spec, "text_template": 2, "emotions": SimpleNamespace(labels=LABELS)}
    version: Any = SimpleNamespace(version="v2", spec=SimpleNamespace(**parts))
    encoder: Any = None
    answering = Answering(1, version, encoder, PlaylistIndex.build(profiles, spec, 3, tiers=tiers), 0)
    asked = song(99, 0.85, "Ada")
    (result,) = match(answering, [asked], Recorded({asked.song_id: AXES[0]}, {}, {asked.song_id: FELT[0]}), top_k=5)
    return result


@pytest.mark.parametrize("spec", [SPEC, LEARNED], ids=["heuristic", "learned"])
@pytest.mark.parametrize("tier", [each for each in ALL_TIERS if TIERS[each]])
def test_each_tier_matches_by_itself_and_can_be_left_out(spec: MatchSpec, tier: Tier) -> None:
    without = [each for each in ALL_TIERS if each != tier]
    for tiers, signals in (([tier], {*TIERS[tier]}), (without, {*SIGNALS} - {*TIERS[tier]})):
        result = found(spec, tiers)
        first, second = result["matches"]
        assert (first["name"], second["name"]) == ("loud", "quiet")
        assert set(first["signals"]) == signals
        assert sum(first["signals"].values()) == pytest.approx(first["score"], abs=1e-3)
        assert first["score"] > second["score"]


def test_whether_none_fits_is_told_only_by_all_of_the_signals_that_it_was_learned_with() -> None:
    assert "fits" in found(SPEC, ALL_TIERS)
    shallow = [each for each in ALL_TIERS if each != "deep"]
    without = {name: scale for name, scale in SPEC.signals.items() if name not in TIERS["deep"]}
    assert "fits" in found(SPEC.model_copy(update={"signals": without}), shallow)
    assert "fits" not in found(SPEC, shallow)
    assert "fits" not in found(SPEC, ["vectors", "audio"])


def test_with_no_tier_at_all_nothing_is_known() -> None:
    result = found(SPEC, [])
    assert [match["score"] for match in result["matches"]] == [0, 0]
    assert {match["why"] for match in result["matches"]} == {"Nothing speaks for it much."}


def test_the_head_start_of_playlists_without_songs_shrinks_with_the_signals_that_the_others_have() -> None:
    empty = profile("empty", [], 2)
    (whole,) = [match for match in found(LEARNED, ALL_TIERS, empty)["matches"] if match["name"] == "empty"]
    (part,) = [match for match in found(LEARNED, ["vectors"], empty)["matches"] if match["name"] == "empty"]
    assert whole["signals"]["by_text"] == pytest.approx(8)
    assert part["signals"]["by_text"] == pytest.approx(8 * 3 / len(SIGNALS), abs=1e-4)
