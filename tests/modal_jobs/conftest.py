"""The app, deployed to a stand-in for Modal whose containers have no network; a database they reach by its socket."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from registry.settings import RegistrySettings
from tests.support.command_line import CommandLine, environment
from tests.support.minimodal import ControlPlane, running_minimodal, why_not

Deploy = Callable[..., tuple[ControlPlane, CommandLine]]
"""Of the database's settings, and of what else the secret is to hold."""


@pytest.fixture
def deploy(tmp_path: Path) -> Iterator[Deploy]:
    """Deploys the app over a database; the command line over the same, its heavy work done there."""
    if reason := why_not():
        pytest.skip(reason)
    with running_minimodal(tmp_path / "plane", network=False) as plane:
        lines: list[CommandLine] = []

        def deploy(settings: RegistrySettings, **secrets: str) -> tuple[ControlPlane, CommandLine]:
            deploy_app(plane, settings, **secrets)
            lines.append(command_line(plane, settings))
            return plane, lines[-1]

        yield deploy
        for process in (process for line in lines for process in line.started):
            if process.poll() is None:
                process.kill()
                process.communicate()


def deploy_app(plane: ControlPlane, settings: RegistrySettings, **secrets: str) -> None:
    """What whoever sets it up does: the secret, then the app."""
    assert settings.database_url is not None
    values = {"DATABASE_URL": settings.database_url.get_secret_value(), "AUTOSORT_TRACKING": "off", **secrets}
    pairs = [f"{name}={value}" for name, value in values.items()]
    plane.run("secret", "create", "--force", "autosort-database", *pairs)
    plane.run("deploy", "modal_jobs/app.py")


def command_line(plane: ControlPlane, settings: RegistrySettings) -> CommandLine:
    """`autosort` with `AUTOSORT_COMPUTE=modal`."""
    assert settings.database_url is not None
    variables = {"AUTOSORT_HOME": str(settings.home), "DATABASE_URL": settings.database_url.get_secret_value()}
    return CommandLine(environment(AUTOSORT_COMPUTE="modal", AUTOSORT_TRACKING="off", **variables, **plane.environment))


def require_no_secret(plane: ControlPlane, *secrets: str) -> None:
    """Nothing that a container said or gave holds one."""
    document = plane.control()
    said = str({name: value for name, value in document.items() if name != "volumes"})
    logs = "".join(each.read_text() for each in plane.folder.glob("tasks/*/log.txt"))
    assert logs
    assert not [each for each in secrets if each in said or each in logs]
