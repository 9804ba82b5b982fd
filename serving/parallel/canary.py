"""Who is answered by the candidate for real: always the same users, as long as a parallel run lasts."""

from hashlib import sha256

_WHOLE = 2**64


def user_key(run_id: int, user: str) -> bytes:
    """A hash of a user in one run, 8 bytes: other runs choose others."""
    return sha256(f"{run_id}:{user}".encode()).digest()[:8]


def in_canary(run_id: int, user: str, share: float) -> bool:
    """Whether a user belongs to the share whom the candidate answers."""
    return int.from_bytes(user_key(run_id, user)) < share * _WHOLE
