"""Filling a playlist: songs in the order in which they fit it rather than others."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from registry.records import Playlist, Song
from registry.vectors.records import Member, StoredProfile, Vector
from registry.versions import MatchSpec
from serving.matching.calibration import uncalibrated
from serving.matching.filling import ELSEWHERE, Candidates, fill, known_playlist, told_playlist
from serving.matching.index import PlaylistIndex
from serving.matching.matcher import Answering
from serving.matching.scoring import match_songs
from serving.settings import Tier

SPEC = uncalibrated({}, signals=("text", "centroid", "lexical"))


def unit(*numbers: float) -> Vector:
    array = np.array(numbers, np.float32)
    return np.asarray(array / np.linalg.norm(array), np.float32)


def profile(name: str, vector: Vector) -> StoredProfile:
    held = tuple(Member(Song(song_id=f"{name} {row}", title=f"{name} {row}"), vector) for row in range(3))
    return StoredProfile(Playlist(playlist_id=name, name=name), vector, vector, 3, {}, held)


def answering(spec: MatchSpec = SPEC, tiers: tuple[Tier, ...] = ("vectors",)) -> Answering:
    """Two playlists, of which any song that is near the first is nearer still to the second or is not."""
    version: Any = SimpleNamespace(version="v2", spec=SimpleNamespace(matching=spec))
    encoder: Any = None
    known = [profile("lake", unit(1, 0, 0)), profile("sea", unit(1, 1, 0))]
    return Answering(1, version, encoder, PlaylistIndex.build(known, spec, 3, tiers=tiers), 0)


SONGS = {"middling": unit(1, 0.9, 0), "own": unit(1, -0.4, 0.9)}
"""The first is nearer to the lake, but at home in the sea; the second is of the lake if of anything."""


def candidates(index: PlaylistIndex, **holders: set[str]) -> Candidates:
    songs = [Song(song_id=name, title=name) for name in SONGS]
    return Candidates(index, songs, np.array(list(SONGS.values())), set(), holders)


def titles(filled: list[dict[str, Any]]) -> list[str]:
    return [each["song"]["title"] for each in filled]


def test_songs_that_fit_elsewhere_better_come_later() -> None:
    able = answering()
    index = known_playlist(able, "lake")
    asked = candidates(index)
    alone = match_songs(asked.vectors, asked.songs, index, SPEC).score[:, 0]
    assert alone[0] > alone[1]
    filled = fill(able, asked, top_k=9)
    assert titles(filled) == ["own", "middling"]
    assert filled[0]["score"] > 0 > filled[1]["score"]
    for each in filled:
        assert sum(each["signals"].values()) == pytest.approx(each["score"], abs=1e-3)


def test_that_a_song_is_in_another_playlist_says_nothing_against_it() -> None:
    able = answering()
    filled = fill(able, candidates(known_playlist(able, "lake"), middling={"sea"}, own={"gone"}), top_k=9)
    assert titles(filled) == ["middling", "own"]
    assert filled[0]["signals"][ELSEWHERE] == 0


def test_a_playlist_that_is_told_is_compared_with_those_that_are_known() -> None:
    able = answering()
    index = told_playlist(able, Playlist(playlist_id="told", name="Pond"), unit(1, 0, 0))
    assert titles(fill(able, candidates(index), top_k=1)) == ["own"]


def test_without_other_playlists_nothing_is_elsewhere() -> None:
    able = answering()
    alone = Answering(1, able.version, able.encoder, PlaylistIndex.build([], SPEC, 3, tiers=["vectors"]), 0)
    index = told_playlist(alone, Playlist(playlist_id="told", name="Pond"), unit(1, 0, 0))
    filled = fill(alone, candidates(index), top_k=9)
    assert titles(filled) == ["middling", "own"]
    assert {each["signals"][ELSEWHERE] for each in filled} == {0.0}


@pytest.mark.parametrize("tiers", [("vectors",), ("metadata",), ("vectors", "metadata")])
def test_a_playlist_that_is_told_is_matched_by_the_same_signals(tiers: tuple[Tier, ...]) -> None:
    able = answering(tiers=tiers)
    index = told_playlist(able, Playlist(playlist_id="told", name="Pond"), unit(1, 0, 0))
    assert list(index.signals) == list(able.index.signals)
