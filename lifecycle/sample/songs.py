"""Songs written to the plan: title, artist, description, features, and other recordings of the same song."""

from random import Random

from lifecycle.sample.audio import audio_features, heard_live
from lifecycle.sample.chance import chance
from lifecycle.sample.descriptions import describe
from lifecycle.sample.names import Artists, title
from lifecycle.sample.palette import Facets, with_capitals
from lifecycle.sample.phrases import draw
from lifecycle.sample.plan import Slot
from lifecycle.sample.themes import Theme, themes
from lifecycle.sample.words import Words
from registry.records import Song

REGISTRANTS = "ABCDEFGHIJ"


class SongWriter:
    """Writes songs one after another; it remembers the artists it has used."""

    def __init__(self, rng: Random, words: Words) -> None:
        self._rng = rng
        self._words = words
        self._artists = Artists(rng, words)

    def write(self, slot: Slot, number: int, other_number: int | None = None) -> list[Song]:
        """The slot's song as 'song-<number>' and, where it has another version, that one too."""
        theme = slot.palette.theme
        instrumental = self._rng.random() < theme.instrumental
        language = "en" if instrumental else self._language(theme)
        genre = self._rng.choice(theme.song_genres)
        facets = slot.palette.facets(self._rng, self._words, genre, language)
        song = self._song(slot, number, language, facets, instrumental)
        if slot.version is None or other_number is None:
            return [song]
        return [song, self._other_version(song, slot.version, other_number, facets, instrumental)]

    def _song(self, slot: Slot, number: int, language: str, facets: Facets, instrumental: bool) -> Song:
        theme = slot.palette.theme
        year = self._rng.randint(1964, 2025)
        return Song(
            song_id=song_id(number),
            title=title(self._rng, self._words, slot.palette, language),
            artist=self._artists.pick(slot.palette, language),
            album=title(self._rng, self._words, slot.palette, language) if chance(self._rng, 0.8) else None,
            isrc=_isrc(number, year),
            genre=facets["genre"],
            language=None if instrumental else language,
            description=self._description(facets, instrumental),
            release_date=self._release_date(year),
            duration_ms=round(max(75.0, self._rng.gauss(222, 48)) * 1000),
            popularity=round(100 * self._rng.betavariate(1.6, 3.0)),
            audio_features=audio_features(self._rng, theme, instrumental),
        )

    def _other_version(self, song: Song, version: str, number: int, facets: Facets, instrumental: bool) -> Song:
        """The same song in another recording: close in length, sometimes under the same ISRC, often described anew."""
        year = self._rng.randint(2005, 2025)
        pattern = self._rng.choice(self._words.versions[version])
        place = self._rng.choice(self._words.versions["places"])
        features = song.audio_features
        own = song.model_dump(exclude={"audio_features"}) | {
            "song_id": song_id(number),
            "title": pattern.format(title=song.title, year=year, place=place),
            "isrc": song.isrc if version != "live" and chance(self._rng, 0.5) else _isrc(number, year),
            "release_date": self._release_date(year),
            "duration_ms": self._other_duration(song.duration_ms or 0, version),
        }
        if chance(self._rng, 0.6):
            own["description"] = self._description(facets, instrumental)
        return Song(**own, audio_features=heard_live(self._rng, features) if version == "live" else features)

    def _other_duration(self, duration_ms: int, version: str) -> int:
        if version == "remaster" and chance(self._rng, 0.5):
            return duration_ms
        spread = {"remaster": (-1_500, 1_500), "live": (-2_000, 9_000), "radio": (-12_000, -1_000)}
        return duration_ms + self._rng.randint(*spread[version])

    def _description(self, facets: Facets, instrumental: bool) -> str:
        stray = self._rng.choice(themes()).vocabulary
        other = {"image": stray.images, "sound": stray.sounds, "mood2": stray.moods}
        borrowed = with_capitals({facet: draw(self._rng, phrases) for facet, phrases in other.items()})
        return describe(self._rng, self._words, facets, facets | borrowed, instrumental)

    def _language(self, theme: Theme) -> str:
        return self._rng.choices(list(theme.languages), list(theme.languages.values()))[0]

    def _release_date(self, year: int) -> str:
        if chance(self._rng, 0.3):
            return str(year)
        return f"{year}-{self._rng.randint(1, 12):02d}-{self._rng.randint(1, 28):02d}"


def song_id(number: int) -> str:
    return f"song-{number:05d}"


def _isrc(number: int, year: int) -> str:
    """In the form of an ISRC, under the country code ZZ, which no country has."""
    registrant = REGISTRANTS[number // 100_000 % len(REGISTRANTS)]
    return f"ZZ{registrant}LB{year % 100:02d}{number % 100_000:05d}"
