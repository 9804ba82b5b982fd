"""One training by itself, to be shared by several processes: `torchrun --nproc_per_node 2 -m training JOB.json`.

`autosort retrain --processes N` writes the job and runs this line. On several machines run it on each of them, with
torchrun's own options for that; accelerate reads from it who is who.
"""

import argparse
from pathlib import Path

from training.finetune import fine_tune
from training.job import TrainingJob


def main() -> None:
    """Train as a job says; the outcome is written beside it."""
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    parser.add_argument("job", type=Path, help="written by TrainingJob.save")
    job = TrainingJob.load(parser.parse_args().job)
    tuned = fine_tune(job)
    if tuned is not None:
        tuned.save(job.folder)


if __name__ == "__main__":
    main()
