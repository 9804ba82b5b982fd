"""Who is answered by the candidate."""

import pytest

from serving.parallel.canary import in_canary, user_key

USERS = [f"user-{number}" for number in range(5_000)]


@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 1.0])
def test_the_share_is_kept(share: float) -> None:
    chosen = sum(in_canary(1, user, share) for user in USERS)
    assert chosen / len(USERS) == pytest.approx(share, abs=0.02)


def test_a_user_stays_and_a_larger_share_keeps_those_of_the_smaller() -> None:
    small = {user for user in USERS if in_canary(1, user, 0.1)}
    assert small == {user for user in USERS if in_canary(1, user, 0.1)}
    assert small < {user for user in USERS if in_canary(1, user, 0.3)}


def test_another_run_chooses_others() -> None:
    one, other = ({user for user in USERS if in_canary(run, user, 0.1)} for run in (1, 2))
    assert len(one & other) < 0.3 * len(one)


def test_the_key_does_not_show_the_user() -> None:
    assert len(user_key(1, "somebody@example.org")) == 8
    assert b"somebody" not in user_key(1, "somebody@example.org")
