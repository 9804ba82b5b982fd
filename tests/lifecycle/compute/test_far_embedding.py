"""A model far away: what its containers die of is found, and what they merely fail at is told."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lifecycle.compute.far_embedding import FarEmbedding
from lifecycle.compute.metering import Spend, unbilled
from registry.errors import ComputeError, ComputeUnavailable, EncoderBroken
from registry.versions import EmbedderSpec

SPEC = EmbedderSpec(artifact="0" * 64, base_model="small", base_revision="1", dimensions=2, max_length=8)


class Container:
    """Embeds a text as its length; dies of texts that hold a word."""

    def __init__(
        self, deadly: Callable[[str], bool] = lambda _: False, error: type[ComputeError] = ComputeError
    ) -> None:
        self.deadly, self.error, self.calls = deadly, error, 0
        self.reasons: dict[int, str] = {}

    def __call__(self, method: str, texts: list[str], *_: Any) -> Any:
        assert method == "embed"
        self.calls += 1
        if any(self.deadly(text) for text in texts):
            raise self.error("The container died.", "")
        vectors = np.array([[len(text), 1] for text in texts], np.float32)
        return {"vectors": vectors.tobytes(), "reasons": self.reasons, "seconds": 1.0}


def embed(container: Container, texts: list[str], spend: Spend = unbilled) -> Any:
    far = FarEmbedding(container, SPEC, count=1, spend=spend)
    try:
        return far.submit(texts).result()
    finally:
        far.close()


def test_the_texts_that_containers_die_of_stand_alone() -> None:
    texts = ["a", "bb", "kill me", "cccc", "ddddd"]
    spent: list[tuple[str, float]] = []
    found = embed(Container(lambda text: "kill" in text), texts, lambda *told: spent.append(told))
    assert found.reasons == {2: "The container died."}
    assert found.vectors[:, 0].tolist() == [1, 2, 0, 4, 5]
    assert spent == [("embed", 1.0)] * 2, "of what a container died nothing is known"


def test_reasons_of_the_container_come_through() -> None:
    container = Container()
    container.reasons = {1: "no finite vector"}
    assert embed(container, ["a", "bb"]).reasons == {1: "no finite vector"}


def test_where_nothing_can_be_embedded_no_song_is_at_fault() -> None:
    with pytest.raises(EncoderBroken, match="No song was set aside"):
        embed(Container(lambda _: True), ["a", "bb"])


def test_an_absent_machine_is_not_a_texts_fault() -> None:
    container = Container(lambda _: True, ComputeUnavailable)
    with pytest.raises(ComputeUnavailable):
        embed(container, ["a", "bb"])
    assert container.calls == 1


def test_a_playlist_that_cannot_be_embedded_is_told() -> None:
    container = Container()
    far = FarEmbedding(container, SPEC, count=1)
    assert far.playlists(["abc"])[:, 0].tolist() == [3]
    container.reasons = {0: "no finite vector"}
    with pytest.raises(EncoderBroken, match="no finite vector"):
        far.playlists(["abc"])
    far.close()
