"""Loading a version's models for serving, in the precision that suits this machine."""

from collections.abc import Sequence
from functools import partial

from registry import catalogue
from registry.artifacts import ArtifactStore
from registry.database import Connection, Database
from registry.records import Playlist, Song
from registry.texts import render_playlist, render_song
from registry.versions import EmbedderSpec, RerankerSpec
from serving.inference.encoder import Encoder
from serving.inference.precision import chosen_device, settle, settle_precision
from serving.inference.rerank_precision import try_reranking
from serving.inference.reranker import Pair, Reranker
from serving.settings import ServingSettings

_TRIAL_TEXTS = 16
"""Enough to tell which precision holds, few enough for a large model on a CPU."""

_TRIAL_PLAYLISTS = 2

_ANY_TEXT = "A quiet song about a harbour at night."


def load_encoder(
    database: Database, artifacts: ArtifactStore, settings: ServingSettings, spec: EmbedderSpec
) -> Encoder:
    """The encoder; where the precision is to be found out, songs of the catalogue are what it is tried on.

    Raises:
        ArtifactError: the model is missing, unsafe or changed.
        DatabaseUnavailable: the songs cannot be read.
    """
    with database.transaction() as connection:
        songs = catalogue.recent_songs(connection, limit=_TRIAL_TEXTS)
    texts = [render_song(song) for song in songs] or [_ANY_TEXT]
    load = partial(Encoder.open, artifacts.verified(spec.artifact), spec, device=settings.device)
    device = chosen_device(settings.device)
    return settle_precision(lambda precision: load(precision=precision), device, settings.precision, texts)


def load_reranker(
    database: Database, artifacts: ArtifactStore, settings: ServingSettings, spec: RerankerSpec, template: int
) -> Reranker:
    """The same of a reranker, which is tried on songs and playlists in the version's text template.

    Raises:
        ArtifactError, DatabaseUnavailable: as for an encoder.
    """
    with database.transaction() as connection:
        songs = catalogue.recent_songs(connection, limit=_TRIAL_TEXTS)
        playlists = _playlists_of(connection, songs)
    pairs = _pairs(playlists, songs, template)
    load = partial(Reranker.open, artifacts.verified(spec.artifact), spec, device=settings.device)
    return settle(
        lambda precision: load(precision=precision),
        chosen_device(settings.device),
        settings.precision,
        lambda exact, fast: try_reranking(exact, fast, pairs),
    )


def _playlists_of(connection: Connection, songs: Sequence[Song]) -> list[Playlist]:
    """Some of the playlists that hold some of these songs."""
    holders = catalogue.memberships_of(connection, [song.song_id for song in songs])
    ids = sorted({each for held in holders.values() for each in held})[:_TRIAL_PLAYLISTS]
    return [each for found in catalogue.find_playlists(connection, ids).values() for each in found]


def _pairs(playlists: Sequence[Playlist], songs: Sequence[Song], template: int) -> list[Pair]:
    """Each song beside each of the playlists."""
    told = [render_song(song, template) for song in songs] or [_ANY_TEXT]
    lists = [render_playlist(each, template) for each in playlists] or [_ANY_TEXT]
    return [(playlist, song) for playlist in lists for song in told]
