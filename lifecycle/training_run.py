"""Running a training: in this process, or shared by several through accelerate."""

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lifecycle.progress import Progress
from registry.errors import TrainingError
from training.job import FineTuned, TrainingJob

if TYPE_CHECKING:
    from training.trainer import Log

_TAIL = 2000


def run_training(
    job: TrainingJob, datasets: Path, progress: Progress, *, processes: int = 1, on_log: "Log"
) -> FineTuned:
    """Train as a job says, or go on where it was interrupted.

    Args:
        datasets: where the job's dataset is kept.
        processes: how many share the work on this machine.
        on_log: told a step and what was measured there; of several processes, once they are done.

    Raises:
        TrainingError: a process of several failed.
    """
    if processes > 1:
        return _launch(job, datasets, progress, processes, on_log)
    # Imported here because it takes seconds, which a retraining that finds its version does not need.
    from training.finetune import fine_tune

    with progress.task("Fine-tuning", 1) as advance:
        trained = fine_tune(job, on_progress=advance, on_log=on_log)
    if trained is None:
        raise TrainingError("This process is not the main one of its training.", "Run `autosort retrain` by itself.")
    return trained


def _launch(job: TrainingJob, datasets: Path, progress: Progress, processes: int, on_log: "Log") -> FineTuned:
    written = job.save(datasets)
    progress.say(f"Fine-tuning in {processes} processes; the job is {written}")
    done = subprocess.run(launch_line(written, processes), capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise TrainingError(
            f"The training in {processes} processes ended with exit code {done.returncode}: {done.stderr[-_TAIL:]}",
            "The same command goes on from the last checkpoint.",
        )
    trained = FineTuned.load(job.folder)
    for figures in trained.record["history"]:
        on_log(int(figures["step"]), figures)
    return trained


def launch_line(written: Path, processes: int) -> list[str]:
    """What starts a training in several processes of this machine: torch's launcher, whose ranks accelerate reads."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
    return [*launcher, "-m", "training", str(written)]
