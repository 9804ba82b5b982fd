"""Exportify's CSV: one file for each playlist, which only the file's name names.

Two programs of that name write it, https://github.com/pavelkomarov/exportify and
https://github.com/watsonbox/exportify, and both have changed their columns over the years.
"""

import re
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from unicodedata import normalize

from pydantic import ValidationError

from registry.errors import BadInput
from registry.imports import cells
from registry.imports.csv_rows import CsvRow
from registry.imports.rows import BadRow, Entry, Row, faults_of
from registry.imports.tables import FEATURES, Bound, Built, Column, bind, build, feature_column, read_table
from registry.imports.text_lines import named
from registry.records import CatalogueRecord, Membership, MembershipSource, Playlist, Song

_ID_CHARACTERS = 200
_SLUG_CHARACTERS = 150
_TRACK = "spotify:track:"
_LOCAL = "spotify:local:"
_EPISODE = "spotify:episode:"


def song_id(cell: str) -> str | None:
    """The id of a 'spotify:track:' URI; a local file keeps its URI, shortened to a digest where it is too long."""
    uri = cell.strip()
    if uri.startswith(_EPISODE):
        raise ValueError("is a podcast episode, not a song")
    if uri.startswith(_LOCAL) and len(uri) > _ID_CHARACTERS:
        return f"{_LOCAL}sha256:{sha256(uri.encode()).hexdigest()}"
    return cells.text(uri.removeprefix(_TRACK))


SONG_COLUMNS = (
    Column("song_id", ("Track URI", "Spotify URI", "Spotify ID"), song_id),
    Column("title", ("Track Name",)),
    Column("artist", ("Artist Name(s)", "Artist Name"), cells.artists),
    Column("album", ("Album Name",)),
    Column("isrc", ("ISRC",)),
    Column("genre", ("Genres", "Artist Genres"), cells.first_genre),
    Column("release_date", ("Release Date", "Album Release Date"), cells.number),
    Column("duration_ms", ("Duration (ms)", "Track Duration (ms)"), cells.whole_number),
    Column("popularity", ("Popularity",), cells.whole_number),
    *(feature_column(feature, feature.replace("_", " ")) for feature in FEATURES),
)
MEMBERSHIP_COLUMNS = (Column("added_at", ("Added At",), cells.moment),)


def recognises_exportify(header: Sequence[str]) -> bool:
    """Whether the header has a track's URI or id, its name and its artists."""
    return {"song_id", "title", "artist"} <= {column.field for column in bind(SONG_COLUMNS, header)}


def read_exportify(path: Path, header: Sequence[str], rows: Iterator[CsvRow | BadRow]) -> Iterator[Entry]:
    """The playlist, as of line 1, then a song and a membership for each row.

    Raises:
        BadInput: the file's name cannot be a playlist's.
    """
    playlist = playlist_of(path)
    song_columns, membership_columns = bind(SONG_COLUMNS, header), bind(MEMBERSHIP_COLUMNS, header)

    def build_row(row: CsvRow) -> Sequence[Built[CatalogueRecord]]:
        song = build(Song, song_columns, row)
        ids = {"playlist_id": playlist.playlist_id, "song_id": song.record.song_id}
        return song, build(Membership, membership_columns, row, **ids, source=MembershipSource.CURATED)

    yield Row(1, playlist)
    yield from read_table(rows, _widths(header, song_columns), build_row)


def playlist_of(path: Path) -> Playlist:
    """The playlist that the file's name tells: 'road_trip_2024.csv' is 'road trip 2024'.

    Raises:
        BadInput: nothing is left of the name, or it is not valid Unicode.
    """
    try:
        return Playlist(playlist_id=f"exportify:{_slug(path.stem)}", name=" ".join(_words(path.stem)))
    except ValidationError as error:
        reason = next(faults_of(error)).reason
        raise BadInput(
            f"The name of {named(path)} is its playlist's name, which {reason}.", "Rename the file as the playlist."
        ) from error


def _words(stem: str) -> list[str]:
    return normalize("NFC", stem).replace("_", " ").split()


def _slug(stem: str) -> str:
    """Letters and digits joined by hyphens, as in 'road-trip-2024'.

    Where that loses more than case and single underscores, a digest keeps apart what Exportify keeps apart: two
    playlists called 'mix' come as mix.csv and mix_.csv, 'hip-hop' is not 'hip hop', and emoji alone leave no slug.
    """
    folded = normalize("NFC", stem).casefold()
    slug = re.sub(r"[\W_]+", "-", folded).strip("-")
    plain = "-" not in folded and re.sub(r"[ _]", "-", folded) == slug
    if plain and len(slug) <= _SLUG_CHARACTERS:
        return slug
    digest = sha256(folded.encode(errors="surrogatepass")).hexdigest()[:8]
    return f"{slug[:_SLUG_CHARACTERS]}-{digest}".strip("-")


def _widths(header: Sequence[str], song_columns: Sequence[Bound]) -> tuple[int, ...]:
    """Exportify leaves the audio features of a track that has none off the row's end instead of leaving them empty."""
    features = [column.index for column in song_columns if column.field.startswith("audio_features.")]
    trailing = bool(features) and max(features) == len(header) - 1
    return (len(header), min(features)) if trailing else (len(header),)
