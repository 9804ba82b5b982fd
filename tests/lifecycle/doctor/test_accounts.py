"""Modal, the Hub and W&B, each with Modal's and the Hub's own clients against servers that answer as they do."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lifecycle.doctor.accounts import check_hub, judge_wandb
from lifecycle.doctor.check import State
from lifecycle.settings import LifecycleSettings
from lifecycle.wandb_session import Standing, read_standing
from registry.settings import RegistrySettings
from tests.support.command_line import CommandLine, environment
from tests.support.hub import ModelHub, served_hub
from tests.support.hub_store import Refusal
from tests.support.minimodal import ControlPlane, needs_minimodal, running_minimodal

TOKEN = {"MODAL_TOKEN_ID": "ak-local", "MODAL_TOKEN_SECRET": "as-local", "MODAL_CONFIG_PATH": "/nonexistent.toml"}
APP = "import modal\napp = modal.App({!r})\n@app.function()\ndef {}():\n    pass\n"


def modal_line(tmp_path: Path, **variables: str) -> dict[str, Any]:
    """What `autosort doctor` says of Modal."""
    line = CommandLine(environment(AUTOSORT_HOME=str(tmp_path / "home"), **variables))
    process = line.start("doctor")
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode in {0, 1}, stderr) == (True, "")
    return next(each for each in _checks(stdout) if each["name"] == "modal")


def _checks(stdout: str) -> list[dict[str, Any]]:
    return list(json.loads(stdout)["checks"])


def deploy(plane: ControlPlane, tmp_path: Path, app: str, function: str) -> None:
    file = tmp_path / "small_app.py"
    file.write_text(APP.format(app, function))
    plane.run("deploy", str(file))


@needs_minimodal
def test_modal_is_good_with_a_token_and_the_app(tmp_path: Path) -> None:
    with running_minimodal(tmp_path / "plane") as plane:
        there = {**plane.environment, "AUTOSORT_COMPUTE": "modal"}
        missing = modal_line(tmp_path, **there)
        assert (missing["state"], missing["remedy"]) == ("bad", "Run `modal deploy modal_jobs/app.py`.")
        deploy(plane, tmp_path, "autosort", "other")
        assert modal_line(tmp_path, **there)["state"] == "bad"
        deploy(plane, tmp_path, "autosort", "train")
        assert modal_line(tmp_path, **there)["state"] == "good"
        another = modal_line(tmp_path, **there, AUTOSORT_MODAL_APP="songs")
        assert (another["state"], "'songs'" in another["fact"]) == ("bad", True)
        assert "nothing is sent there" in modal_line(tmp_path, **plane.environment)["fact"]


def test_where_work_runs_here_nothing_of_modal_is_bad(tmp_path: Path) -> None:
    away = f"http://127.0.0.1:{closed_port()}"
    assert modal_line(tmp_path, MODAL_SERVER_URL=away, **TOKEN)["state"] == "unused"
    gone = modal_line(tmp_path, AUTOSORT_COMPUTE="modal", MODAL_SERVER_URL=away, **TOKEN)
    assert (gone["state"], "cannot be reached" in gone["fact"]) == ("bad", True)


def test_without_a_token_modal_is_bad_only_where_work_runs_there(tmp_path: Path) -> None:
    nowhere = {"MODAL_CONFIG_PATH": str(tmp_path / "none.toml"), "MODAL_TOKEN_ID": "", "MODAL_TOKEN_SECRET": ""}
    assert modal_line(tmp_path, **nowhere)["state"] == "unused"
    lacking = modal_line(tmp_path, AUTOSORT_COMPUTE="modal", **nowhere)
    assert (lacking["state"], "modal token new" in lacking["remedy"]) == ("bad", True)


def test_a_token_that_modal_does_not_know_is_bad(tmp_path: Path) -> None:
    with refusing_modal() as url:
        refused = modal_line(tmp_path, AUTOSORT_COMPUTE="modal", MODAL_SERVER_URL=url, **TOKEN)
    assert (refused["state"], refused["fact"]) == ("bad", "Modal does not know this token.")


def test_a_modal_that_keeps_silent_is_bad_in_five_seconds(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        waited = modal_line(tmp_path, AUTOSORT_COMPUTE="modal", MODAL_SERVER_URL=url, **TOKEN)
    assert (waited["state"], waited["fact"]) == ("bad", "Modal has not answered within 5 s.")


def test_a_modal_configuration_that_somebody_broke_is_bad_and_shows_no_token(tmp_path: Path) -> None:
    file = tmp_path / "modal.toml"
    file.write_text('[default]\ntoken_id = "ak-verysecret\ntoken_secret = as-verysecret\n')
    broken = modal_line(tmp_path, AUTOSORT_COMPUTE="modal", MODAL_CONFIG_PATH=str(file))
    assert broken["state"] == "bad"
    assert "verysecret" not in str(broken)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelHub]:
    """A Hub that the environment leads to, and no token."""
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setenv("HF_TOKEN_PATH", "/nonexistent")
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", "/nonexistent")
    with served_hub() as running:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", running.url)
        yield running


def test_the_hub_is_asked_whose_token_it_is(hub: ModelHub, monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_hub().state is State.UNUSED
    monkeypatch.setenv("HF_TOKEN", hub.token("ada"))
    assert check_hub().fact == f"The token of ada at {hub.url}."
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert check_hub().state is State.UNUSED


def test_a_token_that_the_hub_does_not_take(hub: ModelHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_wrongwrongwrong")
    found = check_hub()
    assert (found.state, "does not accept the token (401)" in found.fact) == (State.BAD, True)
    assert "hf_wrong" not in str(found)

    def busy(_method: str, _path: str) -> None:
        raise Refusal(503, "too many songs")

    hub.fault = busy
    assert "busy or out of order (503)" in check_hub().fact


def test_a_hub_that_cannot_be_reached(hub: ModelHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", hub.token("ada"))
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{closed_port()}")
    found = check_hub()
    assert (found.state, "HF_HUB_OFFLINE" in (found.remedy or "")) == (State.BAD, True)


@pytest.mark.parametrize(
    ("tracking", "standing", "state", "told"),
    [
        ("off", Standing("0.31", True, ("online",)), State.UNUSED, "AUTOSORT_TRACKING"),
        ("auto", Standing(None, False, ("offline",)), State.UNUSED, "not installed"),
        ("auto", Standing(None, True, ("online",)), State.BAD, "WANDB_API_KEY is set"),
        ("auto", Standing("0.31", True, ()), State.UNUSED, "WANDB_MODE"),
        ("auto", Standing("0.31", False, ("offline",)), State.GOOD, "offline"),
        ("auto", Standing("0.31", True, ("online", "offline")), State.GOOD, "sent"),
    ],
)
def test_how_a_retraining_would_be_tracked(
    tmp_path: Path, tracking: str, standing: Standing, state: State, told: str
) -> None:
    settings = LifecycleSettings.model_validate({"tracking": tracking})
    found = judge_wandb(settings, RegistrySettings.model_validate({"AUTOSORT_HOME": tmp_path}), standing)
    assert (found.state, told in found.fact) == (state, True)


def test_the_environment_says_how_wandb_would_be_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    assert read_standing().modes == ("offline",)
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    assert (read_standing().has_key, read_standing().modes) == (True, ("online", "offline"))
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert read_standing().modes == ()


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def refusing_modal() -> Iterator[str]:
    """The URL of a control plane that knows no token."""
    from grpclib import GRPCError, Status
    from grpclib.server import Server
    from modal_proto.api_grpc import ModalClientBase

    async def refuse(_self: object, stream: Any) -> None:
        await stream.recv_message()
        raise GRPCError(Status.UNAUTHENTICATED, "Token ID ak-local is not known")

    methods: dict[str, Any] = dict.fromkeys(ModalClientBase.__abstractmethods__, refuse)
    service = type("Refusing", (ModalClientBase,), methods)()
    ready, over, port = threading.Event(), threading.Event(), closed_port()

    async def serve() -> None:
        server = Server([service])
        await server.start("127.0.0.1", port)
        ready.set()
        await asyncio.to_thread(over.wait)
        server.close()
        await server.wait_closed()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert ready.wait(10)
        yield f"http://127.0.0.1:{port}"
    finally:
        over.set()
        thread.join(10)
