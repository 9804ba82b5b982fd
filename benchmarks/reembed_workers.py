"""How re-embedding grows with its workers: one process on one core against two processes on a core each.

    python -m benchmarks.reembed_workers [--songs 2000] [--repeats 3]

In turn, several times, each for a version of its own: `autosort reembed` by one process, and by two at once, every one
with `OMP_NUM_THREADS=1`. Prints songs a second from the start of the first to the end of the last, loading included,
and the median of the ratios.
"""

import argparse
import subprocess
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.reembed_kills import Chaos
from benchmarks.support import AUTOSORT, environment


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--songs", type=int, default=2_000)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    ratios = []
    with tempfile.TemporaryDirectory(prefix="autosort-workers-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        library = Chaos(home, arguments.songs)
        for repeat in range(arguments.repeats):
            alone, two = (_reembed(home, library.register(), workers) for workers in (1, 2))
            ratios.append(alone / two)
            rates = ", ".join(f"{arguments.songs / seconds:.0f}" for seconds in (alone, two))
            print(f"  {repeat + 1}: {rates} songs/s by one and by two, {ratios[-1]:.2f} times", flush=True)
    print(f"median of {len(ratios)} ratios, taken in turn: {median(ratios):.2f} (two cores: 2 at most)")


def _reembed(home: Path, version: str, workers: int) -> float:
    begun = time.perf_counter()
    surroundings = {**environment(home), "OMP_NUM_THREADS": "1"}
    command = [str(AUTOSORT), "reembed", version, "--json"]
    at_it = [
        subprocess.Popen(command, env=surroundings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(workers)
    ]
    if any(worker.wait() for worker in at_it):
        raise SystemExit(f"{version} could not be embedded")
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
