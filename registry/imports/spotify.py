"""The Spotify playlist CSV of public data sets: one row for each track of each playlist.

Genre and subgenre describe the playlist. They never reach the song, which may be in playlists of several genres.
"""

from collections.abc import Iterator, Sequence

from registry.imports import cells
from registry.imports.csv_rows import CsvRow
from registry.imports.rows import BadRow, Entry
from registry.imports.tables import FEATURES, Bound, Built, Column, bind, build, column_name, feature_column, read_table
from registry.records import CatalogueRecord, Membership, MembershipSource, Playlist, Song

REQUIRED = ("track_id", "track_name", "playlist_id", "playlist_name")

PLAYLIST_COLUMNS = (
    Column("playlist_id", ("playlist_id",)),
    Column("name", ("playlist_name",)),
    Column("genre", ("playlist_genre",)),
    Column("subgenre", ("playlist_subgenre",)),
)
SONG_COLUMNS = (
    Column("song_id", ("track_id",)),
    Column("title", ("track_name",)),
    Column("artist", ("track_artist",)),
    Column("album", ("track_album_name",)),
    Column("release_date", ("track_album_release_date",), cells.number),
    Column("popularity", ("track_popularity",), cells.whole_number),
    Column("duration_ms", ("duration_ms",), cells.whole_number),
    *(feature_column(feature, feature) for feature in FEATURES),
)


def recognises_spotify(header: Sequence[str]) -> bool:
    """Whether the header has every column that this format requires."""
    return {column_name(cell) for cell in header}.issuperset(REQUIRED)


def read_spotify(header: Sequence[str], rows: Iterator[CsvRow | BadRow]) -> Iterator[Entry]:
    """A playlist, a song and a membership for each row, the first two only where they say something new."""
    playlist_columns, song_columns = bind(PLAYLIST_COLUMNS, header), bind(SONG_COLUMNS, header)

    def build_row(row: CsvRow) -> Sequence[Built[CatalogueRecord]]:
        return _build_row(row, playlist_columns, song_columns)

    return read_table(rows, (len(header),), build_row)


def _build_row(
    row: CsvRow, playlist_columns: Sequence[Bound], song_columns: Sequence[Bound]
) -> Sequence[Built[CatalogueRecord]]:
    playlist = build(Playlist, playlist_columns, row)
    song = build(Song, song_columns, row)
    membership = Membership(
        playlist_id=playlist.record.playlist_id,
        song_id=song.record.song_id,
        source=MembershipSource.CURATED,
    )
    return playlist, song, Built(membership)
