"""Matching from the command line: songs of the catalogue against playlists, by the live version or a named one."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from lifecycle.workspace import Workspace
from registry import catalogue, pointer
from registry.database import Connection
from registry.errors import NotFound
from registry.records import Song
from registry.versions import ModelVersion
from serving.matching import matcher
from serving.matching.matcher import Answering


def match_queries(
    workspace: Workspace, queries: Sequence[str], *, version: str | None = None, top_k: int = 5
) -> dict[str, Any]:
    """The best playlists for songs named by id, title, "artist - title" or part of a title.

    Raises:
        NotFound: a query finds no song, no version is live, or the named one does not exist or is not whole.
    """
    with workspace.database.transaction() as connection:
        answering = answering_of(workspace, connection, *pointer.chosen_version(connection, version))
        songs = [song for query in queries for song in find_songs(connection, query)]
        recorded = matcher.look_up(connection, answering, songs)
    results = matcher.match(answering, songs, recorded, top_k=top_k)
    return {
        "model_version": answering.version.version,
        "generation": answering.generation,
        "results": results,
    }


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
    return Answering.load(connection, version, generation, cache(lambda: workspace.load_encoder(version.spec.embedder)))
