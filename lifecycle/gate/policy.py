"""The gate's rules as values: fixed before a training begins, stored with its version and with every decision."""

import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from registry.errors import BadInput

Share = Annotated[float, Field(ge=0, le=1)]


class GatePolicy(BaseModel):
    """What a version must show to go live.

    Attributes:
        metric: by which "better" is judged, overall and by genre.
        alpha: significance of the tests; over genres with Holm's correction.
        minimum_queries: under so many a comparison is called insufficient, and never refuses.
        better_overall: whether the version must be significantly better than the live one, not only no worse.
        overall_margin: how much lower than the live version's the metric may be where "no worse" is enough.
        unseen_playlist_margin: how much lower than the base model's Top-5 on unseen playlists it may be.
        general_similarity_margin: how much lower than the base model's its general similarity may be.
        golden_kept: whether every golden case that the live version passes must be passed.
        recall_floor: least recall@20 of the index against exact search.
        compared_requests: that a parallel run must have compared; of a smaller catalogue all songs do, replayed.
        live_traffic: whether these must be live requests; else replayed songs do.
        overlap_floor: least overlap@5 with the live version's answers.
        latency_margin: by how much slower than the live version it may be, as a share.
        failure_margin: by how much larger a share of the requests may fail.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: Literal["top1", "top5", "mrr", "ndcg_at_10", "recall_at_20"] = "mrr"
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    minimum_queries: Annotated[int, Field(ge=2)] = 30
    better_overall: bool = True
    overall_margin: Share = 0.01
    unseen_playlist_margin: Share = 0.02
    general_similarity_margin: Share = 0.025
    golden_kept: bool = True
    recall_floor: Share = 0.95
    compared_requests: Annotated[int, Field(ge=2)] = 200
    live_traffic: bool = False
    overlap_floor: Share = 0.1
    latency_margin: Annotated[float, Field(ge=0)] = 0.25
    failure_margin: Share = 0.005


def read_policy(home: Path) -> GatePolicy:
    """The policy of `home/gate.toml`; the default one if there is no such file.

    Raises:
        BadInput: the file cannot be used.
    """
    path = home / "gate.toml"
    if not path.is_file():
        return GatePolicy()
    try:
        return GatePolicy.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} is not valid TOML: {error}.", "docs/reference.md shows one.") from None
    except ValidationError as error:
        wrong = error.errors()[0]
        field = ".".join(map(str, wrong["loc"]))
        raise BadInput(f"{path}: {field}: {wrong['msg']}.", "docs/reference.md lists its fields.") from None
