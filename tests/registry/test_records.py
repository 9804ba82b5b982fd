"""What a record makes of values that mean something else than they say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from registry.records import AudioFeatures

UNKNOWN_IF_ZERO = ["tempo", "time_signature"]


@pytest.mark.parametrize("field", UNKNOWN_IF_ZERO)
@pytest.mark.parametrize("zero", [0, 0.0, -0.0, "0", "0.0", " 0 "])
def test_a_tempo_or_time_signature_of_zero_is_unknown(field: str, zero: object) -> None:
    assert AudioFeatures.model_validate({field: zero}) == AudioFeatures()


@pytest.mark.parametrize("field", UNKNOWN_IF_ZERO)
@pytest.mark.parametrize("value", [-1, "-0.5", 1_001, "fast", "nan", float("inf"), False, [], 10**400])
def test_any_other_impossible_tempo_or_time_signature_is_refused(field: str, value: object) -> None:
    with pytest.raises(ValidationError):
        AudioFeatures.model_validate({field: value})


@given(st.floats(2.0**-126, 16))
def test_every_possible_one_is_kept(value: float) -> None:
    features = AudioFeatures.model_validate({"tempo": str(value), "time_signature": value})
    assert (features.tempo, features.time_signature) == (value, value)


@given(st.floats(0, 2.0**-126, exclude_max=True))
def test_what_no_real_of_postgres_can_hold_is_zero(value: float) -> None:
    told = {"tempo": value, "time_signature": value, "energy": value, "key": value, "loudness": -value, "mode": value}
    features = AudioFeatures.model_validate(told)
    assert (features.tempo, features.time_signature) == (None, None)
    assert (features.energy, features.key, features.loudness, features.mode) == (0, 0, 0, 0)
