"""Base models in the artifact store."""

from pathlib import Path

from lifecycle.base_models import BUNDLED_MODEL, base_model, store_base_model
from registry.artifacts import ArtifactStore
from tests.support.small_models import small_embedder

PRODUCTION = "intfloat/multilingual-e5-large-instruct"


def test_a_folder_stands_in_for_a_model_of_the_hub(tmp_path: Path) -> None:
    model = base_model(PRODUCTION)
    spec = store_base_model(model, ArtifactStore(tmp_path / "artifacts"), small_embedder(tmp_path / "small"))
    assert (spec.base_model, spec.base_revision, spec.dimensions) == (PRODUCTION, "folder model", 32)
    assert spec.playlist_prompt == model.playlist_prompt


def test_the_bundled_model_is_the_packages_whatever_folder_there_is(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path / "artifacts")
    spec = store_base_model(base_model(BUNDLED_MODEL), store, small_embedder(tmp_path / "small"))
    assert spec == store_base_model(base_model(BUNDLED_MODEL), store)
    assert spec.dimensions == 384
