"""The app, deployed to a stand-in for Modal whose containers have no network."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.settings import RegistrySettings
from tests.support.command_line import CommandLine, environment
from tests.support.minimodal import ControlPlane, running_minimodal, why_not


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[ControlPlane]:
    """A stand-in of the test's own, with the app deployed."""
    if reason := why_not():
        pytest.skip(reason)
    with running_minimodal(tmp_path / "plane", network=False) as plane:
        plane.run("deploy", "modal_jobs/app.py")
        yield plane


@pytest.fixture
def autosort(settings: RegistrySettings, plane: ControlPlane) -> Iterator[CommandLine]:
    """The command line over an empty database, its heavy work done there."""
    assert settings.database_url is not None
    line = CommandLine(
        environment(
            AUTOSORT_HOME=str(settings.home),
            DATABASE_URL=settings.database_url.get_secret_value(),
            AUTOSORT_COMPUTE="modal",
            AUTOSORT_TRACKING="off",
            **plane.environment,
        )
    )
    yield line
    for process in line.started:
        if process.poll() is None:
            process.kill()
            process.communicate()
