"""All that the toolkit stands on, looked at at once; nothing is changed, and what fails does not stop the rest."""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO

from lifecycle.doctor import accounts, machine, postgres, serving
from lifecycle.doctor.check import Check, NotLookedAt, State, bad, unused
from lifecycle.doctor.later import begin, needed
from lifecycle.doctor.secrets import hide
from lifecycle.settings import LifecycleSettings
from lifecycle.settings import read_settings as read_lifecycle_settings
from lifecycle.wandb_session import read_standing
from registry.errors import AutosortError
from registry.settings import RegistrySettings
from serving.settings import ServingSettings
from serving.settings import read_settings as read_serving_settings

Look = Callable[[], Check]

LIMIT_SECONDS = 8.0
SLOW_LIMIT_SECONDS = 20.0
"""For what imports torch, which from a cold disk takes longer than anything here should."""

_SLOW = frozenset({"device"})
_SHOWN = 300


@dataclass(frozen=True)
class Surroundings:
    """What several checks need, being read; each of them may fail, and fails the check of its name alone."""

    registry: "Future[RegistrySettings]"
    lifecycle: "Future[LifecycleSettings]"
    serving: "Future[ServingSettings]"
    database: "Future[postgres.Located]"


def examine() -> list[Check]:
    """All checks, in the order of `looks`, of this machine in its present environment."""
    with redirect_stdout(StringIO()):  # libraries lament there when they are broken, as modal does
        begun = {name: begin(look) for name, look in looks(_surroundings()).items()}
        checks = [outcome(name, future, _limit(name)) for name, future in begun.items()]
    return [_without_secrets(each, os.environ) for each in checks]


def is_good(checks: Sequence[Check]) -> bool:
    """Whether nothing is bad."""
    return all(each.state is not State.BAD for each in checks)


def looks(around: Surroundings) -> Mapping[str, Look]:
    """What is looked at, by name."""

    def home() -> RegistrySettings:
        return needed(around.registry, "settings")

    def heavy() -> LifecycleSettings:
        return needed(around.lifecycle, "settings")

    def located() -> postgres.Located:
        return needed(around.database, "database")

    return {
        "settings": lambda: _check_settings(around),
        "home": lambda: machine.judge_home(home().home),
        "disk": lambda: machine.check_disk(home()),
        "database": lambda: postgres.check_database(around.database.result()),
        "schema": lambda: postgres.check_schema(located()),
        "pgvector": lambda: postgres.check_pgvector(located()),
        "pooler": lambda: postgres.check_pooler(located()),
        "clock": lambda: postgres.check_clock(located()),
        "artifacts": lambda: serving.check_artifacts(located(), home()),
        "servers": lambda: serving.check_servers(located()),
        "modal": lambda: accounts.check_modal(heavy()),
        "hub": accounts.check_hub,
        "wandb": lambda: accounts.judge_wandb(heavy(), home(), read_standing()),
        "device": lambda: machine.check_device(needed(around.serving, "settings")),
        "cores": machine.check_cores,
    }


def outcome(name: str, future: "Future[Check]", seconds: float) -> Check:
    """What came of a check: its own word, or why it has none."""
    try:
        return future.result(seconds)
    except NotLookedAt as reason:
        return unused(name, str(reason))
    except AutosortError as error:
        return bad(name, error.fact, error.remedy or "Mend that, then run `autosort doctor` again.")
    except TimeoutError:
        return bad(name, f"No answer within {seconds:.0f} s.", "Run `autosort doctor` again; if it stays, look there.")
    except Exception as error:  # noqa: BLE001 - a doctor who falls ill helps nobody
        said = (str(error).strip().splitlines() or ["it does not say why"])[0][:_SHOWN]
        return bad(name, f"It could not be looked at: {type(error).__name__}: {said}.", "Mend that, or report it.")


def _surroundings() -> Surroundings:
    registry = begin(RegistrySettings)
    return Surroundings(
        registry=registry,
        lifecycle=begin(read_lifecycle_settings),
        serving=begin(read_serving_settings),
        database=begin(lambda: postgres.locate(needed(registry, "settings"))),
    )


def _check_settings(around: Surroundings) -> Check:
    around.registry.result()
    around.serving.result()
    return machine.judge_folders(around.lifecycle.result())


def _limit(name: str) -> float:
    return SLOW_LIMIT_SECONDS if name in _SLOW else LIMIT_SECONDS


def _without_secrets(check: Check, environment: Mapping[str, str]) -> Check:
    remedy = hide(check.remedy, environment) if check.remedy else None
    return Check(check.name, check.state, hide(check.fact, environment), remedy)
