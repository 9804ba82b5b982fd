"""Matching songs of the catalogue, or songs that are told, with one version from the first step to the last."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from registry import catalogue
from registry.database import Connection
from registry.emotion_scores import EmotionScores
from registry.errors import InferenceFailed, ModelUnavailable, NotFound
from registry.records import Song
from registry.texts import render_feeling, render_song
from registry.vectors.vector_set import VectorSet
from registry.versions import EMOTION, MatchSpec, ModelVersion
from serving.matching.belonging import chance_of_belonging, evidence
from serving.matching.explanation import explain
from serving.matching.index import PlaylistIndex
from serving.matching.scoring import MatchScores, combined, scaled_signals
from serving.matching.signals.asked import AskedSongs, Matrix
from serving.settings import ALL_TIERS, Tier

if TYPE_CHECKING:
    from serving.inference.emotions import EmotionReader
    from serving.inference.lazily import Lazily
    from serving.inference.reranker import PairReader
    from serving.inference.served import TextEncoder


@dataclass(frozen=True)
class Answering:
    """One version, whole: whatever answers a request is taken from one of these and from nowhere else.

    Attributes:
        generation: of the live pointer when this was made.
        encoder: gives the version's encoder, loading it if need be.
        profiles_revision: of the playlists in the index.
        reranker: the version's reranker; None if it was made without one, or nobody is to ask for it.
        emotions: gives the version's emotion model, loading it if need be; None if it does not match by emotions.
    """

    generation: int
    version: ModelVersion
    encoder: "Callable[[], TextEncoder]"
    index: PlaylistIndex
    profiles_revision: int
    reranker: "Lazily[PairReader] | None" = None
    emotions: "Callable[[], EmotionReader] | None" = None

    @classmethod
    def load(
        cls,
        connection: Connection,
        version: ModelVersion,
        generation: int,
        encoder: "Callable[[], TextEncoder]",
        reranker: "Lazily[PairReader] | None" = None,
        before: "Answering | None" = None,
        *,
        emotions: "Callable[[], EmotionReader] | None" = None,
        tiers: Collection[Tier] = ALL_TIERS,
    ) -> "Answering":
        """Read a version's playlists from the database.

        Args:
            before: the same version as it was; playlists that have not changed since are not read again.
            tiers: that it is to match by.

        Raises:
            NotFound: the version has no whole set of vectors.
        """
        vectors = VectorSet(version)
        state = vectors.state(connection)
        if state is None or not state.attached:
            raise NotFound(
                f"{version.version} is not whole: nothing can be matched with it yet.",
                f"Run `autosort reembed {version.version}`.",
            )
        known = before.index if before else None
        profiles = vectors.profiles(connection, known.profiles if known else ())
        index = PlaylistIndex.build(profiles, version.spec.matching, vectors.dimensions, known, tiers=tiers)
        deep = (reranker, emotions) if "deep" in tiers else (None, None)
        return cls(generation, version, encoder, index, state.profiles_revision, *deep)


def resolve_songs(connection: Connection, song_ids: Sequence[str]) -> list[Song]:
    """The songs of these ids, in their order.

    Raises:
        NotFound: an id is not in the catalogue.
    """
    known = catalogue.songs_by_id(connection, song_ids)
    unknown = [each for each in song_ids if each not in known]
    if unknown:
        raise NotFound(
            f"{len(unknown)} of the songs are not in the catalogue, the first: {unknown[0][:80]!r}.",
            "Import them, or send title, artist and description instead of the id.",
        )
    return [known[each] for each in song_ids]  # type: ignore[index]


@dataclass(frozen=True)
class Recorded:
    """What the database knows of songs, by their ids: current vectors, emotions, and the playlists that hold them."""

    vectors: Mapping[str, Matrix]
    holders: Mapping[str, set[str]]
    emotions: Mapping[str, Matrix] = field(default_factory=dict)


def look_up(connection: Connection, answering: Answering, songs: Sequence[Song]) -> Recorded:
    """Read what is on record of songs, so that matching them needs the database no more."""
    song_ids = [song.song_id for song in songs]
    vectors = VectorSet(answering.version).song_vectors(connection, song_ids)
    emotions = read_emotions(connection, answering, song_ids)
    return Recorded(vectors, catalogue.memberships_of(connection, song_ids), emotions)


def read_emotions(connection: Connection, answering: Answering, song_ids: Sequence[str]) -> dict[str, Matrix]:
    """The current emotions of those of these songs that have any; none where the songs are not matched by them."""
    scores = EmotionScores.of(answering.version.spec) if EMOTION in answering.index.signals else None
    return scores.read(connection, song_ids) if scores else {}


def match(
    answering: Answering, songs: Sequence[Song], recorded: Recorded, *, top_k: int, explained: int | None = None
) -> list[dict[str, Any]]:
    """The best playlists of each song, best first, with each signal's share of the score.

    Vectors on record are used for songs of the catalogue; others are embedded now, by the same version.

    Args:
        explained: of the best playlists, how many are explained; all of them unless told.
    """
    index, spec = answering.index, answering.version.spec.matching
    asked = AskedSongs(songs, _vectors(answering, songs, recorded), _emotions(answering, songs, recorded))
    scaled = scaled_signals(asked, index, spec)
    scores = combined(scaled, songs, index, spec)
    fits = _fits(scores, scaled, index, spec)
    nobody: set[str] = set()
    return [
        {
            "song": song_json(song),
            **fits[row],
            "matches": [
                _match_json(index, scores, row, column, recorded.holders.get(song.song_id, nobody))
                | (_explained(index, asked, scores, row, column) if explained is None or place < explained else {})
                for place, column in enumerate(np.argsort(-scores.score[row], kind="stable")[:top_k].tolist())
            ],
        }
        for row, song in enumerate(songs)
    ]


def _fits(
    scores: MatchScores, scaled: Mapping[str, Matrix], index: PlaylistIndex, spec: MatchSpec
) -> list[dict[str, Any]]:
    """Of each song whether any playlist fits it and how likely that is, where the version can tell.

    It has learned that with all of its signals: with some of them switched off the threshold means nothing.
    """
    songs, playlists = scores.score.shape
    if spec.belonging is None or not playlists or set(scaled) != set(spec.signals):
        return [{} for _ in range(songs)]
    chances = chance_of_belonging(evidence(scores.score, scaled, index.sizes), spec.belonging)
    threshold = spec.belonging.threshold
    return [{"fits": bool(chance >= threshold), "confidence": round(float(chance), 4)} for chance in chances]


def _vectors(answering: Answering, songs: Sequence[Song], recorded: Recorded) -> Matrix:
    """The songs' vectors in the version's space, shape (n, d): those on record, the others embedded now."""
    vectors = dict(recorded.vectors)
    missing = [song for song in songs if song.song_id not in vectors]
    if missing:
        template = answering.version.spec.text_template
        fresh = answering.encoder().songs([render_song(song, template) for song in missing])
        vectors |= {song.song_id: vector for song, vector in zip(missing, fresh, strict=True)}
    return np.array([vectors[song.song_id] for song in songs], np.float32)


def emotions_on_record(answering: Answering, song_ids: Sequence[str], recorded: Mapping[str, Matrix]) -> Matrix | None:
    """Songs' emotions, shape (n, labels), NaN where there are none; None where songs are not matched by them."""
    model = answering.version.spec.emotions if EMOTION in answering.index.signals else None
    if model is None:
        return None
    unknown = np.full(len(model.labels), np.nan, np.float32)
    rows = [recorded.get(each, unknown) for each in song_ids]
    return np.array(rows, np.float32).reshape(len(rows), len(model.labels))


def _emotions(answering: Answering, songs: Sequence[Song], recorded: Recorded) -> Matrix | None:
    """The same, those that are not on record told now, by the same version."""
    found = emotions_on_record(answering, [song.song_id for song in songs], recorded.emotions)
    missing = [row for row, song in enumerate(songs) if song.song_id not in recorded.emotions]
    if found is None or not missing or answering.emotions is None:
        return found
    model = answering.version.spec.emotions
    texts = [render_feeling(songs[row], model.text_template) for row in missing] if model else []
    with suppress(ModelUnavailable, InferenceFailed):  # there are the other signals
        found[missing] = answering.emotions().read(texts).scores
    return found


def _match_json(index: PlaylistIndex, scores: MatchScores, row: int, column: int, holders: set[str]) -> dict[str, Any]:
    playlist = index.playlists[column]
    return {
        "playlist_id": playlist.playlist_id,
        "name": playlist.name,
        "type": index.types[column].name,
        "score": round(float(scores.score[row, column]), 4),
        "signals": {name: round(share, 4) for name, share in scores.shares_of(row, column).items()},
        "already_in": playlist.playlist_id in holders,
    }


def _explained(index: PlaylistIndex, asked: AskedSongs, scores: MatchScores, row: int, column: int) -> dict[str, Any]:
    return explain(asked.only(row), index, column, scores.shares_of(row, column)).as_json()


def song_json(song: Song) -> dict[str, Any]:
    """The song as answers name it."""
    return {"song_id": song.song_id, "title": song.title, "artist": song.artist}
