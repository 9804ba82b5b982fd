"""Golden cases: songs that the curator knows well, and the playlists that a version must and must not find for them.

They are asked by the full matching over the catalogue as it is, each song left out of the playlists that hold it
(`answers.py`). A case that cannot be asked has failed, with the reason: nothing is dropped because a song was. Both
versions of a comparison fail it, so it stays in sight and stands in nobody's way. Results depend on the file and the
catalogue as much as on the version; they take seconds, so they are made when asked for and never kept.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lifecycle.golden.answers import rank_playlists, remaining_songs
from lifecycle.golden.file import read_golden
from lifecycle.golden.questions import Asked, Question, ask
from lifecycle.golden.vectors import known_to
from lifecycle.progress import Progress
from lifecycle.workspace import Workspace
from registry import pointer, versions
from registry.stages import GIVEN_UP
from registry.versions import ModelVersion


def golden_report(workspace: Workspace, name: str, progress: Progress) -> dict[str, Any] | None:
    """Each golden case as a version answers it; None if there is no `golden.yaml`.

    A version that has no vectors yet encodes every playlist and its songs for it.

    Returns:
        {"passed", "failed", "cases": [{"song", "song_id", "passed", "reason", "must": [{"playlist", "rank", "passed"}],
        "must_not": […]}], "file": SHA-256 of the YAML}. A rank is None, and a `song_id`, where it could not be asked
        for. Every case that failed has a reason.

    Raises:
        BadInput: the file cannot be used.
        NotFound: there is no such version.
        ArtifactError: something must be encoded and the version's model is missing, unsafe or changed.
    """
    file = read_golden(workspace.settings.home)
    if file is None:
        return None
    with workspace.database.transaction() as connection:
        version = versions.get(connection, name)
        questions = ask(connection, file.cases)
    answers = _answers(workspace, version, questions, progress)
    cases = [_case(each, answers, name) for each in questions]
    passed = sum(case["passed"] for case in cases)
    return {"passed": passed, "failed": len(cases) - passed, "cases": cases, "file": file.digest}


def golden_reports(workspace: Workspace, name: str, progress: Progress) -> dict[str, Any]:
    """A version's golden cases, and before: by the live version or, if it is live itself, the one before it.

    Returns:
        {"golden": as `golden_report` gives it, "golden_before": the same with its "version", or None}
    """
    with workspace.database.transaction() as connection:
        present = pointer.read(connection)
    golden = golden_report(workspace, name, progress)
    other = present.previous if present.live == name else present.live
    if golden is None or other is None:
        return {"golden": golden, "golden_before": None}
    return {"golden": golden, "golden_before": {"version": other, **(golden_report(workspace, other, progress) or {})}}


@dataclass(frozen=True)
class _Answers:
    """Ranks by song id and playlist id; of songs that the version could not be asked about, the reason."""

    ranks: Mapping[str, Mapping[str, int]]
    refused: Mapping[str, str]


def _answers(
    workspace: Workspace, version: ModelVersion, questions: Sequence[Question], progress: Progress
) -> _Answers:
    songs = list({each.song.song_id: each.song for each in questions if each.song}.values())
    if version.stage in GIVEN_UP:
        return _Answers({}, {song.song_id: f"it is {version.stage}, its vectors are gone" for song in songs})
    if not songs:
        return _Answers({}, {})
    named = {each.playlist.playlist_id for one in questions for each in (*one.must, *one.must_not) if each.playlist}
    with workspace.database.transaction() as connection:
        remaining = remaining_songs(connection, songs, named, version.spec.text_template)
    others = {song.song_id for rests in remaining.values() for rest in rests.values() for song in rest}
    known = known_to(workspace, version, songs, others, progress)
    return _Answers(rank_playlists(version.spec.matching, known, songs, remaining, named), known.aside)


def _case(question: Question, answers: _Answers, version: str) -> dict[str, Any]:
    """One case of the report: ranks, whether each is as it must be, and if not, why."""
    song_id = question.song.song_id if question.song else None
    ranks = answers.ranks.get(song_id or "", {})
    must = [_reached(each, ranks, lambda rank: rank <= question.within) for each in question.must]
    must_not = [_reached(each, ranks, lambda rank: rank > question.within) for each in question.must_not]
    problems = [each.problem for each in (*question.must, *question.must_not)]
    reasons = [question.problem, *dict.fromkeys(problems)]
    refused = answers.refused.get(song_id or "")
    if refused is not None:
        reasons.append(f"{version} cannot be asked: {refused}.")
    elif song_id is not None:
        reasons += [_unknown(each, ranks, version) for each in (*question.must, *question.must_not)]
    reasons += [_missed(each, "must", question.within) for each in must]
    reasons += [_missed(each, "must not", question.within) for each in must_not]
    return {
        "song": question.label,
        "song_id": song_id,
        "passed": all(each["passed"] for each in (*must, *must_not)),
        "reason": " ".join(each for each in reasons if each) or None,
        "must": must,
        "must_not": must_not,
    }


def _reached(asked: Asked, ranks: Mapping[str, int], good: Callable[[int], bool]) -> dict[str, Any]:
    rank = ranks.get(asked.playlist.playlist_id) if asked.playlist else None
    return {"playlist": asked.label, "rank": rank, "passed": rank is not None and good(rank)}


def _unknown(asked: Asked, ranks: Mapping[str, int], version: str) -> str | None:
    """Why a playlist of the catalogue has no rank: it came after the version's last reconciliation."""
    if asked.playlist is None or asked.playlist.playlist_id in ranks:
        return None
    return f"{version} does not know '{asked.label}' yet: run `autosort reembed {version}`."


def _missed(reached: Mapping[str, Any], what: str, within: int) -> str | None:
    if reached["passed"] or reached["rank"] is None:
        return None
    return f"'{reached['playlist']}' is at rank {reached['rank']} and {what} be within the first {within}."
