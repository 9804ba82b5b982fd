"""The second look: a cross-encoder reads the first playlists of a song, each together with it, and orders them anew.

It never keeps an answer waiting: what it has not read by the deadline stays in the order that it had.
"""

import math
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Literal

import numpy as np

from registry.errors import InferenceFailed, ModelUnavailable, Overloaded, Refused
from registry.records import Song
from registry.texts import render_playlist, render_song
from registry.versions import ModelVersion
from serving.inference.lazily import Lazily
from serving.inference.reranker import Pair, PairReader, Read
from serving.matching.matcher import Answering

RERANKED = 20
"""Of a song's playlists, the first so many are read."""

_AT_ONCE = 4
"""Songs of a request that wait for the model together; more would keep other requests from it."""

Reason = Literal["no_reranker", "deadline", "unavailable", "overloaded", "failed"]


def reranker_of(answering: Answering) -> Lazily[PairReader]:
    """The version's reranker.

    Raises:
        Refused: it has none.
    """
    if answering.reranker is None:
        raise no_reranker(answering.version)
    return answering.reranker


def no_reranker(version: ModelVersion) -> Refused:
    """The error of a version that was made without a reranker."""
    return Refused(
        f"{version.version} has no reranker.",
        "Leave reranking out, or make a version that has one: `autosort retrain --set reranker=true`.",
    )


def rerank(
    answering: Answering, songs: Sequence[Song], results: Sequence[Mapping[str, Any]], *, seconds: float = math.inf
) -> list[dict[str, Any]]:
    """The results of songs, each marked as reranked or, in the order it had, with the reason why not.

    Args:
        results: as `matcher.match` gives them, `RERANKED` matches of each at least where there are so many.
        seconds: after which what is not read yet is let go.
    """
    until = time.monotonic() + seconds
    if answering.reranker is None:
        # No error: a client that asks for it must outlive a rollback to a version that cannot.
        return [_marked(result, "no_reranker") for result in results]
    try:
        reranker = answering.reranker.find()
    except ModelUnavailable:
        return [_marked(result, "unavailable") for result in results]
    asked = (_pairs(answering, *each) for each in zip(songs, results, strict=True))
    outcomes = _read_in_turn(reranker, asked, until)
    spec = answering.version.spec.reranker
    weight = spec.weight if spec else None
    return [_marked(result, outcome, weight) for result, outcome in zip(results, outcomes, strict=True)]


def _pairs(answering: Answering, song: Song, result: Mapping[str, Any]) -> list[Pair]:
    """What is read: the texts of a song and its first playlists, as the reranker was trained on them."""
    template, index = answering.version.spec.text_template, answering.index
    told = render_song(song, template)
    first = (index.playlists[index.places[each["playlist_id"]]] for each in result["matches"][:RERANKED])
    return [(render_playlist(each, template), told) for each in first]


# Reading within the deadline ------------------------------------------------------------------------------------------


def _read_in_turn(reranker: PairReader, asked: Iterable[Sequence[Pair]], until: float) -> list[Read | Reason]:
    """What came of each song's pairs, a few songs at once."""
    waiting: deque[Future[Read] | Reason] = deque()
    outcomes: list[Read | Reason] = []
    for pairs in asked:
        if len(waiting) == _AT_ONCE:
            outcomes.append(_outcome(waiting.popleft(), until))
        waiting.append(_begin(reranker, pairs, until))
    return [*outcomes, *(_outcome(each, until) for each in waiting)]


def _begin(reranker: PairReader, pairs: Sequence[Pair], until: float) -> "Future[Read] | Reason":
    if time.monotonic() >= until:
        return "deadline"
    try:
        return reranker.submit(pairs)
    except Overloaded:
        return "overloaded"
    except InferenceFailed:
        return "failed"


def _outcome(begun: "Future[Read] | Reason", until: float) -> Read | Reason:
    if not isinstance(begun, Future):
        return begun
    left = None if until == math.inf else max(0.0, until - time.monotonic())
    try:
        return begun.result(left)
    except TimeoutError:
        begun.cancel()
        return "deadline"
    except InferenceFailed:
        return "failed"


# The order ------------------------------------------------------------------------------------------------------------


def _marked(result: Mapping[str, Any], outcome: Read | Reason, weight: float | None = None) -> dict[str, Any]:
    if not isinstance(outcome, Read):
        return {**result, "reranked": False, "reason": outcome}
    return {**result, "reranked": True, "matches": _reordered(result["matches"], outcome, weight)}


def _reordered(matches: Sequence[Mapping[str, Any]], read: Read, weight: float | None) -> list[dict[str, Any]]:
    """The matches that were read, by score and relevance together or by relevance alone, then the others.

    The scores of those that were read are dealt out to them anew, the highest first; what each gains or loses by that
    is the reranker's share of its score. So scores still fall from match to match, and mean what they meant.
    """
    scores = np.array([each["score"] for each in matches[: len(read.logits)]])
    together = read.logits if weight is None else scores + weight * read.logits
    order = np.argsort(-together, kind="stable")
    relevance = read.relevance
    dealt = zip((matches[row] for row in order), (each["score"] for each in matches), relevance[order], strict=False)
    front = ({**_scored(match, score), "relevance": round(float(relevant), 6)} for match, score, relevant in dealt)
    return [*front, *(_scored(match, match["score"]) for match in matches[len(order) :])]


def _scored(match: Mapping[str, Any], score: float) -> dict[str, Any]:
    share = round(score - match["score"], 4)
    return {**match, "score": score, "signals": {**match["signals"], "rerank": share}}
