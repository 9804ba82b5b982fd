"""Keys: shown once, kept as digests, revoked for good."""

from typing import LiteralString

import pytest

from registry import api_keys
from registry.api_keys import Role
from registry.database import Database
from registry.errors import BadInput, NotFound, Refused


def add(database: Database, name: str = "app", role: Role = Role.READ) -> str:
    with database.transaction() as connection:
        return api_keys.add(connection, name, role, actor="ada")[1]


def revoke(database: Database, name: str = "app") -> bool:
    with database.transaction() as connection:
        return api_keys.revoke(connection, name, actor="eve")


def known(database: Database) -> list[tuple[str, Role, str, str | None]]:
    with database.transaction() as connection:
        return [(each.name, each.role, each.created_by, each.revoked_by) for each in api_keys.list_all(connection)]


def test_a_key_is_recognisable_and_no_two_are_alike(database: Database) -> None:
    keys = {add(database, f"app-{number}") for number in range(3)}
    assert len(keys) == 3
    assert all(key.startswith("autosort_") and len(key) == len("autosort_") + 64 for key in keys)


def test_of_a_key_only_the_digest_is_kept(database: Database) -> None:
    key = add(database)
    with database.transaction() as connection:
        (kept,) = api_keys.list_all(connection)
        (row,) = connection.execute("SELECT api_keys::text AS whole FROM api_keys").fetchall()
    assert kept.digest == api_keys.digest_of(key)
    assert key not in row["whole"]
    assert key.removeprefix("autosort_") not in row["whole"]


def test_who_made_and_who_revoked_a_key_is_known(database: Database) -> None:
    add(database, "app", Role.READ)
    add(database, "job", Role.ADMIN)
    assert revoke(database, "app")
    assert known(database) == [("app", Role.READ, "ada", "eve"), ("job", Role.ADMIN, "ada", None)]


def test_revoking_twice_changes_nothing(database: Database) -> None:
    add(database)
    assert (revoke(database), revoke(database)) == (True, False)


def test_a_key_that_does_not_exist_is_not_found(database: Database) -> None:
    with pytest.raises(NotFound, match="keys list"):
        revoke(database, "nobody")


def test_a_name_is_given_once_even_after_its_key_was_revoked(database: Database) -> None:
    add(database)
    revoke(database)
    with pytest.raises(BadInput, match="another name"):
        add(database)


def test_a_name_that_would_confuse_a_log_is_refused(database: Database) -> None:
    for name in ("", "-a", "a b", "a\n", "ü", "a" * 65, "a\x00"):
        with pytest.raises(BadInput, match="name a key"):
            add(database, name)
    assert known(database) == []


_STATEMENTS: tuple[LiteralString, ...] = (
    "DELETE FROM api_keys",
    "TRUNCATE api_keys",
    "UPDATE api_keys SET role = 'admin'",
    "UPDATE api_keys SET digest = sha256('mine')",
    "UPDATE api_keys SET revoked_at = NULL, revoked_by = NULL",
)


def test_postgres_itself_keeps_what_was_given_to_whom(database: Database) -> None:
    add(database)
    revoke(database)
    before = known(database)
    for statement in _STATEMENTS:
        with pytest.raises(Refused, match="never changes"), database.transaction() as connection:
            connection.execute(statement)
    assert known(database) == before


@pytest.mark.parametrize(
    ("role", "may"), [(Role.READ, "read"), (Role.WRITE, "read write"), (Role.ADMIN, "read write admin")]
)
def test_each_role_may_what_those_before_it_may(role: Role, may: str) -> None:
    assert " ".join(each for each in Role if role.includes(each)) == may
