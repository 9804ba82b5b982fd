"""Everything that the toolkit leans on, looked at one after the other; nothing is changed."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from importlib.util import find_spec
from urllib.parse import urlsplit

from lifecycle.doctor.checks import (
    Check,
    bad,
    examine,
    good,
    judge_clock,
    judge_disk,
    judge_pgvector,
    judge_pooler,
    judge_postgres,
    unused,
)
from lifecycle.settings import LifecycleSettings, read_settings
from registry import pointer, servers, versions
from registry.artifacts import ArtifactStore
from registry.database import Connection, Database, open_database
from registry.errors import ComputeError
from registry.settings import RegistrySettings
from serving.settings import read_settings as read_serving_settings

_SECONDS = 10.0
_GIB = 2**30


def examine_all(registry: RegistrySettings) -> Iterator[Check]:
    """Look at everything, the cheapest first."""
    yield examine("settings", _settings, seconds=_SECONDS)
    yield examine("disk", partial(_disk, registry), seconds=_SECONDS)
    with ExitStack() as stack:
        opened: list[Database] = []

        def reach() -> Check:
            opened.append(stack.enter_context(open_database(registry)))
            return _ask(opened[0], _postgres)

        yield examine("database", reach, seconds=2 * _SECONDS)
        if opened:
            yield from _of_database(opened[0], registry)
    yield examine("modal", _modal, seconds=2 * _SECONDS)
    yield examine("hub", _hub, seconds=_SECONDS)
    yield examine("wandb", _wandb, seconds=_SECONDS)
    yield examine("device", _device, seconds=3 * _SECONDS)


def _of_database(database: Database, registry: RegistrySettings) -> Iterator[Check]:
    looks: dict[str, Callable[[Connection], Check]] = {
        "pgvector": _pgvector,
        "pooler": partial(_pooler, registry),
        "clock": _clock,
        "models": partial(_models, registry),
        "servers": _servers,
    }
    for name, look in looks.items():
        yield examine(name, partial(_ask, database, look), seconds=_SECONDS)


def _ask(database: Database, look: Callable[[Connection], Check]) -> Check:
    with database.transaction() as connection:
        return look(connection)


def _settings() -> Check:
    read_settings()
    read_serving_settings()
    named = sorted(name for name in os.environ if name.startswith("AUTOSORT_"))
    return good("settings", f"{len(named)} set: {', '.join(named)}" if named else "all as they are by default")


def _disk(registry: RegistrySettings) -> Check:
    home = registry.home
    there = next(each for each in (home, *home.parents) if each.exists())
    if not os.access(there, os.W_OK):
        return bad("disk", f"{there} cannot be written.", "Give its owner the right, or set AUTOSORT_HOME.")
    return judge_disk(str(there), shutil.disk_usage(there).free)


def _postgres(connection: Connection) -> Check:
    row = connection.execute("SELECT current_setting('server_version_num')::int AS version").fetchone()
    return judge_postgres(int(row["version"]) if row else 0)


def _pgvector(connection: Connection) -> Check:
    row = connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()
    return judge_pgvector(str(row["extversion"]) if row else None)


def _pooler(registry: RegistrySettings, connection: Connection) -> Check:
    asked = urlsplit(registry.database_url.get_secret_value()).port if registry.database_url else None
    row = connection.execute("SELECT current_setting('port')::int AS port").fetchone()
    return judge_pooler(asked, int(row["port"]) if row else None)


def _clock(connection: Connection) -> Check:
    row = connection.execute("SELECT clock_timestamp() AS now").fetchone()
    return judge_clock((datetime.now(UTC) - row["now"]).total_seconds() if row else 0.0)


def _models(registry: RegistrySettings, connection: Connection) -> Check:
    """Whether the models that answer, or may soon, are there; their digests are verified whenever they are loaded."""
    present, store = pointer.read(connection), ArtifactStore(registry.artifacts_folder)
    named = [name for name in (present.live, present.previous, present.candidate) if name]
    if not named:
        return unused("models", "Nothing is live yet.")
    missing = [
        f"{digest[:12]} of {name}"
        for name in named
        for digest in versions.get(connection, name).spec.artifacts
        if not store.size(digest)
    ]
    if missing:
        return bad(
            "models",
            f"{', '.join(missing)} is not in {registry.artifacts_folder}.",
            "Copy it there from a machine that has it; where only Modal serves, this one need not have it.",
        )
    return good("models", f"those of {', '.join(named)} are here")


def _servers(connection: Connection) -> Check:
    alive, live = servers.list_alive(connection), pointer.read(connection).live
    behind = [
        f"{each.server}: {each.problem or each.version}" for each in alive if each.problem or each.version != live
    ]
    if behind:
        return bad("servers", f"{len(behind)} of {len(alive)} do not answer with {live}: {behind[0]}", "See its log.")
    return good("servers", f"{len(alive)} answer with {live}") if alive else unused("servers", "None runs.")


def _modal() -> Check:
    settings = read_settings()
    if find_spec("modal") is None:
        return _modal_missing(settings, "The package modal is not installed.", "Run `pip install modal`.")
    from modal.config import config

    if not (config["token_id"] and config["token_secret"]):
        return _modal_missing(settings, "There is no token for Modal.", "Run `modal token new`.")
    import modal

    from lifecycle.compute.remote import require_reachable, translated

    try:
        require_reachable()
        with translated(settings.modal_app):
            modal.Function.from_name(settings.modal_app, "train").hydrate()
    except ComputeError as error:
        return _modal_missing(settings, error.fact, error.remedy)
    return good("modal", f"the app {settings.modal_app} is deployed; AUTOSORT_COMPUTE is {settings.compute}")


def _modal_missing(settings: LifecycleSettings, fact: str, remedy: str) -> Check:
    if settings.compute == "modal":
        return bad("modal", fact, remedy)
    return unused("modal", f"{fact} Nothing asks for it.")


def _hub() -> Check:
    from huggingface_hub import constants, get_token, whoami

    token = get_token()
    if constants.HF_HUB_OFFLINE or token is None:
        return unused(
            "hub", "offline by HF_HUB_OFFLINE" if constants.HF_HUB_OFFLINE else "There is no token (HF_TOKEN)."
        )
    try:
        return good("hub", f"the token is {whoami(token)['name']}'s")
    except Exception as error:  # noqa: BLE001 - its text may hold the token
        return bad("hub", f"The Hub did not take the token: {type(error).__name__}.", "Run `hf auth login`.")


def _wandb() -> Check:
    found = find_spec("wandb")
    if read_settings().tracking == "off" or found is None or found.origin is None:
        return unused("wandb", "Trainings are not tracked.")
    if os.environ.get("WANDB_MODE") == "disabled":
        return unused("wandb", "WANDB_MODE is disabled.")
    return good("wandb", "online" if os.environ.get("WANDB_API_KEY") else "offline, as there is no WANDB_API_KEY")


def _device() -> Check:
    import psutil
    import torch

    from serving.inference.precision import chosen_device, offered_precision

    device = chosen_device(read_serving_settings().device)
    memory = psutil.virtual_memory().available / _GIB
    if device == "cuda":
        memory = torch.cuda.mem_get_info()[0] / _GIB
    cores = f", {torch.get_num_threads()} threads" if device == "cpu" else ""
    return good("device", f"{device}{cores}, {memory:.1f} GiB free, fastest in {offered_precision(device)}")
