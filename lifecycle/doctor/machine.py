"""The machine: settings, folders, disk, device and cores."""

import os
import shutil
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import psutil

from lifecycle.doctor.check import Check, bad, good
from lifecycle.settings import LifecycleSettings
from registry.settings import RegistrySettings
from serving.settings import ServingSettings

GIB = 2**30
LEAST_FREE_BYTES = 2 * GIB
LEAST_MEMORY_BYTES = 1 * GIB
"""The bundled model in a server takes a little more than that."""

_CGROUP = Path("/sys/fs/cgroup/cpu.max")


@dataclass(frozen=True)
class Device:
    """What torch can compute on.

    Attributes:
        kinds: of device that there are here, the best one first; the processor is always among them.
        described: the best one, or the one that is wanted, with its memory.
        precision: the fastest that it computes in itself.
    """

    kinds: tuple[str, ...]
    count: int
    described: str
    precision: str
    memory: int


def judge_folders(settings: LifecycleSettings) -> Check:
    """Whether what the settings point to is there."""
    folders = {"AUTOSORT_BASE_FOLDER": settings.base_folder, "AUTOSORT_EMOTIONS_FOLDER": settings.emotions_folder}
    missing = [f"{name} is {folder}" for name, folder in folders.items() if folder and not folder.is_dir()]
    if missing:
        return bad("settings", f"{'; '.join(missing)}: there is no such folder.", "Mount or copy it, or unset it.")
    return good("settings", f"All can be used; heavy work runs {_where(settings)}.")


def _where(settings: LifecycleSettings) -> str:
    return "on Modal" if settings.compute == "modal" else "on this machine"


def judge_home(home: Path) -> Check:
    """Whether the home is, or can become, a folder that is written to."""
    there = nearest_existing(home)
    if there.is_file():
        return bad("home", f"{there} is a file, where a folder should be.", "Set AUTOSORT_HOME to a folder.")
    if not os.access(there, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        return bad("home", f"{there} cannot be written.", "Give this user the folder, or set AUTOSORT_HOME to another.")
    return good("home", f"{home}" if there == home else f"{home}, which the first command makes.")


def check_disk(settings: RegistrySettings) -> Check:
    """Whether one more version has room."""
    folder = nearest_existing(settings.artifacts_folder)
    return judge_disk(folder, shutil.disk_usage(folder).free, _largest_model(settings.artifacts_folder))


def judge_disk(folder: Path, free: int, largest: int) -> Check:
    """Whether there is room for one more version.

    Args:
        largest: bytes of the largest model that is kept; a new one is there twice while it is stored.
    """
    least = max(LEAST_FREE_BYTES, 2 * largest)
    fact = f"{free / GIB:.1f} GiB are free at {folder}"
    if free < least:
        return bad(
            "disk",
            f"{fact}; one more version may take {least / GIB:.1f} GiB.",
            "Free some: `autosort status` shows what `autosort retire VERSION` could give back.",
        )
    return good("disk", f"{fact}.")


def check_device(settings: ServingSettings) -> Check:
    """What models compute on."""
    return judge_device(settings, read_device(settings.device), driver=shutil.which("nvidia-smi") is not None)


def read_device(wanted: str | None) -> Device:
    """What there is here; of a device that is wanted and not there, nothing is told but that."""
    import torch

    from serving.inference.devices import offered_precision

    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    kinds = tuple(kind for kind, there in (("cuda", cuda), ("mps", mps), ("cpu", True)) if there)
    kind, _, number = (wanted or kinds[0]).partition(":")
    count = torch.cuda.device_count() if cuda else 0
    index = int(number) if number.isdecimal() else 0
    memory, described = psutil.virtual_memory().available, f"{psutil.virtual_memory().available / GIB:.1f} GiB free"
    if kind == "cuda" and index < count:
        properties = torch.cuda.get_device_properties(index)
        memory, described = properties.total_memory, f"{properties.name}, {properties.total_memory / GIB:.0f} GiB"
    return Device(kinds, count, described, offered_precision(kind) if kind in kinds else "fp32", memory)


def judge_device(settings: ServingSettings, device: Device, *, driver: bool) -> Check:
    """Whether models can be computed, on what, and how exactly.

    Args:
        driver: that of an NVIDIA GPU is on this machine.
    """
    wanted = settings.device or device.kinds[0]
    kind, _, number = wanted.partition(":")
    if kind not in device.kinds or (
        number and (not number.isdecimal() or (kind == "cuda" and int(number) >= device.count))
    ):
        return bad(
            "device",
            f"AUTOSORT_DEVICE is {wanted[:40]!r}, and torch finds only {', '.join(device.kinds)} here.",
            "Unset it to take the best there is; for CUDA, install the driver and a torch built for it.",
        )
    fact = f"{wanted}, {device.described}; {_precision(settings.precision, device.precision)}."
    if device.memory < LEAST_MEMORY_BYTES:
        return bad("device", f"{fact} A model takes about a GiB.", "End other processes, or take a larger machine.")
    if driver and "cuda" not in device.kinds and settings.device is None:
        return good(
            "device", f"{fact} There is an NVIDIA driver too.", "Install a torch built for CUDA to use the GPU."
        )
    return good("device", fact)


def _precision(chosen: str, offered: str) -> str:
    if chosen != "auto":
        return f"models compute in {chosen}, as AUTOSORT_PRECISION says"
    return "models compute in fp32" if offered == "fp32" else f"servers try {offered} and keep it if it is as good"


def check_cores() -> Check:
    """How many threads there are to a product, beside the cores."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else psutil.cpu_count() or 1
    physical = min(psutil.cpu_count(logical=False) or cores, cores)
    return judge_cores(cores, read_quota(_CGROUP), os.environ.get("OMP_NUM_THREADS", ""), physical)


def read_quota(file: Path) -> float | None:
    """How many cores' time a container may take; None for any."""
    try:
        quota, period = file.read_text(encoding="utf-8").split()
        return int(quota) / int(period)
    except (OSError, ValueError):  # there is none, or it says "max"
        return None


def judge_cores(cores: int, quota: float | None, set_to: str, by_default: int) -> Check:
    """Whether no more threads compute than there are cores: more wait for one another, many times slower.

    Args:
        quota: cores' time that may be taken; None for all of it.
        set_to: the variable OMP_NUM_THREADS, as it is.
        by_default: threads if it is not set.
    """
    allowed = min(cores, ceil(quota)) if quota else cores
    threads = int(set_to) if set_to.isdecimal() and int(set_to) else by_default
    fact = f"{allowed} {'core' if allowed == 1 else 'cores'}, {threads} {'thread' if threads == 1 else 'threads'}"
    if threads > allowed:
        return bad("cores", f"{fact}: they wait for one another.", f"Set OMP_NUM_THREADS={allowed}.")
    return good("cores", f"{fact}.")


def nearest_existing(path: Path) -> Path:
    """The path, or the nearest of its parents that is there and that this user can see."""
    path = path.absolute()
    return next((each for each in (path, *path.parents) if os.path.exists(each)), path)  # noqa: PTH110 - Path's raises


def _largest_model(folder: Path) -> int:
    """Bytes of the largest artifact that is kept."""
    if not folder.is_dir():
        return 0
    sizes = (sum(file.stat().st_size for file in each.rglob("*") if file.is_file()) for each in folder.iterdir())
    return max(sizes, default=0)
