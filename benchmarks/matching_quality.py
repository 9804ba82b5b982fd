"""How well a retrained version matches real playlists, beside what a good data scientist would build in an afternoon.

    python -m benchmarks.matching_quality FILE [--seeds 3] [--without] [--emotions] [--rerank] [--models FOLDER]

For each seed songs and playlists are dealt to other sides (the split's salt, by clusters of songs), the profile
`bundled` is trained with another seed, and its signals are weighed. On the same test songs: the version's full
matching by learned weights and by the heuristics; TF-IDF logistic regression and a random forest on the audio features,
trained on the same split, their log scores added. Prints Top-1, Top-5 and MRR pooled over the seeds, the difference to
that baseline with its 95 % interval and p (songs of a playlist together), what is left without each signal and each
tier, playlists that were not trained on against the base model, the recognition of songs whose playlists are all taken
away, and what matching takes beyond the encoder. About 8 minutes a seed on 2 cores.

With --without versions are also made with a signal less, or with one more, their weights learned anew. With --emotions
songs are also matched by what they make one feel, as one more signal. With --rerank the reranker is fine-tuned as well
and weighed on the development songs (some minutes more a seed). With --models the trained models are kept in that
folder, and those that are there are used.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.trainings import BASE, bundled, read_snapshot
from lifecycle.dataset_vectors import EncodedDataset, encode_dataset, tell_emotions
from lifecycle.emotion_models import store_bundled
from lifecycle.evaluation import Regime, dataset_regimes, embedding_scores
from lifecycle.fusion import Fusion, fuse
from lifecycle.homeless import homeless_report
from lifecycle.progress import Silent
from registry.artifacts import ArtifactStore
from registry.records import Playlist, Song
from registry.vectors.records import Member, StoredProfile
from registry.versions import EMOTION, EmbedderSpec, MatchSpec
from serving.inference.emotions import EmotionModel
from serving.inference.encoder import Encoder
from serving.matching.index import PlaylistIndex
from serving.matching.scoring import combined, scaled_signals
from serving.matching.signals.names import PAYING_SIGNALS, SIGNALS, TIERS
from training.baselines import Baselines
from training.dataset import PairDataset, build_dataset
from training.metrics import METRICS, Figures, QueryMetrics, Scores, query_metrics
from training.splits import UNSEEN_PLAYLISTS, Split
from training.statistics import clustered_interval, paired_randomisation

SHOWN = METRICS[:3]


@dataclass(frozen=True)
class Seed:
    """One seed's version and test."""

    dataset: PairDataset
    vectors: EncodedDataset
    fusion: Fusion
    regimes: dict[str, Regime]
    base: dict[str, Regime]
    feeling: tuple[Regime, MatchSpec] | None

    @property
    def songs(self) -> Regime:
        return self.regimes[Split.UNSEEN_SONG.value]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="in any import format")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--without", action="store_true")
    parser.add_argument("--emotions", action="store_true")
    parser.add_argument("--rerank", action="store_true")
    parser.add_argument("--models", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        models = arguments.models or Path(folder)
        seeds = [
            one_seed(arguments.file, seed, models, emotions=arguments.emotions, rerank=arguments.rerank)
            for seed in range(arguments.seeds)
        ]
    beside_the_baseline(seeds)
    ablation(seeds)
    with_emotions(seeds)
    if arguments.without:
        learned_anew(seeds)
    unseen_playlists(seeds)
    homeless(seeds)
    print_speed(seeds[0].fusion.matching)


def one_seed(file: Path, seed: int, models: Path, *, emotions: bool, rerank: bool) -> Seed:
    dataset = build_dataset(read_snapshot(file), salt="" if seed == 0 else f"seed {seed}")
    folder = models / str(seed)
    print(f"\nseed {seed}: {dataset.counts()}", flush=True)
    model = folder / "model" if (folder / "model").is_dir() else bundled(dataset, folder, seed)
    vectors, base = encoded(model, dataset), encoded(BASE, dataset)
    fusion = fuse(dataset, vectors)
    print(f"  weights: {fusion.record}\n  {fusion.matching.learned}", flush=True)
    if rerank:
        print_reranker(folder, dataset, fusion.matching, vectors, seed)
    tested = {each.name: each for each in dataset_regimes(fusion.matching, dataset, vectors)}
    before = {each.name: each for each in dataset_regimes(fusion.matching, dataset, base)}
    return Seed(dataset, vectors, fusion, tested, before, feelings(dataset, vectors) if emotions else None)


def feelings(dataset: PairDataset, vectors: EncodedDataset) -> tuple[Regime, MatchSpec]:
    """The test songs with what they make one feel, and matching that was learned with it."""
    with tempfile.TemporaryDirectory() as folder:
        store = ArtifactStore(Path(folder))
        model = EmotionModel.load(store, store_bundled(store), device="cpu")
    felt = replace(vectors, emotions=tell_emotions(model, dataset.songs.values(), Silent()))
    spec = fuse(dataset, felt, (*PAYING_SIGNALS, EMOTION)).matching
    weight = spec.learned.known.get(EMOTION, 0.0) if spec.learned else None
    print(f"  weight of emotions beside the others: {weight}", flush=True)
    (regime,) = dataset_regimes(spec, dataset, felt, (Split.UNSEEN_SONG,))
    return regime, spec


def encoded(model: Path, dataset: PairDataset) -> EncodedDataset:
    spec = EmbedderSpec(artifact="", base_model="", base_revision="", dimensions=384, max_length=256)
    return encode_dataset(Encoder.open(model, spec, device="cpu"), dataset, Silent(), label="")


# Beside the baseline --------------------------------------------------------------------------------------------------


def beside_the_baseline(seeds: Sequence[Seed]) -> None:
    """Every test song by the version and by the baseline."""
    scores: dict[str, list[QueryMetrics]] = {}
    for seed in seeds:
        regime, spec = seed.songs, seed.fusion.matching
        ids = [song.song_id for song in regime.songs]
        known = Baselines.fit(seed.dataset).scores(
            Split.UNSEEN_SONG, ids, [each.playlist_id for each in regime.index.playlists]
        )
        heuristic = spec.model_copy(update={"learned": None})
        for name, score in {
            "afternoon baseline": known["combined"],
            "the base model's embedding alone": embedding_scores(seed.base[Split.UNSEEN_SONG.value]),
            "the embedding alone": embedding_scores(regime),
            "full matching, heuristic weights": scored(regime, heuristic),
            "full matching": scored(regime, spec),
            "full matching + baseline": standard(scored(regime, spec)) + standard(known["combined"]),
        }.items():
            scores.setdefault(name, []).append(query_metrics(score, regime.relevant))
    groups = [playlist for seed in seeds for playlist in homes(seed.songs)]
    print(f"\n{len(groups)} test songs of {len(seeds)} splits, among the known playlists:")
    for name, found in scores.items():
        print(f"  {name:33}", ", ".join(f"{metric} {pooled(found, metric).mean():.3f}" for metric in SHOWN))
    for metric in SHOWN:
        ours, theirs = (pooled(scores[name], metric) for name in ("full matching", "afternoon baseline"))
        interval = clustered_interval(ours - theirs, groups, seed=0)
        p = paired_randomisation(ours, theirs, groups, seed=0)
        print(
            f"  {metric}, full matching - baseline: {float(np.mean(ours - theirs)):+.3f} "
            f"(95 % interval {interval.low:+.3f} to {interval.high:+.3f}, p = {p:.4f})"
        )


def scored(regime: Regime, spec: MatchSpec) -> Scores:
    return regime.scores(spec)


def standard(scores: Scores) -> Scores:
    """Log-probabilities, so that two methods can be added."""
    away = scores - scores.max(axis=1, keepdims=True)
    return np.asarray(away - np.log(np.exp(away).sum(axis=1, keepdims=True)), np.float32)


def pooled(found: Sequence[QueryMetrics], metric: str) -> Figures:
    return np.asarray(np.concatenate([getattr(each, metric) for each in found]), np.float64)


def homes(regime: Regime) -> list[str]:
    return [regime.index.playlists[int(column)].playlist_id for column in regime.relevant.argmax(axis=1)]


# Signals --------------------------------------------------------------------------------------------------------------


def ablation(seeds: Sequence[Seed]) -> None:
    """Each signal alone, and all without it; then the same of the tiers. The weights stay as they were learned."""
    print("\nsignal            alone: Top-1, Top-5    without it: Top-1, Top-5, MRR")
    scaled = [scaled_signals(each.songs.asked, each.songs.index, each.fusion.matching) for each in seeds]
    names = [name for name in scaled[0] if not np.isnan(scaled[0][name]).all()]
    for title, signals in (("everything", ()), *((name, (name,)) for name in names), *TIERS.items()):
        if title != "everything" and not set(signals) & set(names):
            continue
        alone, without = [], []
        for seed, known in zip(seeds, scaled, strict=True):
            regime, spec = seed.songs, seed.fusion.matching
            of = {name: known[name] for name in names if name in signals}
            rest = {name: known[name] for name in names if name not in signals}
            without.append(query_metrics(combined(rest, regime.songs, regime.index, spec).score, regime.relevant))
            if len(signals) == 1:  # by itself it needs no weight, and may have none
                alone.append(query_metrics(np.nan_to_num(known[signals[0]]), regime.relevant))
            elif of:
                alone.append(query_metrics(combined(of, regime.songs, regime.index, spec).score, regime.relevant))
        left = ", ".join(f"{pooled(without, metric).mean():.3f}" for metric in SHOWN)
        told = ", ".join(f"{pooled(alone, metric).mean():.3f}" for metric in SHOWN[:2]) if alone else " " * 12
        print(f"  {title:16} {told}           {left}")


def learned_anew(seeds: Sequence[Seed]) -> None:
    """What becomes of the development and the test songs' MRR where a version has a signal less, or one more."""
    print("\nMRR where the weights are learned for one signal less or more, against the usual ones: development, test")
    whole = [(development_mrr(each.fusion), test_mrr(each, each.fusion.matching)) for each in seeds]
    print(f"  as usual         {np.mean([dev for dev, _ in whole]):.4f}, {np.mean([test for _, test in whole]):.4f}")
    for name in SIGNALS:
        if name in {"text", EMOTION}:  # without text a playlist without songs is known by nothing
            continue
        signals = [it for it in SIGNALS if (it in PAYING_SIGNALS) != (it == name)]
        fusions = [fuse(each.dataset, each.vectors, signals) for each in seeds]
        found = [(development_mrr(it), test_mrr(each, it.matching)) for each, it in zip(seeds, fusions, strict=True)]
        changes = np.array(found) - np.array(whole)
        each_seed = ", ".join(f"{dev:+.4f}" for dev, _ in changes)
        how = "without" if name in PAYING_SIGNALS else "with"
        mean = ", ".join(f"{each:+.4f}" for each in changes.mean(axis=0))
        print(f"  {how:7} {name:8} {mean}   (development: {each_seed})")


def development_mrr(fusion: Fusion) -> float:
    """Of the weights that were taken."""
    return float(max(fusion.record["heuristic_mrr"], *fusion.record["learned_mrr"].values()))


def test_mrr(seed: Seed, spec: MatchSpec) -> float:
    (regime,) = dataset_regimes(spec, seed.dataset, seed.vectors, (Split.UNSEEN_SONG,))
    return float(query_metrics(regime.scores(spec), regime.relevant).mrr.mean())


def with_emotions(seeds: Sequence[Seed]) -> None:
    """Emotions alone, and with them all signals, their weights learned together."""
    alone, together = [], []
    for seed in seeds:
        if seed.feeling is None:
            return
        regime, spec = seed.feeling
        felt = scaled_signals(regime.asked, regime.index, spec)[EMOTION]
        alone.append(query_metrics(np.nan_to_num(felt), regime.relevant))
        together.append(query_metrics(scored(regime, spec), regime.relevant))
    for title, found in (("emotions alone", alone), ("all, and emotions", together)):
        print(f"  {title:17}", ", ".join(f"{metric} {pooled(found, metric).mean():.3f}" for metric in SHOWN))


def print_reranker(folder: Path, dataset: PairDataset, spec: MatchSpec, vectors: EncodedDataset, seed: int) -> None:
    """Fine-tune the reranker and tell what it gains and what it takes."""
    from lifecycle.rerank_trial import try_reranker
    from registry.versions import RerankerSpec
    from training.configuration import RERANKER_MAX_LENGTH, profile
    from training.examples import Prompts
    from training.job import TrainingJob
    from training.models import load_model
    from training.reranker import fine_tune_reranker

    made = folder / "reranker"
    if not made.is_dir():
        begun = time.perf_counter()
        job = TrainingJob(BASE, dataset, profile("bundled", seed=seed), Prompts(), folder, device="cpu")
        made = fine_tune_reranker(job, load_model(folder / "model", device="cpu"))
        print(f"  the reranker took {time.perf_counter() - begun:.0f} s to train", flush=True)
    reranker = RerankerSpec(artifact="", base_model="", max_length=RERANKER_MAX_LENGTH)
    for split in (Split.DEVELOPMENT, Split.UNSEEN_SONG):
        (regime,) = dataset_regimes(spec, dataset, vectors, (split,))
        trial = try_reranker(made, reranker, spec, regime, dataset.template, device="cpu")
        print(f"  reranker on {split.value}: {trial.record}", flush=True)


# Others ---------------------------------------------------------------------------------------------------------------


def unseen_playlists(seeds: Sequence[Seed]) -> None:
    """Playlists that were held out whole, by their text alone: the base model's cosine against full matching."""
    ours, base = [], []
    for seed in seeds:
        for name in (each.value for each in UNSEEN_PLAYLISTS):
            if name in seed.regimes:
                regime, before = seed.regimes[name], seed.base[name]
                ours.append(query_metrics(scored(regime, seed.fusion.matching), regime.relevant))
                base.append(query_metrics(before.vectors @ before.index.texts.T, before.relevant))
    print(f"\n{len(pooled(ours, 'top5'))} songs of playlists that were not trained on, by their name and genre alone:")
    for title, found in (("base model", base), ("full matching", ours)):
        print(f"  {title:14}", ", ".join(f"{metric} {pooled(found, metric).mean():.3f}" for metric in SHOWN))


def homeless(seeds: Sequence[Seed]) -> None:
    """Songs whose playlists are all taken away."""
    found = [homeless_report(seed.fusion.matching, seed.songs) for seed in seeds]
    reports = [each for each in found if each]
    print("\nsongs whose playlists are all taken away; right answers kept, songs recognised:")
    for place in range(len(reports[0]["curve"])):
        points = [each["curve"][place] for each in reports]
        kept, recognised = (float(np.mean([each[name] for each in points])) for name in ("kept", "recognised"))
        print(f"  {kept:.3f}  {recognised:.3f}")
    at = [(each["kept"], each["recognised"]) for each in reports]
    print(f"  at the versions' own thresholds: {at}")


def print_speed(spec: MatchSpec) -> None:
    """What matching takes beyond the encoder, with 200 playlists of 50 songs: one song, and 6,000 at once."""
    from serving.matching.matcher import Answering, Recorded, match

    generator = np.random.default_rng(0)
    vectors = generator.normal(size=(10_000, 384)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    songs = [
        Song.model_validate(
            {
                "song_id": f"s{row}",
                "title": f"Tune {row} of the harbour",
                "artist": f"Artist {row % 900}",
                "album": f"Album {row % 3000}",
                "release_date": str(1960 + row % 60),
                "duration_ms": 150_000 + row * 11 % 99_000,
                "audio_features": {"energy": row % 97 / 97, "valence": row % 89 / 89, "tempo": 60 + row % 120},
            }
        )
        for row in range(len(vectors))
    ]
    profiles = [
        StoredProfile(
            Playlist(playlist_id=f"p{row}", name=f"List {row}"),
            vectors[row],
            vectors[row + 200],
            50,
            {"energy": 0.5},
            tuple(Member(songs[at], vectors[at]) for at in range(row * 50, row * 50 + 50)),
        )
        for row in range(200)
    ]
    version: Any = type("Version", (), {"spec": type("Spec", (), {"matching": spec, "text_template": 2})()})()
    encoder: Any = None
    answering = Answering(1, version, encoder, PlaylistIndex.build(profiles, spec, 384), 0)
    asked = [song.model_copy(update={"song_id": f"asked-{row}"}) for row, song in enumerate(songs[:6_000])]
    known = Recorded({song.song_id: vectors[row] for row, song in enumerate(asked)}, {})
    times = []
    for row in range(200):
        begun = time.perf_counter()
        match(answering, asked[row : row + 1], known, top_k=5)
        times.append(time.perf_counter() - begun)
    begun = time.perf_counter()
    match(answering, asked, known, top_k=5)
    print(
        f"\nbeyond the encoder, 200 playlists of 50 songs: one song {median(times) * 1e3:.1f} ms (median of 200), "
        f"6,000 songs {time.perf_counter() - begun:.1f} s"
    )


if __name__ == "__main__":
    main()
