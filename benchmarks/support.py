"""What benchmarks share: the command line as a user has it, in a home of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

AUTOSORT = Path(sys.executable).parent / "autosort"


def environment(home: Path, **variables: str) -> dict[str, str]:
    """A home of the benchmark's own and the embedded Postgres, with these variables."""
    inherited = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    # Nobody balances here: a server that is told to end need not wait for that to be noticed.
    return {**inherited, "AUTOSORT_HOME": str(home), "AUTOSORT_DRAIN_SECONDS": "0", **variables}


def autosort(home: Path, *arguments: str) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Run a command to its end, its progress on this terminal, and give its JSON document."""
    print("$ autosort", *arguments, flush=True)
    done = subprocess.run(
        [str(AUTOSORT), *arguments, "--json"], env=environment(home), stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"autosort {' '.join(arguments)} exited with {done.returncode}: {done.stdout}")
    return json.loads(done.stdout)
