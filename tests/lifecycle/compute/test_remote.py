"""Whether Modal is there, as its client's own settings say where."""

import socket
from collections.abc import Iterator

import pytest

from lifecycle.compute.remote import require_reachable
from registry.errors import ComputeUnavailable


@pytest.fixture
def listening() -> Iterator[int]:
    """A port on which somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_by_default_modals_own_addresses_are_asked_each_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MODAL_SERVER_URL", raising=False)
    monkeypatch.setenv("MODAL_CONFIG_PATH", "/nonexistent.toml")
    asked: list[tuple[str, int]] = []

    def refuse(address: tuple[str, int], _: float) -> socket.socket:
        asked.append(address)
        raise ConnectionRefusedError

    with pytest.raises(ComputeUnavailable):
        require_reachable(refuse)
    assert ("api.modal.com", 443) in asked
    assert all("," not in host for host, _ in asked)


def test_one_address_that_answers_is_enough(monkeypatch: pytest.MonkeyPatch, listening: int) -> None:
    away = f"http://127.0.0.1:{closed_port()}"
    monkeypatch.setenv("MODAL_SERVER_URL", f"{away}, http://127.0.0.1:{listening}")
    require_reachable()
    monkeypatch.setenv("MODAL_SERVER_URL", away)
    with pytest.raises(ComputeUnavailable, match="ConnectionRefusedError"):
        require_reachable()
