"""The app's own language: types from the OpenAPI document, a compiled client, and a cutover that it does not notice."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command_line import PROMOTE_V2, CommandLine
from tests.support.service import served

ROOT = Path(__file__).parents[2]
ENVIRONMENT = Path(sys.executable).parents[1]

pytestmark = pytest.mark.skipif(
    not (shutil.which("node") and shutil.which("npm") and shutil.which("make")),
    reason="the client is made with Node.js, npm and make, which are not here",
)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client, generated and compiled by the make target, in a folder of the test's own."""
    folder = tmp_path_factory.mktemp("client") / "typescript"
    shutil.copytree(ROOT / "serving" / "typescript", folder, ignore=shutil.ignore_patterns("generated", "node_modules"))
    # Installed is what runs this test: make need not look after it.
    target = ["make", "-o", f"{ENVIRONMENT}/.installed", "typescript", f"VENV={ENVIRONMENT}", f"TYPESCRIPT={folder}"]
    made = subprocess.run(target, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert made.returncode == 0, made.stdout + made.stderr
    return folder


def test_a_node_script_goes_through_a_cutover_and_back(client: Path, trained_autosort: CommandLine) -> None:
    script = ["node", str(client / "generated" / "build" / "cutover.js")]
    with (
        served(trained_autosort) as url,
        subprocess.Popen([*script, url], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running,
    ):
        assert running.stderr is not None
        ready = running.stderr.readline()
        try:
            if ready.strip() == "ready":
                trained_autosort.run("reembed", "v2")  # the songs that the script has put
                trained_autosort.run(*PROMOTE_V2)
                trained_autosort.run("rollback")
            said, problem = running.communicate(timeout=150)
        finally:
            running.kill()
    assert running.returncode == 0, ready + problem
    document = json.loads(said)
    assert [each["version"] for each in document["seen"]] == ["v1", "v2", "v1"]
    assert [each["generation"] for each in document["seen"]] == [1, 2, 3]
    assert document["feedback"] == 1
    assert document["answers"] >= 10


def test_what_the_service_does_not_take_does_not_compile(client: Path) -> None:
    wrong = client / "wrong.ts"
    wrong.write_text(
        'import { createClient } from "./client.js";\n'
        'const autosort = createClient({ baseUrl: "" });\n'
        'await autosort.POST("/match", { body: { songs: [{ title: 5 }] } });\n'
        'await autosort.POST("/macth", { body: {} });\n'
    )
    build = ["npm", "run", "--silent", "build"]
    compiled = subprocess.run(build, cwd=client, capture_output=True, text=True, check=False)
    wrong.unlink()
    assert compiled.returncode != 0
    assert "wrong.ts(3," in compiled.stdout
    assert "wrong.ts(4," in compiled.stdout
