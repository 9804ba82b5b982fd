"""How fast the training loop is beside sentence-transformers' own trainer: same pairs, same batches, same model.

    python -m benchmarks.training_throughput [PLAYLISTS.csv] [--repeats 5] [--steps 12]

Trains a few steps by the profile `bundled` (bf16 where the processor computes in it, texts bucketed by length) and by
the stock trainer (fp32, a batch padded to its longest text) in turn, each time from the base model, and prints pairs a
second of each, the median of the ratios, and the loss that each ends at. The first two steps are not counted. Without
a file the pairs are those of the sample library.
"""

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median

import datasets
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from transformers import TrainerCallback

from benchmarks.trainings import BASE, read_snapshot
from lifecycle.sample.library import generate_library, write_jsonl
from training.batches import plan_batches
from training.configuration import profile
from training.dataset import PairDataset, build_dataset
from training.development import Development
from training.examples import ExampleSource, ExampleTexts, Prompts
from training.losses import contrastive_loss
from training.models import load_model
from training.trainer import (
    ignore_log,
    ignore_progress,
    make_trainer,
    settled_precision,
    training_arguments,
)

_IGNORED = 2
CONFIGURATION = profile("bundled", patience=None)


class _Clock(TrainerCallback):
    """When each step ended."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_step_end(self, *_: object, **__: object) -> None:
        self.ends.append(time.perf_counter())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, nargs="?", help="in any import format")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", type=int, default=12)
    arguments = parser.parse_args()
    datasets.disable_progress_bars()
    dataset = _dataset(arguments.file)
    source = ExampleSource(dataset, CONFIGURATION)
    batches = plan_batches(source, epochs=1, batch_size=CONFIGURATION.batch_size, seed=0)[: arguments.steps]
    columns = ExampleTexts(dataset, Prompts(), CONFIGURATION).columns(each for batch in batches for each in batch)
    rows, sizes = datasets.Dataset.from_dict(columns), [len(batch) for batch in batches]
    precision = settled_precision(CONFIGURATION, "cpu")
    print(f"{len(batches)} batches of {min(sizes)} to {max(sizes)} pairs; this project's in {precision}, stock in fp32")
    ratios = []
    for repeat in range(arguments.repeats):
        ours, our_loss = _rate(dataset, rows, sizes, precision, stock=False)
        stock, stock_loss = _rate(dataset, rows, sizes, "fp32", stock=True)
        ratios.append(ours / stock)
        print(
            f"  {repeat + 1}: {ours:.1f} against {stock:.1f} pairs/s, {ours / stock:.2f} times; "
            f"mean loss {our_loss:.3f} and {stock_loss:.3f}",
            flush=True,
        )
    print(f"median of {len(ratios)} ratios, taken in turn: {median(ratios):.2f} (least {min(ratios):.2f})")


def _dataset(file: Path | None) -> PairDataset:
    if file is not None:
        return build_dataset(read_snapshot(file))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sample.jsonl"
        write_jsonl(generate_library(), path)
        return build_dataset(read_snapshot(path))


def _rate(
    dataset: PairDataset, rows: datasets.Dataset, sizes: list[int], precision: str, *, stock: bool
) -> tuple[float, float]:
    """Pairs a second after the first steps, and the mean loss over all of them."""
    model = load_model(BASE, device="cpu")
    clock = _Clock()
    with tempfile.TemporaryDirectory() as folder:
        arguments = training_arguments(
            CONFIGURATION, Path(folder), len(sizes), device="cpu", precision=precision, develops=False
        )
        arguments.save_strategy = "no"
        trainer = make_trainer(
            model,
            _stock_loss(model) if stock else contrastive_loss(model, CONFIGURATION),
            rows,
            sizes,
            CONFIGURATION,
            Development(dataset, Prompts()),
            arguments,
            on_progress=ignore_progress,
            on_log=ignore_log,
        )
        trainer.add_callback(clock)
        loss = trainer.train().training_loss
    return sum(sizes[_IGNORED:]) / (clock.ends[-1] - clock.ends[_IGNORED - 1]), loss


def _stock_loss(model: SentenceTransformer) -> MultipleNegativesRankingLoss:
    """The same objective as `contrastive_loss` makes of the profile, without its buckets."""
    return MultipleNegativesRankingLoss(model, scale=CONFIGURATION.scale, directions=("query_to_doc", "doc_to_query"))


if __name__ == "__main__":
    main()
