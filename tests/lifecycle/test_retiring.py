"""Retiring: what is needed stays, what is not goes at once, and whatever interrupts it, the same command goes on."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from lifecycle.retiring import pin, retire, unpin
from lifecycle.status import read_status
from lifecycle.workspace import Workspace
from registry import pointer, servers, versions
from registry.errors import DatabaseBusy, NotFound, PointerMoved, Refused
from registry.pointer import AuditEntry
from registry.servers import Standing
from registry.stages import Stage
from registry.vectors import removal
from tests.support.command_line import CommandLine, environment
from tests.support.random_vectors import add_songs, make_live, make_ready
from tests.support.trained_versions import register_base, register_trained


@dataclass(frozen=True)
class Registry:
    """v1, the base, retained; v2 previous; v3 live; v4, with a reranker, the candidate. All are whole."""

    workspace: Workspace

    @property
    def live(self) -> str | None:
        with self.workspace.database.transaction() as connection:
            return pointer.read(connection).live

    def stage(self, name: str) -> Stage:
        with self.workspace.database.transaction() as connection:
            return versions.get(connection, name).stage

    def artifact(self, name: str) -> Path:
        with self.workspace.database.transaction() as connection:
            spec = versions.get(connection, name).spec
        return self.workspace.settings.artifacts_folder / spec.embedder.artifact

    def reranker(self, name: str) -> Path:
        with self.workspace.database.transaction() as connection:
            spec = versions.get(connection, name).spec
        assert spec.reranker is not None
        return self.workspace.settings.artifacts_folder / spec.reranker.artifact

    def tables(self, name: str) -> int:
        query = "SELECT count(*) AS n FROM pg_class WHERE relname LIKE %s AND relkind = 'r'"
        with self.workspace.database.transaction() as connection:
            row = connection.execute(query, [f"%\\_vectors\\_384\\_{name}"]).fetchone()
        return int((row or {})["n"])

    def last_act(self) -> AuditEntry:
        with self.workspace.database.transaction() as connection:
            return pointer.history(connection, limit=1)[0]

    def acts(self, *actions: str) -> list[AuditEntry]:
        with self.workspace.database.transaction() as connection:
            return [each for each in pointer.history(connection, limit=100) if each.action in actions]

    def say(self, server: str, version: str | None) -> None:
        with self.workspace.database.transaction() as connection:
            servers.beat(connection, server, Standing(version, 1))

    def untouched(self, name: str) -> bool:
        """Whether a version has lost nothing."""
        whole = self.tables(name) == 2 and self.artifact(name).is_dir()
        return whole and self.stage(name) not in {Stage.RETIRED, Stage.REJECTED}


@pytest.fixture
def registry(workspace: Workspace) -> Registry:
    add_songs(workspace.database, 20)
    names = [register_base(workspace)]
    names += [register_trained(workspace, each, reranker=each == "fourth").version for each in ("b", "c", "fourth")]
    for name in names:
        make_ready(workspace.database, name)
    for name in names[:3]:
        make_live(workspace.database, name)
    with workspace.database.transaction() as connection:
        pointer.set_candidate(connection, "v4")
    return Registry(workspace)


def damage(folder: Path) -> Callable[[], object]:
    """Change a file of an artifact; return what mends it."""
    file = folder / "config.json"
    before = file.read_bytes()
    file.write_bytes(b"changed")
    return lambda: file.write_bytes(before)


# What goes and what stays ---------------------------------------------------------------------------------------------


def test_a_version_that_never_served_is_rejected_and_all_of_it_but_its_record_goes(registry: Registry) -> None:
    model, reranker = registry.artifact("v4"), registry.reranker("v4")
    assert (model.is_dir(), reranker.is_dir(), registry.tables("v4")) == (True, True, 2)
    assert retire(registry.workspace, "v4", reason="worse on jazz") is Stage.REJECTED
    assert registry.stage("v4") is Stage.REJECTED
    assert (model.exists(), reranker.exists(), registry.tables("v4")) == (False, False, 0)
    act = registry.last_act()
    assert (act.action, act.version, act.reason, act.generation) == ("reject", "v4", "worse on jazz", 3)
    with registry.workspace.database.transaction() as connection:
        assert pointer.read(connection).candidate is None
    assert all(registry.untouched(name) for name in ("v1", "v2", "v3"))


def test_a_version_that_served_is_retired_and_the_model_that_others_came_from_stays(registry: Registry) -> None:
    assert retire(registry.workspace, "v1") is Stage.RETIRED
    assert (registry.tables("v1"), registry.artifact("v1").is_dir()) == (0, True)
    assert registry.last_act().action == "retire"


def test_a_model_that_two_versions_share_goes_with_the_second(registry: Registry) -> None:
    with registry.workspace.database.transaction() as connection:
        spec = versions.get(connection, "v3").spec
        twin = versions.register(connection, spec, recipe="another", actor="tester").version
    retire(registry.workspace, twin)
    assert registry.artifact("v3").is_dir()
    for name in ("v2", "v4"):
        make_live(registry.workspace.database, name)
    retire(registry.workspace, "v3")
    assert not registry.artifact("v3").exists()


def test_retiring_again_changes_nothing(registry: Registry) -> None:
    retire(registry.workspace, "v4")
    assert retire(registry.workspace, "v4") is Stage.REJECTED
    assert len(registry.acts("reject", "retire")) == 1


def test_a_version_that_does_not_exist_is_named(registry: Registry) -> None:
    with pytest.raises(NotFound, match="v7"):
        retire(registry.workspace, "v7")


# What is needed -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "why"), [("v3", "v3 is live"), ("v2", "a rollback from v3 goes to")])
def test_what_is_live_or_would_be_next_is_refused(registry: Registry, name: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        retire(registry.workspace, name)
    assert registry.untouched(name)
    assert registry.acts("reject", "retire") == []


def test_what_is_pinned_is_refused_with_who_when_and_why_until_it_is_unpinned(registry: Registry) -> None:
    pin(registry.workspace, "v4", reason="the audit of May")
    with pytest.raises(Refused) as refused:
        retire(registry.workspace, "v4")
    act = registry.last_act()
    assert act.action == "pin"
    for told in (act.actor, f"{act.at:%Y-%m-%d %H:%M}", "the audit of May"):
        assert told in refused.value.fact
    assert "autosort unpin v4" in refused.value.remedy
    assert registry.untouched("v4")
    assert unpin(registry.workspace, "v4")
    assert retire(registry.workspace, "v4") is Stage.REJECTED


def test_what_a_server_answers_with_is_refused_and_the_server_named(registry: Registry) -> None:
    registry.say("web-1", "v1")
    registry.say("web-2", "v3")
    with pytest.raises(Refused) as refused:
        retire(registry.workspace, "v1")
    assert "web-1" in refused.value.fact
    assert refused.value.details == {"servers": ["web-1"]}
    assert registry.untouched("v1")
    registry.say("web-1", "v3")
    assert retire(registry.workspace, "v1") is Stage.RETIRED


def test_a_server_that_was_killed_does_not_hold_a_version_for_long(registry: Registry) -> None:
    registry.say("web-1", "v1")
    with registry.workspace.database.transaction() as connection:
        connection.execute("UPDATE servers SET seen_at = seen_at - interval '11 seconds'")
    assert retire(registry.workspace, "v1") is Stage.RETIRED


def test_a_server_that_takes_a_version_up_meanwhile_is_seen(registry: Registry) -> None:
    """Its heartbeat is written but not committed when the checks begin."""
    with ThreadPoolExecutor(1) as pool:
        with registry.workspace.database.transaction() as connection:
            servers.beat(connection, "web-1", Standing("v1", 1))
            retiring = pool.submit(retire, registry.workspace, "v1")
            time.sleep(1)
            assert not retiring.done()
        with pytest.raises(Refused, match="web-1"):
            retiring.result(timeout=10)
    assert registry.untouched("v1")


@pytest.mark.parametrize(("age", "refused"), [("20 seconds", True), ("31 seconds", False)])
def test_what_is_being_embedded_is_refused_and_the_worker_named(registry: Registry, age: str, *, refused: bool) -> None:
    query = (
        "INSERT INTO embedding_workers (worker, version, machine, process, seen_at) "
        "VALUES ('gpu-7', 'v4', 'gpu', 7, now() - %s::interval)"
    )
    with registry.workspace.database.transaction() as connection:
        connection.execute(query, [age])
    if not refused:
        assert retire(registry.workspace, "v4") is Stage.REJECTED
        return
    with pytest.raises(Refused, match="embedded by gpu-7"):
        retire(registry.workspace, "v4")
    assert registry.untouched("v4")
    assert retire(registry.workspace, "v1") is Stage.RETIRED  # another version's worker is no obstacle


# The good copy --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "role"), [("v3", "live"), ("v2", "previous")])
def test_nothing_is_given_up_while_the_model_of_what_is_left_is_damaged(
    registry: Registry, name: str, role: str
) -> None:
    mend = damage(registry.artifact(name))
    with pytest.raises(Refused) as refused:
        retire(registry.workspace, "v4")
    assert f"{name}, the {role} version," in refused.value.fact
    assert "digest" in refused.value.fact
    assert "backup" in refused.value.remedy
    assert registry.untouched("v4")
    mend()
    assert retire(registry.workspace, "v4") is Stage.REJECTED


def test_an_emotion_model_goes_with_the_last_version_that_has_it(registry: Registry) -> None:
    files = {"model.safetensors": b"emotions of both"}
    names = [register_trained(registry.workspace, each, emotions=files).version for each in ("fifth", "sixth")]
    with registry.workspace.database.transaction() as connection:
        specs = [versions.get(connection, name).spec.emotions for name in names]
    assert specs[0] == specs[1] is not None
    folder = registry.workspace.settings.artifacts_folder / specs[1].artifact
    retire(registry.workspace, names[0])
    assert folder.is_dir()
    retire(registry.workspace, names[1])
    assert not folder.exists()


def test_a_damaged_reranker_of_what_is_left_counts_too(registry: Registry) -> None:
    make_live(registry.workspace.database, "v4")
    damage(registry.reranker("v4"))
    with pytest.raises(Refused, match="v4, the live version"):
        retire(registry.workspace, "v1")
    assert registry.untouched("v1")


def test_a_damaged_version_can_be_given_up(registry: Registry) -> None:
    damage(registry.artifact("v4"))
    assert retire(registry.workspace, "v4") is Stage.REJECTED
    assert not registry.artifact("v4").exists()


def test_a_pointer_that_moves_after_the_check_is_told(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    verified = registry.workspace.artifacts.verified

    def slow(digest: str) -> Path:
        if registry.live == "v3":
            make_live(registry.workspace.database, "v2")
        return verified(digest)

    monkeypatch.setattr(registry.workspace.artifacts, "verified", slow)
    with pytest.raises(PointerMoved, match="v2 became live"):
        retire(registry.workspace, "v4")
    assert registry.untouched("v4")


# Interrupted ----------------------------------------------------------------------------------------------------------


def test_a_long_reader_is_told_of_and_the_same_goes_on(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removal, "_PATIENCE_SECONDS", 0.5)
    with registry.workspace.database.transaction() as reader:
        reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        reader.execute("SELECT count(*) FROM song_vectors_384 WHERE model_version = 'v3'")
        with pytest.raises(DatabaseBusy, match=str(reader.info.backend_pid)):
            retire(registry.workspace, "v4")
        assert registry.stage("v4") is Stage.REJECTED
        assert registry.artifact("v4").is_dir()  # it goes last
    damage(registry.artifact("v3"))  # what was given up is not asked about again
    assert retire(registry.workspace, "v4") is Stage.REJECTED
    assert (registry.tables("v4"), registry.artifact("v4").exists()) == (0, False)
    assert len(registry.acts("reject")) == 1


@pytest.fixture
def autosort(registry: Registry) -> Iterator[CommandLine]:
    url = registry.workspace.settings.database_url
    assert url is not None
    home = str(registry.workspace.settings.home)
    commands = CommandLine(environment(AUTOSORT_HOME=home, DATABASE_URL=url.get_secret_value()))
    yield commands
    for process in commands.started:
        process.kill()
        process.communicate()


def test_killed_at_any_step_the_same_command_goes_on(registry: Registry, autosort: CommandLine) -> None:
    steps: list[tuple[str, Callable[[], bool]]] = [
        ("v4", lambda: registry.stage("v4") is Stage.REJECTED),
        ("v1", lambda: registry.tables("v1") < 2),
    ]
    for name, moment in steps:
        autosort.kill_once(moment, "retire", name)
        done = autosort.run("retire", name).document
        assert done == {"version": name, "stage": str(registry.stage(name))}
        assert registry.tables(name) == 0
    assert not registry.artifact("v4").exists()
    assert sorted((each.action, each.version) for each in registry.acts("retire", "reject")) == [
        ("reject", "v4"),
        ("retire", "v1"),
    ]
    assert all(registry.untouched(name) for name in ("v2", "v3"))


# What is shown --------------------------------------------------------------------------------------------------------


def test_the_status_tells_of_pins_and_servers(registry: Registry) -> None:
    pin(registry.workspace, "v2", reason="the audit of May")
    registry.say("web-1", "v3")
    registry.say("web-2", None)
    status = read_status(registry.workspace)
    assert [each["pinned"] for each in status["versions"]] == [None, "the audit of May", None, None]
    assert [(each["server"], each["version"], each["generation"]) for each in status["servers"]] == [
        ("web-1", "v3", 1),
        ("web-2", None, 1),
    ]


def test_the_commands_that_pin_and_unpin(registry: Registry, autosort: CommandLine) -> None:
    assert autosort.run("pin", "v4", "--reason", "jazz").document == {"version": "v4", "pinned": "jazz"}
    assert autosort.run("retire", "v4", code=1).document["error"] == "Refused"
    shown = autosort.show("status").stdout
    assert "jazz" in shown
    again = {"version": "v4", "pinned": None, "changed": True}
    assert autosort.run("unpin", "v4", "--reason", "done").document == again
    assert autosort.run("unpin", "v4").document == {**again, "changed": False}
    assert "not pinned" in autosort.show("unpin", "v4").stdout
    assert [each.reason for each in registry.acts("unpin")] == ["done"]
    process = autosort.start("pin", "v4")
    process.communicate()
    assert process.returncode == 2
