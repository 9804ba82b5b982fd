"""Which models the gate lets through on real playlists, and which it refuses, and why.

    python -m benchmarks.gate_refusals PLAYLISTS.csv

Trains four times on one split: by the profile, plainly as a tutorial does, on shuffled pairs, and with the test split
leaked into the training pairs (which the auditor stops). Asks the gate of each as of a version that would replace the
base model, with the default policy, and prints each rule with its figure. About 12 minutes on 2 cores.
"""

import argparse
import tempfile
from pathlib import Path

from benchmarks.trainings import base_model, bundled, leaked, plain, read_snapshot, show, shuffled
from lifecycle.gate import Decision, Evidence, decide
from lifecycle.gate_policy import GatePolicy
from lifecycle.trial import Shown, tried
from registry.errors import BadInput
from registry.vectors import Coverage
from training.dataset import build_dataset

RECIPES = {"bundled": bundled, "plain": plain, "shuffled": shuffled, "leaked": leaked}
WHOLE = Coverage(missing=0, stale=0, quarantined=0, orphaned=0, playlists=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="in any import format")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    dataset = build_dataset(read_snapshot(arguments.file), salt="" if arguments.seed == 0 else f"seed {arguments.seed}")
    with tempfile.TemporaryDirectory() as folder:
        base = show("base", base_model, dataset, Path(folder) / "base", arguments.seed).shown
        for name, recipe in RECIPES.items():
            try:
                shown = show(name, recipe, dataset, Path(folder) / name, arguments.seed).shown
            except BadInput as refusal:
                print(f"\n{name}: not trained: {refusal.fact}", flush=True)
            else:
                _print(_decided(shown, base))


def _decided(shown: Shown, base: Shown) -> Decision:
    """The rules on the evaluation; vectors and artifact count as whole."""
    trial = tried(shown, base, base, GatePolicy())
    evidence = Evidence(shown.version, trial, WHOLE, index_valid=True, index_recall=1.0, artifact_verified=True)
    return decide(evidence, GatePolicy())


def _print(decision: Decision) -> None:
    print(f"\n{decision.candidate}: {'let through' if decision.passed else 'REFUSED'}", flush=True)
    for verdict in decision.verdicts:
        print(f"  {'pass' if verdict.passed else 'FAIL'} {verdict.rule}: {verdict.figure}")


if __name__ == "__main__":
    main()
