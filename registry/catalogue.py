"""The catalogue: songs, playlists, memberships and feedback in Postgres."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from registry.database import Connection
from registry.queries import load_queries
from registry.records import (
    AudioFeatures,
    CatalogueRecord,
    CatalogueSnapshot,
    Feedback,
    Membership,
    Playlist,
    Removal,
    Song,
    SongId,
)
from registry.texts import CURRENT_TEMPLATE, TEMPLATES, content_hash, render_song

_SQL = load_queries("catalogue")
_RENDER_AT_ONCE = 5_000
_KINDS: dict[type, str] = {
    Song: "song",
    Playlist: "playlist",
    Membership: "membership",
    Feedback: "feedback",
    Removal: "removal",
}
_FEATURES = tuple(AudioFeatures.model_fields)
_SONG_FIELDS = tuple(name for name in Song.model_fields if name != "audio_features")


@dataclass(frozen=True)
class Dangling:
    """A membership or feedback line that names a song or playlist which nobody knows."""

    line: int
    field: str
    value: str


@dataclass
class MergeCounts:
    """What a merge did with each kind of record; those not counted were as they are already."""

    added: dict[str, int]
    changed: dict[str, int]
    removed: int
    dangling: list[Dangling]


def merge(connection: Connection, records: Iterable[tuple[int, CatalogueRecord]]) -> MergeCounts:
    """Merge records into the catalogue, each with its line in the file it came from.

    Everything happens in the connection's transaction. Of two records of the same thing the later one wins. Merging the
    same records twice changes nothing. Removals come last, wherever they stand.
    """
    counts = _merge(connection, records)
    refresh_texts(connection)
    return counts


def keep(connection: Connection, records: Sequence[CatalogueRecord], *, patience: float) -> MergeCounts:
    """Merge a few records, as told one after the other by whoever uses the catalogue; their place counts as their line.

    It costs the same however large the catalogue is.

    Args:
        patience: seconds to wait at most for a merge that is under way.

    Raises:
        DatabaseBusy: it took longer.
    """
    connection.execute(_SQL["wait_at_most"], {"timeout": f"{patience * 1000:.0f}ms"})
    counts = _merge(connection, enumerate(records))
    refresh_texts(connection, [record.song_id for record in records if isinstance(record, Song)])
    return counts


def _merge(connection: Connection, records: Iterable[tuple[int, CatalogueRecord]]) -> MergeCounts:
    connection.execute(_SQL["lock_merges"])
    connection.execute(_SQL["create_staging"])
    _stage(connection, records)
    counts = MergeCounts(added={}, changed={}, removed=0, dangling=[])
    _merge_kind(connection, counts, "songs")
    _merge_kind(connection, counts, "playlists")
    counts.dangling = _take_out_dangling(connection)
    _merge_kind(connection, counts, "memberships")
    _merge_kind(connection, counts, "feedback")
    for name in ("remove_memberships", "remove_songs", "remove_playlists"):
        counts.removed += connection.execute(_SQL[name]).rowcount
    connection.execute("DROP TABLE staged")
    return counts


def refresh_texts(connection: Connection, song_ids: Sequence[str] | None = None) -> int:
    """Render every song that is new or changed, under every template in use, and record its content hash.

    Args:
        song_ids: look at these alone.
    """
    used = {row["template"] for row in connection.execute(_SQL["templates_in_use"])} & TEMPLATES
    return sum(_refresh_texts(connection, template, song_ids) for template in sorted(used | {CURRENT_TEMPLATE}))


def snapshot(connection: Connection) -> CatalogueSnapshot:
    """The whole catalogue as values, in an order that depends on nothing but the ids."""
    return CatalogueSnapshot(
        songs=tuple(song_from_row(row) for row in connection.execute(_SQL["all_songs"])),
        playlists=tuple(Playlist.model_construct(**row) for row in connection.execute(_SQL["all_playlists"])),
        memberships=tuple(Membership(**row) for row in connection.execute(_SQL["all_memberships"])),
        feedback=tuple(Feedback(**row) for row in connection.execute(_SQL["all_feedback"])),
    )


def counts(connection: Connection) -> dict[str, int]:
    """How many songs, playlists, memberships and feedback there are."""
    return dict(connection.execute(_SQL["counts"]).fetchone() or {})


def find_songs(connection: Connection, query: str, *, limit: int = 5) -> list[Song]:
    """Songs by id, title, "artist - title" or part of a title; the first kind that finds any decides.

    A blank query finds nothing.
    """
    if not query.strip():
        return []
    return [song_from_row(row) for row in connection.execute(_SQL["find_songs"], {"query": query, "limit": limit})]


def songs_by_id(connection: Connection, song_ids: Iterable[str]) -> dict[SongId, Song]:
    """The songs of these ids that exist."""
    rows = connection.execute(_SQL["songs_by_id"], {"song_ids": list(song_ids)})
    return {SongId(row["song_id"]): song_from_row(row) for row in rows}


def recent_songs(connection: Connection, *, limit: int) -> list[Song]:
    """The songs that were imported last, or that users spoke of last, the latest first."""
    return [song_from_row(row) for row in connection.execute(_SQL["recent_songs"], {"limit": limit})]


def count_verdicts(connection: Connection, since: datetime, until: datetime) -> tuple[int, int]:
    """Of the feedback given within a time: how much rejects, and how much there is."""
    row = connection.execute(_SQL["count_verdicts"], {"since": since, "until": until}).fetchone()
    return (row["rejected"], row["judgements"]) if row else (0, 0)


def memberships_of(connection: Connection, song_ids: Iterable[str]) -> dict[str, set[str]]:
    """The ids of the playlists that hold each of these songs."""
    holders: dict[str, set[str]] = {}
    for row in connection.execute(_SQL["memberships_of_songs"], {"song_ids": list(song_ids)}):
        holders.setdefault(row["song_id"], set()).add(row["playlist_id"])
    return holders


def members_of(connection: Connection, playlist_ids: Iterable[str]) -> dict[str, list[str]]:
    """The ids of the songs that each of these playlists holds, ordered; a playlist without songs is not there."""
    members: dict[str, list[str]] = {}
    for row in connection.execute(_SQL["members_of_playlists"], {"playlist_ids": list(playlist_ids)}):
        members.setdefault(row["playlist_id"], []).append(row["song_id"])
    return members


def find_playlists(connection: Connection, names: Iterable[str]) -> dict[str, list[Playlist]]:
    """For each of these ids or names (in any case) the playlists of that name; an id means its playlist alone."""
    found: dict[str, list[Playlist]] = {}
    for row in connection.execute(_SQL["find_playlists"], {"names": list(names)}):
        found.setdefault(row.pop("asked"), []).append(Playlist.model_construct(**row))
    return found


def song_from_row(row: Mapping[str, Any]) -> Song:
    """A song of the `songs` table; it was validated when it went in."""
    features = AudioFeatures.model_construct(**{name: row[name] for name in _FEATURES})
    return Song.model_construct(**{name: row[name] for name in _SONG_FIELDS}, audio_features=features)


def _stage(connection: Connection, records: Iterable[tuple[int, CatalogueRecord]]) -> None:
    with connection.cursor().copy(_SQL["copy_staging"]) as copy:
        for line, record in records:
            fields = record.model_dump(mode="json", exclude_none=True)
            fields |= fields.pop("audio_features", {})
            copy.write_row(
                (line, _KINDS[type(record)], fields.get("song_id"), fields.get("playlist_id"), json.dumps(fields))
            )


def _merge_kind(connection: Connection, counts: MergeCounts, kind: str) -> None:
    added = [row["added"] for row in connection.execute(_SQL[f"merge_{kind}"])]
    counts.added[kind] = sum(added)
    counts.changed[kind] = len(added) - sum(added)


def _take_out_dangling(connection: Connection) -> list[Dangling]:
    rows = connection.execute(_SQL["dangling"]).fetchall()
    connection.execute(_SQL["drop_dangling"], {"ordinals": [row["ordinal"] for row in rows]})
    return [Dangling(row["line"], row["field"], row["value"]) for row in rows]


def _refresh_texts(connection: Connection, template: int, song_ids: Sequence[str] | None) -> int:
    written = 0
    for songs in _unrendered(connection, template, song_ids):
        hashes = [content_hash(render_song(song, template), template) for song in songs]
        parameters = {"template": template, "song_ids": [song.song_id for song in songs], "hashes": hashes}
        connection.execute(_SQL["write_texts"], parameters)
        written += len(songs)
    return written


def _unrendered(connection: Connection, template: int, song_ids: Sequence[str] | None) -> Iterator[list[Song]]:
    only = None if song_ids is None else list(song_ids)
    after = ""
    while True:
        parameters = {"template": template, "after": after, "limit": _RENDER_AT_ONCE, "only": only}
        songs = [song_from_row(row) for row in connection.execute(_SQL["unrendered_songs"], parameters)]
        if not songs:
            return
        after = songs[-1].song_id
        yield songs
