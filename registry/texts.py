"""Songs and playlists as the text that is embedded.

A template is versioned: a model version keeps the one it was trained with, and a song's content hash covers both its
rendered text and the template's version. Change a template by adding one; never edit a template that has served.
"""

from collections.abc import Callable, Sequence
from hashlib import sha256

from registry.records import AudioFeatures, Playlist, Song

CURRENT_TEMPLATE = 1


def render_song(song: Song, template: int = CURRENT_TEMPLATE) -> str:
    """The text of a song that is embedded, under a template."""
    return _SONG_TEMPLATES[template](song)


def render_playlist(playlist: Playlist, template: int = CURRENT_TEMPLATE) -> str:
    """The text of a playlist that is embedded (without the model's instruction), under a template."""
    return _PLAYLIST_TEMPLATES[template](playlist)


def content_hash(text: str, template: int = CURRENT_TEMPLATE) -> bytes:
    """SHA-256 (32 bytes) of a rendered text and its template's version: it decides whether a vector is current."""
    return sha256(f"{template}\n{text}".encode()).digest()


def mood_words(features: AudioFeatures) -> list[str]:
    """Words for what the audio features say, such as "energetic" or "acoustic"; unknown features say nothing.

    The bounds are about the outer thirds of Spotify's own distributions.
    """
    return [
        word
        for name, low, low_word, high, high_word in _MOODS
        for word in _mood(features, name, low, low_word, high, high_word)
    ]


_MOODS: tuple[tuple[str, float, str, float, str], ...] = (
    ("energy", 0.4, "calm", 0.75, "energetic"),
    ("valence", 0.33, "sad", 0.66, "happy"),
    ("danceability", 0.45, "free-flowing", 0.72, "danceable"),
    ("acousticness", 0.05, "electric", 0.6, "acoustic"),
    ("instrumentalness", -1.0, "", 0.5, "instrumental"),
    ("speechiness", -1.0, "", 0.2, "spoken"),
    ("liveness", -1.0, "", 0.5, "live"),
    ("tempo", 90.0, "slow", 135.0, "fast"),
)


def _mood(features: AudioFeatures, name: str, low: float, low_word: str, high: float, high_word: str) -> list[str]:
    value = getattr(features, name)
    if value is None:
        return []
    if value >= high:
        return [high_word]
    return [low_word] if value <= low else []


def _song_v1(song: Song) -> str:
    """Title, artist, album and genre; then the description, or, where there is none, what the audio features say."""
    by = f" by {song.artist}" if song.artist else ""
    facts = [f"{song.title}{by}"]
    facts += [f"Album: {song.album}"] if song.album else []
    facts += [f"Genre: {song.genre}"] if song.genre else []
    words = mood_words(song.audio_features)
    if song.description:
        facts.append(song.description)
    elif words:
        facts.append(f"Mood: {', '.join(words)}")
    return _sentences(facts)


def _playlist_v1(playlist: Playlist) -> str:
    facts = [playlist.name, playlist.description, playlist.genre, playlist.subgenre]
    return _sentences([fact for fact in facts if fact])


def _sentences(facts: Sequence[str]) -> str:
    """Each fact with one full stop at its end; one of nothing but full stops, as a title may be, stays as it is."""
    return " ".join(f"{fact.rstrip('.')}." if fact.strip(".") else fact for fact in facts)


_SONG_TEMPLATES: dict[int, Callable[[Song], str]] = {1: _song_v1}
_PLAYLIST_TEMPLATES: dict[int, Callable[[Playlist], str]] = {1: _playlist_v1}
TEMPLATES = frozenset(_SONG_TEMPLATES)
