"""The golden cases of the sample library."""

from pathlib import Path

import pytest

from lifecycle.golden.file import GOLDEN_FILE, read_golden
from lifecycle.sample.golden import golden_cases, write_golden
from lifecycle.sample.library import SampleLibrary, generate_library


@pytest.fixture(scope="module")
def library() -> SampleLibrary:
    return generate_library()


def test_there_are_twenty_to_thirty_and_the_toolkit_reads_them(library: SampleLibrary, tmp_path: Path) -> None:
    write_golden(library, tmp_path / "home" / GOLDEN_FILE)
    file = read_golden(tmp_path / "home")
    assert file is not None
    assert 20 <= len(file.cases) <= 30
    assert [case.song for case in file.cases] == [case["song"] for case in golden_cases(generate_library())]
    assert len(golden_cases(generate_library(songs=2_000))) == 30


def test_each_names_what_holds_the_song_and_one_of_another_sound(library: SampleLibrary) -> None:
    names = {f"{song.artist} - {song.title}": song for song in library.songs}
    playlists = {playlist.name: playlist for playlist in library.playlists}
    cases = golden_cases(library)
    assert len({case["song"] for case in cases}) == len(cases)
    held = {(each.playlist_id, each.song_id) for each in library.memberships}
    for case in cases:
        song = names[case["song"]]
        holders = {playlist_id for playlist_id, song_id in held if song_id == song.song_id}
        assert {playlists[name].playlist_id for name in case["must"]} == holders
        (away,) = case["must_not"]
        assert playlists[away].playlist_id not in holders
        assert playlists[away].genre not in {playlists[name].genre for name in case["must"]}


def test_a_file_that_is_there_stays(library: SampleLibrary, tmp_path: Path) -> None:
    (tmp_path / GOLDEN_FILE).write_text("- {song: mine, must: [mine]}\n")
    write_golden(library, tmp_path / GOLDEN_FILE)
    assert (tmp_path / GOLDEN_FILE).read_text() == "- {song: mine, must: [mine]}\n"
