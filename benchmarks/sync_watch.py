"""How soon a song that arrives is embedded by `autosort sync --watch`.

    python -m benchmarks.sync_watch [--songs 2000] [--arrivals 30]

The sample library with v1 live and the watch at work, in a home of its own. Then single songs are written by plain SQL,
at random moments, as another program would; for each the time until v1 has its vector, by looking every 10 ms.
"""

import argparse
import random
import subprocess
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.support import AUTOSORT, autosort, environment
from lifecycle.sample.library import generate_library, write_jsonl
from registry.database import Database, open_database
from registry.settings import RegistrySettings

_LONGEST = 60.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--songs", type=int, default=2_000)
    parser.add_argument("--arrivals", type=int, default=30)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="autosort-watch-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        write_jsonl(generate_library(songs=arguments.songs), home / "library.jsonl")
        autosort(home, "import", str(home / "library.jsonl"))
        autosort(home, "sync")
        command = [str(AUTOSORT), "sync", "--watch", "--json"]
        with subprocess.Popen(command, env=environment(home), stdout=subprocess.DEVNULL) as watching:
            try:
                with open_database(RegistrySettings.model_validate({"AUTOSORT_HOME": home})) as database:
                    seconds = _arrivals(database, arguments.arrivals)
            finally:
                watching.terminate()
    print(
        f"{len(seconds)} songs: embedded {median(seconds):.2f} s after their arrival in the median, "
        f"{max(seconds):.2f} s at most (promised 2)"
    )


def _arrivals(database: Database, count: int) -> list[float]:
    """Seconds of each arrival; the first, for which the watch starts and loads its model, left out."""
    chance = random.Random(0)
    _arrive(database, "warm-up")
    seconds = []
    for number in range(count):
        time.sleep(chance.uniform(0.5, 2.5))
        seconds.append(_arrive(database, f"arrival-{number}"))
        print(f"  {number + 1}: {seconds[-1]:.2f} s", flush=True)
    return seconds


def _arrive(database: Database, song_id: str) -> float:
    with database.transaction() as connection:
        connection.execute("INSERT INTO songs (song_id, title) VALUES (%s, %s)", [song_id, f"Title of {song_id}"])
    begun = time.perf_counter()
    while time.perf_counter() - begun < _LONGEST:
        with database.transaction() as connection:
            row = connection.execute("SELECT FROM song_vectors_384 WHERE song_id = %s", [song_id]).fetchone()
        if row is not None:
            return time.perf_counter() - begun
        time.sleep(0.01)
    raise SystemExit(f"{song_id} was not embedded within {_LONGEST:.0f} s")


if __name__ == "__main__":
    main()
