"""A small library that is served, copied for each test; the bundled model, loaded once."""

import itertools
import subprocess
import sys
from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg import sql

from lifecycle.base_version import ensure_base_version
from lifecycle.progress import Silent
from lifecycle.reconcile import playlists, songs
from lifecycle.workspace import Workspace
from registry import versions
from registry.artifacts import ArtifactStore
from registry.database import open_database
from registry.settings import RegistrySettings
from registry.versions import EmbedderSpec
from serving.inference.encoder import Encoder
from tests.lifecycle.reconcile.helpers import AddVersion, Record, add, member, playlist, song

SONGS, PLAYLISTS = 12, 3

LoadEncoder = Callable[..., Encoder]


@pytest.fixture(scope="session")
def served_template(
    clone: Callable[[str], str], migrated: str, tmp_path_factory: pytest.TempPathFactory
) -> RegistrySettings:
    """Twelve songs, three playlists of four songs, v1 live: to be copied, never touched."""
    home, url = tmp_path_factory.mktemp("served"), clone(migrated)
    settings = RegistrySettings.model_validate({"AUTOSORT_HOME": home, "DATABASE_URL": url})
    records: list[Record] = [song(number) for number in range(SONGS)]
    records += [playlist(number) for number in range(PLAYLISTS)]
    records += [member(number, number % PLAYLISTS) for number in range(SONGS)]
    with open_database(settings) as database:
        workspace = Workspace(database, ArtifactStore(settings.artifacts_folder), settings)
        add(workspace, home, *records)
        ensure_base_version(workspace, Silent())
    return settings


@pytest.fixture
def served_settings(
    served_template: RegistrySettings, clone: Callable[[str], str], postgres: str
) -> Iterator[RegistrySettings]:
    """Settings of a copy, the test's own, of the served database; the artifacts are shared, and only read."""
    assert served_template.database_url is not None
    url = clone(_name(served_template.database_url.get_secret_value()))
    yield RegistrySettings.model_validate({"AUTOSORT_HOME": served_template.home, "DATABASE_URL": url})
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(_name(url))))


@pytest.fixture
def served(served_settings: RegistrySettings, one_model: None) -> Iterator[Workspace]:  # noqa: ARG001
    """A workspace of the test's own: twelve songs, three playlists of four songs, v1 live."""
    with open_database(served_settings) as database:
        yield Workspace(database, ArtifactStore(served_settings.artifacts_folder), served_settings)


@pytest.fixture(scope="session")
def load_once() -> LoadEncoder:
    """Load the real encoder, once for each precision of a model."""
    loaded: dict[tuple[str, str], Encoder] = {}

    def load(workspace: Workspace, spec: EmbedderSpec, *, precision: str = "fp32") -> Encoder:
        key = spec.artifact, precision
        if key not in loaded:
            loaded[key] = Encoder.load(workspace.artifacts, spec, device="cpu", precision=precision)
        return loaded[key]

    return load


@pytest.fixture
def one_model(load_once: LoadEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare each test the loading; what is loaded is the real model."""
    monkeypatch.setattr(Workspace, "load_encoder", load_once)


@pytest.fixture(scope="session")
def encoder(served_template: RegistrySettings, load_once: LoadEncoder) -> Encoder:
    """The encoder of v1."""
    with open_database(served_template) as database:
        workspace = Workspace(database, ArtifactStore(served_template.artifacts_folder), served_template)
        with database.transaction() as connection:
            spec = versions.get(connection, "v1").spec.embedder
        return load_once(workspace, spec)


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[[Encoder], None]:
    """Let every version be embedded by this encoder."""

    def used(encoder: Encoder) -> None:
        monkeypatch.setattr(Workspace, "load_encoder", lambda *_, **__: encoder)

    return used


@pytest.fixture
def add_version(served: Workspace) -> AddVersion:
    """Register another version with the model of v1: nothing is embedded for it yet."""
    recipes = itertools.count(1)

    def added() -> str:
        with served.database.transaction() as connection:
            spec = versions.get(connection, "v1").spec
            return versions.register(connection, spec, recipe=f"recipe {next(recipes)}", actor="tester").version

    return added


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with a catalogue that is many times larger than what is worked on at once."""
    monkeypatch.setattr(songs, "_MOST_SONGS", 7)
    monkeypatch.setattr(songs, "_FEWEST_SONGS", 3)
    monkeypatch.setattr(songs, "_WRITE_ROWS", 5)
    monkeypatch.setattr(playlists, "_PAGE", 2)


@pytest.fixture
def dead_process() -> int:
    """The id of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def _name(url: str) -> str:
    return url.partition("?")[0].rpartition("/")[2]
