"""Titles that say nothing are found by what they tell of their songs, not by their words."""

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256

import numpy as np
import numpy.typing as npt

from registry.records import AudioFeatures, Song
from training.dataset import PairDataset
from training.examples import Prompts
from training.splits import Split
from training.titles import find_silent_titles

THEMES = ("gym", "sleep", "party", "rain", "road", "love")


def by_theme(dataset: PairDataset, silent: frozenset[str] = frozenset(), *, scattered: bool = True) -> "Encoder":
    return Encoder(dataset, silent, scattered=scattered)


class Encoder:
    """An encoder in whose space each playlist is an axis; the text of a silent one points nowhere in particular.

    So do its songs, each to a playlist of its own, if they are scattered.
    """

    def __init__(self, dataset: PairDataset, silent: frozenset[str], *, scattered: bool) -> None:
        axes = {name: np.eye(len(THEMES))[row] for row, name in enumerate(THEMES)}
        self._of = {}
        for number, each in enumerate(dataset.songs):
            theme = each.split("-")[0]
            shown = THEMES[number % len(THEMES)] if scattered and theme in silent else theme
            self._of[f"song: {dataset.song_text(each)}"] = axes[shown]
        even = np.full(len(THEMES), len(THEMES) ** -0.5)
        for each in dataset.playlists:
            self._of[f"list: {dataset.playlist_text(each)}"] = even if each in silent else axes[each]

    def __call__(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        return np.array([self._of[text] for text in texts], np.float32)


PROMPTS = Prompts("list: ", "song: ")


def trained(dataset: PairDataset) -> list[str]:
    return sorted({pair.playlist_id for pair in dataset.select(Split.TRAIN)})


def test_a_text_that_tells_its_songs_from_others_is_kept(themed: PairDataset) -> None:
    assert find_silent_titles(themed, by_theme(themed), PROMPTS) == []


def test_a_text_that_tells_nothing_of_songs_that_have_nothing_in_common_is_listed(themed: PairDataset) -> None:
    silent = trained(themed)[0]
    larger = _larger(themed)
    (found,) = find_silent_titles(larger, by_theme(larger, frozenset({silent})), PROMPTS)
    assert found.playlist_id == silent
    assert found.informativeness == 0.5
    assert found.coherence < 0.6
    assert found.as_json()["name"] == themed.playlists[silent].name


def test_a_title_that_the_base_model_has_no_word_for_is_kept(themed: PairDataset) -> None:
    unknown = frozenset({trained(themed)[0]})
    larger = _larger(themed)
    assert find_silent_titles(larger, by_theme(larger, unknown, scattered=False), PROMPTS) == []


def test_a_title_of_songs_that_sound_alike_is_kept(themed: PairDataset) -> None:
    silent = trained(themed)[0]
    larger = _larger(themed)
    sounding = {
        name: song.model_copy(update={"audio_features": AudioFeatures(energy=_energy(name, silent), tempo=100.0)})
        for name, song in larger.songs.items()
    }
    alike = replace(larger, songs=sounding)
    encode = by_theme(alike, frozenset({silent}))
    assert find_silent_titles(alike, encode, PROMPTS) == []
    (found,) = find_silent_titles(replace(larger, songs=_mixed(sounding)), encode, PROMPTS)
    assert found.playlist_id == silent
    assert found.sound is not None
    assert found.sound < 0.6


def _energy(song_id: str, loud: str) -> float:
    return 0.9 if song_id.startswith(loud) else int.from_bytes(sha256(song_id.encode()).digest()[:4]) / 2**32 * 0.8


def _mixed(songs: dict[str, Song]) -> dict[str, Song]:
    """The same songs, each with a sound that depends on its id alone."""
    return {
        name: song.model_copy(update={"audio_features": AudioFeatures(energy=_energy(f"~{name}", "none"), tempo=100.0)})
        for name, song in songs.items()
    }


def test_a_playlist_of_few_songs_cannot_be_judged(themed: PairDataset) -> None:
    silent = trained(themed)[0]
    few = [pair for pair in themed.pairs if pair.playlist_id == silent][:4]
    others = tuple(pair for pair in themed.pairs if pair.playlist_id != silent)
    small = replace(themed, pairs=(*few, *others))
    assert find_silent_titles(small, by_theme(themed, frozenset({silent})), PROMPTS) == []


def _larger(dataset: PairDataset) -> PairDataset:
    """Every song ten times over, each copy a song of its own."""
    songs, clusters, pairs = {}, {}, []
    for pair in dataset.pairs:
        for copy in range(10):
            name = f"{pair.song_id}~{copy}"
            song = dataset.songs[pair.song_id]
            songs[name] = song.model_copy(update={"song_id": name, "description": f"{song.description} #{copy}"})
            clusters[name] = name
            pairs.append(replace(pair, song_id=name))
    return replace(dataset, songs=songs, clusters=clusters, pairs=tuple(pairs))
