"""Two answers side by side."""

from datetime import UTC, datetime
from typing import Any

from registry.records import Song
from serving.parallel.compared import Answered, Drafted, compare

AT = datetime(2026, 5, 3, tzinfo=UTC)
SONGS = [Song(song_id="s", title="S", genre="jazz")]


def answered(ids: str, seconds: float = 0.01) -> Answered:
    matches = [{"playlist_id": each, "type": "mood"} for each in ids]
    return Answered([{"matches": matches}], seconds)


def test_both_answers_are_kept_with_how_alike_they_are() -> None:
    request, (song,) = compare(SONGS, answered("abcdefghijkl"), answered("bacdefghijkl", 0.02), at=AT, user="ann")
    assert (request.live_seconds, request.candidate_seconds) == (0.01, 0.02)
    assert not request.live_failed
    assert (song.song_id, song.user_name, song.genre, song.playlist_type) == ("s", "ann", "jazz", "mood")
    assert (song.live_list, song.candidate_list) == (list("abcdefghij"), list("bacdefghij"))
    assert (song.overlap, song.first_changed) == (1.0, True)
    assert 0 < song.rank_biased_overlap < 1
    assert song.shown is None


def test_a_version_that_failed_leaves_its_failure_and_no_song() -> None:
    request, songs = compare(SONGS, answered("a"), Answered(), at=AT)
    assert (request.live_failed, request.candidate_failed, request.candidate_seconds, songs) == (False, True, None, [])


def test_a_song_that_was_told_has_no_id() -> None:
    told = SONGS[0].model_copy(update={"song_id": "\0000"})
    _, (song,) = compare([told], answered("a"), answered("a"), at=AT)
    assert song.song_id is None


def test_what_was_shown_of_either_is_kept() -> None:
    drafted = [Drafted(["b", "a"], [True, False])]
    _, (song,) = compare(SONGS, answered("ab"), answered("ba"), at=AT, drafted=drafted)
    assert (song.shown, song.shown_by_candidate) == (["b", "a"], [True, False])


def test_versions_without_playlists_agree() -> None:
    nothing: dict[str, Any] = {"matches": []}
    _, (song,) = compare(SONGS, Answered([nothing], 0.1), Answered([nothing], 0.1), at=AT)
    assert (song.overlap, song.playlist_type, song.first_changed) == (1.0, None, False)
