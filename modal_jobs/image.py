"""The image that every function runs in: the versions that are tested together, then this project's own source."""

import re
import tomllib
from pathlib import Path

import modal

from modal_jobs.settings import ModalSettings

PACKAGES = ("registry", "training", "serving", "lifecycle", "modal_jobs")
NOT_SHIPPED = ("**/__pycache__", "**/*.pyc", "**/node_modules", "**/typescript/**", "**/bundled/emotions/*.safetensors")
"""Of the packages' folders: versions bring their emotion model with them. By default Modal leaves out whatever is no
Python: the SQL, the templates, the settings."""

_PROJECT = Path(__file__).resolve().parent.parent
_CONSTRAINTS = "/constraints.txt"


def build_image(settings: ModalSettings) -> modal.Image:
    """The image; in a container, where nothing is built, only its name matters."""
    image = modal.Image.debian_slim(python_version="3.11")
    if modal.is_local():
        image = image.add_local_file(_PROJECT / "constraints.txt", _CONSTRAINTS, copy=True)
        image = image.pip_install(*requirements(), extra_options=f"-c {_CONSTRAINTS}")
    image = image.env({"HF_HUB_DISABLE_TELEMETRY": "1", "TOKENIZERS_PARALLELISM": "false", **settings.environment()})
    return image.add_local_python_source(*PACKAGES, ignore=list(NOT_SHIPPED))


def requirements() -> list[str]:
    """What the project depends on, each at its pinned version.

    Raises:
        KeyError: a dependency has no pin.
    """
    project = tomllib.loads((_PROJECT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["wandb"]]
    return [_pinned(each, pins()) for each in wanted if "win32'" not in each or "!= 'win32'" in each]


def pins() -> dict[str, str]:
    """The version of each package, by its normalised name."""
    lines = (line.split("#")[0].strip() for line in (_PROJECT / "constraints.txt").read_text().splitlines())
    return {_name(name): version for name, _, version in (line.partition("==") for line in lines if line)}


def _pinned(requirement: str, known: dict[str, str]) -> str:
    name, extras = re.fullmatch(r"([\w.-]+)(\[[\w,]+\])?.*", requirement).groups(default="")  # type: ignore[union-attr]
    return f"{name}{extras}=={known[_name(name)]}"


def _name(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
