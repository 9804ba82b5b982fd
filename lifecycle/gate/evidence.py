"""What the gate judges by: values, gathered elsewhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lifecycle.parallel.findings import Findings
from registry.servers import Server
from registry.vectors.records import Coverage


@dataclass(frozen=True)
class OverallLift:
    """The candidate against the live version over all queries; p two-sided, low of the one-sided 95 % interval."""

    n: int
    new: float
    old: float
    p: float
    low: float


@dataclass(frozen=True)
class GenreLift:
    """The candidate against the live version in one genre; p after Holm's correction, None where queries are few."""

    n: int
    new: float
    old: float
    p_holm: float | None


@dataclass(frozen=True)
class UnseenLift:
    """Top-5 on playlists that were held out whole, against the base model; low of the one-sided 95 % interval."""

    n: int
    new: float
    old: float
    low: float


@dataclass(frozen=True)
class Trial:
    """What a candidate showed on the test split of its dataset, beside the live version and its base model.

    Attributes:
        live: the version that `overall`, `genres` and `golden_lost` compare with, and `base` the one of the rest.
        leaks: by name, how much of what is tested on was trained on; None if nothing was trained.
        overall: None where the two were not asked the same.
        general_similarity: the candidate's and the base model's; None where either was not measured.
        golden_lost: golden cases that the live version passes and the candidate does not.
        golden_asked: number of golden cases; None if there is no file of them.
    """

    live: str
    base: str | None = None
    leaks: Mapping[str, int] | None = None
    overall: OverallLift | None = None
    genres: Mapping[str, GenreLift] = field(default_factory=dict)
    unseen: UnseenLift | None = None
    general_similarity: tuple[float, float] | None = None
    golden_lost: Sequence[str] = ()
    golden_asked: int | None = None


@dataclass(frozen=True)
class Evidence:
    """What is known of a candidate when it asks to be promoted.

    Attributes:
        trial: None for the first version, which has nothing to be compared with.
        parallel: what its parallel run with the live version found; None if there was none.
        songs: in the catalogue.
        index_used: whether searches go through the index, by Postgres' own plan.
        artifact_verified: whether the bytes of the version's models have just been found to be the registered ones.
        servers: those that run.
    """

    candidate: str
    trial: Trial | None
    coverage: Coverage
    songs: int
    index_valid: bool
    index_used: bool
    index_recall: float | None
    artifact_verified: bool
    parallel: Findings | None = None
    servers: Sequence[Server] = ()
