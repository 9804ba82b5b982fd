"""How long the demo takes once everything is installed, and the lift that it measures.

python -m benchmarks.demo
"""

import tempfile
import time
from pathlib import Path

from benchmarks.support import autosort


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        done = autosort(Path(folder) / "home", "demo")
        took = time.perf_counter() - begun
    print(f"\nautosort demo: {took:.0f} s")
    for name, regime in done["evaluation"]["regimes"].items():
        old = done["live_evaluation"]["regimes"][name]
        print(f"{name}: {regime['n']} songs among {regime['candidates']} playlists")
        for label, before, after in (
            ("full", old, regime),
            ("text", old["signals"]["text"], regime["signals"]["text"]),
        ):
            figures = ", ".join(f"{metric} {before[metric]:.3f} -> {after[metric]:.3f}" for metric in ("top1", "mrr"))
            print(f"  {label}: {figures}")


if __name__ == "__main__":
    main()
