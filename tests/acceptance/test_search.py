"""Searching from the command line, on a library whose v1 is live and v2 is ready."""

import pytest

from tests.support.command_line import CommandLine


def cosines(document: dict[str, list[dict[str, float]]]) -> list[float]:
    return [each["cosine"] for each in document["results"]]


def test_songs_and_playlists_are_searched_by_text_and_by_song(trained_autosort: CommandLine) -> None:
    run = trained_autosort.run

    songs = run("search", "a slow song about a harbour at night").document
    assert (songs["model_version"], songs["generation"]) == ("v1", 1)
    assert len(songs["results"]) == 20
    assert set(songs["results"][0]) == {"song_id", "title", "artist", "cosine"}
    assert cosines(songs) == sorted(cosines(songs), reverse=True)

    like = run("search", "--like", "song-00001", "--top", "160", "--version", "v2").document
    assert like["model_version"] == "v2"
    assert len({each["song_id"] for each in like["results"]} - {"song-00001"}) == 159
    assert run("search", "--like", "song-00001", "--top", "160", "--version", "v2", "--exact").document == like

    playlists = run("search", "--like", "song-00001", "--playlists", "--top", "3").document
    assert len(playlists["results"]) == 3
    named = playlists["results"][2]
    same = run("search", named["name"], "--playlists", "--top", "1").document["results"][0]
    assert same["cosine"] > named["cosine"]

    shown = trained_autosort.show("search", named["name"], "--playlists").stdout
    assert named["playlist_id"] in shown


def test_a_filter_keeps_its_own(trained_autosort: CommandLine) -> None:
    run = trained_autosort.run
    everything = run("search", "--like", "song-00001", "--top", "160").document["results"]
    kept = run("search", "--like", "song-00001", "--top", "160", "--genre", "FOLK").document["results"]
    assert 0 < len(kept) < 160
    assert [each for each in everything if each in kept] == kept
    assert run("search", "--like", "song-00001", "--genre", "no such genre").document["results"] == []
    assert run("search", "--like", "song-00001", "--playlists", "--owner", "nobody").document["results"] == []


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("rain", "--like", "song-00001"),
        ("rain", "--owner", "ada"),
        ("rain", "--playlists", "--language", "en"),
        ("rain", "--top", "0"),
    ],
)
def test_a_question_that_makes_no_sense_is_wrong_usage(autosort: CommandLine, arguments: tuple[str, ...]) -> None:
    autosort.run("search", *arguments, code=2)


def test_what_cannot_be_searched_is_told(trained_autosort: CommandLine) -> None:
    refused = trained_autosort.run("search", "  ", code=1).document
    assert refused["error"] == "BadInput"
    for arguments in (("--like", "nobody's song"), ("rain", "--version", "v9")):
        assert trained_autosort.run("search", *arguments, code=1).document["error"] == "NotFound"


def test_nothing_can_be_searched_while_no_version_is_live(autosort: CommandLine) -> None:
    assert "autosort sync" in autosort.run("search", "rain", code=1).document["remedy"]
