"""What a model has to beat: playlists scored by simple methods that learn from the same training pairs.

- popularity: how many training songs a playlist has;
- tfidf_nearest: the most similar training songs by their words vote for the playlists that hold them;
- tfidf_logistic: logistic regression on the words;
- audio_forest: a random forest on the audio features;
- combined: the log-probabilities of the last two, added.

Of a playlist that is not trained on, only the text is known: tfidf_nearest compares it with the song's, popularity
says nothing, and the classifiers do not apply. TF-IDF as in Salton and Buckley, "Term-weighting approaches in automatic
text retrieval" (1988). The values here and of the classifiers were chosen on the development split of real playlists.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from registry.errors import BadInput
from registry.records import AudioFeatures
from training.classifiers import FLOOR, AudioClassifier, Labels, Matrix, WordClassifier
from training.dataset import LabelledPair, PairDataset
from training.metrics import Scores
from training.splits import UNSEEN_PLAYLISTS, Split

MAXIMUM_PAIRS = 20_000
"""Training pairs that are learned from; of more, a sample."""
MAXIMUM_PLAYLISTS = 1_000
"""Playlists that are learned; of more, the largest."""

_NEIGHBOURS = 20
_SONGS_AT_ONCE = 1_024
_KNOWN_BY_TEXT_ALONE = frozenset({*UNSEEN_PLAYLISTS, Split.DEVELOPMENT_PLAYLIST})


@dataclass(frozen=True)
class Baselines:
    """The simple methods, fitted once for all regimes of a dataset.

    Attributes:
        sizes: number of training pairs by playlist.
        playlists: those that were learned, by id; columns of what was learned.
        words: the TF-IDF vectoriser of words and pairs of words, fitted on the training songs.
        texts: TF-IDF of the training songs, sparse, shape (training songs, terms).
        holding: 1 where a playlist holds a training song, sparse, shape (training songs, playlists).
        word_classifier: None if there is but one playlist.
        audio_classifier: None also if no training song has audio features.
    """

    dataset: PairDataset
    sizes: Mapping[str, int]
    playlists: tuple[str, ...]
    words: Any
    texts: Any
    holding: Any
    word_classifier: WordClassifier | None
    audio_classifier: AudioClassifier | None

    @classmethod
    def fit(cls, dataset: PairDataset) -> "Baselines":
        """Learn from the training pairs of a dataset, but for those of weight 0; equal datasets give equal scores.

        The cost is bounded by MAXIMUM_PAIRS, MAXIMUM_PLAYLISTS and the bounds of the classifiers.

        Raises:
            BadInput: there is no training pair.
        """
        from sklearn.feature_extraction.text import TfidfVectorizer

        trained = [pair for pair in dataset.select(Split.TRAIN) if pair.weight > 0]
        if not trained:
            raise BadInput("The dataset has no pair to train on.", "Import more playlists with `autosort import`.")
        sizes = Counter(pair.playlist_id for pair in trained)
        pairs = _sample(trained, sizes)
        songs, rows = np.unique([pair.song_id for pair in pairs], return_inverse=True)
        playlists, labels = np.unique([pair.playlist_id for pair in pairs], return_inverse=True)
        words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\b\w+\b", dtype=np.float32)
        texts = words.fit_transform([dataset.song_text(each) for each in songs])
        several = len(playlists) > 1
        return cls(
            dataset=dataset,
            sizes=sizes,
            playlists=tuple(playlists.tolist()),
            words=words,
            texts=texts,
            holding=_holding(rows, labels),
            word_classifier=WordClassifier.fit(texts[rows], labels) if several else None,
            audio_classifier=AudioClassifier.fit(_audio(dataset, songs.tolist())[rows], labels) if several else None,
        )

    def scores(self, split: Split, song_ids: Sequence[str], playlist_ids: Sequence[str]) -> dict[str, Scores]:
        """Score playlists for songs, by the name of the method; one that does not apply is absent.

        Args:
            split: the regime, which says whether the playlists are known by their songs or by their text alone.
            song_ids: the queries, songs of the dataset, one at least.
            playlist_ids: the candidates, playlists of the dataset. One that was not learned stands at the floor.

        Returns:
            Shape (songs, playlists) each.
        """
        score = self._score_by_text if split in _KNOWN_BY_TEXT_ALONE else self._score_known
        portions = [
            score(song_ids[start : start + _SONGS_AT_ONCE], playlist_ids)
            for start in range(0, len(song_ids), _SONGS_AT_ONCE)
        ]
        return {name: np.concatenate([portion[name] for portion in portions]) for name in portions[0]}

    def _score_by_text(self, song_ids: Sequence[str], playlist_ids: Sequence[str]) -> dict[str, Scores]:
        playlists = self.words.transform([self.dataset.playlist_text(each) for each in playlist_ids])
        alike = (self._words_of(song_ids) @ playlists.T).toarray()
        return {"popularity": np.zeros_like(alike), "tfidf_nearest": alike}

    def _score_known(self, song_ids: Sequence[str], playlist_ids: Sequence[str]) -> dict[str, Scores]:
        texts = self._words_of(song_ids)
        sizes = np.array([self.sizes.get(each, 0) for each in playlist_ids], np.float32)
        found = {
            "popularity": np.tile(sizes, (len(song_ids), 1)),
            "tfidf_nearest": self._place(self._votes(texts), playlist_ids, 0.0),
        }
        if self.word_classifier is not None:
            by_words = self.word_classifier.log_probabilities(texts)
            found["tfidf_logistic"] = self._place(by_words, playlist_ids, FLOOR)
        if self.audio_classifier is not None:
            by_audio = self.audio_classifier.log_probabilities(_audio(self.dataset, song_ids))
            found["audio_forest"] = self._place(by_audio, playlist_ids, FLOOR)
            found["combined"] = found["tfidf_logistic"] + found["audio_forest"]
        return found

    def _words_of(self, song_ids: Sequence[str]) -> Any:  # noqa: ANN401 - scipy's sparse arrays have no types
        return self.words.transform([self.dataset.song_text(each) for each in song_ids])

    def _votes(self, texts: Any) -> Matrix:  # noqa: ANN401
        """Each learned playlist's share of the nearest training songs, these weighted by their similarity."""
        alike = (texts @ self.texts.T).toarray()
        nearest = np.argpartition(-alike, min(_NEIGHBOURS, alike.shape[1]) - 1, axis=1)[:, :_NEIGHBOURS]
        votes = np.zeros_like(alike)
        np.put_along_axis(votes, nearest, np.take_along_axis(alike, nearest, axis=1), axis=1)
        return np.asarray((self.holding.T @ votes.T).T, np.float32)

    def _place(self, learned: Matrix, playlist_ids: Sequence[str], floor: float) -> Scores:
        """Columns of the learned playlists to those of the candidates."""
        columns = {playlist_id: column for column, playlist_id in enumerate(self.playlists)}
        placed = np.full((len(learned), len(playlist_ids)), floor, np.float32)
        for place, playlist_id in enumerate(playlist_ids):
            if playlist_id in columns:
                placed[:, place] = learned[:, columns[playlist_id]]
        return placed


def _sample(pairs: Sequence[LabelledPair], sizes: Mapping[str, int]) -> list[LabelledPair]:
    """The pairs of the largest playlists, or as many of them as are affordable: always the same of equal pairs."""
    largest = set(sorted(sizes, key=lambda playlist_id: (-sizes[playlist_id], playlist_id))[:MAXIMUM_PLAYLISTS])
    kept = [pair for pair in pairs if pair.playlist_id in largest]
    if len(kept) <= MAXIMUM_PAIRS:
        return kept
    chosen = np.random.default_rng(0).choice(len(kept), MAXIMUM_PAIRS, replace=False)
    return [kept[each] for each in np.sort(chosen)]


def _holding(rows: Labels, labels: Labels) -> Any:  # noqa: ANN401
    from scipy.sparse import csr_array

    return csr_array((np.ones(len(rows), np.float32), (rows, labels)))


def _audio(dataset: PairDataset, song_ids: Sequence[str]) -> Matrix:
    """Audio features of songs, shape (songs, features), NaN where unknown."""
    names = tuple(AudioFeatures.model_fields)
    known = [[getattr(dataset.songs[each].audio_features, name) for name in names] for each in song_ids]
    table: npt.NDArray[np.float32] = np.array(known, np.float32)
    return table
