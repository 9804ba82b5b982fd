"""The playlists of one version as arrays: everything that a song is scored against, with no database behind it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from registry.errors import Refused
from registry.records import Playlist
from registry.vectors.records import StoredProfile
from registry.versions import EMOTION, MatchSpec
from serving.matching.playlist_types import PlaylistType, detect_type
from serving.matching.signals.asked import AskedSongs, Matrix, Signal
from serving.matching.signals.emotional import EmotionSignal
from serving.matching.signals.facts import EraSignal, FactSignal
from serving.matching.signals.lexical import LexicalSignal
from serving.matching.signals.names import SIGNALS, TIERS
from serving.matching.signals.semantic import CentroidSignal, NearestSignal, TextSignal
from serving.matching.signals.sound import MeanSoundSignal, SoundSignal
from serving.settings import ALL_TIERS, Tier


@dataclass(frozen=True)
class PlaylistIndex:
    """The playlists of one version; row i of each array belongs to `playlists[i]`.

    Attributes:
        profiles: what it was built from.
        types: what each playlist is for.
        texts: shape (p, d), unit vectors.
        centroids: shape (p, d); rows of NaN where a playlist is known by its description alone.
        by_text: shape (p,), whether that is so: of those without songs, since one song tells more than the text does.
        semantic_share: shape (p,), the weight of meaning by the playlist's type; the rest is sound's.
        signals: those that the version matches by, by name.
    """

    profiles: tuple[StoredProfile, ...]
    types: tuple[PlaylistType, ...]
    texts: Matrix
    centroids: Matrix
    by_text: npt.NDArray[np.bool_]
    semantic_share: Matrix
    signals: Mapping[str, Signal]

    @cached_property
    def playlists(self) -> tuple[Playlist, ...]:
        """In the order of the profiles."""
        return tuple(each.playlist for each in self.profiles)

    @cached_property
    def sizes(self) -> Matrix:
        """How many songs each playlist holds, shape (p,)."""
        return np.array([each.song_count for each in self.profiles], np.float32)

    @cached_property
    def places(self) -> dict[str, int]:
        """The row of each playlist, by its id."""
        return {each.playlist.playlist_id: row for row, each in enumerate(self.profiles)}

    @classmethod
    def build(
        cls,
        profiles: Sequence[StoredProfile],
        spec: MatchSpec,
        dimensions: int,
        before: "PlaylistIndex | None" = None,
        *,
        tiers: Collection[Tier] = ALL_TIERS,
    ) -> "PlaylistIndex":
        """Arrays of playlists' profiles, of any number of them, scaled as the version says.

        Args:
            tiers: signals of others are left out.
            before: of the same version; what has not changed since is not worked out again.

        Raises:
            Refused: the version matches by a signal that this release does not know.
        """
        types = tuple(detect_type(each.playlist, each.acoustic) for each in profiles)
        text, centroid = TextSignal.build(profiles, dimensions), CentroidSignal.build(profiles, dimensions)
        made: dict[str, Signal] = {"text": text, "centroid": centroid}
        return cls(
            profiles=tuple(profiles),
            types=types,
            texts=text.texts,
            centroids=centroid.centroids,
            by_text=np.array([each.song_count == 0 for each in profiles], np.bool_),
            semantic_share=np.array([each.blended(spec.weights) for each in types], np.float32),
            signals={
                name: made.get(name) or _signal(name, profiles, spec, dimensions, before)
                for name in sorted(spec.signals, key=_order)
                if any(name in TIERS[tier] for tier in tiers)
            },
        )

    def raw(self, asked: AskedSongs) -> dict[str, Matrix]:
        """The signals before they are brought to scale, each of shape (n, p); NaN where a signal is missing."""
        return {name: signal.scores(asked) for name, signal in self.signals.items()}

    def beside(self, profile: StoredProfile, spec: MatchSpec) -> "PlaylistIndex":
        """The index of one playlist that is not among these, known by its text, in a library that holds these.

        It is matched by the signals that these are matched by.
        """
        alone = PlaylistIndex.build([profile], spec, self.texts.shape[1])
        signals = {name: signal for name, signal in alone.signals.items() if name in self.signals}
        lexical = self.signals.get("lexical")
        if isinstance(lexical, LexicalSignal):
            words = LexicalSignal.build([profile], spec.text_template, weights=lexical.weights)
            signals["lexical"] = words
        return replace(alone, signals=signals)

    def only(self, row: int) -> "PlaylistIndex":
        """The index of one of its playlists."""
        rows = slice(row, row + 1)
        return PlaylistIndex(
            self.profiles[rows],
            self.types[rows],
            self.texts[rows],
            self.centroids[rows],
            self.by_text[rows],
            self.semantic_share[rows],
            {name: signal.only(row) for name, signal in self.signals.items()},
        )


def _order(signal: str) -> int:
    if signal not in SIGNALS:
        raise Refused(
            f"The version matches by a signal {signal!r} that this release does not know.",
            "Serve it with the release that made it, or a later one.",
        )
    return SIGNALS.index(signal)


def _signal(
    name: str, profiles: Sequence[StoredProfile], spec: MatchSpec, dimensions: int, before: PlaylistIndex | None
) -> Signal:
    if name == "nearest":
        return NearestSignal.build(profiles, dimensions)
    if name == "acoustic":
        return (SoundSignal if spec.sounds else MeanSoundSignal).build(profiles, spec)
    if name == "lexical":
        known = before.signals.get("lexical") if before else None
        return LexicalSignal.build(profiles, spec.text_template, known if isinstance(known, LexicalSignal) else None)
    if name == "era":
        return EraSignal.build(profiles)
    if name == EMOTION:
        return EmotionSignal.build(profiles, spec.emotions)
    return FactSignal.build(profiles, name)
