"""What users can type or set is written down."""

import re
from pathlib import Path

import pytest
import typer

from lifecycle.cli.main import app
from lifecycle.settings import LifecycleSettings
from modal_jobs.settings import ModalSettings
from registry.settings import RegistrySettings
from serving.settings import ServingSettings

ROOT = Path(__file__).parents[1]
REFERENCE = (ROOT / "docs" / "reference.md").read_text()


def commands() -> list[str]:
    return sorted(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


@pytest.mark.parametrize("command", commands())
def test_every_command_is_in_the_reference(command: str) -> None:
    assert f"`autosort {command}" in REFERENCE


def test_every_command_in_the_documents_exists() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    for page in pages:
        for command in re.findall(r"\bautosort ([a-z]+(?:-[a-z]+)*)", page.read_text()):
            assert command in commands(), f"{page.name} tells of `autosort {command}`"


@pytest.mark.parametrize("command", commands())
def test_every_option_is_in_the_reference(command: str) -> None:
    made = typer.main.get_command(app).commands[command]  # type: ignore[attr-defined]
    for parameter in made.params:
        named = [each for each in (*parameter.opts, *parameter.secondary_opts) if each.startswith("--")]
        assert not named or any(each in REFERENCE for each in named), f"{command} {named}"


@pytest.mark.parametrize("settings", [RegistrySettings, ServingSettings, LifecycleSettings])
def test_every_setting_is_in_the_reference(
    settings: type[RegistrySettings | ServingSettings | LifecycleSettings],
) -> None:
    prefix = settings.model_config.get("env_prefix", "")
    for name, field in settings.model_fields.items():
        variable = field.validation_alias or f"{prefix}{name}".upper()
        assert f"`{variable}`" in REFERENCE, variable


def test_every_setting_of_the_deployment_is_where_modal_is_explained() -> None:
    page = (ROOT / "docs" / "modal.md").read_text()
    for variable in (f"AUTOSORT_MODAL_{name}".upper() for name in ModalSettings.model_fields):
        assert f"`{variable}`" in page, variable


def test_every_promise_in_the_readme_has_its_script() -> None:
    readme = (ROOT / "README.md").read_text()
    scripts = re.findall(r"-m benchmarks\.(\w+)", readme)
    assert scripts
    for script in scripts:
        assert (ROOT / "benchmarks" / f"{script}.py").is_file()
