"""Matching from the command line: songs of the catalogue against playlists, by the live version or a named one."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from lifecycle.workspace import Workspace
from registry import catalogue, pointer
from registry.database import Connection
from registry.errors import NotFound
from registry.records import Song
from registry.versions import ModelVersion
from serving.matching import matcher
from serving.matching.matcher import Answering, Recorded
from serving.settings import read_settings


def match_queries(
    workspace: Workspace,
    queries: Sequence[str],
    *,
    version: str | None = None,
    top_k: int = 5,
    rerank: bool = False,
) -> dict[str, Any]:
    """The best playlists for songs named by id, title, "artist - title" or part of a title.

    Args:
        rerank: have the version's reranker order the first 20 of each song anew, however long that takes.

    Raises:
        NotFound: a query finds no song, no version is live, or the named one does not exist or is not whole.
        Refused: reranking is wanted, and the version has no reranker.
        ModelUnavailable: its reranker cannot be loaded.
    """
    with workspace.database.transaction() as connection:
        answering = answering_of(workspace, connection, *pointer.chosen_version(connection, version))
        songs = [song for query in queries for song in find_songs(connection, query)]
        recorded = matcher.look_up(connection, answering, songs)
    find = _match_and_rerank if rerank else _match
    return {
        "model_version": answering.version.version,
        "generation": answering.generation,
        "results": find(workspace, answering, songs, recorded, top_k),
    }


def _match(
    _: Workspace, answering: Answering, songs: Sequence[Song], recorded: Recorded, top_k: int
) -> list[dict[str, Any]]:
    return matcher.match(answering, songs, recorded, top_k=top_k)


def _match_and_rerank(
    workspace: Workspace, answering: Answering, songs: Sequence[Song], recorded: Recorded, top_k: int
) -> list[dict[str, Any]]:
    from serving.matching.reranking import RERANKED, rerank  # takes seconds

    able = _with_reranker(workspace, answering)
    results = matcher.match(able, songs, recorded, top_k=max(top_k, RERANKED))
    return [{**each, "matches": each["matches"][:top_k]} for each in rerank(able, songs, results)]


def _with_reranker(workspace: Workspace, answering: Answering) -> Answering:
    """The version with its reranker, loaded."""
    from serving.inference.lazily import Lazily
    from serving.inference.reranker import PairReader, Reranker
    from serving.matching.reranking import no_reranker

    spec = answering.version.spec.reranker
    if spec is None:
        raise no_reranker(answering.version)
    folder = workspace.artifacts.verified(spec.artifact)
    reranker: Lazily[PairReader] = Lazily("The reranker", lambda: Reranker.open(folder, spec, device=workspace.device))
    reranker.wait()
    return replace(answering, reranker=reranker)


def find_songs(connection: Connection, query: str) -> list[Song]:
    """The songs of the catalogue that a query means, the best known first.

    Raises:
        NotFound: it means none.
    """
    songs = catalogue.find_songs(connection, query)
    if not songs:
        raise NotFound(f"No song of the catalogue is called {query[:80]!r}.", "Give its id, title or a part of it.")
    return songs


def answering_of(workspace: Workspace, connection: Connection, version: ModelVersion, generation: int = 0) -> Answering:
    """A version with its playlists; its encoder is loaded when it is first needed.

    Raises:
        NotFound: the version has no whole set of vectors.
    """
    encoder = cache(lambda: workspace.load_encoder(version.spec.embedder))
    felt = version.spec.matched_emotions
    emotions = cache(lambda: workspace.load_emotions(felt)) if felt else None
    tiers = read_settings().tiers
    return Answering.load(connection, version, generation, encoder, emotions=emotions, tiers=tiers)
