"""Matching, whole: what the database is not needed for."""

from types import SimpleNamespace
from typing import Any

import numpy as np

from registry.records import ACOUSTIC_FEATURES, Playlist
from registry.vectors.records import StoredProfile
from registry.versions import Scale
from serving.matching import matcher
from serving.matching.calibration import uncalibrated
from serving.matching.index import PlaylistIndex
from serving.matching.matcher import Answering, Recorded
from serving.schemas import SongRequest

SPEC = uncalibrated(dict.fromkeys(ACOUSTIC_FEATURES, Scale(mean=0.5, spread=0.25)))


def test_without_playlists_a_song_has_no_matches() -> None:
    version: Any = SimpleNamespace(version="v1", spec=SimpleNamespace(matching=SPEC, text_template=1))
    encoder: Any = SimpleNamespace(songs=lambda texts: np.ones((len(texts), 3), np.float32))
    answering = Answering(1, version, lambda: encoder, PlaylistIndex.build([], SPEC, 3), 0)
    songs = [SongRequest(title=title).as_song(number) for number, title in enumerate(("Rain", "Rain"))]
    results = matcher.match(answering, songs, Recorded({}, {}), top_k=5)
    assert [(result["song"]["title"], result["matches"]) for result in results] == [("Rain", []), ("Rain", [])]


def test_only_the_best_playlists_are_explained_where_the_others_are_not_shown() -> None:
    version: Any = SimpleNamespace(version="v1", spec=SimpleNamespace(matching=SPEC, text_template=1))
    encoder: Any = SimpleNamespace(songs=lambda texts: np.ones((len(texts), 3), np.float32))
    profiles = [
        StoredProfile(Playlist(playlist_id=name, name=name), np.eye(3, dtype=np.float32)[0], None, 0, {})
        for name in ("one", "two", "three")
    ]
    answering = Answering(1, version, lambda: encoder, PlaylistIndex.build(profiles, SPEC, 3), 0)
    songs = [SongRequest(title="Rain").as_song(0)]
    (result,) = matcher.match(answering, songs, Recorded({}, {}), top_k=3, explained=1)
    assert ["why" in each for each in result["matches"]] == [True, False, False]
    assert [each["nearest_songs"] for each in result["matches"][:1]] == [[]]
