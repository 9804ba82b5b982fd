"""Titles that say nothing are found by what they tell of their songs, not by their words."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from training.dataset import PairDataset
from training.examples import Prompts
from training.splits import Split
from training.titles import find_silent_titles

THEMES = ("gym", "sleep", "party", "rain", "road", "love")


def by_theme(dataset: PairDataset, silent: frozenset[str] = frozenset()) -> "Encoder":
    return Encoder(dataset, silent)


class Encoder:
    """An encoder in whose space each playlist is an axis; the text of a silent one points nowhere in particular."""

    def __init__(self, dataset: PairDataset, silent: frozenset[str]) -> None:
        axes = {name: np.eye(len(THEMES))[row] for row, name in enumerate(THEMES)}
        self._of = {f"song: {dataset.song_text(each)}": axes[each.split("-")[0]] for each in dataset.songs}
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


def test_a_text_as_near_to_others_as_to_its_own_is_listed_with_its_figure(themed: PairDataset) -> None:
    silent = trained(themed)[0]
    # With few songs even no information leaves room for some; thirty songs settle it.
    pairs = [pair for pair in themed.select(Split.TRAIN) if pair.playlist_id == silent]
    assert len(pairs) >= 5
    found = find_silent_titles(_larger(themed, silent), Copied(themed, frozenset({silent})), PROMPTS)
    assert [each.playlist_id for each in found] == [silent]
    assert found[0].informativeness == 0.5
    assert found[0].as_json()["name"] == themed.playlists[silent].name


def test_a_playlist_of_few_songs_cannot_be_judged(themed: PairDataset) -> None:
    silent = trained(themed)[0]
    few = [pair for pair in themed.pairs if pair.playlist_id == silent][:4]
    others = tuple(pair for pair in themed.pairs if pair.playlist_id != silent)
    small = replace(themed, pairs=(*few, *others))
    assert find_silent_titles(small, by_theme(themed, frozenset({silent})), PROMPTS) == []


class Copied(Encoder):
    """The same, of songs that were copied under other names."""

    def __call__(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        return super().__call__([text.split(" #")[0] for text in texts])


def _larger(dataset: PairDataset, playlist_id: str) -> PairDataset:
    """Every song ten times over, each copy a song of its own."""
    songs, clusters, pairs = dict(dataset.songs), dict(dataset.clusters), []
    for pair in dataset.pairs:
        for copy in range(10):
            name = f"{pair.song_id}~{copy}"
            song = dataset.songs[pair.song_id]
            songs[name] = song.model_copy(update={"song_id": name, "description": f"{song.description} #{copy}"})
            clusters[name] = name
            pairs.append(replace(pair, song_id=name))
    assert playlist_id in dataset.playlists
    return replace(dataset, songs=songs, clusters=clusters, pairs=tuple(pairs))
