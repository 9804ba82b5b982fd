"""Promotions that run into one another, and promotions that are killed: pointer and audit log agree always.

    python -m benchmarks.promotion_races [--races 100] [--kills 50]

Each race starts two `autosort promote` at once, of one version or of two, and checks that exactly one wins and that
the other one is told. Each kill ends one with `kill -9` after a random time, before, while or after it moves the
pointer, and checks that the pointer is where the last entry of the audit log says. Real processes, the sample library.
"""

import argparse
import json
import random
import signal
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.cutover import run
from benchmarks.support import AUTOSORT, environment
from lifecycle.progress import Silent
from lifecycle.reconcile.operation import reconcile
from lifecycle.workspace import open_workspace
from registry import pointer, versions
from registry.database import Database
from registry.settings import RegistrySettings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--races", type=int, default=100)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        run(home, "demo")
        with open_workspace(RegistrySettings.model_validate({"AUTOSORT_HOME": home})) as workspace:
            with workspace.database.transaction() as connection:
                spec = versions.get(connection, "v2").spec
                versions.register(connection, spec, recipe="once more", actor="benchmark")
            reconcile(workspace, "v3", Silent())
            for version in ("v2", "v3"):  # makes the evidence, once for all
                promote(home, version).communicate()
                run(home, "rollback", "v1")
            race(home, workspace.database, arguments.races)
            kill(home, workspace.database, arguments.kills, random.Random(arguments.seed))


def race(home: Path, database: Database, races: int) -> None:
    outcomes: Counter[str] = Counter()
    for number in range(races):
        started = [promote(home, "v2"), promote(home, "v3" if number % 2 else "v2")]
        ended = [(each.communicate()[0], each.returncode) for each in started]
        outcomes[outcome(ended)] += 1
        check(database)
        run(home, "rollback", "v1")
    print(f"{races} races of two promotions at once: {dict(outcomes)}")


def outcome(ended: list[tuple[str, int]]) -> str:
    winners = [code for _, code in ended if code == 0]
    told = [json.loads(out)["error"] for out, code in ended if code == 1]
    if len(winners) == 1 and told == ["PointerMoved"]:
        return "one won, the other was told"
    if len(winners) == 2 and json.loads(ended[0][0])["moved"] != json.loads(ended[1][0])["moved"]:
        return "one came so late that it found the version live already"
    return f"WRONG: {len(winners)} won, told {told}"


def kill(home: Path, database: Database, kills: int, chance: random.Random) -> None:
    begun = time.monotonic()
    promote(home, "v2").communicate()
    whole = time.monotonic() - begun
    run(home, "rollback", "v1")
    ended: Counter[str] = Counter()
    for _ in range(kills):
        process = promote(home, "v2")
        time.sleep(chance.uniform(0, whole))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        live = check(database)
        ended["moved" if live == "v2" else "not moved"] += 1
        if live == "v2":
            run(home, "rollback", "v1")
    print(
        f"{kills} promotions killed within {whole:.1f} s of their start: {dict(ended)}; pointer and audit agree always"
    )


def check(database: Database) -> str | None:
    """The live version, if pointer, audit log and stages agree."""
    with database.transaction() as connection:
        present, last = pointer.read(connection), pointer.last_move(connection)
        row = connection.execute(
            "SELECT count(*) AS moves FROM audit_log WHERE action IN ('promote', 'rollback')"
        ).fetchone()
        live = [each.version for each in versions.list_all(connection) if each.stage == "live"]
    if last is None or row is None or (present.live, present.generation) != (last.version, last.generation):
        raise SystemExit(f"pointer and audit log differ: {present}, {last}")
    if live != [present.live] or row["moves"] != present.generation:
        raise SystemExit(f"stages or moves differ from the pointer: {live}, {row}, {present}")
    return present.live


def promote(home: Path, version: str) -> Any:  # noqa: ANN401
    command = [str(AUTOSORT), "promote", version, "--force", "--reason", "a race", "--json"]
    return subprocess.Popen(
        command, env=environment(home), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )


if __name__ == "__main__":
    main()
