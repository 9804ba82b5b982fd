"""`autosort` over a database and a home of the test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.settings import RegistrySettings
from tests.support.command_line import CommandLine, environment


def _of_settings(settings: RegistrySettings) -> dict[str, str]:
    assert settings.database_url is not None
    return environment(AUTOSORT_HOME=str(settings.home), DATABASE_URL=settings.database_url.get_secret_value())


@pytest.fixture
def autosort(settings: RegistrySettings) -> Iterator[CommandLine]:
    """The command line over an empty database."""
    yield from _ended(CommandLine(_of_settings(settings)))


@pytest.fixture
def trained_autosort(trained_settings: RegistrySettings) -> Iterator[CommandLine]:
    """The command line where v1 is live and v2 is ready."""
    yield from _ended(CommandLine(_of_settings(trained_settings)))


@pytest.fixture
def embedded_autosort(tmp_path: Path) -> Iterator[CommandLine]:
    """The command line on a fresh machine: an empty home and no DATABASE_URL."""
    yield from _ended(CommandLine(environment(AUTOSORT_HOME=str(tmp_path / "home"))))


def _ended(line: CommandLine) -> Iterator[CommandLine]:
    yield line
    for process in line.started:
        if process.poll() is None:
            process.kill()
            process.communicate()
