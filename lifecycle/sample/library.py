"""A fictional music library of any size: the demo's, the tests' and the benchmarks' data.

Artists, titles, playlists and people are all invented. The same arguments give the same library, byte for byte.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from random import Random

from lifecycle.sample.audio import incomplete
from lifecycle.sample.plan import Slot, plan_playlists, plan_songs, playlist_count
from lifecycle.sample.reactions import Listeners, Placements, memberships
from lifecycle.sample.songs import SongWriter
from lifecycle.sample.words import words
from registry.errors import BadInput
from registry.records import Feedback, Membership, Playlist, Record, Song

FEWEST_SONGS = 40


@dataclass(frozen=True)
class SampleLibrary:
    """Songs by id, playlists theme by theme, then what connects them."""

    songs: tuple[Song, ...]
    playlists: tuple[Playlist, ...]
    memberships: tuple[Membership, ...]
    feedback: tuple[Feedback, ...]

    def records(self) -> Iterator[Record]:
        """All records, in an order in which each refers only to earlier ones."""
        yield from chain(self.songs, self.playlists, self.memberships, self.feedback)


def generate_library(songs: int = 720, seed: int = 7) -> SampleLibrary:
    """Invent a library.

    Args:
        songs: how many songs, other versions of a song counted; 40 at least.
        seed: another seed, another library.

    Raises:
        BadInput: fewer songs than a library can show its features with.
    """
    if songs < FEWEST_SONGS:
        raise BadInput(f"A sample library of {songs} songs is too small.", f"Ask for at least {FEWEST_SONGS} songs.")
    rng = Random(seed)
    plan = plan_playlists(rng, words(), playlist_count(songs))
    written, placements = _write_songs(rng, plan_songs(rng, plan, songs), songs)
    members = memberships(rng, plan, placements)
    listeners = Listeners(rng, plan, placements)
    moves = listeners.moves(members, max(1, songs // 100))
    feedback = [*moves, *listeners.accepts(max(2, songs // 24)), *listeners.rejects(max(3, songs // 18))]
    return SampleLibrary(
        songs=tuple(_with_gaps(rng, written)),
        playlists=tuple(planned.playlist for planned in plan),
        memberships=tuple(members),
        feedback=tuple(sorted(feedback, key=lambda said: said.at)),
    )


def write_jsonl(library: SampleLibrary, path: Path) -> None:
    """Write the library in the toolkit's import format: one record a line, its kind first, defaults left out."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for record in library.records():
            fields = record.model_dump(mode="json", exclude_defaults=True)
            file.write(json.dumps({"kind": type(record).__name__.lower()} | fields, ensure_ascii=False) + "\n")


def _write_songs(rng: Random, slots: list[Slot], count: int) -> tuple[list[Song], Placements]:
    """Write the slots in their order but number the songs at random, so that an id tells nothing of its playlist."""
    writer = SongWriter(rng, words())
    numbers = iter(rng.sample(range(1, count + 1), count))
    written: list[Song] = []
    placements: Placements = []
    for slot in slots:
        versions = writer.write(slot, next(numbers), next(numbers) if slot.version else None)
        written += versions
        placements += [(song.song_id, slot) for song in versions]
    return sorted(written, key=lambda song: song.song_id), sorted(placements, key=lambda placed: placed[0])


def _with_gaps(rng: Random, songs: list[Song]) -> list[Song]:
    """Take from some songs what real catalogues lack: the description, or audio features."""
    for at in rng.sample(range(len(songs)), max(1, len(songs) // 80)):
        songs[at] = songs[at].model_copy(update={"description": None})
    for at in rng.sample(range(len(songs)), max(1, len(songs) // 45)):
        features = incomplete(rng, songs[at].audio_features)
        songs[at] = songs[at].model_copy(update={"audio_features": features})
    return songs
