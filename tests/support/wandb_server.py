"""A server that speaks what W&B's client needs to log, resume and sync a run, and remembers what it was sent."""

import gzip
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_OPERATION = re.compile(r"\s*(?:query|mutation)\s+(\w+)")
_PROJECT = {"id": "project", "name": "autosort", "entity": {"id": "entity", "name": "me"}}


@dataclass
class WandbServer:
    """What was sent, and where to.

    Attributes:
        accepts: whether any key is good, or none.
        pause: seconds before an answer.
        history: rows by the number of their line, so that lines which are sent again replace themselves.
        artifacts: by name, what was asked to be created; `used` are those that the run is a user of.
        files: what was uploaded, by its name.
        keys: what requests were authorised with.
    """

    url: str = ""
    accepts: bool = True
    pause: float = 0.0
    resumed: list[bool] = field(default_factory=list)
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    history: dict[int, dict[str, Any]] = field(default_factory=dict)
    artifacts: dict[str, dict[str, Any]] = field(default_factory=dict)
    used: list[str] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    keys: set[str] = field(default_factory=set)

    def answer(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        """Answer a GraphQL query; what is not known gets no data."""
        name = _OPERATION.match(query)
        answer = self._answers().get(name[1] if name else "")
        return answer(variables) if answer else {}

    def _answers(self) -> dict[str, Callable[[dict[str, Any]], dict[str, Any]]]:
        viewer = {"id": "viewer", "entity": "me", "username": "me", "email": "", "flags": "{}", "teams": {"edges": []}}
        return {
            "Viewer": lambda _: {"viewer": viewer},
            "RunResumeStatus": self._status,
            "UpsertBucket": self._upsert,
            "ArtifactType": lambda _: {"project": None},
            "CreateArtifact": self._create_artifact,
            "CreateArtifactManifest": self._manifest,
            "CreateArtifactFiles": self._artifact_files,
            "CommitArtifact": lambda asked: {
                "commitArtifact": {"artifact": {"id": asked["artifactID"], "digest": "digest"}}
            },
            "UseArtifact": self._use,
            "CreateRunFiles": self._run_files,
        }

    def _status(self, asked: dict[str, Any]) -> dict[str, Any]:
        known = self.runs.get(asked["name"])
        self.resumed.append(known is not None)
        if known is None:
            return {"model": None}
        bucket = {
            "id": "bucket",
            "name": asked["name"],
            "summaryMetrics": "{}",
            "displayName": known["displayName"],
            "logLineCount": 0,
            "historyLineCount": len(self.history),
            "eventsLineCount": 0,
            "historyTail": json.dumps([json.dumps(self.history[max(self.history)])] if self.history else []),
            "eventsTail": "[]",
            "config": known["config"],
            "tags": [],
            "notes": "",
            "wandbConfig": '{"t": {}}',
        }
        return {"model": {**_PROJECT, "bucket": bucket}}

    def _upsert(self, asked: dict[str, Any]) -> dict[str, Any]:
        run = self.runs.setdefault(asked["name"], dict(asked))
        run |= {name: value for name, value in asked.items() if value is not None}
        bucket = {
            "id": "bucket",
            "name": asked["name"],
            "displayName": run["displayName"],
            "description": None,
            "config": run["config"],
            "sweepName": None,
            "project": _PROJECT,
            "historyLineCount": len(self.history),
        }
        return {"upsertBucket": {"bucket": bucket, "inserted": len(self.resumed) == 1}}

    def _create_artifact(self, asked: dict[str, Any]) -> dict[str, Any]:
        name = asked["input"]["artifactCollectionName"]
        self.artifacts[name] = asked["input"]
        made = {"id": name, "state": "PENDING", "artifactSequence": {"latestArtifact": None}}
        return {"createArtifact": {"artifact": made}}

    def _manifest(self, asked: dict[str, Any]) -> dict[str, Any]:
        name = f"{asked['artifactID']}/manifest"
        file = {"id": "file", "uploadUrl": f"{self.url}/upload/{name}", "uploadHeaders": []}
        return {"createArtifactManifest": {"artifactManifest": {"id": name, "file": file}}}

    def _artifact_files(self, asked: dict[str, Any]) -> dict[str, Any]:
        edges = []
        for file in asked["input"]["artifactFiles"]:
            name = f"{file['artifactID']}/{file['name']}"
            place: dict[str, Any] = {
                "uploadUrl": f"{self.url}/upload/{name}",
                "uploadHeaders": [],
                "uploadMultipartUrls": None,
            }
            edges.append(
                {
                    "node": {
                        "storagePath": name,
                        "artifact": {"id": file["artifactID"]},
                        "uploadMultipartUrls": None,
                        **place,
                    }
                }
            )
        return {"createArtifactFiles": {"files": {"edges": edges}}}

    def _use(self, asked: dict[str, Any]) -> dict[str, Any]:
        self.used.append(asked["input"]["artifactID"])
        return {"useArtifact": {"artifact": {"id": asked["input"]["artifactID"]}}}

    def _run_files(self, asked: dict[str, Any]) -> dict[str, Any]:
        files = [{"name": name, "uploadUrl": f"{self.url}/upload/run/{name}"} for name in asked["files"]]
        return {"createRunFiles": {"runID": "bucket", "uploadHeaders": [], "files": files}}

    def stream(self, sent: dict[str, Any]) -> None:
        """Take lines of a run's history."""
        part = sent.get("files", {}).get("wandb-history.jsonl", {"offset": 0, "content": []})
        for number, line in enumerate(part["content"], part["offset"]):
            self.history[number] = json.loads(line)


@contextmanager
def wandb_server(*, accepts: bool = True) -> Iterator[WandbServer]:
    """Run one on a free port.

    Args:
        accepts: whether any key is good, or none.
    """
    known = WandbServer(accepts=accepts)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(known))
    server.daemon_threads = True
    known.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield known
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(known: WandbServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            time.sleep(known.pause)
            known.keys.add(self.headers.get("Authorization", ""))
            body = self._body()
            if not known.accepts:
                self._reply({"errors": [{"message": "user is not logged in"}]}, 401)
            elif self.path == "/graphql":
                asked = json.loads(body)
                self._reply({"data": known.answer(asked["query"], asked.get("variables") or {})})
            else:
                known.stream(json.loads(body))
                self._reply({})

        def do_PUT(self) -> None:
            known.files[self.path.removeprefix("/upload/")] = self._body()
            self._reply({})

        def _body(self) -> bytes:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body

        def _reply(self, document: dict[str, Any], status: int = 200) -> None:
            with suppress(BrokenPipeError):  # who asked is gone: that is what some tests are about
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(document).encode())

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class's name
            """Say nothing."""

    return Handler
