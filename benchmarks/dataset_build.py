"""What building a dataset costs, and how that grows: from a catalogue in memory to a saved dataset.

    python -m benchmarks.dataset_build [--pairs 100000 300000 1000000]

Makes up catalogues of that many pairs (a song for every four, a playlist for every fifty, a word of feedback for every
hundred; popularity as uneven as it is in life), builds and saves the dataset of each in a process of its own, and
prints seconds, pairs per second, peak memory and, between one size and the next, the growth of the processor's time
over that of the pairs: 1 is linear. The catalogue itself is made before the clock starts, but its memory counts.
"""

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from registry.records import (
    AudioFeatures,
    CatalogueSnapshot,
    Feedback,
    Membership,
    MembershipSource,
    Playlist,
    Song,
    Verdict,
)

Record = TypeVar("Record", Song, Playlist)

_START = datetime(2020, 1, 1, tzinfo=UTC)
_WORDS = [
    "amber",
    "river",
    "night",
    "glass",
    "summer",
    "engine",
    "velvet",
    "northern",
    "silent",
    "golden",
    "paper",
    "thunder",
    "harbour",
    "electric",
    "little",
]
_SOURCES = [*MembershipSource]


def synthetic_snapshot(pairs: int, seed: int = 0) -> CatalogueSnapshot:
    """A catalogue of about that many memberships; its records are not validated, as those of a database are not."""
    chance = random.Random(seed)
    songs = tuple(_song(number, chance) for number in range(pairs // 4))
    playlists = tuple(_playlist(number, chance) for number in range(pairs // 50))
    held = {(_one_of(playlists, chance, 1.2).playlist_id, _one_of(songs, chance, 1.6).song_id) for _ in range(pairs)}
    while len(held) < pairs:
        held.add((_one_of(playlists, chance, 1.2).playlist_id, _one_of(songs, chance, 1.6).song_id))
    memberships = tuple(
        Membership.model_construct(
            playlist_id=playlist,
            song_id=song,
            source=chance.choices(_SOURCES, (6, 2, 1, 1))[0],
            added_at=_START + timedelta(minutes=chance.randrange(2_000_000)) if chance.random() < 0.8 else None,
        )
        for playlist, song in sorted(held)
    )
    feedback = tuple(_feedback(memberships, chance) for _ in range(pairs // 100))
    return CatalogueSnapshot(songs, playlists, memberships, feedback)


def _one_of(records: tuple[Record, ...], chance: random.Random, unevenness: float) -> Record:
    return records[int(len(records) * chance.random() ** unevenness)]


def _song(number: int, chance: random.Random) -> Song:
    """One in five is another recording of the song before it."""
    title = " ".join(chance.choices(_WORDS, k=3)).title()
    features: dict[str, Any] = {
        name: chance.random() for name in ("energy", "valence", "danceability", "acousticness", "speechiness")
    }
    return Song.model_construct(
        song_id=f"song-{number:08}",
        title=f"Song {number - 1} - Live"
        if number % 5 == 4
        else f"{title} {number}"
        if number % 5 != 3
        else f"Song {number}",
        artist=f"The {_WORDS[number // 5 % len(_WORDS)].title()} Band {number // 25}",
        album=f"{title} Nights",
        isrc=f"XX{number:010}" if chance.random() < 0.7 else None,
        genre=chance.choice(_WORDS),
        description=" ".join(chance.choices(_WORDS, k=30)),
        duration_ms=chance.randrange(120_000, 300_000),
        popularity=chance.randrange(100),
        audio_features=AudioFeatures.model_construct(**features),
    )


def _playlist(number: int, chance: random.Random) -> Playlist:
    return Playlist.model_construct(
        playlist_id=f"playlist-{number:07}",
        name=" ".join(chance.choices(_WORDS, k=2)),
        description=" ".join(chance.choices(_WORDS, k=12)) if chance.random() < 0.7 else None,
        genre=chance.choice(_WORDS),
        owner=f"owner-{number % 100}",
    )


def _feedback(memberships: tuple[Membership, ...], chance: random.Random) -> Feedback:
    one, other = chance.choice(memberships), chance.choice(memberships)
    verdict = chance.choice([*Verdict])
    return Feedback.model_construct(
        user=f"user-{chance.randrange(500)}",
        song_id=one.song_id,
        playlist_id=one.playlist_id if verdict is Verdict.REJECT else other.playlist_id,
        verdict=verdict,
        from_playlist_id=one.playlist_id if verdict is Verdict.MOVE else None,
        at=_START + timedelta(minutes=chance.randrange(2_000_000)),
    )


def _build(pairs: int) -> None:
    """Build one dataset and print what it cost as JSON."""
    import datasets  # loading the library is not building a dataset

    from training.dataset import build_dataset

    datasets.disable_progress_bars()
    snapshot = synthetic_snapshot(pairs)
    before = _peak()
    begun, cpu = time.perf_counter(), time.process_time()
    dataset = build_dataset(snapshot)
    built = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        dataset.save(Path(folder))
        saved, cpu = time.perf_counter(), time.process_time() - cpu
    figures = {
        "pairs": len(dataset.pairs),
        "build": built - begun,
        "save": saved - built,
        "catalogue": before,
        "cpu": cpu,
    }
    print(json.dumps(figures | {"peak": _peak(), "fingerprint": dataset.fingerprint}))


def _peak() -> float:
    """The most memory that this process ever had, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, nargs="+", default=[100_000, 300_000, 1_000_000])
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        _build(arguments.child)
        return
    last = None
    for pairs in arguments.pairs:
        command = [sys.executable, "-m", "benchmarks.dataset_build", "--child", str(pairs)]
        cost = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
        cost["seconds"] = cost["build"] + cost["save"]
        growth = "" if last is None else f", growth {_growth(last, cost):.2f}"
        print(
            f"{cost['pairs']:>9,} pairs: {cost['seconds']:6.1f} s (build {cost['build']:.1f}, save {cost['save']:.1f}; "
            f"{cost['cpu']:.1f} s of processor), "
            f"{cost['pairs'] / cost['seconds']:,.0f} pairs/s, peak {cost['peak']:.2f} GiB "
            f"(the catalogue alone {cost['catalogue']:.2f}){growth}",
            flush=True,
        )
        last = cost


def _growth(last: dict[str, float], cost: dict[str, float]) -> float:
    return (cost["cpu"] / last["cpu"]) / (cost["pairs"] / last["pairs"])


if __name__ == "__main__":
    main()
