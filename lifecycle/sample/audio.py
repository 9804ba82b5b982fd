"""Audio features as Spotify's analysis would give them, drawn around a theme's means."""

from random import Random

from lifecycle.sample.chance import chance
from lifecycle.sample.themes import Theme
from registry.records import AudioFeatures

DROPPABLE = ("key", "mode", "tempo", "time_signature", "liveness", "loudness")


def audio_features(rng: Random, theme: Theme, instrumental: bool) -> AudioFeatures:
    """One song's features. A single intensity drives energy, loudness and tempo up and acousticness down."""
    intensity = rng.gauss(0.0, 1.0)
    energy = _around(theme, "energy", intensity)
    return AudioFeatures(
        danceability=_share(_around(theme, "danceability", rng.gauss(0.0, 1.0))),
        energy=_share(energy),
        key=rng.randrange(12),
        loudness=round(min(-1.0, -24.0 + 20.0 * energy + rng.gauss(0.0, 1.3)), 2),
        mode=int(chance(rng, 0.35 + 0.4 * theme.audio["valence"][0])),
        speechiness=_share(max(0.024, rng.gauss(theme.speechiness, theme.speechiness / 3))),
        acousticness=_share(_around(theme, "acousticness", 0.8 * rng.gauss(0.0, 1.0) - 0.6 * intensity)),
        instrumentalness=_share(rng.uniform(0.72, 0.97) if instrumental else rng.betavariate(0.4, 12.0)),
        liveness=_share(max(0.03, rng.gauss(0.15, 0.06))),
        valence=_share(_around(theme, "valence", 0.9 * rng.gauss(0.0, 1.0) + 0.3 * intensity)),
        tempo=round(min(210.0, max(48.0, _around(theme, "tempo", 0.8 * rng.gauss(0.0, 1.0) + 0.6 * intensity))), 3),
        time_signature=rng.choices((4, 3, 5), (88, 10, 2))[0],
    )


def heard_live(rng: Random, features: AudioFeatures) -> AudioFeatures:
    """The same song before an audience: an audible room, a little faster and louder."""
    return features.model_copy(
        update={
            "liveness": _share(rng.uniform(0.68, 0.96)),
            "energy": _share((features.energy or 0.5) + rng.uniform(0.0, 0.08)),
            "tempo": round((features.tempo or 100.0) * rng.uniform(0.98, 1.05), 3),
        }
    )


def incomplete(rng: Random, features: AudioFeatures) -> AudioFeatures:
    """What is left when the analysis failed: nothing at all, or some features only."""
    if chance(rng, 0.5):
        return AudioFeatures()
    return features.model_copy(update=dict.fromkeys(rng.sample(DROPPABLE, 2)))


def _around(theme: Theme, feature: str, deviation: float) -> float:
    mean, spread = theme.audio[feature]
    return mean + spread * deviation


def _share(value: float) -> float:
    return round(min(1.0, max(0.0, value)), 4)
