"""Versions to register without a model: nothing here needs more than their specification."""

import itertools
from collections.abc import Callable

import pytest

from registry import versions
from registry.database import Database
from registry.stages import Stage
from registry.texts import CURRENT_TEMPLATE
from registry.versions import EmbedderSpec, MatchSpec, ModelSpec, ModelVersion, Scale, SignalWeights

_TO_STAGE: dict[Stage, tuple[Stage, ...]] = {
    Stage.REGISTERED: (),
    Stage.EMBEDDING: (Stage.EMBEDDING,),
    Stage.READY: (Stage.EMBEDDING, Stage.READY),
    Stage.REJECTED: (Stage.REJECTED,),
}


@pytest.fixture
def make_spec() -> Callable[[int], ModelSpec]:
    """The specification of a model with vectors of so many dimensions."""

    def made(dimensions: int) -> ModelSpec:
        return ModelSpec(
            embedder=EmbedderSpec(
                artifact="a" * 64, base_model="made-up", base_revision="1", dimensions=dimensions, max_length=256
            ),
            text_template=CURRENT_TEMPLATE,
            matching=MatchSpec(
                weights={"default": SignalWeights(semantic=0.7, acoustic=0.3)},
                signals={"text": Scale(mean=0.1, spread=0.2)},
                features={"energy": Scale(mean=0.6, spread=0.2)},
            ),
        )

    return made


@pytest.fixture
def add_version(database: Database, make_spec: Callable[[int], ModelSpec]) -> Callable[..., ModelVersion]:
    """Register the next version, of a recipe of its own, in a stage before it goes live."""
    recipes = itertools.count(1)

    def added(dimensions: int = 8, stage: Stage = Stage.REGISTERED) -> ModelVersion:
        with database.transaction() as connection:
            recipe = f"recipe {next(recipes)}"
            version = versions.register(connection, make_spec(dimensions), recipe=recipe, actor="tester")
            for step in _TO_STAGE[stage]:
                versions.move(connection, version.version, step)
            return versions.get(connection, version.version)

    return added
