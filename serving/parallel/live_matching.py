"""Answering /match: by one version, beside which, during a parallel run, the candidate may be asked."""

import logging
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from registry.errors import Overloaded
from registry.parallel_runs import ParallelRun, SampledRequests
from serving.inference.served import ForOneRequest, as_served
from serving.matching import matcher
from serving.matching.matcher import Answering
from serving.matching.requested import Requested, RequestedSongs
from serving.matching.reranking import RERANKED, rerank
from serving.parallel.compared import Answered, Drafted, compare, ranking_of
from serving.parallel.comparison_log import ComparisonLog
from serving.parallel.rankings import DEPTH, team_draft
from serving.parallel.shadow import LiveAnswer, Shadow
from serving.schemas import MatchRequest
from serving.versions.slot import Standing

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Asked:
    """A request for matches: by which version, in what standing, by whom if that is told, and its songs looked up."""

    body: MatchRequest
    answering: Answering
    standing: Standing
    user: str | None
    requested: Requested

    @property
    def beside(self) -> tuple[ParallelRun, Answering] | None:
        """The run and candidate to compare with: if there is one, and the live version answers."""
        run, candidate = self.standing.run, self.standing.candidate
        live = self.answering is self.standing.live
        return (run, candidate) if live and run is not None and candidate is not None else None


class LiveMatching:
    """Matches requested songs, and has a sample of the requests compared: always as they are before any reranking.

    Args:
        rerank_seconds: that a request waits for its reranking.
    """

    def __init__(self, requested: RequestedSongs, shadow: Shadow, log: ComparisonLog, rerank_seconds: float) -> None:
        self._requested = requested
        self._shadow = shadow
        self._comparisons = log
        self._rerank_seconds = rerank_seconds
        self._chance = random.Random()  # noqa: S311 - a draft, no secret

    def answer(self, asked: Asked) -> dict[str, Any]:
        """The response's body."""
        beside = asked.beside
        if beside and asked.body.interleave:
            return self._interleaved(asked, *beside)
        chosen = beside if beside and self._shadow.chooses(beside[0]) else None
        try:
            answered = _match(asked.answering, asked.requested, max(asked.body.top_k, asked.body.rerank * RERANKED))
        except Overloaded:  # says nothing of the version
            if chosen:
                self._comparisons.count(chosen[0].run_id, SampledRequests(dropped=1))
            raise
        except Exception:
            self._offer(asked, chosen, Answered())
            raise
        self._offer(asked, chosen, answered)
        results = answered.results or ()
        if asked.body.rerank:
            results = rerank(asked.answering, asked.requested.songs, results, seconds=self._rerank_seconds)
        return _body(asked, [_first(result, asked.body.top_k) for result in results])

    def _offer(self, asked: Asked, beside: tuple[ParallelRun, Answering] | None, answered: Answered) -> None:
        if beside:
            songs, now = asked.requested.songs, datetime.now(UTC)
            self._shadow.offer(LiveAnswer(*beside, asked.body.songs, songs, answered, asked.user, now))

    def _interleaved(self, asked: Asked, run: ParallelRun, candidate: Answering) -> dict[str, Any]:
        """Both versions' playlists by turns, as the client wants to know which of them its user prefers.

        If the candidate fails, the live version's answer stands alone.
        """
        live = _match(asked.answering, asked.requested, asked.body.top_k)
        other = self._by_candidate(candidate, asked)
        if live.results is None or other.results is None:
            drafts = None
            shown = [_first(result, asked.body.top_k) for result in live.results or ()]
        else:
            pairs = list(zip(live.results, other.results, strict=True))
            drafts = [self._draft(*pair, asked.body.top_k) for pair in pairs]
            shown = [_drafted(*pair, draft, asked) for pair, draft in zip(pairs, drafts, strict=True)]
        request, songs = compare(
            asked.requested.songs, live, other, at=datetime.now(UTC), user=asked.user, drafted=drafts
        )
        self._comparisons.add(run.run_id, request, songs)
        return _body(asked, shown, interleaved=drafts is not None)

    def _by_candidate(self, candidate: Answering, asked: Asked) -> Answered:
        try:
            return _match(candidate, self._requested.read(candidate, asked.body.songs), asked.body.top_k)
        except Overloaded:
            raise
        except Exception:  # noqa: BLE001 - logged, and a finding
            _log.exception("The candidate %s failed to answer", candidate.version.version)
            return Answered()

    def _draft(self, live: Mapping[str, Any], candidate: Mapping[str, Any], top_k: int) -> Drafted:
        draft = team_draft(ranking_of(live), ranking_of(candidate), top_k, self._chance)
        return Drafted([item for item, _ in draft], [by for _, by in draft])


def _match(answering: Answering, requested: Requested, top_k: int) -> Answered:
    """The answer, deep enough to be compared, with the time that it and the looking up took.

    Where vectors were remembered there is no time to compare: the candidate, which sees a sample of the requests, would
    have to read what this version had read for an earlier one.
    """
    begun = time.perf_counter()
    encoder = ForOneRequest(as_served(answering.encoder()))
    noting = replace(answering, encoder=lambda: encoder)
    deep = max(top_k, DEPTH)
    results = matcher.match(noting, requested.songs, requested.recorded, top_k=deep, explained=top_k)
    seconds = requested.seconds + time.perf_counter() - begun
    return Answered(results, None if encoder.remembered else seconds)


def _first(result: Mapping[str, Any], top_k: int) -> dict[str, Any]:
    return {**result, "matches": result["matches"][:top_k]}


def _drafted(live: Mapping[str, Any], candidate: Mapping[str, Any], draft: Drafted, asked: Asked) -> dict[str, Any]:
    """A song's answer in the draft's order, each playlist as the version sees it that put it there."""
    by_version = [{match["playlist_id"]: match for match in each["matches"]} for each in (live, candidate)]
    names = (asked.answering.version.version, asked.standing.candidate.version.version)  # type: ignore[union-attr]
    chosen = zip(draft.shown, draft.by_candidate, strict=True)
    return {**live, "matches": [{**by_version[by][each], "model_version": names[by]} for each, by in chosen]}


def _body(asked: Asked, results: Sequence[dict[str, Any]], *, interleaved: bool = False) -> dict[str, Any]:
    for named, result in zip(asked.body.songs, results, strict=True):
        result["song"] = {**result["song"], "song_id": named.song_id}
    return {
        "model_version": asked.answering.version.version,
        "generation": asked.answering.generation,
        "interleaved": interleaved,
        "results": results,
    }
