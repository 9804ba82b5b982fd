"""Whether a retraining is due, and why: pure functions from facts to triggers.

Shares are compared by Fisher's exact test, one-sided, and p-values are corrected by Holm's method over whatever is
compared side by side: looking at twenty genres must not find a bad one by chance.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from scipy.stats import fisher_exact

from lifecycle.feedback import Judgement, Move, rejects
from training.statistics import holm

NEW_PAIRS = 5_000
"""Usable pairs that make a retraining worth while."""

ALPHA = 0.05
MINIMUM_VERDICTS = 30
"""On either side of a comparison by genre; below it there is nothing to say."""

MINIMUM_REJECTS = 10
MINIMUM_MOVES = 10

_SHOWN_PAIRS = 20


_Said = TypeVar("_Said", Judgement, Move)


@dataclass(frozen=True)
class Hits:
    """Of `n` songs of a genre, how many the live version brings to one of their playlists within its first five."""

    top5: int
    n: int


@dataclass(frozen=True)
class Facts:
    """What the triggers look at.

    Attributes:
        live: the live version, if any; `base` if it was never trained on anything here.
        candidate: a version that waits to be promoted.
        trained_at: when the live version was registered; `promoted_at` when it became live.
        usable_pairs: of the catalogue as it is; `new_pairs` those that are not in the live version's dataset, none if
            that is not on this machine.
        genres: of each playlist, by id; `names` its name.
        hits: by genre, on the live version's own dataset and on the latest other one that it was evaluated on.
    """

    now: datetime
    live: str | None
    base: bool
    candidate: str | None
    trained_at: datetime | None
    promoted_at: datetime | None
    usable_pairs: int
    new_pairs: int | None
    judgements: Sequence[Judgement]
    moves: Sequence[Move]
    genres: Mapping[str, str]
    names: Mapping[str, str]
    hits: tuple[Mapping[str, Hits], Mapping[str, Hits]] | None = None


@dataclass(frozen=True)
class Trigger:
    """One reason to retrain.

    Attributes:
        holds: whether it does; none if that cannot be told.
        figure: what was found, against what is asked.
        explanation: what that means.
        details: what was compared, row by row.
    """

    name: str
    holds: bool | None
    figure: str
    explanation: str
    details: tuple[Mapping[str, Any], ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The trigger as a JSON object."""
        return {**asdict(self), "details": [dict(row) for row in self.details]}


def check(facts: Facts) -> list[Trigger]:
    """Every trigger with its figures; a retraining is due if any holds."""
    rules: tuple[Callable[[Facts], Trigger], ...] = (_new_pairs, _reject_rate, _top5, _playlists, _moves, _quarter)
    return [rule(facts) for rule in rules]


def due(triggers: Iterable[Trigger]) -> bool:
    """Whether any trigger holds."""
    return any(trigger.holds for trigger in triggers)


def worse(bad: int, total: int, other_bad: int, other_total: int) -> float:
    """p-value of `bad` of `total` being no larger a share than `other_bad` of `other_total`, by Fisher's exact test."""
    table = [[bad, total - bad], [other_bad, other_total - other_bad]]
    return float(fisher_exact(table, alternative="greater").pvalue)


def _new_pairs(facts: Facts) -> Trigger:
    if facts.new_pairs is None:
        figure = f"{facts.usable_pairs:,} usable pairs; the dataset of {facts.live} is not on this machine"
        return Trigger("new_pairs", None, figure, "How many of them are new cannot be told here.")
    since = f"since the dataset of {facts.live}" if facts.live and not facts.base else "and nothing was trained on any"
    figure = f"{facts.new_pairs:,} new usable pairs {since} (at least {NEW_PAIRS:,})"
    holds = facts.new_pairs >= NEW_PAIRS
    return Trigger("new_pairs", holds, figure, "Enough to learn from." if holds else "Too few to matter yet.")


def _reject_rate(facts: Facts) -> Trigger:
    """A genre whose rejects became a larger share since the live version was promoted."""
    promoted = facts.promoted_at
    if promoted is None:
        return Trigger("reject_rate", False, "nothing is live", "There is nothing to compare.")
    since = _by_genre(facts, [each for each in facts.judgements if each.at >= promoted])
    before = _by_genre(facts, [each for each in facts.judgements if each.at < promoted])
    rows = [
        _compared("genre", genre, since.get(genre, (0, 0)), before.get(genre, (0, 0)), MINIMUM_VERDICTS)
        for genre in sorted(since.keys() | before.keys())
    ]
    what = f"rejects by genre, since {facts.live} became live on {promoted:%Y-%m-%d} against before"
    return _of_rows("reject_rate", rows, what, "Users reject more of these genres than they did.")


def _top5(facts: Facts) -> Trigger:
    """A genre in which the live version misses more on newer data than on its own."""
    if facts.hits is None:
        return Trigger("top5", False, "evaluated on one dataset at most", "Retraining evaluates the live version anew.")
    older, newer = facts.hits
    rows = [
        _compared(
            "genre",
            genre,
            (newer[genre].n - newer[genre].top5, newer[genre].n),
            (older[genre].n - older[genre].top5, older[genre].n),
            MINIMUM_VERDICTS,
        )
        for genre in sorted(newer.keys() & older.keys())
    ]
    what = f"misses of the first five of {facts.live} by genre, on the newest dataset against its own"
    return _of_rows("top5", rows, what, "The live version misses more of these genres than it did.")


def _playlists(facts: Facts) -> Trigger:
    """A playlist that is rejected more than all others together, since the live version was trained."""
    counts = rejects(_unlearned(facts, facts.judgements), lambda each: each.playlist_id)
    bad, total = (sum(each[number] for each in counts.values()) for number in (0, 1))
    rows = [
        _compared("playlist", playlist_id, own, (bad - own[0], total - own[1]), 1)
        | {"name": facts.names.get(playlist_id, playlist_id)}
        for playlist_id, own in sorted(counts.items())
        if own[0] >= MINIMUM_REJECTS
    ]
    what = f"rejects by playlist, {MINIMUM_REJECTS} or more, against all others"
    return _of_rows("playlist_feedback", rows, what, "Users reject what these playlists are given.")


def _moves(facts: Facts) -> Trigger:
    """Songs that users keep moving between the same two playlists, since the live version was trained."""
    moves = _unlearned(facts, facts.moves)
    counts = Counter(tuple(sorted((each.from_playlist, each.to_playlist))) for each in moves)
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    rows = tuple(
        {
            "playlists": list(pair),
            "names": [facts.names.get(each, each) for each in pair],
            "moves": count,
            "significant": count >= MINIMUM_MOVES,
        }
        for pair, count in ranked[:_SHOWN_PAIRS]
    )
    most = "none"
    if ranked:
        most = f"{ranked[0][1]} between {' and '.join(facts.names.get(each, each) for each in ranked[0][0])}"
    holds = any(row["significant"] for row in rows)
    figure = f"{len(moves)} moves, most of them between two playlists: {most} (at least {MINIMUM_MOVES})"
    explanation = "The model takes these playlists for one another." if holds else "No two playlists are confused."
    return Trigger("moves", holds, figure, explanation, rows)


def _quarter(facts: Facts) -> Trigger:
    """Whether the live version was trained in an earlier calendar quarter, by UTC."""
    if facts.trained_at is None:
        return Trigger("quarter", False, "nothing is live", "Import something and run `autosort sync`.")
    trained, now = facts.trained_at.astimezone(UTC), facts.now.astimezone(UTC)
    holds = _quarter_of(trained) < _quarter_of(now)
    days = (now - trained).days
    verb = "registered" if facts.base else "trained"
    figure = f"{facts.live} was {verb} on {trained:%Y-%m-%d}, {days} days ago; now is {_named(now)}"
    explanation = f"That was in {_named(trained)}: an earlier quarter." if holds else "That was in this quarter."
    return Trigger("quarter", holds, figure, explanation)


def _unlearned(facts: Facts, said: Sequence[_Said]) -> list[_Said]:
    """Feedback that the live version cannot have learned from: all of it if that was never trained."""
    if facts.base or facts.trained_at is None:
        return list(said)
    return [each for each in said if each.at >= facts.trained_at]


def _by_genre(facts: Facts, judgements: Sequence[Judgement]) -> dict[str, tuple[int, int]]:
    return rejects(judgements, lambda each: facts.genres.get(each.playlist_id, "unknown"))


def _compared(kind: str, name: str, bad: tuple[int, int], other: tuple[int, int], minimum: int) -> dict[str, Any]:
    """A row of a comparison: two shares, and the p-value of the first being no larger; none if there is too little."""
    enough = bad[1] >= minimum and other[1] >= minimum
    p = worse(*bad, *other) if enough else None
    return {kind: name, "bad": bad[0], "of": bad[1], "other_bad": other[0], "other_of": other[1], "p": p}


def _of_rows(name: str, rows: Sequence[dict[str, Any]], what: str, explanation: str) -> Trigger:
    """A trigger that holds if any row is significant after Holm's correction over those that could be tested."""
    corrected = holm({str(number): row["p"] for number, row in enumerate(rows) if row["p"] is not None})
    told = []
    for number, row in enumerate(rows):
        p = corrected.get(str(number))
        told.append({**row, "p_holm": p, "significant": p is not None and p < ALPHA})
    found = [row for row in told if row["significant"]]
    tested = f"{what}: {len(corrected)} of {len(rows)} have enough to be compared"
    if not found:
        return Trigger(name, False, tested, "None is significantly worse.", tuple(told))
    listed = "; ".join(_figure(row) for row in sorted(found, key=lambda row: row["p_holm"]))
    return Trigger(name, True, f"{tested}; worse: {listed}", explanation, tuple(told))


def _figure(row: Mapping[str, Any]) -> str:
    name = row.get("name") or row.get("genre")
    return f"{name} {row['bad']} of {row['of']} against {row['other_bad']} of {row['other_of']}, p {row['p_holm']:.2g}"


def _quarter_of(moment: datetime) -> tuple[int, int]:
    return moment.year, (moment.month - 1) // 3


def _named(moment: datetime) -> str:
    year, quarter = _quarter_of(moment)
    return f"Q{quarter + 1} {year}"
