"""Songs and playlists as the text that is embedded.

A template is versioned: a model version keeps the one it was trained with, and a song's content hash covers both its
rendered text and the template's version. Change a template by adding one; never edit a template that has served.
"""

from collections.abc import Callable, Sequence
from hashlib import sha256

from registry.records import AudioFeatures, Playlist, Song

CURRENT_TEMPLATE = 2
CURRENT_FEELING_TEMPLATE = 1


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


_SOUNDS: tuple[tuple[str, tuple[float, float, float, float], tuple[str, str, str, str, str]], ...] = (
    ("danceability", (0.40, 0.55, 0.70, 0.82), ("not danceable", "free-flowing", "", "danceable", "very danceable")),
    ("energy", (0.25, 0.45, 0.65, 0.82), ("very calm", "calm", "", "energetic", "very energetic")),
    ("valence", (0.20, 0.38, 0.58, 0.78), ("very dark", "sad", "", "happy", "euphoric")),
    ("acousticness", (0.02, 0.12, 0.45, 0.80), ("fully electric", "electric", "", "acoustic", "purely acoustic")),
    (
        "instrumentalness",
        (0.0001, 0.01, 0.30, 0.80),
        ("", "few instrumental parts", "partly instrumental", "instrumental", "purely instrumental"),
    ),
    ("speechiness", (0.04, 0.07, 0.15, 0.30), ("sung", "", "", "spoken", "rapped")),
    ("liveness", (0.09, 0.13, 0.25, 0.60), ("", "", "", "", "live")),
    ("loudness", (-20.0, -11.0, -7.0, -4.5), ("very quiet", "quiet", "", "loud", "very loud")),
    ("tempo", (85.0, 105.0, 122.0, 140.0), ("very slow", "slow", "mid-tempo", "fast", "very fast")),
)
"""A feature, the four bounds between its five grades (about the fifths of Spotify's own distributions), their words."""

_SHORT_MS, _LONG_MS = 150_000, 270_000


def sound_words(song: Song) -> list[str]:
    """Words for what the audio features, the key and the length say, in five grades; what is unknown says nothing."""
    graded = ((getattr(song.audio_features, name), bounds, words) for name, bounds, words in _SOUNDS)
    said = [words[sum(value > bound for bound in bounds)] for value, bounds, words in graded if value is not None]
    if (mode := song.audio_features.mode) is not None:
        said.append("major key" if mode >= 0.5 else "minor key")  # noqa: PLR2004 - 1 is major, 0 minor
    if length := song.duration_ms:
        said.append("short" if length < _SHORT_MS else "long" if length > _LONG_MS else "")
    return [word for word in said if word]


def _song_v2(song: Song) -> str:
    """As the first, with the decade; and where there is no description, all that the audio features say."""
    by = f" by {song.artist}" if song.artist else ""
    facts = [f"{song.title}{by}"]
    facts += [f"Album: {song.album}"] if song.album else []
    facts += [f"Genre: {song.genre}"] if song.genre else []
    facts += [f"Era: {song.release_date[:3]}0s"] if song.release_date else []
    words = sound_words(song)
    if song.description:
        facts.append(song.description)
    elif words:
        facts.append(f"Sound: {', '.join(words)}")
    return _sentences(facts)


def render_feeling(about: Song | Playlist, template: int = CURRENT_FEELING_TEMPLATE) -> str:
    """The text of a song or playlist whose emotions are told, under a template of these texts' own."""
    return _FEELING_TEMPLATES[template](about)


_ENDS = (".", "!", "?", "…")


def _feeling_v1(about: Song | Playlist) -> str:
    """Title and description; where a song has none, the title and what the audio features say.

    Without the names of artist, album and genre, whose words (Panic, Joy, Blues) are not about the song.
    """
    words = sound_words(about) if isinstance(about, Song) else []
    told = about.description or (f"Sound: {', '.join(words)}" if words else "")
    facts = [about.title if isinstance(about, Song) else about.name, *([told] if told else [])]
    # Not as elsewhere: here "!" and "?" say something, and nobody writes a full stop behind them.
    return " ".join(fact if fact.endswith(_ENDS) else f"{fact}." for fact in facts)


def _playlist_v1(playlist: Playlist) -> str:
    facts = [playlist.name, playlist.description, playlist.genre, playlist.subgenre]
    return _sentences([fact for fact in facts if fact])


def _sentences(facts: Sequence[str]) -> str:
    """Each fact with one full stop at its end; one of nothing but full stops, as a title may be, stays as it is."""
    return " ".join(f"{fact.rstrip('.')}." if fact.strip(".") else fact for fact in facts)


_SONG_TEMPLATES: dict[int, Callable[[Song], str]] = {1: _song_v1, 2: _song_v2}
_PLAYLIST_TEMPLATES: dict[int, Callable[[Playlist], str]] = {1: _playlist_v1, 2: _playlist_v1}
_FEELING_TEMPLATES: dict[int, Callable[[Song | Playlist], str]] = {1: _feeling_v1}
TEMPLATES = frozenset(_SONG_TEMPLATES)
