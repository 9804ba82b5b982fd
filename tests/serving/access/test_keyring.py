"""Who is let in: by the keys there are, and while they cannot be looked at."""

import time
from collections.abc import Callable

import psycopg
import pytest

from registry import api_keys
from registry.api_keys import Role
from registry.database import Database
from registry.errors import Refused
from registry.settings import RegistrySettings
from serving.access.exposure import check_exposure
from serving.access.keyring import Caller, Keyring
from serving.settings import Auth


def add(database: Database, name: str = "app", role: Role = Role.READ) -> bytes:
    with database.transaction() as connection:
        return api_keys.add(connection, name, role, actor="ada")[1].encode()


def revoke(database: Database, name: str = "app") -> None:
    with database.transaction() as connection:
        api_keys.revoke(connection, name, actor="ada")


def looked(database: Database, auth: Auth = "auto") -> Keyring:
    keyring = Keyring(database, auth)
    keyring.look()
    return keyring


def test_a_key_tells_who_asks(database: Database) -> None:
    keys = [add(database, f"app-{number}", role) for number, role in enumerate(Role)]
    keyring = looked(database)
    assert [keyring.caller(key) for key in keys] == [Caller(f"app-{n}", role) for n, role in enumerate(Role)]


def test_nothing_else_does(database: Database) -> None:
    key = add(database)
    keyring = looked(database)
    for shown in (b"", key[:-1], key + b"0", key.upper(), b" " + key, key * 10, b"autosort_", bytes(64)):
        assert keyring.caller(shown) is None, shown


def test_keys_are_demanded_as_soon_as_there_is_one_unless_it_is_settled_otherwise(database: Database) -> None:
    expected: list[tuple[Auth, bool, bool]] = [("auto", False, True), ("required", True, True), ("off", False, False)]
    keyrings = {auth: looked(database, auth) for auth, _, _ in expected}
    before = {auth: keyring.demands_key for auth, keyring in keyrings.items()}
    add(database)
    for keyring in keyrings.values():
        keyring.look()
    assert [(auth, before[auth], keyrings[auth].demands_key) for auth, _, _ in expected] == expected


def test_revoking_the_last_key_opens_no_door(database: Database) -> None:
    key = add(database)
    keyring = looked(database)
    revoke(database)
    keyring.look()
    assert keyring.caller(key) is None
    assert keyring.demands_key


def test_while_the_database_is_away_the_keys_that_were_held_go_on(
    settings: RegistrySettings, database: Database, postgres: str
) -> None:
    key = add(database)
    keyring = looked(database)
    assert settings.database_url is not None
    name = settings.database_url.get_secret_value().split("?", maxsplit=1)[0].rsplit("/", 1)[1]
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        keyring._database._pool.timeout = 0.2
        keyring.look()
        assert keyring.caller(key) == Caller("app", Role.READ)
        never_looked = Keyring(database, "auto")
        never_looked.look()
        assert never_looked.demands_key
        connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')


def test_the_keyring_follows_by_itself(database: Database) -> None:
    keyring = Keyring(database, "auto")
    keyring.start()
    try:
        key = add(database)
        assert _eventually(lambda: keyring.caller(key) is not None)
        revoke(database)
        assert _eventually(lambda: keyring.caller(key) is None)
    finally:
        keyring.stop()


def test_a_service_that_others_can_reach_is_not_begun_without_a_key(database: Database) -> None:
    for host in ("0.0.0.0", "::", "192.0.2.7", "example.org"):  # noqa: S104
        for auth in ("auto", "required"):
            with pytest.raises(Refused, match="autosort keys add"):
                check_exposure(database, host, auth)
        check_exposure(database, host, "off")
    for host in ("127.0.0.1", "localhost", "::1", "[::1]", "127.8.8.8"):
        check_exposure(database, host, "auto")
    add(database)
    check_exposure(database, "example.org", "auto")
    revoke(database)
    with pytest.raises(Refused):
        check_exposure(database, "example.org", "auto")


def _eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 5
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()
