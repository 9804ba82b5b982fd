"""Whether the gate refuses what must never serve, on real playlists.

    python -m benchmarks.gate_refusals PLAYLISTS.csv

Trains three times on one split: the profile on shuffled pairs (one pass), a plain fine-tune at ten times its learning
rate, and the profile with the test split leaked into the training pairs, which the auditor stops. Asks the gate of each
in place of the base model, with the default policy, and prints each rule with its figure. What it says of the profile
and of a plain fine-tune as tutorials do it is printed by `benchmarks.training_quality`. About 10 minutes on 2 cores.
"""

import argparse
import tempfile
from pathlib import Path

from benchmarks.trainings import (
    ask_gate,
    base_model,
    leaked,
    overtrained,
    print_decision,
    read_snapshot,
    show,
    shuffled,
)
from registry.errors import BadInput
from training.dataset import build_dataset

RECIPES = {"leaked": leaked, "shuffled": shuffled, "overtrained": overtrained}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="in any import format")
    arguments = parser.parse_args()
    dataset = build_dataset(read_snapshot(arguments.file))
    with tempfile.TemporaryDirectory() as folder:
        base = show("base", base_model, dataset, Path(folder) / "base", 0).shown
        for name, recipe in RECIPES.items():
            try:
                shown = show(name, recipe, dataset, Path(folder) / name, 0).shown
            except BadInput as refusal:
                print(f"  {name}: not trained: {refusal.fact}", flush=True)
            else:
                print_decision(ask_gate(shown, base, base), "base")


if __name__ == "__main__":
    main()
