"""An adapter and its encoder become one model: the same bytes on any machine."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from registry.artifacts import digest_of
from tests.support.small_classifiers import small_encoder
from training.emotions.adapter import Tensors, merge_adapter, merged_tensors, save_adapter

LABELS = ("grief", "joy")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_encoder(tmp_path_factory.mktemp("base") / "encoder")


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    chance = np.random.default_rng(0)
    tensors: Tensors = {
        "bert.encoder.layer.0.output.dense.weight.lora_A": chance.normal(0, 0.1, (4, 64)),
        "bert.encoder.layer.0.output.dense.weight.lora_B": chance.normal(0, 0.1, (32, 4)),
        "bert.pooler.dense.weight": chance.normal(0, 0.1, (32, 32)),
        "classifier.weight": chance.normal(0, 0.1, (2, 32)),
        "classifier.bias": np.zeros(2),
    }
    folder = tmp_path_factory.mktemp("adapter")
    save_adapter(folder, tensors, {"labels": LABELS})
    return folder


def test_the_merged_model_is_one_that_transformers_loads(base: Path, adapter: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForSequenceClassification

    merge_adapter(base, adapter, tmp_path)
    model, told = AutoModelForSequenceClassification.from_pretrained(
        str(tmp_path), local_files_only=True, use_safetensors=True, output_loading_info=True
    )
    assert not any(told.values()), "no weight is missing, left over or of another shape"
    assert (model.config.id2label, model.config.problem_type) == (dict(enumerate(LABELS)), "multi_label_classification")


def test_what_is_adapted_is_the_sum_and_all_else_stays(base: Path, adapter: Path, tmp_path: Path) -> None:
    merge_adapter(base, adapter, tmp_path)
    before, added, after = (
        load_file(each)
        for each in (base / "model.safetensors", adapter / "adapter.safetensors", tmp_path / "model.safetensors")
    )
    name = "bert.encoder.layer.0.output.dense.weight"
    factors = [added[f"{name}.lora_{each}"].astype(np.float64) for each in "BA"]
    assert after[name] == pytest.approx(before[name.removeprefix("bert.")] + factors[0] @ factors[1], abs=1e-6)
    assert (after[name] != before[name.removeprefix("bert.")]).any()
    other = "bert.encoder.layer.1.output.dense.weight"
    np.testing.assert_array_equal(after[other], before[other.removeprefix("bert.")])
    np.testing.assert_array_equal(after["classifier.weight"], added["classifier.weight"].astype(np.float32))


def test_merging_again_gives_the_same_bytes(base: Path, adapter: Path, tmp_path: Path) -> None:
    for name in "ab":
        merge_adapter(base, adapter, tmp_path / name)
    assert digest_of(tmp_path / "a") == digest_of(tmp_path / "b")


def test_the_sums_are_exact_so_that_no_machine_rounds_them_otherwise() -> None:
    chance = np.random.default_rng(0)
    first, second = (chance.normal(0, 0.3, shape).astype(np.float16) for shape in ((3, 48), (48, 5)))
    exact = [
        [sum(Fraction(float(a)) * Fraction(float(b)) for a, b in zip(row, column, strict=True)) for column in second.T]
        for row in first
    ]
    adapter = {"w.lora_B": first, "w.lora_A": second}
    merged = merged_tensors(
        {"w": np.zeros((3, 5), np.float32)}, {f"bert.{name}": each for name, each in adapter.items()}
    )
    np.testing.assert_array_equal(
        merged["bert.w"], np.array([[np.float32(float(each)) for each in row] for row in exact])
    )


def test_others_can_read_what_is_written(base: Path, adapter: Path, tmp_path: Path) -> None:
    merge_adapter(base, adapter, tmp_path)
    modes = {each.stat().st_mode & 0o444 for each in [*tmp_path.iterdir(), *adapter.iterdir()]}
    assert modes == {(tmp_path / "config.json").stat().st_mode & 0o444}
