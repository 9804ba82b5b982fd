"""How fast each recipe trains and embeds on each device: the one table behind every estimate of time and money."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from registry.errors import NotFound

SONG_TOKENS = 45
PLAYLIST_TOKENS = 15
INSTRUCTION_TOKENS = 20
"""Tokens of a text, about: title, artist, album and mood words; a name and a line; "Instruct: … Query:"."""

_A10_PEAK = 125e12
"""FLOP/s of an A10 in bf16, dense (NVIDIA's data sheet). What clouds call A10 may be an A10G, which has 70e12."""

_FORWARD = 2
_FORWARD_AND_BACKWARD = 6
"""FLOPs by parameter and token (Kaplan et al. 2020, arXiv:2001.08361, section 2.1)."""


class Device(StrEnum):
    """What does the arithmetic."""

    A10 = "a10"
    CPU = "cpu"


@dataclass(frozen=True)
class Throughput:
    """How fast one recipe goes on one device.

    Attributes:
        pairs_per_second: trained on; a pair is one playlist text and one song text.
        songs_per_second: embedded.
        basis: whether somebody measured it.
        source: where the figures come from.
    """

    profile: str
    device: Device
    pairs_per_second: float
    songs_per_second: float
    basis: Literal["measured", "estimated"]
    source: str


def pair_tokens(profile: str, *, siblings: float = 0.0, hard_negatives: int = 0) -> float:
    """Tokens that are trained on for one pair: an anchor, its song and the hard negatives.

    Args:
        siblings: share of the anchors that are songs instead of playlists.
    """
    playlist = PLAYLIST_TOKENS + (INSTRUCTION_TOKENS if profile == "e5-large" else 0)
    anchor = siblings * SONG_TOKENS + (1 - siblings) * playlist
    return anchor + (1 + hard_negatives) * SONG_TOKENS


def find_throughput(profile: str, device: Device) -> Throughput:
    """The row of the table.

    Raises:
        NotFound: nobody measured or estimated that.
    """
    for row in THROUGHPUTS:
        if (row.profile, row.device) == (profile, device):
            return row
    known = ", ".join(f"{row.profile} on {row.device}" for row in THROUGHPUTS)
    raise NotFound(f"The throughput of {profile} on {device} is not known.", f"Known: {known}.")


def _from_flops(profile: str, parameters: float, utilisation: float, *, cached: bool, source: str) -> Throughput:
    """A10: peak * utilisation / FLOPs; a cached loss goes forward twice (Gao et al. 2021, arXiv:2101.06983)."""
    usable = _A10_PEAK * utilisation
    by_token = _FORWARD_AND_BACKWARD + (_FORWARD if cached else 0)
    return Throughput(
        profile=profile,
        device=Device.A10,
        pairs_per_second=usable / (by_token * parameters * pair_tokens(profile)),
        songs_per_second=usable / (_FORWARD * parameters * SONG_TOKENS),
        basis="estimated",
        source=source,
    )


_E5_PARAMETERS = 303e6
_MINILM_PARAMETERS = 10.6e6
"""Without word embeddings, which cost memory and no arithmetic: 24 layers of 1024, 6 layers of 384."""

THROUGHPUTS = (
    Throughput(
        profile="bundled",
        device=Device.CPU,
        pairs_per_second=15.0,
        songs_per_second=100.0,
        basis="measured",
        source="the sample library on two x86 cores",
    ),
    _from_flops(
        "bundled",
        _MINILM_PARAMETERS,
        0.10,
        cached=False,
        source="10.6M parameters at 10 % of 125 TFLOP/s: so small a model is bound by starting its kernels",
    ),
    Throughput(
        profile="e5-large",
        device=Device.CPU,
        pairs_per_second=15.0 * _MINILM_PARAMETERS / _E5_PARAMETERS,
        songs_per_second=100.0 * _MINILM_PARAMETERS / _E5_PARAMETERS,
        basis="estimated",
        source="the bundled model on two cores, by the number of parameters (10.6M to 303M)",
    ),
    _from_flops(
        "e5-large",
        _E5_PARAMETERS,
        0.35,
        cached=True,
        source="303M parameters at 35 % of 125 TFLOP/s bf16, cached loss; an A10G has 70 TFLOP/s",
    ),
)
