"""What is judged of a machine, by its figures and by folders that are there."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from lifecycle.doctor.check import State
from lifecycle.doctor.machine import (
    GIB,
    Device,
    check_cores,
    check_device,
    check_disk,
    judge_cores,
    judge_device,
    judge_disk,
    judge_folders,
    judge_home,
    read_quota,
)
from lifecycle.settings import LifecycleSettings
from registry.settings import RegistrySettings
from serving.settings import ServingSettings

CPU = Device(("cpu",), 0, "8.0 GiB free", "fp32", 8 * GIB)
GPU = Device(("cuda", "cpu"), 1, "NVIDIA A10, 22 GiB", "bf16", 22 * GIB)


def test_a_folder_that_a_setting_names_must_be_there(tmp_path: Path) -> None:
    assert judge_folders(LifecycleSettings(base_folder=tmp_path)).state is State.GOOD
    missing = judge_folders(LifecycleSettings(base_folder=tmp_path / "gone"))
    assert missing.state is State.BAD
    assert f"AUTOSORT_BASE_FOLDER is {tmp_path / 'gone'}" in missing.fact


def test_a_home_that_is_there_or_can_be_made_will_do_and_is_not_made(tmp_path: Path) -> None:
    assert judge_home(tmp_path).state is State.GOOD
    assert judge_home(tmp_path / "deep" / "home").state is State.GOOD
    assert not (tmp_path / "deep").exists()


def test_a_home_that_is_no_folder_or_cannot_be_written_is_bad(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "is a file" in judge_home(tmp_path / "file" / "home").fact
    with somebody_else():
        assert "cannot be written" in judge_home(tmp_path / "home").fact


@contextmanager
def somebody_else() -> Iterator[None]:
    """Without the rights of root, if it is root who tests."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to become somebody else")
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize(
    ("free", "largest", "state"),
    [
        (2 * GIB, 0, State.GOOD),
        (2 * GIB - 1, 0, State.BAD),
        (4 * GIB, 2 * GIB, State.GOOD),
        (4 * GIB - 1, 2 * GIB, State.BAD),
    ],
)
def test_one_more_version_must_have_room(tmp_path: Path, free: int, largest: int, state: State) -> None:
    assert judge_disk(tmp_path, free, largest).state is state


def test_the_disk_is_looked_at_where_nothing_is_yet_and_where_models_are(tmp_path: Path) -> None:
    settings = RegistrySettings.model_validate({"AUTOSORT_HOME": tmp_path / "home"})
    assert str(tmp_path) in check_disk(settings).fact
    model = settings.artifacts_folder / "a" / "1_Pooling" / "model.safetensors"
    model.parent.mkdir(parents=True)
    with model.open("wb") as file:
        file.truncate(1024 * GIB)  # a hole: it takes no room
    assert "2048.0 GiB" in check_disk(settings).fact


def test_a_device_that_is_wanted_must_be_there() -> None:
    for wanted in ("cuda", "mps", "tpu", "cpu:x"):
        found = judge_device(ServingSettings(device=wanted), CPU, driver=False)
        assert (found.state, f"'{wanted}'" in found.fact) == (State.BAD, True)
    assert judge_device(ServingSettings(device="cuda:1"), GPU, driver=True).state is State.BAD
    assert judge_device(ServingSettings(device="cuda:0"), GPU, driver=True).state is State.GOOD
    assert judge_device(ServingSettings(device="cpu"), GPU, driver=True).state is State.GOOD


def test_the_best_device_is_told_with_its_memory_and_precision() -> None:
    assert judge_device(ServingSettings(), GPU, driver=True).fact == (
        "cuda, NVIDIA A10, 22 GiB; servers try bf16 and keep it if it is as good."
    )
    assert "fp16, as AUTOSORT_PRECISION says" in judge_device(ServingSettings(precision="fp16"), GPU, driver=True).fact


def test_a_gpu_that_torch_cannot_use_is_told_and_too_little_memory_is_bad() -> None:
    idle = judge_device(ServingSettings(), CPU, driver=True)
    assert (idle.state, "CUDA" in (idle.remedy or "")) == (State.GOOD, True)
    assert judge_device(ServingSettings(), replace(CPU, memory=GIB - 1), driver=False).state is State.BAD


def test_this_machine_has_a_device() -> None:
    assert check_device(ServingSettings(device="cpu")).fact.startswith("cpu, ")
    assert check_device(ServingSettings(device="cuda:99")).state is State.BAD


@pytest.mark.parametrize(
    ("cores", "quota", "set_to", "by_default", "state"),
    [
        (4, None, "", 4, State.GOOD),
        (4, None, "4", 2, State.GOOD),
        (4, None, "8", 2, State.BAD),
        (64, 2.0, "", 32, State.BAD),
        (64, 1.5, "2", 32, State.GOOD),
        (4, None, "many", 2, State.GOOD),
        (4, None, "0", 2, State.GOOD),
    ],
)
def test_there_must_be_a_core_for_each_thread(
    cores: int, quota: float | None, set_to: str, by_default: int, state: State
) -> None:
    assert judge_cores(cores, quota, set_to, by_default).state is state


def test_more_threads_than_cores_here_are_bad(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "9999")
    found = check_cores()
    assert found.state is State.BAD
    assert (found.remedy or "").startswith("Set OMP_NUM_THREADS=")


def test_a_containers_quota_is_read(tmp_path: Path) -> None:
    file = tmp_path / "cpu.max"
    assert read_quota(file) is None
    file.write_text("max 100000\n")
    assert read_quota(file) is None
    file.write_text("150000 100000\n")
    assert read_quota(file) == 1.5
