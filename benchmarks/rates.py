"""How fast this project's trainer goes through planned batches: pairs a second, the first steps left out."""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import datasets
from sentence_transformers import SentenceTransformer
from torch import nn
from transformers import TrainerCallback

from training.batches import plan_batches
from training.configuration import TrainingConfiguration
from training.dataset import PairDataset
from training.development import Development
from training.examples import ExampleSource, ExampleTexts, Prompts
from training.trainer import ignore_log, ignore_progress, make_trainer, training_arguments

_WARM_UP = 2
datasets.disable_progress_bars()


@dataclass(frozen=True)
class Rate:
    """Pairs a second after the first steps, and the mean loss over all steps."""

    pairs_per_second: float
    loss: float


@dataclass(frozen=True)
class PlannedRows:
    """Texts in the order of their use, and how they fall into batches."""

    dataset: PairDataset
    rows: datasets.Dataset
    sizes: list[int]

    @classmethod
    def of(cls, dataset: PairDataset, configuration: TrainingConfiguration, prompts: Prompts, steps: int) -> Self:
        """The first batches of a training."""
        source = ExampleSource(dataset, configuration)
        epochs = configuration.epochs
        planned = plan_batches(source, epochs=epochs, batch_size=configuration.batch_size, seed=0)[:steps]
        texts = ExampleTexts(dataset, prompts, configuration)
        columns = texts.columns(example for batch in planned for example in batch)
        return cls(dataset, datasets.Dataset.from_dict(columns), [len(batch) for batch in planned])


class _Clock(TrainerCallback):
    """When each step ended."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_step_end(self, *_: object, **__: object) -> None:
        self.ends.append(time.perf_counter())


def measure_rate(
    model: SentenceTransformer,
    loss: nn.Module,
    planned: PlannedRows,
    configuration: TrainingConfiguration,
    precision: str,
) -> Rate:
    """Train through the planned batches with this project's trainer; the first two steps are not counted."""
    clock = _Clock()
    with tempfile.TemporaryDirectory() as folder:
        arguments = training_arguments(
            configuration,
            Path(folder),
            len(planned.sizes),
            device=model.device.type,
            precision=precision,
            develops=False,
        )
        arguments.save_strategy = "no"
        trainer = make_trainer(
            model,
            loss,
            planned.rows,
            planned.sizes,
            configuration.model_copy(update={"patience": None}),
            Development(planned.dataset, Prompts()),
            arguments,
            on_progress=ignore_progress,
            on_log=ignore_log,
        )
        trainer.add_callback(clock)
        mean_loss = trainer.train().training_loss
    return Rate(sum(planned.sizes[_WARM_UP:]) / (clock.ends[-1] - clock.ends[_WARM_UP - 1]), mean_loss)
