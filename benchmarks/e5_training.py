"""Peak memory and pairs a second of the profile `e5-large`, on a model of e5's exact shape with random weights.

    python -m benchmarks.e5_training [--steps 10] [--shrunken] [--set mini_batch_size=16 …]

On a CUDA device it prints the peak of what torch allocated and reserved beside the 24 GB of an A10, and the pairs a
second beside the estimate that `autosort cost` uses. Without one it trains on the CPU, which tells nothing of an A10:
use --shrunken there, to see that every step of the path works. The pairs are made up, 200,000 of them, so that batches
are as large as the profile says.
"""

import argparse
import tempfile
from pathlib import Path

import torch

from benchmarks.dataset_build import synthetic_snapshot
from benchmarks.e5_shape import EXACT, SHRUNKEN, make_e5
from benchmarks.rates import PlannedRows, measure_rate
from lifecycle.base_models import base_model
from lifecycle.throughput import Device, find_throughput
from training.configuration import parse_changes, profile
from training.dataset import build_dataset
from training.examples import Prompts
from training.finetune import choose_trained_weights
from training.losses import contrastive_loss
from training.models import load_model
from training.trainer import settled_precision

_GIB = 2**30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--shrunken", action="store_true")
    parser.add_argument("--set", action="append", default=[], dest="changes", metavar="NAME=VALUE")
    arguments = parser.parse_args()
    configuration = profile("e5-large", **parse_changes(arguments.changes))
    prompts = Prompts(playlist=base_model(configuration.base).playlist_prompt)
    planned = PlannedRows.of(build_dataset(synthetic_snapshot(200_000)), configuration, prompts, arguments.steps)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with tempfile.TemporaryDirectory() as folder:
        model = load_model(make_e5(Path(folder), SHRUNKEN if arguments.shrunken else EXACT), device=device)
    choose_trained_weights(model, configuration)
    precision = settled_precision(configuration, device)
    rate = measure_rate(model, contrastive_loss(model, configuration), planned, configuration, precision)
    shape = "shrunken" if arguments.shrunken else "exact"
    print(f"e5-large, {shape} shape, on {_name(device)}, {precision}: batches of {max(planned.sizes)} pairs")
    expected = find_throughput("e5-large", Device.A10)
    print(f"  {rate.pairs_per_second:.1f} pairs/s (an A10: {expected.pairs_per_second:.0f}, {expected.basis})")
    if device == "cuda":
        allocated, reserved = torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved()
        print(f"  peak memory: {allocated / _GIB:.1f} GiB allocated, {reserved / _GIB:.1f} GiB reserved")
    else:
        print("  no CUDA device here: memory was not measured, the estimate of decision 6 stands")


def _name(device: str) -> str:
    return torch.cuda.get_device_name() if device == "cuda" else "the CPU"


if __name__ == "__main__":
    main()
