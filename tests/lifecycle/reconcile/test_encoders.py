"""The precision of a version is measured once, by whoever has many songs to embed, and followed by all."""

from typing import Any

import pytest

from lifecycle.progress import Silent
from lifecycle.reconcile import encoders
from lifecycle.reconcile.encoders import Encoders
from lifecycle.reconcile.operation import reconcile
from lifecycle.workspace import Workspace
from registry import versions
from registry.vectors.vector_set import VectorSet
from registry.versions import ModelVersion
from serving.inference import precision
from serving.inference.encoder import Encoder
from tests.lifecycle.reconcile.helpers import AddVersion, Told, state, stored


@pytest.fixture(autouse=True)
def _eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten songs are many, and any processor offers bf16, be it fast or not."""
    monkeypatch.setattr(encoders, "_WORTH_A_TRIAL", 10)
    monkeypatch.setattr(precision, "offered_precision", lambda _: "bf16")
    monkeypatch.setattr(precision, "LEAST_SPEEDUP", 0.0)


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch, one_model: None) -> list[str]:  # noqa: ARG001 - it is what is wrapped
    """The precisions of the encoders that were asked for."""
    asked: list[str] = []
    load: Any = Workspace.load_encoder

    def noted(self: Workspace, spec: object, *, precision: str = "fp32") -> Encoder:
        asked.append(precision)
        found: Encoder = load(self, spec, precision=precision)
        return found

    monkeypatch.setattr(Workspace, "load_encoder", noted)
    return asked


def version(workspace: Workspace, name: str) -> ModelVersion:
    """A version that has tables."""
    with workspace.database.transaction() as connection:
        found = versions.get(connection, name)
        VectorSet(found).create(connection)
    return found


def test_many_songs_are_embedded_in_the_faster_precision_which_is_recorded(
    served: Workspace, add_version: AddVersion
) -> None:
    name, told = add_version(), Told()
    reconcile(served, name, told)
    assert state(served, name).precision == "bf16"
    assert any("bf16 is used" in line for line in told.lines)
    coarse, exact = stored(served, "s3", version=name)["s3"], stored(served, "s3")["s3"]
    assert coarse == pytest.approx(exact, abs=5e-3)
    assert coarse != pytest.approx(exact, abs=1e-5)


def test_what_is_recorded_is_followed_without_another_trial(
    served: Workspace, add_version: AddVersion, loaded: list[str]
) -> None:
    made = version(served, add_version())
    with served.database.transaction() as connection:
        assert VectorSet(made).settle_precision(connection, "bf16") == "bf16"
        assert VectorSet(made).settle_precision(connection, "fp32") == "bf16"
    kept = Encoders(served, Silent())
    assert kept.of(made, waiting=100).precision == "bf16"
    assert kept.of(made).precision == "bf16"
    assert loaded == ["bf16"]


def test_few_songs_are_embedded_in_fp32_and_nothing_is_recorded(
    served: Workspace, add_version: AddVersion, loaded: list[str]
) -> None:
    made = version(served, add_version())
    assert Encoders(served, Silent()).of(made, waiting=9).precision == "fp32"
    assert loaded == ["fp32"]
    assert state(served, made.version).precision is None


def test_a_precision_that_gives_other_answers_is_not_used_and_nobody_tries_it_again(
    served: Workspace, add_version: AddVersion, loaded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "LEAST_COSINE", 1.1)
    name, told = add_version(), Told()
    reconcile(served, name, told)
    assert state(served, name).precision == "fp32"
    assert any("bf16 is not used" in line for line in told.lines)
    assert loaded == ["fp32", "bf16"]
    loaded.clear()
    assert Encoders(served, Silent()).of(version(served, name), waiting=100).precision == "fp32"
    assert loaded == ["fp32"]


def test_a_device_that_does_not_compute_in_what_is_recorded_takes_fp32(
    served: Workspace, add_version: AddVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = version(served, add_version())
    with served.database.transaction() as connection:
        VectorSet(made).settle_precision(connection, "bf16")
    monkeypatch.setattr(precision, "offered_precision", lambda _: "fp32")
    assert Encoders(served, Silent()).of(made, waiting=100).precision == "fp32"
    assert state(served, made.version).precision == "bf16"


def test_versions_of_one_model_share_it(served: Workspace, add_version: AddVersion, loaded: list[str]) -> None:
    kept = Encoders(served, Silent())
    assert kept.of(version(served, add_version())) is kept.of(version(served, add_version()))
    assert loaded == ["fp32"]
