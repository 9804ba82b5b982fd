"""Reranking orders what it has read by its deadline, and marks what it has not."""

import time
from collections.abc import Sequence
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from registry.errors import ArtifactError, InferenceFailed, Overloaded, Refused
from registry.records import Playlist, Song
from serving.inference.lazily import Lazily
from serving.inference.reranker import Pair, PairReader, Read
from serving.matching.matcher import Answering, Recorded
from serving.matching.requested import Requested
from serving.matching.reranking import RERANKED, rerank, reranker_of
from serving.parallel.compared import Answered
from serving.parallel.live_matching import Asked, LiveMatching
from serving.schemas import MatchRequest
from serving.versions.slot import Standing

PLAYLISTS = tuple(Playlist(playlist_id=f"p{number:02}", name=f"List {number}") for number in range(25))


class Reader:
    """Says of a playlist that it fits the better the higher its number is; answers as told, for one song after another.

    Attributes:
        asked: pairs of each song so far.
        waiting: what nobody has answered yet.
    """

    def __init__(self, *errors: Exception | None, silent: bool = False) -> None:
        self.asked: list[Sequence[Pair]] = []
        self.waiting: list[Future[Read]] = []
        self._errors = list(errors)
        self._silent = silent

    def submit(self, pairs: Sequence[Pair]) -> "Future[Read]":
        self.asked.append(pairs)
        error = self._errors.pop(0) if self._errors else None
        if isinstance(error, Overloaded):
            raise error
        future: Future[Read] = Future()
        if self._silent:
            self.waiting.append(future)
        elif error is not None:
            future.set_exception(error)
        else:
            numbers = [float(playlist.split()[1].rstrip(".")) for playlist, _ in pairs]
            future.set_result(Read(np.array(numbers, np.float32), 1))
        return future


def answering(reader: PairReader | None) -> Answering:
    version: Any = SimpleNamespace(version="v2", spec=SimpleNamespace(text_template=2, reranker=None))
    index: Any = SimpleNamespace(playlists=PLAYLISTS, places={each.playlist_id: n for n, each in enumerate(PLAYLISTS)})
    encoder: Any = None
    loaded: Lazily[PairReader] | None = None
    if reader is not None:
        loaded = Lazily("The reranker of v2", lambda: reader)
        loaded.wait()
    return Answering(1, version, encoder, index, 0, loaded)


def songs(count: int) -> list[Song]:
    return [Song(song_id=f"s{number}", title=f"Song {number}") for number in range(count)]


def result() -> dict[str, Any]:
    """All playlists in their order, the scores a tenth apart."""
    matches = [
        {"playlist_id": each.playlist_id, "score": round(3 - place / 10, 4), "signals": {"text": 3 - place / 10}}
        for place, each in enumerate(PLAYLISTS)
    ]
    return {"song": {}, "matches": matches}


def order(reranked: dict[str, Any]) -> list[str]:
    return [match["playlist_id"] for match in reranked["matches"]]


def test_the_first_twenty_are_ordered_anew_and_their_scores_dealt_out_to_them() -> None:
    reader = Reader()
    (found,) = rerank(answering(reader), songs(1), [result()])
    assert found["reranked"] is True
    assert "reason" not in found
    assert order(found) == [f"p{number:02}" for number in (*range(19, -1, -1), *range(20, 25))]
    assert [match["score"] for match in found["matches"]] == [match["score"] for match in result()["matches"]]
    for match in found["matches"]:
        assert sum(match["signals"].values()) == pytest.approx(match["score"], abs=1e-4)
    assert found["matches"][0]["signals"]["rerank"] == pytest.approx(1.9)
    assert [("relevance" in match) for match in found["matches"]] == [True] * RERANKED + [False] * 5
    (pairs,) = reader.asked
    assert pairs[:2] == [("List 0.", "Song 0."), ("List 1.", "Song 0.")]


def test_what_fits_alike_keeps_its_order() -> None:
    class Indifferent(Reader):
        def submit(self, pairs: Sequence[Pair]) -> "Future[Read]":
            future: Future[Read] = Future()
            future.set_result(Read(np.zeros(len(pairs), np.float32), 1))
            return future

    (found,) = rerank(answering(Indifferent()), songs(1), [result()])
    assert order(found) == order(result())


def test_what_is_not_read_by_the_deadline_keeps_its_order_and_is_let_go() -> None:
    reader = Reader(silent=True)
    begun = time.monotonic()
    found = rerank(answering(reader), songs(9), [result()] * 9, seconds=0.05)
    assert time.monotonic() - begun < 2
    assert [(each["reranked"], each["reason"]) for each in found] == [(False, "deadline")] * 9
    assert [order(each) for each in found] == [order(result())] * 9
    assert all("rerank" not in match["signals"] for match in found[0]["matches"])
    assert 1 <= len(reader.asked) <= 4, "one request does not fill the model's queue"
    assert all(each.cancelled() for each in reader.waiting)


def test_each_song_is_marked_by_what_came_of_it() -> None:
    reader = Reader(None, Overloaded("busy"), InferenceFailed("failed"))
    found = rerank(answering(reader), songs(6), [result()] * 6, seconds=60)
    marks = [(each["reranked"], each.get("reason")) for each in found]
    assert marks == [(True, None), (False, "overloaded"), (False, "failed"), *[(True, None)] * 3]


def test_a_reranker_that_cannot_be_loaded_changes_nothing_but_the_mark() -> None:
    def load() -> PairReader:
        raise ArtifactError("It is gone.")

    broken: Lazily[PairReader] = Lazily("The reranker of v2", load)
    able = answering(None)
    object.__setattr__(able, "reranker", broken)
    assert broken.begin().exception(5) is not None
    (found,) = rerank(able, songs(1), [result()])
    assert (found["reranked"], found["reason"], order(found)) == (False, "unavailable", order(result()))


def test_a_version_without_a_reranker_leaves_the_order_and_says_so() -> None:
    (found,) = rerank(answering(None), songs(1), [result()])
    assert (found["reranked"], found["reason"], order(found)) == (False, "no_reranker", order(result()))
    with pytest.raises(Refused, match=r"v2 has no reranker.*--set reranker=true"):
        reranker_of(answering(None))


def test_a_song_without_playlists_is_nothing_to_rerank() -> None:
    (found,) = rerank(answering(Reader()), songs(1), [{"song": {}, "matches": []}])
    assert (found["reranked"], found["matches"]) == (True, [])


def test_what_is_compared_in_the_shadow_is_not_reranked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.parallel.live_matching._match", lambda *_: Answered([result()], 0.01))
    live = answering(Reader())
    offered: list[Any] = []
    shadow: Any = SimpleNamespace(chooses=lambda _: True, offer=offered.append)
    run: Any = SimpleNamespace(run_id=1)
    standing = Standing(live, run, answering(None))
    body = MatchRequest.model_validate({"songs": [{"title": "Song 0"}], "rerank": True})
    asked = Asked(body, live, standing, None, Requested(songs(1), Recorded({}, {})))
    nothing: Any = None
    found = LiveMatching(nothing, shadow, nothing, 5.0).answer(asked)
    assert order(found["results"][0])[0] == "p19"
    (offer,) = offered
    assert order(offer.answered.results[0]) == order(result())


def test_with_a_weight_score_and_logit_decide_together() -> None:
    """Scores fall by a tenth from place to place, logits rise by one: a weight above a tenth turns the order."""
    for weight, expected in ((0.05, range(20)), (0.2, range(19, -1, -1))):
        answered = answering(Reader())
        answered.version.spec.reranker = SimpleNamespace(weight=weight)  # type: ignore[misc, assignment]
        (found,) = rerank(answered, songs(1), [result()])
        assert order(found) == [f"p{number:02}" for number in (*expected, *range(20, 25))]
