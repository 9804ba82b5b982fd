"""How fast re-embedding is beside raw `SentenceTransformer.encode` of the same texts, all costs included.

    python -m benchmarks.reembedding [PLAYLISTS.csv] [--songs 20000] [--repeats 3]

In turn, several times: raw encode in fp32 (model loaded before, nothing stored); a whole `reembed` in fp32; a whole
`reembed` in the precision that its own trial chooses. A whole one loads the model, reads, renders, cuts into tokens,
encodes, writes, profiles playlists, builds and measures the index, and makes the version visible; each is of a version
of its own. Prints wall against wall, each ratio the median of those taken in turn, and Top-5 of all playlists' own
songs by the stored vectors of both precisions. Without a file the songs are those of the sample library.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sentence_transformers import SentenceTransformer

from lifecycle.base_version import register_base_version
from lifecycle.importing import import_file
from lifecycle.progress import Silent
from lifecycle.reconcile.operation import reconcile
from lifecycle.sample.library import generate_library, write_jsonl
from lifecycle.workspace import Workspace, open_workspace
from registry import catalogue, versions
from registry.settings import RegistrySettings
from registry.texts import render_song
from registry.vectors.vector_set import VectorSet
from registry.versions import ModelSpec, ModelVersion
from serving.inference.precision import offered_precision
from serving.matching.index import PlaylistIndex


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, nargs="?", help="in any import format")
    parser.add_argument("--songs", type=int, default=20_000, help="of the sample library")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="autosort-reembedding-") as home:
        file = arguments.file or _sample(Path(home) / "library.jsonl", arguments.songs)
        settings = RegistrySettings.model_validate({"AUTOSORT_HOME": home, "DATABASE_URL": None})
        with open_workspace(settings) as workspace:
            import_file(workspace, file)
            _compare(workspace, arguments.repeats)


def _sample(path: Path, songs: int) -> Path:
    write_jsonl(generate_library(songs=songs), path)
    return path


def _compare(workspace: Workspace, repeats: int) -> None:
    base = register_base_version(workspace, Silent()).spec
    with workspace.database.transaction() as connection:
        texts = [render_song(song, base.text_template) for song in catalogue.snapshot(connection).songs]
    sides: dict[str, Callable[[], Any]] = {
        "raw fp32": _raw(workspace, base, texts),
        "reembed fp32": lambda: _reembed(workspace, base, "fp32"),
        "reembed": lambda: _reembed(workspace, base, None),
    }
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    made: dict[str, ModelVersion] = {}
    print(
        f"{len(texts)} songs, {repeats} times in turn, {torch.get_num_threads()} threads, seconds of each:", flush=True
    )
    for _ in range(repeats):
        for name, run in sides.items():
            begun = time.perf_counter()
            made[name] = run()
            seconds[name].append(time.perf_counter() - begun)
            print(f"  {name}: {seconds[name][-1]:.1f} s, {len(texts) / seconds[name][-1]:.0f} songs/s", flush=True)
    _show(seconds)
    exact, chosen = (_top5(workspace, made[name]) for name in ("reembed fp32", "reembed"))
    print(f"Top-5 by text and centroid: {exact:.4f} in fp32, {chosen:.4f} in the one chosen ({chosen - exact:+.4f})")


def _show(seconds: dict[str, list[float]]) -> None:
    def ratio(ours: str) -> float:
        return median(raw / whole for raw, whole in zip(seconds["raw fp32"], seconds[ours], strict=True))

    print(f"reembed in fp32 against raw in fp32: {ratio('reembed fp32'):.2f} times (promised 0.95)")
    chosen = offered_precision("cpu")
    print(f"reembed in {chosen} if the trial keeps it, against raw in fp32: {ratio('reembed'):.2f} times (promised 2)")


def _raw(workspace: Workspace, base: ModelSpec, texts: list[str]) -> Callable[[], Any]:
    folder = workspace.artifacts.verified(base.embedder.artifact)
    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    model.max_seq_length = base.embedder.max_length
    encode: Any = model.encode
    return lambda: encode(texts, normalize_embeddings=True, show_progress_bar=False)


def _reembed(workspace: Workspace, base: ModelSpec, precision: str | None) -> ModelVersion:
    """Embed everything for a new version of the same model."""
    with workspace.database.transaction() as connection:
        version = versions.register(connection, base, recipe=f"benchmark at {time.time()}", actor="benchmark")
        if precision:
            vectors = VectorSet(version)
            vectors.create(connection)
            vectors.settle_precision(connection, precision)
    done = reconcile(workspace, version.version, Silent())
    if not (done.coverage and done.coverage.complete):
        sys.exit(f"{version.version} is not whole: {done}")
    return version


def _top5(workspace: Workspace, version: ModelVersion) -> float:
    """The share of memberships whose playlist is among the song's five nearest, by the vectors on record."""
    with workspace.database.transaction() as connection:
        vectors = VectorSet(version)
        members = [(each.song_id, each.playlist_id) for each in catalogue.snapshot(connection).memberships]
        stored = vectors.song_vectors(connection, sorted({song for song, _ in members}))
        index = PlaylistIndex.build(vectors.profiles(connection), version.spec.matching, vectors.dimensions)
    songs = sorted(stored)
    matrix = np.array([stored[each] for each in songs], np.float32)
    cosines = matrix @ index.texts.T + np.nan_to_num(matrix @ index.centroids.T)
    best = np.argsort(-cosines, axis=1)[:, :5]
    return _share_found(best, songs, [each.playlist_id for each in index.playlists], members)


def _share_found(
    best: npt.NDArray[np.intp], songs: list[str], playlists: list[str], members: list[tuple[str, str]]
) -> float:
    found = {song: {playlists[column] for column in row} for song, row in zip(songs, best, strict=True)}
    return float(np.mean([playlist in found[song] for song, playlist in members if song in found]))


if __name__ == "__main__":
    main()
