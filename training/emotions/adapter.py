"""An emotion model as the small file of what it adds to an encoder that everybody has; and the two, merged.

The file holds, in fp16, for each adapted weight W the factors of W + B A ("W.lora_A", "W.lora_B"), and whole the layers
that the encoder does not have. Merging gives the same bytes on every machine: products of fp16 numbers are multiples of
2^-48, and such sums, below 32, are exact in float64 in whatever order they are added.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file, save

Array = npt.NDArray[Any]
Tensors = dict[str, Array]

WEIGHTS = "adapter.safetensors"
FACTS = "emotions.json"

_A, _B = ".lora_A", ".lora_B"
_TOKENIZER = ("special_tokens_map.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt")


def save_adapter(folder: Path, tensors: Tensors, facts: dict[str, Any]) -> None:
    """Write an adapter and what is known of it into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    rounded = {name: np.ascontiguousarray(each, np.float16) for name, each in sorted(tensors.items())}
    # Not by safetensors' own function for files, whose files nobody but their maker can read.
    (folder / WEIGHTS).write_bytes(save(rounded))
    (folder / FACTS).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def read_facts(folder: Path) -> dict[str, Any]:
    """What is known of an adapter."""
    return dict(json.loads((folder / FACTS).read_text(encoding="utf-8")))


def merge_adapter(base: Path, adapter: Path, target: Path) -> None:
    """Write the encoder with the adapter merged in: a folder for transformers' AutoModelForSequenceClassification.

    Args:
        base: folder of the BERT encoder that the adapter was trained on.
    """
    target.mkdir(parents=True, exist_ok=True)
    for name in _TOKENIZER:
        if (base / name).is_file():
            shutil.copyfile(base / name, target / name)
    labels = list(read_facts(adapter)["labels"])
    (target / "config.json").write_text(json.dumps(_configuration(base, labels), indent=2, sort_keys=True) + "\n")
    tensors = merged_tensors(load_file(base / "model.safetensors"), load_file(adapter / WEIGHTS))
    (target / "model.safetensors").write_bytes(save(dict(sorted(tensors.items())), metadata={"format": "pt"}))


def merged_tensors(base: Tensors, adapter: Tensors) -> Tensors:
    """The weights of a sequence classifier, float32, from an encoder's and an adapter's."""
    merged = {f"bert.{name}": each for name, each in base.items() if each.dtype == np.float32}
    for name, each in adapter.items():
        if name.endswith(_A):
            weight = name.removesuffix(_A)
            added = adapter[weight + _B].astype(np.float64) @ each.astype(np.float64)
            merged[weight] = (merged[weight] + added).astype(np.float32)
        elif not name.endswith(_B):
            merged[name] = each.astype(np.float32)
    return merged


def _configuration(base: Path, labels: list[str]) -> dict[str, Any]:
    """The encoder's configuration, as that of a classifier whose labels do not exclude one another."""
    known = json.loads((base / "config.json").read_text(encoding="utf-8"))
    return {
        **{name: value for name, value in known.items() if not name.startswith("_")},
        "architectures": ["BertForSequenceClassification"],
        "dtype": "float32",
        "id2label": {str(number): label for number, label in enumerate(labels)},
        "label2id": {label: number for number, label in enumerate(labels)},
        "problem_type": "multi_label_classification",
    }
