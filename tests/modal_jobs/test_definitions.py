"""What is asked of Modal, function by function: what its client does not check, and what must not be asked."""

import ast
import importlib
import sys
import zoneinfo
from collections.abc import Iterator
from importlib.metadata import distribution, packages_distributions
from pathlib import Path
from typing import Any

import modal
import pytest
from modal._utils.async_utils import synchronizer
from packaging.requirements import Requirement

from modal_jobs import image
from modal_jobs.settings import ModalSettings

ROOT = Path(__file__).parents[2]
LONGEST = 24 * 3600
"""What Modal allows of a timeout, for each attempt."""

Definitions = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def definitions() -> Iterator[Definitions]:
    """The arguments of each function's and class's decorator."""
    made: list[tuple[Any, dict[str, Any]]] = []

    def recording(decorate: Any) -> Any:
        def decorator(app: modal.App, **arguments: Any) -> Any:
            def record(function: Any) -> Any:
                made.append((decorate(app, **arguments)(function), arguments))
                return made[-1][0]

            return record

        return decorator

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(modal.App, "function", recording(modal.App.function))
        patch.setattr(modal.App, "cls", recording(modal.App.cls))
        sys.modules.pop("modal_jobs.app", None)
        module = importlib.import_module("modal_jobs.app")
        yield {name: arguments for name, value in vars(module).items() for each, arguments in made if value is each}
        sys.modules.pop("modal_jobs.app", None)


def test_every_function_is_there(definitions: Definitions) -> None:
    assert set(definitions) == {"shelf", "train", "Embedder", "serve", "quarter"}


def test_what_needs_a_gpu_has_an_a10_and_nothing_else_has_one(definitions: Definitions) -> None:
    assert {name: each.get("gpu") for name, each in definitions.items()} == {
        "train": "A10", "Embedder": "A10", "serve": "A10", "shelf": None, "quarter": None,
    }  # fmt: skip


def test_every_attempt_ends_and_starting_has_a_time_of_its_own(definitions: Definitions) -> None:
    for name, each in definitions.items():
        assert 60 <= each["timeout"] <= LONGEST, name
        assert each["startup_timeout"] == 600, name


def test_only_what_can_be_done_again_is_tried_again(definitions: Definitions) -> None:
    retried = {name: each["retries"].max_retries for name, each in definitions.items() if each.get("retries")}
    assert retried == {"train": 3, "Embedder": 3}
    assert definitions["train"]["single_use_containers"]


def test_one_writes_at_a_time(definitions: Definitions) -> None:
    assert {name for name, each in definitions.items() if each.get("max_containers") == 1} == {
        "shelf", "train", "quarter",
    }  # fmt: skip


def test_the_disk_is_written_by_those_who_must(definitions: Definitions) -> None:
    for name, each in definitions.items():
        assert set(each["volumes"]) == {"/mnt/autosort"}, name
    read_only = {name for name, each in definitions.items() if inside(each["volumes"]["/mnt/autosort"])._read_only}
    assert read_only == {"Embedder"}


def inside(volume: modal.Volume) -> Any:
    """The volume as its client keeps it, where it says how it is mounted."""
    return synchronizer._translate_in(volume)  # type: ignore[no-untyped-call]


def test_the_database_is_known_to_those_who_need_it_alone(definitions: Definitions) -> None:
    assert {name for name, each in definitions.items() if each.get("secrets")} == {"serve", "quarter"}


def test_the_quarter_is_looked_at_four_times_a_year(definitions: Definitions) -> None:
    (scheduled,) = (name for name, each in definitions.items() if each.get("schedule"))
    assert scheduled == "quarter"
    settings = ModalSettings()
    minute, hour, day, month, weekday = settings.cron.split()
    assert (month, weekday) == ("1,4,7,10", "*")
    assert 0 <= int(minute) < 60
    assert 0 <= int(hour) < 24
    assert 1 <= int(day) <= 28
    zoneinfo.ZoneInfo(settings.timezone)


def test_the_image_holds_the_pinned_versions() -> None:
    pinned = image.pins()
    for requirement in map(Requirement, image.requirements()):
        (specifier,) = requirement.specifier
        assert specifier.operator == "=="
        assert specifier.version == pinned[image._name(requirement.name)]
    assert "torch" in {Requirement(each).name for each in image.requirements()}


def test_what_is_shipped_imports_nothing_that_the_image_lacks() -> None:
    """Whatever is imported comes with Python, with Modal, or with the requirements and what they need."""
    allowed = closure([Requirement(each) for each in image.requirements()]) | {"modal"}
    owners = packages_distributions()
    for package in image.PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for name in imported(path):
                if name in sys.stdlib_module_names or name in image.PACKAGES:
                    continue
                assert {image._name(each) for each in owners[name]} & allowed, f"{path} imports {name}"


def imported(path: Path) -> set[str]:
    """The packages that a file imports wherever it runs, by their first name; optional ones are imported in a `try`."""
    optional = {"peft", "opentelemetry"}  # asked for by name in pyproject's extras, and missed with a clear error
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found - optional


def closure(requirements: list[Requirement]) -> set[str]:
    """The distributions that these need, by normalised name."""
    seen: set[str] = set()
    waiting = [(each.name, each.extras) for each in requirements]
    while waiting:
        name, extras = waiting.pop()
        if image._name(name) in seen and not extras:
            continue
        seen.add(image._name(name))
        try:
            needed = distribution(name).requires or []
        except importlib.metadata.PackageNotFoundError:
            continue
        for each in map(Requirement, needed):
            holds = each.marker is None or any(each.marker.evaluate({"extra": extra}) for extra in ("", *extras))
            if holds and image._name(each.name) not in seen:
                waiting.append((each.name, each.extras))
    return seen
