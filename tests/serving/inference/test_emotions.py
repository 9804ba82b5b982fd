"""Emotions are those that transformers' own pipeline gives, in whatever company a text is computed."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lifecycle.emotion_models import store_bundled
from registry.artifacts import ArtifactStore
from registry.errors import ArtifactError, DigestMismatch
from registry.versions import EmotionsSpec
from serving.inference.emotions import EmotionModel, Felt, ServedEmotions
from serving.inference.scheduler import Scheduler
from serving.inference.waiting import Matrix, Tokens
from tests.support.small_classifiers import LABELS, small_roberta

TEXTS = [
    "I'm so grateful that you came all this way!",
    "no",
    "The bus leaves at six.",
    "Ich vermisse dich jeden Tag, und die Nächte sind lang.",
    "あなたに会えてとても嬉しいです",
    "شكرا جزيلا 🙏",
    "word " * 600,
    "...",
    *(f"{'I am scared of the dark and of what it hides. ' * (number % 7)}{number}" for number in range(14)),
]


@pytest.fixture(scope="module")
def bundled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, EmotionsSpec]:
    """The bundled emotion model: its folder, and what a version says of it."""
    folder = tmp_path_factory.mktemp("artifacts")
    spec = store_bundled(ArtifactStore(folder))
    return folder / spec.artifact, spec


@pytest.fixture(scope="module")
def roberta(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, EmotionsSpec]:
    folder = small_roberta(tmp_path_factory.mktemp("roberta"), TEXTS)
    spec = EmotionsSpec(
        artifact="a" * 64, base_model="r", base_revision="1", max_length=128, labels=LABELS, thresholds=(0.5,) * 4
    )
    return folder, spec


@pytest.fixture
def scheduler() -> Iterator[Scheduler]:
    scheduler = Scheduler(2, 2)
    scheduler.start()
    yield scheduler
    scheduler.stop()


def scores_of_pipeline(folder: Path, spec: EmotionsSpec) -> Matrix:
    """What transformers makes of the texts, in its own batches."""
    from transformers import AutoTokenizer, pipeline

    tokenizer: Any = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    pipe: Any = pipeline("text-classification", model=str(folder), tokenizer=tokenizer, device="cpu")
    options = {"top_k": None, "function_to_apply": "sigmoid", "truncation": True, "max_length": spec.max_length}
    told = pipe(TEXTS, **options, batch_size=8)
    found = [{each["label"]: each["score"] for each in text} for text in told]
    return np.array([[text[label] for label in spec.labels] for text in found], np.float32)


@pytest.mark.parametrize("shape", ["bundled", "roberta"])
def test_scores_are_those_of_transformers(shape: str, request: pytest.FixtureRequest, scheduler: Scheduler) -> None:
    folder, spec = request.getfixturevalue(shape)
    felt = ServedEmotions(EmotionModel.open(folder, spec), scheduler).submit(TEXTS).result()
    np.testing.assert_allclose(felt.scores, scores_of_pipeline(folder, spec), atol=1e-5)
    assert felt.scores.dtype == np.float32
    assert felt.scores.std(axis=0).max() > 0.01, "the texts differ"


def test_what_it_gave_before_it_does_not_compute_again(
    roberta: tuple[Path, EmotionsSpec], scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = ServedEmotions(EmotionModel.open(*roberta), scheduler)
    first = served.submit(TEXTS[:4]).result()
    computed: list[int] = []
    real = served.model.forward

    def forward(tokens: Sequence[Tokens]) -> Matrix:
        computed.append(len(tokens))
        return real(tokens)

    monkeypatch.setattr(served.model, "forward", forward)
    again = served.submit([TEXTS[3], TEXTS[5], TEXTS[0]]).result()
    assert sum(computed) == 1
    np.testing.assert_array_equal(again.logits[[0, 2]], first.logits[[3, 0]])
    assert again.tokens == sum(map(len, served.model.tokenize([TEXTS[3], TEXTS[5], TEXTS[0]])))


def test_scores_of_any_log_odds_are_shares(roberta: tuple[Path, EmotionsSpec]) -> None:
    logits = np.array([[-1e4, -2, 0, 1e4]], np.float32)
    np.testing.assert_allclose(Felt(roberta[1], logits, 1).scores, [[0, 0.1192029, 0.5, 1]], atol=1e-6)


def test_a_model_that_is_not_what_its_version_says_is_refused(roberta: tuple[Path, EmotionsSpec]) -> None:
    folder, spec = roberta
    wrong = spec.model_copy(update={"labels": LABELS[:3], "thresholds": (0.5,) * 3})
    with pytest.raises(ArtifactError, match="gives 4 scores; its version names 3 labels"):
        EmotionModel.open(folder, wrong)


def test_a_model_that_somebody_changed_is_not_loaded(roberta: tuple[Path, EmotionsSpec], tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    spec = roberta[1].model_copy(update={"artifact": store.add(roberta[0])})
    assert EmotionModel.load(store, spec).spec == spec
    with (tmp_path / spec.artifact / "config.json").open("a") as file:
        file.write(" ")
    with pytest.raises(DigestMismatch):
        EmotionModel.load(store, spec)
