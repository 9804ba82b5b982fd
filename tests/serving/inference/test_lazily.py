"""What a version can do without is loaded once, beside what is answered, and tried again when it failed."""

import threading
from collections.abc import Callable

import pytest

from registry.errors import ArtifactError, ModelUnavailable
from serving.inference import lazily
from serving.inference.lazily import Lazily


class Loads:
    """Counts loadings, holds them up, and fails as told."""

    def __init__(self) -> None:
        self.count = 0
        self.go = threading.Event()
        self.failure: Exception | None = None

    def __call__(self) -> str:
        self.count += 1
        assert self.go.wait(10)
        if self.failure is not None:
            raise self.failure
        return "model"


@pytest.fixture
def loads() -> Loads:
    return Loads()


def test_it_is_loaded_once_and_nobody_who_only_looks_waits(loads: Loads) -> None:
    model = Lazily("The model", loads)
    assert loads.count == 0
    for _ in range(3):
        with pytest.raises(ModelUnavailable, match="The model is being loaded"):
            model.find()
    loads.go.set()
    assert (model.wait(), model.find(), loads.count) == ("model", "model", 1)


@pytest.mark.parametrize("ask", [Lazily.wait, Lazily.find])
def test_why_it_cannot_be_loaded_is_told_and_it_is_tried_again_later(
    loads: Loads, monkeypatch: pytest.MonkeyPatch, ask: Callable[[Lazily[str]], str]
) -> None:
    loads.go.set()
    loads.failure = ArtifactError("The artifact is gone.", "Restore it.")
    model = Lazily("The model", loads)
    with pytest.raises(ModelUnavailable) as failed:
        model.wait()
    assert (failed.value.fact, failed.value.remedy) == (
        "The model cannot be loaded: The artifact is gone.",
        "Restore it.",
    )
    with pytest.raises(ModelUnavailable):
        ask(model)
    assert loads.count == 1, "it is not tried again at once"
    monkeypatch.setattr(lazily, "_AGAIN_SECONDS", -1.0)
    loads.failure = None
    assert model.wait() == "model"


def test_what_a_library_said_is_not_told(loads: Loads) -> None:
    loads.go.set()
    loads.failure = RuntimeError("a path that is nobody's business")
    with pytest.raises(ModelUnavailable, match="An unexpected error occurred: RuntimeError") as failed:
        Lazily("The model", loads).wait()
    assert "nobody" not in str(failed.value)
