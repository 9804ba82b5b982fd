"""The margins by which a report judges a version: fixed here, before anything is trained."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, le=1)]


class GatePolicy(BaseModel):
    """What a version must show to go live.

    Attributes:
        metric: by which "better" is judged, overall and by genre.
        alpha: significance of the tests; over genres with Holm's correction.
        minimum_queries: under so many a comparison is called insufficient, and never refuses.
        better_overall: whether the version must be significantly better than the live one, not only no worse.
        unseen_playlist_margin: how much lower than the base model's Top-5 on unseen playlists may surely be.
        general_similarity_margin: how much lower than the base model's its general similarity may be.
        golden_kept: whether every golden case that the live version passes must be passed.
        recall_floor: least recall@20 of the index against exact search.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: str = "mrr"
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    minimum_queries: Annotated[int, Field(ge=2)] = 30
    better_overall: bool = True
    unseen_playlist_margin: Share = 0.05
    general_similarity_margin: Share = 0.05
    golden_kept: bool = True
    recall_floor: Share = 0.95
