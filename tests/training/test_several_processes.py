"""Two processes share a training over gloo, by the line that the documents give."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from lifecycle.progress import Silent
from lifecycle.training_run import run_training
from training.configuration import TrainingConfiguration
from training.dataset import PairDataset
from training.examples import Prompts
from training.job import TrainingJob

SHARED = TrainingConfiguration(
    profile="test", epochs=2, batch_size=8, learning_rate=1e-3, checkpoints=2, patience=None, coefficients=(1.0,)
)


def test_two_processes_share_a_training(
    themed: PairDataset, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    job = TrainingJob(tiny_model, themed, SHARED, Prompts("find: "), tmp_path / "run", device="cpu")
    logged: list[tuple[int, dict[str, float]]] = []
    made = run_training(
        job, tmp_path / "datasets", Silent(), processes=2, on_log=lambda *figures: logged.append(figures)
    )
    assert logged == [(entry["step"], entry) for entry in made.record["history"]]
    assert made.record["processes"] == 2
    # Each step takes a batch in each process, so there are half as many steps as batches.
    assert made.record["steps"] == made.record["planned_steps"] == made.record["batches"] // 2
    before, after = (load_file(folder / "model.safetensors") for folder in (tiny_model, made.folder))
    assert any(not np.allclose(before[name], after[name], atol=1e-4) for name in after)
    losses = [entry["loss"] for entry in made.record["history"] if "loss" in entry]
    assert losses[-1] < losses[0]
    json.dumps(made.record)
