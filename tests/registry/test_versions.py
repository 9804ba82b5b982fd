"""Registered versions: numbered one after the other, never changed, found again."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import LiteralString

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from registry import pointer, versions
from registry.database import Database
from registry.errors import AutosortError, IllegalMove, NotFound, Refused
from registry.stages import Stage
from registry.versions import (
    EmbedderSpec,
    MatchSpec,
    ModelSpec,
    ModelVersion,
    Scale,
    SignalWeights,
    TrainingSpec,
)

numbers = st.floats(allow_nan=False, allow_infinity=False)
words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
scales = st.builds(Scale, mean=numbers, spread=numbers)
specs = st.builds(
    ModelSpec,
    embedder=st.builds(
        EmbedderSpec,
        artifact=words,
        base_model=words,
        base_revision=words,
        dimensions=st.integers(1, 4000),
        max_length=st.integers(1, 8192),
        playlist_prompt=words,
        song_prompt=words,
    ),
    text_template=st.integers(1, 9),
    matching=st.builds(
        MatchSpec,
        weights=st.dictionaries(words, st.builds(SignalWeights, semantic=numbers, acoustic=numbers), max_size=2),
        signals=st.dictionaries(words, scales, max_size=2),
        features=st.dictionaries(words, scales, max_size=2),
    ),
    training=st.none()
    | st.builds(
        TrainingSpec,
        parent=words,
        dataset=words,
        configuration=st.dictionaries(words, st.none() | st.booleans() | st.integers() | words, max_size=3),
        code_revision=words,
        metrics=st.dictionaries(words, numbers, max_size=3),
    ),
)


def test_versions_are_numbered_from_one_and_listed_oldest_first(
    database: Database, add_version: Callable[..., ModelVersion]
) -> None:
    added = [add_version().version for _ in range(11)]
    assert added == [f"v{number}" for number in range(1, 12)]
    with database.transaction() as connection:
        assert [each.version for each in versions.list_all(connection)] == added


def test_many_that_register_at_once_get_one_number_each(
    database: Database, make_spec: Callable[..., ModelSpec]
) -> None:
    barrier = Barrier(6)

    def register(recipe: str) -> str:
        barrier.wait(timeout=10)
        with database.transaction() as connection:
            return versions.register(connection, make_spec(8), recipe=recipe, actor="tester").version

    with ThreadPoolExecutor(6) as pool:
        names = list(pool.map(register, [f"recipe {number}" for number in range(6)]))
    assert sorted(names) == [f"v{number}" for number in range(1, 7)]


def test_who_registers_meanwhile_waits_for_the_number_before(
    database: Database, make_spec: Callable[..., ModelSpec]
) -> None:
    def register_later() -> str:
        with database.transaction() as connection:
            return versions.register(connection, make_spec(8), recipe="second", actor="tester").version

    with ThreadPoolExecutor(1) as pool:
        with database.transaction() as connection:
            versions.register(connection, make_spec(8), recipe="first", actor="tester")
            later = pool.submit(register_later)
            with pytest.raises(TimeoutError):
                later.result(timeout=0.3)
        assert later.result(timeout=10) == "v2"


def test_a_registration_that_is_rolled_back_leaves_no_gap_and_no_trace(
    database: Database, make_spec: Callable[..., ModelSpec], add_version: Callable[..., ModelVersion]
) -> None:
    with pytest.raises(RuntimeError), database.transaction() as connection:
        versions.register(connection, make_spec(8), recipe="given up", actor="tester")
        raise RuntimeError
    assert add_version().version == "v1"
    with database.transaction() as connection:
        assert versions.find_recipe(connection, "given up") is None
        assert len(pointer.history(connection)) == 1


def test_a_new_version_is_only_registered_and_the_audit_log_says_by_whom(
    database: Database, make_spec: Callable[..., ModelSpec]
) -> None:
    with database.transaction() as connection:
        version = versions.register(connection, make_spec(8), recipe="first", actor="ada@machine")
        (entry,) = pointer.history(connection)
        present = pointer.read(connection)
    assert (version.stage, version.recipe) == (Stage.REGISTERED, "first")
    assert (entry.actor, entry.action, entry.version, entry.generation) == ("ada@machine", "register", "v1", 0)
    assert present.live is None


def test_what_is_registered_is_what_is_found(database: Database, make_spec: Callable[..., ModelSpec]) -> None:
    spec = make_spec(384).model_copy(
        update={
            "training": TrainingSpec(
                parent="v1",
                dataset="d" * 64,
                configuration={"epochs": 3, "rate": 2e-5, "hard": True, "note": None},
                code_revision="0.1.0",
                metrics={"mrr": 0.1 + 0.2},
            )
        }
    )
    with database.transaction() as connection:
        registered = versions.register(connection, spec, recipe="first", actor="tester")
        assert registered.spec == spec
        assert versions.get(connection, "v1") == registered
        assert versions.find_recipe(connection, "first") == registered
        assert versions.list_all(connection) == [registered]
        assert versions.find_recipe(connection, "second") is None


@given(specs)
def test_a_specification_survives_json(spec: ModelSpec) -> None:
    assert ModelSpec.model_validate_json(spec.model_dump_json()) == spec


def test_the_same_recipe_is_refused_and_nothing_is_registered(
    database: Database, make_spec: Callable[..., ModelSpec]
) -> None:
    with database.transaction() as connection:
        versions.register(connection, make_spec(8), recipe="first", actor="tester")
    with pytest.raises(Refused, match="already registered"), database.transaction() as connection:
        versions.register(connection, make_spec(16), recipe="first", actor="tester")
    with database.transaction() as connection:
        assert len(versions.list_all(connection)) == 1
        assert len(pointer.history(connection)) == 1


def test_of_two_that_register_one_recipe_at_once_one_is_refused(
    database: Database, make_spec: Callable[..., ModelSpec]
) -> None:
    barrier = Barrier(2)

    def register(_: int) -> str:
        barrier.wait(timeout=10)
        try:
            with database.transaction() as connection:
                return versions.register(connection, make_spec(8), recipe="first", actor="tester").version
        except Refused:
            return "refused"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(register, range(2))) == ["refused", "v1"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE model_versions SET spec = '{}'",
        "UPDATE model_versions SET spec = jsonb_set(spec, '{embedder,artifact}', '\"b\"')",
        "UPDATE model_versions SET version = 'v9'",
        "UPDATE model_versions SET recipe = 'another'",
        "UPDATE model_versions SET recipe = NULL, stage = 'embedding'",
        "UPDATE model_versions SET registered_at = now()",
        "DELETE FROM model_versions",
        "TRUNCATE model_versions CASCADE",
    ],
)
def test_postgres_itself_keeps_a_version_as_it_was_registered(
    database: Database, add_version: Callable[..., ModelVersion], statement: LiteralString
) -> None:
    version = add_version()
    with pytest.raises(Refused), database.transaction() as connection:
        connection.execute(statement)
    with database.transaction() as connection:
        assert versions.list_all(connection) == [version]


@pytest.mark.parametrize("name", ["v0", "v01", "1", "V1", "v1 ", "v", "v-1", "", "v1; DROP TABLE songs"])
def test_postgres_itself_refuses_a_version_of_another_name(database: Database, name: str) -> None:
    with pytest.raises(AutosortError), database.transaction() as connection:
        connection.execute("INSERT INTO model_versions (version, spec) VALUES (%s, %s)", [name, Jsonb({})])


def test_a_version_that_does_not_exist_is_missed_by_name_with_those_there_are(
    database: Database, add_version: Callable[..., ModelVersion]
) -> None:
    with pytest.raises(NotFound) as missing, database.transaction() as connection:
        versions.get(connection, "v3")
    assert "v3" in missing.value.fact
    assert "autosort retrain" in missing.value.remedy
    add_version()
    add_version()
    with pytest.raises(NotFound) as missing, database.transaction() as connection:
        versions.get(connection, "v3")
    assert "v1, v2" in missing.value.remedy


def test_a_version_moves_only_as_its_stage_allows(database: Database, add_version: Callable[..., ModelVersion]) -> None:
    add_version()
    with database.transaction() as connection:
        versions.move(connection, "v1", Stage.EMBEDDING)
    with pytest.raises(IllegalMove), database.transaction() as connection:
        versions.move(connection, "v1", Stage.LIVE)
    with pytest.raises(NotFound), database.transaction() as connection:
        versions.move(connection, "v2", Stage.EMBEDDING)
    with database.transaction() as connection:
        assert versions.get(connection, "v1").stage is Stage.EMBEDDING


def test_of_two_that_move_a_version_at_once_one_is_refused(
    database: Database, add_version: Callable[..., ModelVersion]
) -> None:
    add_version()
    barrier = Barrier(2)

    def move(_: int) -> str:
        barrier.wait(timeout=10)
        try:
            with database.transaction() as connection:
                versions.move(connection, "v1", Stage.EMBEDDING)
        except IllegalMove:
            return "refused"
        return "moved"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(move, range(2))) == ["moved", "refused"]


def test_evaluations_are_kept_by_version_and_dataset_and_the_latest_counts(
    database: Database, add_version: Callable[..., ModelVersion]
) -> None:
    first, second = add_version().version, add_version().version
    report = {"n": 727, "top1": 0.1 + 0.2, "regimes": {"unseen_song": {"mrr": None}}, "genres": ["rap", "pop"]}
    with database.transaction() as connection:
        versions.save_evaluation(connection, first, "dataset", {"n": 1}, {})
        versions.save_evaluation(connection, first, "dataset", report, {})
        versions.save_evaluation(connection, second, "dataset", {"n": 2}, {})
    with database.transaction() as connection:
        assert versions.find_evaluation(connection, first, "dataset") == report
        assert versions.find_evaluation(connection, second, "dataset") == {"n": 2}
        assert versions.find_evaluation(connection, first, "another dataset") is None


def test_an_evaluation_of_no_version_is_not_kept(database: Database) -> None:
    with pytest.raises(AutosortError), database.transaction() as connection:
        versions.save_evaluation(connection, "v1", "dataset", {"n": 1}, {})
