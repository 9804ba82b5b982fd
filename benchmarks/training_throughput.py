"""How fast the training loop is beside sentence-transformers' own trainer: same pairs, same batches, same model.

    python -m benchmarks.training_throughput [PLAYLISTS.csv] [--repeats 5] [--steps 12]

Trains a few steps by the profile `bundled` (bf16 where the processor computes in it, texts bucketed by length) and by
the stock trainer's loss (fp32, a batch padded to its longest text) in turn, each time from the base model, and prints
pairs a second of each, the median of the ratios, and the mean loss of both. The first two steps are not counted.
Without a file the pairs are those of the sample library.
"""

import argparse
from pathlib import Path
from statistics import median

from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

from benchmarks.rates import PlannedRows, Rate, measure_rate
from benchmarks.trainings import BASE, read_snapshot, sample_dataset
from training.configuration import profile
from training.dataset import build_dataset
from training.examples import Prompts
from training.losses import contrastive_loss
from training.models import load_model
from training.trainer import settled_precision

CONFIGURATION = profile("bundled")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, nargs="?", help="in any import format")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", type=int, default=12)
    arguments = parser.parse_args()
    dataset = build_dataset(read_snapshot(arguments.file)) if arguments.file else sample_dataset()
    planned = PlannedRows.of(dataset, CONFIGURATION, Prompts(), arguments.steps)
    precision = settled_precision(CONFIGURATION, "cpu")
    sizes = f"{len(planned.sizes)} batches of {min(planned.sizes)} to {max(planned.sizes)} pairs"
    print(f"{sizes}; this project's in {precision}, the stock trainer's in fp32")
    ratios = []
    for repeat in range(arguments.repeats):
        ours, stock = _ours(planned, precision), _stock(planned)
        ratios.append(ours.pairs_per_second / stock.pairs_per_second)
        print(
            f"  {repeat + 1}: {ours.pairs_per_second:.1f} against {stock.pairs_per_second:.1f} pairs/s, "
            f"{ratios[-1]:.2f} times; mean loss {ours.loss:.3f} and {stock.loss:.3f}",
            flush=True,
        )
    print(f"median of {len(ratios)} ratios, taken in turn: {median(ratios):.2f} (least {min(ratios):.2f})")


def _ours(planned: PlannedRows, precision: str) -> Rate:
    model = load_model(BASE, device="cpu")
    return measure_rate(model, contrastive_loss(model, CONFIGURATION), planned, CONFIGURATION, precision)


def _stock(planned: PlannedRows) -> Rate:
    """The objective that `contrastive_loss` makes of the profile, as sentence-transformers computes it."""
    model = load_model(BASE, device="cpu")
    loss = MultipleNegativesRankingLoss(model, scale=CONFIGURATION.scale, directions=("query_to_doc", "doc_to_query"))
    return measure_rate(model, loss, planned, CONFIGURATION, "fp32")


if __name__ == "__main__":
    main()
