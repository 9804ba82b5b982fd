"""The scheduled function, called as Modal calls it: with nothing, in a container."""

import subprocess
import sys

from lifecycle.workspace import Workspace
from tests.lifecycle.test_quarter import make_due
from tests.modal_jobs.conftest import Deploy
from tests.support.command_line import environment
from tests.support.minimodal import ControlPlane

CALL = "import json, modal; print(json.dumps(modal.Function.from_name('autosort', 'quarter').remote()['outcome']))"


def call(plane: ControlPlane) -> str:
    done = subprocess.run(
        [sys.executable, "-c", CALL], env=environment(**plane.environment), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().strip('"')


def test_what_is_not_due_and_what_costs_too_much_begin_nothing(deploy: Deploy, trained: Workspace) -> None:
    plane, _ = deploy(trained.settings, AUTOSORT_BUDGET="0.0001")
    assert call(plane) == "not_due"
    make_due(trained)
    assert call(plane) == "over_budget"
    events = plane.control()["events"]
    assert {each["fn"] for each in events if each["ev"] == "container_start"} == {"quarter"}
    definition = plane.control()["functions"]
    (cron,) = (each["schedule"]["cron"] for each in definition.values() if each.get("schedule"))
    assert cron == {"cron_string": "0 6 2 1,4,7,10 *", "timezone": "UTC"}
