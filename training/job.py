"""A training as a value that can be written down: what is trained on what, how and where, and what came of it."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from training.configuration import TrainingConfiguration
from training.dataset import PairDataset
from training.examples import Prompts


@dataclass(frozen=True)
class TrainingJob:
    """One training.

    Attributes:
        base: folder of the sentence-transformers model to begin from, verified by the caller.
        folder: of this training alone: its checkpoints, then its outcome.
        device: where to compute; by default CUDA, then MPS, then the CPU.
    """

    base: Path
    dataset: PairDataset
    configuration: TrainingConfiguration
    prompts: Prompts
    folder: Path
    device: str | None = None

    def save(self, datasets: Path) -> Path:
        """Write it to `folder/job.json`, for other processes to load; its dataset is saved in `datasets`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        written = self.folder / "job.json"
        self.dataset.save(datasets)
        parts = {
            "base": str(self.base.absolute()),
            "datasets": str(datasets.absolute()),
            "dataset": self.dataset.fingerprint,
            "configuration": self.configuration.model_dump(mode="json"),
            "prompts": asdict(self.prompts),
            "folder": str(self.folder.absolute()),
            "device": self.device,
        }
        written.write_text(json.dumps(parts, indent=2))
        return written

    @classmethod
    def load(cls, path: Path) -> "TrainingJob":
        """Read what `save` wrote; the dataset is checked against its fingerprint.

        Raises:
            NotFound, BadInput: as `PairDataset.load` does.
        """
        parts = json.loads(path.read_text())
        return cls(
            base=Path(parts["base"]),
            dataset=PairDataset.load(Path(parts["datasets"]), parts["dataset"]),
            configuration=TrainingConfiguration.model_validate(parts["configuration"]),
            prompts=Prompts(**parts["prompts"]),
            folder=Path(parts["folder"]),
            device=parts["device"],
        )


@dataclass(frozen=True)
class FineTuned:
    """The outcome of a training.

    Attributes:
        folder: of the model.
        metrics: what it does on the development regimes.
        record: what the training wrote down of itself (`TrainingSpec.record`).
        reranker: folder of the cross-encoder, if one was trained.
    """

    folder: Path
    metrics: dict[str, float]
    record: dict[str, Any] = field(default_factory=dict)
    reranker: Path | None = None

    def save(self, folder: Path) -> None:
        """Write it to `folder/outcome.json`."""
        parts = {**asdict(self), "folder": str(self.folder), "reranker": self.reranker and str(self.reranker)}
        (folder / _OUTCOME).write_text(json.dumps(parts, indent=2))

    @classmethod
    def load(cls, folder: Path) -> "FineTuned":
        """Read what `save` wrote."""
        parts = json.loads((folder / _OUTCOME).read_text())
        reranker = parts["reranker"] and Path(parts["reranker"])
        return cls(Path(parts["folder"]), parts["metrics"], parts["record"], reranker)


_OUTCOME = "outcome.json"
