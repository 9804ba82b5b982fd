from datetime import UTC, datetime
from pathlib import Path

import pytest

from registry.errors import BadInput
from registry.imports.exportify import playlist_of
from registry.imports.reader import BadRow, DroppedField, Entry, Row, read_library
from registry.records import AudioFeatures, Membership, MembershipSource, Playlist, Song

FEATURES = (
    "Danceability,Energy,Key,Loudness,Mode,Speechiness,Acousticness,Instrumentalness,Liveness,Valence,Tempo,"
    "Time Signature"
)
NEWEST = (
    "Track URI,Track Name,Album Name,Artist Name(s),Release Date,Duration (ms),Popularity,Explicit,Added By,Added At,"
    f"Genres,Record Label,{FEATURES}"
)
OLDER = (
    "Spotify ID,Artist IDs,Track Name,Album Name,Artist Name(s),Release Date,Duration (ms),Popularity,Added By,"
    f"Added At,Genres,{FEATURES}"
)
OTHER_PROGRAM = (
    '"Track URI","Track Name","Artist URI(s)","Artist Name(s)","Album URI","Album Name","Album Artist URI(s)",'
    '"Album Artist Name(s)","Album Release Date","Album Image URL","Disc Number","Track Number","Track Duration (ms)",'
    '"Track Preview URL","Explicit","Popularity","ISRC","Added By","Added At","Artist Genres"'
)
NUMBERS = "0.4,0.31,5,-9.5,1,0.03,0.8,0,0.1,0.2,84.5,3"
ADDED = datetime(2025, 3, 2, 18, 40, tzinfo=UTC)
PLAYLIST = Playlist(playlist_id="exportify:rainy-sundays", name="rainy sundays")
FIRST = Row(1, PLAYLIST)
BARE = "Track URI,Track Name,Artist Name(s),Added At,Energy"


def read(folder: Path, header: str, *rows: str, name: str = "rainy_sundays.csv") -> list[Entry]:
    path = folder / name
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8-sig")
    return list(read_library(path))


def song(**changes: object) -> Song:
    plain = {
        "song_id": "s1",
        "title": "Paper Lanterns",
        "artist": "Mira Vale, The Low Tides",
        "album": "Lanterns",
        "genre": "indie folk",
        "release_date": "2024-11-08",
        "duration_ms": 214000,
        "popularity": 61,
    }
    return Song.model_validate(plain | changes)


def membership(song_id: str = "s1") -> Membership:
    return Membership(
        playlist_id=PLAYLIST.playlist_id, song_id=song_id, source=MembershipSource.CURATED, added_at=ADDED
    )


ALL_FEATURES = AudioFeatures(
    danceability=0.4,
    energy=0.31,
    key=5,
    loudness=-9.5,
    mode=1,
    speechiness=0.03,
    acousticness=0.8,
    instrumentalness=0,
    liveness=0.1,
    valence=0.2,
    tempo=84.5,
    time_signature=3,
)


def test_the_newest_header(tmp_path: Path) -> None:
    row = (
        "spotify:track:s1,Paper Lanterns,Lanterns,Mira Vale;The Low Tides,2024-11-08,214000,61,false,someone,"
        f'2025-03-02T18:40:00Z,"indie folk,folk",Small Label,{NUMBERS}'
    )
    assert read(tmp_path, NEWEST, row) == [FIRST, Row(2, song(audio_features=ALL_FEATURES)), Row(2, membership())]


def test_the_older_header(tmp_path: Path) -> None:
    row = (
        's1,"a1,a2","Paper Lanterns","Lanterns","Mira Vale,The Low Tides",2024-11-08,214000,61,spotify:user:x,'
        f'2025-03-02T18:40:00Z,"indie folk,folk",{NUMBERS}'
    )
    assert read(tmp_path, OLDER, row) == [FIRST, Row(2, song(audio_features=ALL_FEATURES)), Row(2, membership())]


def test_the_other_programs_header(tmp_path: Path) -> None:
    row = (
        '"spotify:track:s1","Paper Lanterns","a1, a2","Mira Vale, The Low Tides","al","Lanterns","a1","Mira Vale",'
        '"2024-11-08","https://example.org/i.jpg","1","2","214000","","false","61","QZABC2400001","spotify:user:x",'
        '"2025-03-02T18:40:00Z","indie folk,folk"'
    )
    assert read(tmp_path, OTHER_PROGRAM, row) == [FIRST, Row(2, song(isrc="QZABC2400001")), Row(2, membership())]


def test_a_header_alone_gives_the_playlist_alone(tmp_path: Path) -> None:
    assert read(tmp_path, NEWEST) == [FIRST]


def test_a_row_cut_off_before_the_audio_features_is_whole(tmp_path: Path) -> None:
    row = (
        "spotify:track:s1,Paper Lanterns,Lanterns,Mira Vale;The Low Tides,2024-11-08,214000,61,false,someone,"
        "2025-03-02T18:40:00Z,indie folk,Small Label"
    )
    assert read(tmp_path, NEWEST, row) == [FIRST, Row(2, song()), Row(2, membership())]
    shorter = row.removesuffix(",Small Label")
    assert read(tmp_path, NEWEST, shorter) == [FIRST, BadRow(2, "row", "has 11 columns where the header has 24")]


def test_a_cut_off_row_is_bad_where_other_columns_follow_the_features(tmp_path: Path) -> None:
    _, bad = read(tmp_path, "Track URI,Track Name,Artist Name(s),Energy,Label", "s1,Paper Lanterns,Mira Vale")
    assert isinstance(bad, BadRow)


def test_local_files_keep_their_uri_and_episodes_are_bad_rows(tmp_path: Path) -> None:
    local, long_local = "spotify:local:Mira+Vale::Demo:180", "spotify:local:" + "%E3%81%82" * 30
    _, first, _, second, _, episode = read(
        tmp_path, BARE, f"{local},Demo,Mira Vale,,", f"{long_local},あ,,,", "spotify:episode:e1,Talk,Somebody,,"
    )
    assert isinstance(first, Row)
    assert isinstance(second, Row)
    assert isinstance(first.record, Song)
    assert isinstance(second.record, Song)
    assert first.record.song_id == local
    assert second.record.song_id.startswith("spotify:local:sha256:")
    assert episode == BadRow(4, "Track URI", "is a podcast episode, not a song")


@pytest.mark.parametrize(
    ("row", "column"), [(",Paper Lanterns,Mira Vale,,", "Track URI"), ("spotify:track:s1,,Mira Vale,,", "Track Name")]
)
def test_a_row_without_id_or_title_is_bad(tmp_path: Path, row: str, column: str) -> None:
    assert read(tmp_path, BARE, row) == [FIRST, BadRow(2, column, "is missing")]


def test_values_that_cannot_be_used_are_dropped_under_the_headers_names(tmp_path: Path) -> None:
    _, first, plain, second, place = read(tmp_path, BARE, "s1,Paper Lanterns,Mira Vale,yesterday,7")
    assert isinstance(first, DroppedField)
    assert isinstance(second, DroppedField)
    assert (first.line, first.field) == (2, "Energy")
    assert (second.line, second.field) == (2, "Added At")
    assert "yesterday" in second.reason
    assert plain == Row(2, Song(song_id="s1", title="Paper Lanterns", artist="Mira Vale"))
    assert place == Row(2, Membership(playlist_id=PLAYLIST.playlist_id, song_id="s1"))


def test_each_record_has_the_line_on_which_its_row_starts(tmp_path: Path) -> None:
    entries = read(tmp_path, BARE, 's1,"Paper\n\nLanterns",Mira Vale,,', "s2,,,,", "s3,Tide,Mira Vale,,")
    assert [entry.line for entry in entries] == [1, 2, 2, 5, 6, 6]
    records = [entry.record for entry in entries if isinstance(entry, Row)]
    assert [type(record) for record in records] == [Playlist, Song, Membership, Song, Membership]


def test_the_files_name_names_the_playlist() -> None:
    playlist = playlist_of(Path("exports/road_trip_2024.csv"))
    assert (playlist.playlist_id, playlist.name) == ("exportify:road-trip-2024", "road trip 2024")
    assert playlist_of(Path("Été_音楽.csv")).playlist_id == "exportify:été-音楽"


def test_different_names_are_different_playlists() -> None:
    stems = [
        "mix",
        "mix_",
        "mix__",
        "hip_hop",
        "hip-hop",
        "hip__hop",
        "🔥",
        "🔥🔥",
        "pop!",
        "pop",
        "x" * 200,
        "x" * 201,
    ]
    ids = [playlist_of(Path(f"{stem}.csv")).playlist_id for stem in stems]
    assert len(set(ids)) == len(ids)
    assert playlist_of(Path("🔥.csv")).name == "🔥"


@pytest.mark.parametrize("name", ["___.csv", "bad\udcff.csv"])
def test_a_file_whose_name_is_no_playlists_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match="name") as caught:
        playlist_of(Path(name))
    assert "Rename" in caught.value.remedy
    str(caught.value).encode()
