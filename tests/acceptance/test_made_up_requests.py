"""Whatever is sent: the service answers as its own description says, and never with an error of its own."""

import re
import subprocess
import sys
from pathlib import Path

from registry.settings import RegistrySettings
from tests.support.service import serving

SCHEMATHESIS = Path(sys.executable).parent / "schemathesis"
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)


def test_two_thousand_made_up_requests_are_answered_as_described(
    trained_settings: RegistrySettings, tmp_path: Path
) -> None:
    with serving(trained_settings) as client:
        done = subprocess.run(
            [
                str(SCHEMATHESIS),
                "run",
                f"{client.base_url}/openapi.json",
                f"--checks={','.join(CHECKS)}",
                "--phases=examples,coverage,fuzzing",
                "--max-examples=20",
                "--continue-on-failure",
                "--request-timeout=60",
                "--seed=11",
                "--no-color",
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout
    generated = re.search(r"(\d+) generated", done.stdout)
    assert generated is not None, done.stdout
    assert int(generated[1]) >= 2_000
