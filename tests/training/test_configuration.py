"""Training configurations refuse what cannot be trained with."""

from typing import Any

import pytest
from pydantic import ValidationError

from registry.errors import BadInput, NotFound
from training.configuration import PROFILES, TrainingConfiguration, parse_changes, profile

VALID: dict[str, Any] = {"profile": "mine", "epochs": 1, "batch_size": 8, "learning_rate": 1e-5}


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0},
        {"epochs": 101},
        {"epochs": 1.5},
        {"batch_size": 1},
        {"learning_rate": 0},
        {"learning_rate": 0.5},
        {"learning_rate": float("nan")},
        {"warmup": 1.1},
        {"weight_decay": -0.1},
        {"scale": 0},
        {"scale": float("inf")},
        {"checkpoints": 0},
        {"seed": -1},
        {"seed": 2**31},
        {"temperature": 0.01},
    ],
    ids=str,
)
def test_a_value_out_of_range_or_unknown_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        TrainingConfiguration.model_validate(VALID | wrong)
    assert {error["loc"] for error in caught.value.errors()} == {(name,) for name in wrong}


@pytest.mark.parametrize("name", ["profile", "epochs", "batch_size", "learning_rate"])
def test_what_has_no_default_must_be_given(name: str) -> None:
    with pytest.raises(ValidationError):
        TrainingConfiguration.model_validate({key: value for key, value in VALID.items() if key != name})


def test_a_configuration_never_changes() -> None:
    configuration = TrainingConfiguration.model_validate(VALID)
    with pytest.raises(ValidationError):
        configuration.epochs = 2  # type: ignore[misc]
    assert configuration.epochs == 1


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_a_profile_is_found_by_its_name(name: str) -> None:
    assert profile(name) == PROFILES[name]
    assert profile(name).profile == name


def test_seed_and_epochs_of_a_profile_may_be_others() -> None:
    changed = profile("bundled", seed=7, epochs=2)
    assert changed.model_dump() == PROFILES["bundled"].model_dump() | {"seed": 7, "epochs": 2}
    assert profile("bundled", seed=7).epochs == PROFILES["bundled"].epochs


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"seed": -1}])
def test_another_seed_or_number_of_epochs_is_checked_too(wrong: dict[str, int]) -> None:
    with pytest.raises(BadInput, match=next(iter(wrong))):
        profile("bundled", **wrong)


def test_an_unknown_profile_is_refused_with_those_there_are() -> None:
    with pytest.raises(NotFound, match=r"'huge'.*bundled"):
        profile("huge")


def test_changes_are_read_as_yaml_and_checked_by_the_profile() -> None:
    changes = parse_changes(["reranker=true", "matryoshka=[64, 128]", "method=lora", "learning_rate=3e-5", "patience="])
    changed = profile("bundled", **changes)
    assert (changed.reranker, changed.matryoshka, changed.method) == (True, (64, 128), "lora")
    assert (changed.learning_rate, changed.patience) == (3e-5, None)
    with pytest.raises(BadInput, match="rerankre"):
        profile("bundled", **parse_changes(["rerankre=true"]))


@pytest.mark.parametrize("wrong", ["reranker", "=true", "profile=mine", "base=other", "matryoshka=[1"])
def test_what_is_no_change_is_refused(wrong: str) -> None:
    with pytest.raises(BadInput):
        parse_changes([wrong])
