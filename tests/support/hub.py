"""A real HTTP server that speaks what huggingface_hub needs to publish a model and to fetch it again.

It keeps commits, branches, tags and large files as the Hub does, and refuses as the Hub does: an unknown token (401),
a name space of somebody else's (403), what the token may not see (404), a commit on an older state (412). It does not
speak xet (HF_HUB_DISABLE_XET keeps the client from asking for it), and of a card it checks the front matter alone.
"""

import base64
import json
import re
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

from tests.support.hub_store import Account, Answer, Refusal, StoredFile, StoredRepository

_LARGE = 10 * 1024 * 1024
_ATTRIBUTES = b"*.safetensors filter=lfs diff=lfs merge=lfs -text\n"
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True)
class Request:
    """What was asked, by whom."""

    account: Account | None
    query: dict[str, list[str]]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class ModelHub:
    """What the server keeps and answers; tests look into it and put faults in.

    Attributes:
        uploads: SHA-256 of every large file that was sent, in order.
        fault: asked before every answer, by method and path; may raise a `Refusal`.
    """

    def __init__(self) -> None:
        self.url = ""
        self.accounts: dict[str, Account] = {}
        self.repositories: dict[str, StoredRepository] = {}
        self.uploads: list[str] = []
        self.fault: Callable[[str, str], None] = lambda _method, _path: None
        self._large: dict[str, bytes] = {}
        self._signature = secrets.token_hex(8)

    def token(self, name: str, *, writes: bool = True) -> str:
        """A token of an account."""
        made = f"hf_{secrets.token_hex(16)}"
        self.accounts[made] = Account(name, writes)
        return made

    def make(self, name: str, *, private: bool = True, files: dict[str, bytes] | None = None) -> StoredRepository:
        """Make a repository, with files if given."""
        made = self.repositories[name] = StoredRepository(private)
        made.add("initial commit", {".gitattributes": StoredFile(_ATTRIBUTES, large=False)})
        if files:
            added = {path: StoredFile(content, large=False) for path, content in files.items()}
            made.add("by hand", made.at("main").files | added)
        return made

    def answer(self, method: str, path: str, request: Request) -> Answer:
        """Answer a request, whatever comes of it."""
        try:
            self.fault(method, path)
            for wanted, pattern, answer in _ROUTES:
                if method == wanted and (found := re.fullmatch(pattern, path)):
                    return answer(self, request, *map(unquote, found.groups()))
            raise Refusal(404, f"the test's Hub has no {method} {path}")
        except Refusal as refusal:
            return refusal.answer

    def whoami(self, request: Request) -> Answer:
        return _json(
            {"type": "user", "name": self._account(request).name, "orgs": [], "auth": {"type": "access_token"}}
        )

    def create(self, request: Request) -> Answer:
        account, asked = self._account(request), request.json
        name = f"{asked['organization'] or account.name}/{asked['name']}"
        if not account.may_write_to(name):
            raise Refusal(403, "You don't have the rights to create a model under this namespace")
        url = {"url": f"{self.url}/{name}"}
        if name in self.repositories:
            raise Refusal(409, "You already created this model repo", body={"error": "exists", **url})
        self.make(name, private=asked.get("visibility") == "private")
        return _json(url)

    def validate(self, request: Request) -> Answer:
        errors = _faults_of_card(request.json["content"])
        body = {"errors": [{"message": each} for each in errors], "warnings": []}
        if errors:
            raise Refusal(400, "Invalid metadata", body=body)
        return _json(body)

    def info(self, request: Request, name: str, revision: str = "main") -> Answer:
        repository = self._seen(request, name)
        commit = repository.at(revision)
        siblings = [{"rfilename": path} for path in sorted(commit.files)]
        return _json({"id": name, "private": repository.private, "sha": commit.oid, "siblings": siblings, "tags": []})

    def refs(self, request: Request, name: str) -> Answer:
        repository = self._seen(request, name)
        main = {"name": "main", "ref": "refs/heads/main", "targetCommit": repository.head}
        tags = [
            {"name": each, "ref": f"refs/tags/{each}", "targetCommit": oid} for each, oid in repository.tags.items()
        ]
        return _json({"branches": [main], "converts": [], "tags": tags})

    def tree(self, request: Request, name: str, revision: str) -> Answer:
        files = self._seen(request, name).at(revision).files
        return _json([_entry(path, file) for path, file in sorted(files.items())])

    def preupload(self, request: Request, name: str, revision: str) -> Answer:
        present = self._written(request, name).at(revision).files
        return _json({"files": [_mode(each, present.get(each["path"])) for each in request.json["files"]]})

    def batch(self, request: Request, name: str) -> Answer:
        self._written(request, name)
        objects: list[dict[str, Any]] = []
        for each in request.json["objects"]:
            known = {"oid": each["oid"], "size": each["size"]}
            href = f"{self.url}/lfs/{each['oid']}?signature={self._signature}"
            verify = f"{self.url}/lfs/{each['oid']}/verify"
            actions = {"upload": {"href": href}, "verify": {"href": verify}}
            objects.append(known if each["oid"] in self._large else {**known, "actions": actions})
        return _json({"transfer": "basic", "objects": objects})

    def upload(self, request: Request, oid: str) -> Answer:
        if request.query.get("signature") != [self._signature] or sha256(request.body).hexdigest() != oid:
            raise Refusal(403, "signature or content is wrong")
        self._large[oid] = request.body
        self.uploads.append(oid)
        return Answer(200, b"")

    def verify(self, request: Request, oid: str) -> Answer:
        self._account(request)
        if len(self._large.get(oid, b"")) != request.json["size"]:
            raise Refusal(404, "no such object")
        return _json({})

    def commit(self, request: Request, name: str, revision: str) -> Answer:
        repository = self._written(request, name)
        lines = [json.loads(line) for line in request.body.splitlines()]
        header, changes = lines[0]["value"], lines[1:]
        if header.get("parentCommit") not in (None, repository.head):
            raise Refusal(412, "A commit has happened since. Please refresh and try again.")
        files = dict(repository.at(revision).files)
        for change in changes:
            self._apply(files, change["key"], change["value"])
        made = repository.add(header["summary"], files)
        return _json({"commitUrl": f"{self.url}/{name}/commit/{made.oid}", "commitOid": made.oid})

    def tag(self, request: Request, name: str, revision: str) -> Answer:
        repository = self._written(request, name)
        if request.json["tag"] in repository.tags:
            raise Refusal(409, "Tag reference exists already")
        repository.tags[request.json["tag"]] = repository.at(revision).oid
        return _json({})

    def resolve(self, request: Request, name: str, revision: str, path: str) -> Answer:
        commit = self._seen(request, name).at(revision)
        if path not in commit.files:
            raise Refusal(404, "Entry not found", code="EntryNotFound")
        file = commit.files[path]
        headers = {"ETag": f'"{file.oid}"', "X-Repo-Commit": commit.oid}
        return Answer(200, file.content, headers)

    def _apply(self, files: dict[str, StoredFile], key: str, value: dict[str, Any]) -> None:
        if key == "file":
            files[value["path"]] = StoredFile(base64.b64decode(value["content"]), large=False)
        elif key == "lfsFile" and value["oid"] in self._large:
            files[value["path"]] = StoredFile(self._large[value["oid"]], large=True)
        elif key == "deletedFile" and value["path"] in files:
            del files[value["path"]]
        else:
            raise Refusal(400, f"{key} of {value['path']} cannot be done")

    def _account(self, request: Request) -> Account:
        if request.account is None:
            raise Refusal(401, "Invalid credentials in Authorization header")
        return request.account

    def _seen(self, request: Request, name: str) -> StoredRepository:
        found = self.repositories.get(name)
        hidden = found is not None and found.private and not self._account(request).owns(name)
        if found is None or hidden:
            raise Refusal(404, "Repository not found", code="RepoNotFound")
        return found

    def _written(self, request: Request, name: str) -> StoredRepository:
        account, found = self._account(request), self._seen(request, name)
        if not account.may_write_to(name):
            raise Refusal(403, "You don't have the rights to write here")
        return found


_NAME = r"([\w.-]+/[\w.-]+)"
_ROUTES: list[tuple[str, str, Callable[..., Answer]]] = [
    ("GET", r"/api/whoami-v2", ModelHub.whoami),
    ("POST", r"/api/repos/create", ModelHub.create),
    ("POST", r"/api/validate-yaml", ModelHub.validate),
    ("GET", rf"/api/models/{_NAME}", ModelHub.info),
    ("GET", rf"/api/models/{_NAME}/revision/([^/]+)", ModelHub.info),
    ("GET", rf"/api/models/{_NAME}/refs", ModelHub.refs),
    ("GET", rf"/api/models/{_NAME}/tree/([^/]+)", ModelHub.tree),
    ("POST", rf"/api/models/{_NAME}/preupload/([^/]+)", ModelHub.preupload),
    ("POST", rf"/{_NAME}\.git/info/lfs/objects/batch", ModelHub.batch),
    ("PUT", r"/lfs/([0-9a-f]{64})", ModelHub.upload),
    ("POST", r"/lfs/([0-9a-f]{64})/verify", ModelHub.verify),
    ("POST", rf"/api/models/{_NAME}/commit/([^/]+)", ModelHub.commit),
    ("POST", rf"/api/models/{_NAME}/tag/([^/]+)", ModelHub.tag),
    ("GET", rf"/{_NAME}/resolve/([^/]+)/(.+)", ModelHub.resolve),
    ("HEAD", rf"/{_NAME}/resolve/([^/]+)/(.+)", ModelHub.resolve),
]


@contextmanager
def served_hub() -> Iterator[ModelHub]:
    """A Hub on a free port of 127.0.0.1 until the context ends."""
    hub = ModelHub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(hub: ModelHub) -> type[BaseHTTPRequestHandler]:
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 5  # a client that keeps its connection must not keep the server from ending

        def _respond(self) -> None:
            address = urlsplit(self.path)
            token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
            request = Request(hub.accounts.get(token), parse_qs(address.query), self._body())
            with lock:
                answer = hub.answer(self.command, address.path, request)
            self.send_response(answer.status)
            for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's signature
            """Say nothing."""

        do_GET = do_HEAD = do_POST = do_PUT = _respond  # noqa: N815 - the base class's names

    return Handler


def _json(body: Any) -> Answer:
    return Answer(200, json.dumps(body).encode(), {"Content-Type": "application/json"})


def _entry(path: str, file: StoredFile) -> dict[str, Any]:
    size = len(file.content)
    large = {"lfs": {"oid": file.oid, "size": size, "pointerSize": 134}} if file.large else {}
    return {"type": "file", "path": path, "oid": file.oid, "size": size, **large}


def _mode(asked: dict[str, Any], present: StoredFile | None) -> dict[str, Any]:
    large = asked["path"].endswith(".safetensors") or asked["size"] > _LARGE
    oid = {"oid": present.oid} if present else {}
    return {"path": asked["path"], "uploadMode": "lfs" if large else "regular", "shouldIgnore": False, **oid}


def _faults_of_card(content: str) -> list[str]:
    """What the Hub would not take of a card's front matter, as far as that is written down."""
    parts = content.split("---\n", 2)
    try:
        data = yaml.safe_load(parts[1])
        results = [each for model in data.get("model-index", []) for each in model["results"]]
        typed = all(result["task"]["type"] and result["dataset"]["type"] for result in results)
        named = all(result["dataset"]["name"] and result["metrics"] for result in results)
        valued = all({"type", "value"} <= metric.keys() for result in results for metric in result["metrics"])
    except (yaml.YAMLError, LookupError, TypeError, AttributeError) as error:
        return [f"front matter: {type(error).__name__}"]
    faults = [] if typed and named and valued else ["model-index is not whole"]
    return faults if _HUB_ID.fullmatch(data.get("base_model", "")) else [*faults, "base_model is no name on the Hub"]
