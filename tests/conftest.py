"""Real things for tests: a Postgres with pgvector, a database of its own for each test, the bundled model."""

import atexit
import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import LiteralString

import hypothesis
import psycopg
import pytest
from filelock import FileLock
from psycopg import sql

from benchmarks.e5_shape import SHRUNKEN, make_e5
from lifecycle.importing import import_file
from lifecycle.parallel.replay import replay_recent
from lifecycle.progress import Silent
from lifecycle.retrain import retrain
from lifecycle.sample.library import generate_library, write_jsonl
from lifecycle.workspace import Workspace
from registry.artifacts import ArtifactStore
from registry.database import Database, migrate_database, open_database
from registry.embedded import start_embedded_postgres
from registry.settings import RegistrySettings
from tests.support.trainings import SHORT

hypothesis.settings.register_profile("tests", deadline=None)  # machines are shared, and nothing here is about time
hypothesis.settings.load_profile("tests")

_numbers = itertools.count(1)

SHARED_FOLDER = "AUTOSORT_TESTS_SHARED_FOLDER"
SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put modules that need the trained library last: one process makes it while another has something else to do."""
    needing = {item.path for item in items if "trained_template" in getattr(item, "fixturenames", ())}
    items.sort(key=lambda item: item.path in needing)


@pytest.fixture(scope="session", autouse=True)
def _environment() -> Iterator[None]:
    """No test may touch the user's own home or database; what tests start must find neither."""
    with pytest.MonkeyPatch.context() as patch:
        names = [name for name in os.environ if name.startswith(("AUTOSORT_", "WANDB_")) and name != SHARED_FOLDER]
        for name in names:
            patch.delenv(name)
        patch.setenv("AUTOSORT_TRACKING", "off")  # but for what is about tracking
        patch.delenv("DATABASE_URL", raising=False)
        patch.setenv("TOKENIZERS_PARALLELISM", "false")
        yield


def pytest_configure(config: pytest.Config) -> None:
    """Make the folder that all processes of this run share; the first process hands it to the others."""
    if not hasattr(config, "workerinput"):
        # Not one of pytest's own: those become unreadable to Postgres' user when another run of root's starts.
        os.environ[SHARED_FOLDER] = tempfile.mkdtemp(prefix="autosort-tests-")
        # Registered first, so done last: after the server in it has been stopped.
        atexit.register(shutil.rmtree, os.environ[SHARED_FOLDER], ignore_errors=True)


@pytest.fixture(scope="session")
def shared_folder() -> Path:
    """A folder that all processes of one test run share."""
    return Path(os.environ[SHARED_FOLDER])


@pytest.fixture(scope="session")
def postgres(shared_folder: Path) -> str:
    """URL of an embedded Postgres that all processes of one test run share.

    It does not wait for the disk: to make and drop a database for each test takes a tenth of the time, and what a
    crash of the machine would lose is nobody's.
    """
    url = start_embedded_postgres(shared_folder / "postgres")
    with psycopg.connect(url, autocommit=True) as connection:
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            connection.execute(sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(setting)))
        connection.execute("SELECT pg_reload_conf()")
    return url


@pytest.fixture(scope="session")
def clone(postgres: str) -> Callable[[str], str]:
    """Clone a database: the URL of a new one that holds what the template holds."""

    def make(template: str) -> str:
        name = f"test_{os.getpid()}_{next(_numbers)}"
        _administer(postgres, "CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY", name, template)
        return postgres.replace("/postgres?", f"/{name}?")

    return make


@pytest.fixture(scope="session")
def migrated(clone: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """Name of a database with the schema and nothing else, to be cloned."""
    url = clone("template0")
    migrate_database(_settings(tmp_path_factory.mktemp("migrated"), url))
    return _name(url)


@pytest.fixture
def settings(tmp_path: Path, postgres: str, clone: Callable[[str], str], migrated: str) -> Iterator[RegistrySettings]:
    """Settings of a home and a database of the test's own, migrated and empty."""
    url = clone(migrated)
    yield _settings(tmp_path / "home", url)
    _administer(postgres, "DROP DATABASE {} WITH (FORCE)", _name(url))


@pytest.fixture
def database(settings: RegistrySettings) -> Iterator[Database]:
    """A database of the test's own, migrated and empty."""
    with open_database(settings) as opened:
        yield opened


@pytest.fixture
def workspace(settings: RegistrySettings, database: Database) -> Workspace:
    """A workspace of the test's own over an empty database."""
    return Workspace(database, ArtifactStore(settings.artifacts_folder), settings)


@pytest.fixture(scope="session")
def small_library(shared_folder: Path) -> Path:
    """A made-up library of 160 songs as JSONL."""
    path = shared_folder / "small.jsonl"
    with FileLock(path.with_suffix(".lock")):
        if not path.exists():
            write_jsonl(generate_library(songs=160), path)
    return path


@pytest.fixture(scope="session")
def shrunken_e5(shared_folder: Path) -> Path:
    """A model of e5's own architecture and tokenizer, shrunken; the encoder alone is in `encoder` beside it."""
    folder = shared_folder / "e5"
    with FileLock(folder.with_suffix(".lock")):
        if not folder.exists():
            make_e5(folder, SHRUNKEN)
    return folder / "model"


@pytest.fixture(scope="session")
def trained_template(
    clone: Callable[[str], str], migrated: str, small_library: Path, shared_folder: Path
) -> RegistrySettings:
    """A home and a database with the small library, v1 live and v2 trained, ready and compared: to be copied.

    Made by whichever test process comes first.
    """
    home, url_file = shared_folder / "trained", shared_folder / "trained.url"
    with FileLock(shared_folder / "trained.lock"):
        if not url_file.exists():
            url = clone(migrated)
            _train_into(_settings(home, url), small_library)
            url_file.write_text(url)
    return _settings(home, url_file.read_text())


@pytest.fixture
def trained_settings(
    trained_template: RegistrySettings, postgres: str, clone: Callable[[str], str], tmp_path: Path
) -> Iterator[RegistrySettings]:
    """Settings of a copy, the test's own, of the trained home and database."""
    home = tmp_path / "trained"
    for folder in ("artifacts", "datasets"):
        _link_tree(trained_template.home / folder, home / folder)
    assert trained_template.database_url is not None
    url = clone(_name(trained_template.database_url.get_secret_value()))
    yield _settings(home, url)
    _administer(postgres, "DROP DATABASE {} WITH (FORCE)", _name(url))


@pytest.fixture
def trained(trained_settings: RegistrySettings) -> Iterator[Workspace]:
    """A workspace of the test's own with the small library, v1 live and v2 ready."""
    with open_database(trained_settings) as database:
        yield Workspace(database, ArtifactStore(trained_settings.artifacts_folder), trained_settings)


@pytest.fixture
def shared_data() -> Path:
    """The folder of real data beside the checkout."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"real data is kept beside the project, and {SHARED_DATA} is not there")
    return SHARED_DATA


def _train_into(settings: RegistrySettings, library: Path) -> None:
    with open_database(settings) as database:
        workspace = Workspace(database, ArtifactStore(settings.artifacts_folder), settings)
        import_file(workspace, library)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AUTOSORT_TRACKING", "auto")
            trained = retrain(workspace, SHORT, Silent())
        replay_recent(workspace, trained.version.version, 200, Silent())


def _administer(url: str, statement: LiteralString, *names: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def _link_tree(source: Path, target: Path) -> None:
    """Copy a tree by hard links: models are large and tests only read them, or replace them whole."""
    for path in source.rglob("*"):
        copy = target / path.relative_to(source)
        if path.is_dir():
            copy.mkdir(parents=True, exist_ok=True)
        else:
            copy.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, copy)


def _settings(home: Path, url: str) -> RegistrySettings:
    return RegistrySettings.model_validate({"AUTOSORT_HOME": home, "DATABASE_URL": url})


def _name(url: str) -> str:
    return url.split("?", maxsplit=1)[0].rsplit("/", 1)[1]
