"""Which playlists there are, and which of them each song is for, before any song is written."""

import re
import unicodedata
from dataclasses import dataclass
from random import Random

from lifecycle.sample.chance import chance
from lifecycle.sample.palette import Palette
from lifecycle.sample.themes import Theme, narrowed, themes
from lifecycle.sample.words import Words
from registry.records import Playlist

MOST_PLAYLISTS = 400
TINY = 2
"""The last so many playlists have exactly so many songs: too few to learn from, as real ones are."""

ORPHANS = 0.09
SHARED = 0.06
DUPLICATES = 0.07


@dataclass(frozen=True)
class PlannedPlaylist:
    """A playlist, its curator's taste, and the tastes it borrows from."""

    playlist: Playlist
    theme: Theme
    leans: tuple[Theme, ...]


@dataclass(frozen=True)
class Slot:
    """A song to be written: for which playlists (positions in the plan), and as which other version too.

    `version` is "remaster", "live" or "radio" when the song also exists in that recording.
    """

    playlists: tuple[int, ...]
    palette: Palette
    version: str | None = None


def playlist_count(songs: int) -> int:
    """About one playlist per 32 songs, up to a limit: a growing catalogue gets longer playlists, too."""
    return min(MOST_PLAYLISTS, 8 + songs // 32)


def plan_playlists(rng: Random, words: Words, count: int) -> tuple[PlannedPlaylist, ...]:
    """Every theme once, then other people's takes on the themes."""
    known = themes()
    present = {theme.key: theme for theme in known[:count]}
    return tuple(
        _planned(rng, words, present, known[index % len(known)], index // len(known)) for index in range(count)
    )


def _planned(rng: Random, words: Words, present: dict[str, Theme], theme: Theme, take: int) -> PlannedPlaylist:
    near = tuple(present[key] for key in theme.neighbours if key in present)
    leans = near or tuple(other for key, other in present.items() if key != theme.key)
    if take == 0:
        return PlannedPlaylist(_playlist(words, theme, take), theme, leans)
    return PlannedPlaylist(_playlist(words, theme, take), narrowed(theme, rng), (rng.choice(leans),))


def _playlist(words: Words, theme: Theme, take: int) -> Playlist:
    """The take-th playlist on a theme: its first owner's, then those of others, who call it something else."""
    name = theme.names[take % len(theme.names)] + words.sequels[take // len(theme.names) % len(words.sequels)]
    return Playlist(
        playlist_id=slug(name),
        name=name,
        description=_description(words, theme, take),
        genre=theme.genre,
        subgenre=theme.subgenre,
        owner=theme.owner if take == 0 else words.owners[(take * 7 + len(name)) % len(words.owners)],
    )


def _description(words: Words, theme: Theme, take: int) -> str:
    """When it is for, what goes in, and once these have all been used, a remark."""
    sentences = [theme.descriptions[take % len(theme.descriptions)], *theme.picks]
    if take >= len(theme.descriptions):
        sentences.append(words.asides[(take * 5 + len(theme.key)) % len(words.asides)])
    return " ".join(sentences)


def slug(name: str) -> str:
    """'Kitchen light at 2 a.m.' becomes 'kitchen-light-at-2-am'."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", re.sub(r"[.']", "", plain)).strip("-")


def plan_songs(rng: Random, plan: tuple[PlannedPlaylist, ...], songs: int) -> list[Slot]:
    """One slot per original; with their other versions they come to `songs`."""
    duplicates = max(1, round(songs * DUPLICATES))
    originals = songs - duplicates
    orphans = round(originals * ORPHANS)
    slots = [_orphan(rng, plan) for _ in range(orphans)]
    homes = _homes(rng, len(plan), originals - orphans)
    slots += [_placed(rng, plan, home, shared) for home, shared in zip(homes, _shared(rng, homes, plan), strict=True)]
    return _with_versions(rng, plan, slots, duplicates)


def _homes(rng: Random, playlists: int, songs: int) -> list[int]:
    """The home of each placed song. Playlists differ in size, up to threefold."""
    large = range(playlists - TINY)
    weights = [rng.uniform(0.5, 1.5) for _ in large]
    tiny = [index for index in range(playlists - TINY, playlists) for _ in range(TINY)]
    everyone = [index for index in large for _ in range(TINY + 1)]
    return [*tiny, *everyone, *rng.choices(large, weights, k=songs - len(tiny) - len(everyone))]


def _shared(rng: Random, homes: list[int], plan: tuple[PlannedPlaylist, ...]) -> list[bool]:
    """Which songs are in a second playlist: never those of the tiny ones, and at least one in any library."""
    shared = [home < len(plan) - TINY and chance(rng, SHARED) for home in homes]
    shared[-1] = True
    return shared


def _placed(rng: Random, plan: tuple[PlannedPlaylist, ...], home: int, shared: bool) -> Slot:
    planned = plan[home]
    lean = rng.choice(planned.leans)
    if not shared:
        return Slot((home,), Palette(planned.theme, lean))
    large = [index for index in range(len(plan) - TINY) if index != home]
    close = [index for index in large if plan[index].theme.key == lean.key] or large
    return Slot((home, rng.choice(close)), Palette(planned.theme, lean))


def _orphan(rng: Random, plan: tuple[PlannedPlaylist, ...]) -> Slot:
    """A song in no playlist: two of three would fit one, the third falls between two that have little in common."""
    planned = rng.choice(plan)
    fits = chance(rng, 2 / 3)
    return Slot((), Palette(planned.theme, rng.choice(planned.leans) if fits else rng.choice(plan).theme))


def _with_versions(rng: Random, plan: tuple[PlannedPlaylist, ...], slots: list[Slot], duplicates: int) -> list[Slot]:
    """Mark the songs that exist in another recording, sparing the tiny playlists, which would grow by it."""
    eligible = [at for at, slot in enumerate(slots) if all(index < len(plan) - TINY for index in slot.playlists)]
    for at in rng.sample(eligible, duplicates):
        version = rng.choice(("remaster", "remaster", "live", "radio"))
        slots[at] = Slot(slots[at].playlists, slots[at].palette, version)
    return slots
