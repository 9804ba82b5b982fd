"""A dataset encoded where heavy work is done: the same vectors wherever that is."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from lifecycle.compute import far_dataset
from lifecycle.compute.container import Model
from lifecycle.compute.far_dataset import encode_where_it_pays
from lifecycle.compute.far_embedding import FarEmbedding
from lifecycle.compute.metering import Spend
from lifecycle.compute.shelf import Shelf
from lifecycle.dataset_vectors import encode_dataset
from lifecycle.progress import Silent
from lifecycle.workspace import Workspace
from registry import versions
from registry.versions import EmbedderSpec
from tests.lifecycle.compute.test_shipping import Heard
from training.dataset import PairDataset


@pytest.fixture
def dataset(trained: Workspace) -> PairDataset:
    with trained.database.transaction() as connection:
        training = versions.get(connection, "v2").spec.training
    assert training is not None
    return PairDataset.load(trained.datasets, training.dataset)


@pytest.fixture
def embedder(trained: Workspace) -> EmbedderSpec:
    """With a prompt, so that songs and playlists are told apart."""
    with trained.database.transaction() as connection:
        spec = versions.get(connection, "v2").spec.embedder
    return spec.model_copy(update={"playlist_prompt": "Songs for this: "})


@pytest.fixture
def _in_a_container_of_this_process(monkeypatch: pytest.MonkeyPatch, trained: Workspace) -> None:
    """What a container does, without Modal around it."""

    @contextmanager
    def embedding(
        _workspace: Workspace, _app: object, embedder: EmbedderSpec, *_: object, published: bool, spend: Spend
    ) -> Iterator[FarEmbedding]:
        assert published is False
        model = Model(Shelf(trained.settings.home), embedder)

        def call(method: str, *arguments: Any) -> Any:
            return getattr(model, method)(*arguments)

        far = FarEmbedding(call, embedder, count=2, spend=spend)
        yield far
        far.close()

    monkeypatch.setenv("AUTOSORT_COMPUTE", "modal")
    monkeypatch.setattr(far_dataset, "WORTH_SENDING", 10)
    monkeypatch.setattr(far_dataset, "_PAGE", 30)
    monkeypatch.setattr(far_dataset, "embedding_on_modal", embedding)


@pytest.mark.usefixtures("_in_a_container_of_this_process")
def test_what_comes_back_is_what_would_be_computed_here(
    trained: Workspace, dataset: PairDataset, embedder: EmbedderSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = encode_dataset(trained.load_encoder(embedder), dataset, Silent(), label="")
    spent: list[tuple[str, float]] = []
    with monkeypatch.context() as patch:
        patch.setattr(Workspace, "load_encoder", None)  # nothing is computed here
        there = encode_where_it_pays(
            trained, embedder, dataset, Silent(), label="", spend=lambda *told: spent.append(told)
        )
    assert list(there.songs) == list(dataset.songs)
    assert list(there.playlists) == list(dataset.playlists)
    for ours, theirs in ((there.songs, here.songs), (there.playlists, here.playlists)):
        np.testing.assert_allclose(list(ours.values()), list(theirs.values()), atol=1e-5)
    assert len(spent) == -(-len(dataset.songs) // 30) + 1
    assert {function for function, _ in spent} == {"embed"}
    assert all(seconds > 0 for _, seconds in spent)


def test_while_modal_is_away_it_is_computed_here_and_that_is_said(
    trained: Workspace, dataset: PairDataset, embedder: EmbedderSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOSORT_COMPUTE", "modal")
    monkeypatch.setenv("MODAL_SERVER_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(far_dataset, "WORTH_SENDING", 10)
    heard = Heard()
    found = encode_where_it_pays(trained, embedder, dataset, heard, label="", spend=lambda *_: None)
    assert found.songs.keys() == dataset.songs.keys()
    assert ["done here instead" in line for line in heard.lines] == [True]
