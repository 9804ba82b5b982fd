"""Two processes share a training over gloo, by the line that the documents give."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from lifecycle.training_run import launch_line
from training.configuration import TrainingConfiguration
from training.dataset import PairDataset
from training.examples import Prompts
from training.job import FineTuned, TrainingJob

SHARED = TrainingConfiguration(
    profile="test", epochs=2, batch_size=8, learning_rate=1e-3, checkpoints=2, patience=None, coefficients=(1.0,)
)


def test_two_processes_share_a_training(themed: PairDataset, tiny_model: Path, tmp_path: Path) -> None:
    job = TrainingJob(tiny_model, themed, SHARED, Prompts("find: "), tmp_path / "run", device="cpu")
    written = job.save(tmp_path / "datasets")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        launch_line(written, 2),
        cwd=Path(__file__).parents[2],
        env=environment,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, [line for line in done.stderr.splitlines() if "Error" in line or "File" in line][:14]
    made = FineTuned.load(job.folder)
    assert made.record["processes"] == 2
    # Each step takes a batch in each process, so there are half as many steps as batches.
    assert made.record["steps"] == made.record["planned_steps"] == made.record["batches"] // 2
    before, after = (load_file(folder / "model.safetensors") for folder in (tiny_model, made.folder))
    assert any(not np.allclose(before[name], after[name], atol=1e-4) for name in after)
    losses = [entry["loss"] for entry in made.record["history"] if "loss" in entry]
    assert losses[-1] < losses[0]
    json.dumps(made.record)
