"""What the app tells of its library: kept in the catalogue, and at once in the vectors of the version that answers.

The vectors of the other versions follow by `autosort sync --watch`, as after any other change of the catalogue.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from registry import catalogue
from registry.catalogue import MergeCounts
from registry.database import Connection, Database
from registry.errors import NotFound
from registry.records import CatalogueRecord, Feedback, Membership, MembershipSource, Playlist, Removal, Song, SongId
from registry.texts import content_hash, render_playlist, render_song
from registry.vectors.records import FreshProfile, PendingSong, Vector
from registry.vectors.vector_set import VectorSet
from serving.database_threads import DatabaseThreads
from serving.matching.matcher import Answering

_THREADS = 2
_PATIENCE_SECONDS = 2.0
"""For an import that is under way; what waits for longer is to be sent again."""


@dataclass(frozen=True)
class KeptSong:
    """A song as the catalogue has it now.

    Attributes:
        vector: by the version that answers, shape (dimensions,); None if that cannot embed it.
        recorded: whether the vector was on record, as nothing has changed that it depends on.
        set_aside: why the song has no vector.
    """

    song: Song
    content_hash: bytes
    vector: Vector | None
    recorded: bool
    set_aside: str | None = None


@dataclass(frozen=True)
class KeptSongs:
    """Songs in the order in which they were told; how many of them are new, and how many changed."""

    songs: list[KeptSong]
    added: int
    changed: int


@dataclass(frozen=True)
class KeptPlaylist:
    """A playlist as the catalogue has it now, the vector of its text, and how many songs it gained and lost."""

    playlist: Playlist
    content_hash: bytes
    vector: Vector
    added: bool
    songs_added: int
    songs_removed: int


class Library:
    """Keeps songs, playlists and feedback. Its own threads do it; `threads.run` has them do so.

    Args:
        reachable: whether the database was there when somebody last looked.
    """

    def __init__(self, database: Database, reachable: Callable[[], bool]) -> None:
        self.threads = DatabaseThreads(reachable, _THREADS, "library")
        self._database = database

    def keep_songs(self, answering: Answering, songs: Sequence[Song]) -> KeptSongs:
        """Add songs to the catalogue or change them; what is not told of one stays as it is known.

        Of two records of the same song the later one holds. A song whose vector cannot be computed now is kept even so.

        Raises:
            DatabaseBusy: an import is under way.
            Overloaded, InferenceFailed: the songs are kept, the vectors are not computed.
        """
        vectors, ids = VectorSet(answering.version), [song.song_id for song in songs]
        with self._database.transaction() as connection:
            counts = catalogue.keep(connection, songs, patience=_PATIENCE_SECONDS)
            known = catalogue.songs_by_id(connection, ids)
            recorded = vectors.song_vectors(connection, ids)
            pending = vectors.pending_songs(connection, only=ids)
            set_aside = vectors.quarantined(connection, ids)
        current = recorded | self._embed(answering, vectors, pending)
        template = answering.version.spec.text_template

        def kept(song_id: str) -> KeptSong:
            song = known[SongId(song_id)]
            digest = content_hash(render_song(song, template), template)
            return KeptSong(song, digest, current.get(song_id), song_id in recorded, set_aside.get(song_id))

        return KeptSongs([kept(each) for each in ids], counts.added["songs"], counts.changed["songs"])

    def keep_playlist(
        self, answering: Answering, playlist: Playlist, song_ids: Sequence[str] | None, source: MembershipSource
    ) -> KeptPlaylist:
        """Add a playlist to the catalogue or change it; what is not told of it stays as it is known.

        Args:
            song_ids: all the songs that it holds from now on; None leaves them as they are.
            source: where it is known from that songs that are new to it belong there.

        Raises:
            NotFound: a song is not in the catalogue; nothing is changed.
            DatabaseBusy: an import is under way.
        """
        template, playlist_id = answering.version.spec.text_template, playlist.playlist_id
        with self._database.transaction() as connection:
            counts, removed = _merge_playlist(connection, playlist, song_ids, source)
            playlist = catalogue.find_playlists(connection, [playlist_id])[playlist_id][0]
        text = render_playlist(playlist, template)
        vector, digest = answering.encoder().playlists([text])[0], content_hash(text, template)
        self._write_profile(VectorSet(answering.version), playlist_id, digest, vector)
        return KeptPlaylist(
            playlist, digest, vector, bool(counts.added["playlists"]), counts.added["memberships"], removed
        )

    def keep_feedback(self, feedback: Sequence[Feedback]) -> int:
        """Record what users said of matches; return how much of it is new.

        Raises:
            NotFound: a song or playlist is not in the catalogue; nothing is recorded.
            DatabaseBusy: an import is under way.
        """
        with self._database.transaction() as connection:
            return _merge(connection, feedback).added["feedback"]

    def remove(self, answering: Answering, removal: Removal) -> None:
        """Take a song or a playlist out of the catalogue, with all that depends on it.

        Raises:
            NotFound: it is not there.
            DatabaseBusy: an import is under way.
        """
        with self._database.transaction() as connection:
            if not catalogue.keep(connection, [removal], patience=_PATIENCE_SECONDS).removed:
                raise NotFound("The catalogue does not hold it.", "Nothing to do: it is gone already.")
            VectorSet(answering.version).forget(connection, removal)

    def _embed(self, answering: Answering, vectors: VectorSet, pending: Sequence[PendingSong]) -> dict[str, Vector]:
        """Vectors of songs that lack one, written down, by song id. No connection is held while the model computes."""
        if not pending:
            return {}
        template = answering.version.spec.text_template
        computed = answering.encoder().songs([render_song(each.song, template) for each in pending])
        with self._database.transaction() as connection:
            vectors.write_songs(connection, pending, computed)
        return {each.song.song_id: np.asarray(row) for each, row in zip(pending, computed, strict=True)}

    def _write_profile(self, vectors: VectorSet, playlist_id: str, digest: bytes, vector: Vector) -> None:
        """Let the version know the playlist as it is now, unless it does."""
        with self._database.transaction() as connection:
            for pending in vectors.pending_playlists(connection, only=[playlist_id]):
                profile = FreshProfile(playlist_id, pending.revision, digest, vector)
                vectors.write_profiles(connection, [profile])


def _merge_playlist(
    connection: Connection, playlist: Playlist, song_ids: Sequence[str] | None, source: MembershipSource
) -> tuple[MergeCounts, int]:
    """What was added, and how many songs are no longer in the playlist."""
    playlist_id = playlist.playlist_id
    before = set(catalogue.members_of(connection, [playlist_id]).get(playlist_id, ()))
    new = [each for each in song_ids or () if each not in before]
    members = [Membership(playlist_id=playlist_id, song_id=each, source=source) for each in new]
    counts = _merge(connection, [playlist, *members])
    gone = sorted(before - set(song_ids)) if song_ids is not None else []
    if gone:
        removals = [Removal(playlist_id=playlist_id, song_id=each) for each in gone]
        catalogue.keep(connection, removals, patience=_PATIENCE_SECONDS)
    return counts, len(gone)


def _merge(connection: Connection, records: Sequence[CatalogueRecord]) -> MergeCounts:
    """Merge records, of which none may name what nobody knows."""
    counts = catalogue.keep(connection, records, patience=_PATIENCE_SECONDS)
    if counts.dangling:
        first = counts.dangling[0]
        raise NotFound(
            f"{len(counts.dangling)} of the ids named are not in the catalogue, the first in {first.field}.",
            "Put songs and playlists before what names them; nothing was changed.",
            details={"field": first.field},
        )
    return counts
