"""What of a version is published: the files that a model is loaded from, its card, and a list of them all.

Anything else that an artifact holds stays here. Its own card does too: that one names playlists.
"""

import json
from collections.abc import Mapping
from fnmatch import fnmatch
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

from lifecycle.hub.repository import Content
from lifecycle.workspace import Workspace
from registry.errors import BadInput
from registry.versions import ModelVersion

CARD = "README.md"
MANIFEST = "autosort.json"
"""Says which version it is and which files are the version's: whatever else a repository holds is its owner's."""

_RERANKER, _EMOTIONS = "reranker", "emotions"
_MODEL_FILES = (
    "*.safetensors",
    "*.safetensors.index.json",
    "*.model",
    "added_tokens.json",
    "config.json",
    "config_sentence_transformers.json",
    "merges.txt",
    "modules.json",
    "sentence_*_config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "vocab.txt",
)


def version_files(workspace: Workspace, version: ModelVersion, card: str) -> dict[str, Content]:
    """The files of a version by their path in the repository; the artifacts are verified, and never change.

    Raises:
        ArtifactError: an artifact is missing, unsafe or changed.
    """
    spec = version.spec
    files: dict[str, Content] = {CARD: card.encode()}
    files |= _model_files(workspace.artifacts.verified(spec.embedder.artifact))
    for name, part in ((_RERANKER, spec.reranker), (_EMOTIONS, spec.emotions)):
        if part is not None:
            found = _model_files(workspace.artifacts.verified(part.artifact))
            files |= {f"{name}/{path}": file for path, file in found.items()}
    return files | {MANIFEST: json.dumps(_manifest(version, files), indent=2, sort_keys=True).encode()}


def size_of(files: Mapping[str, Content]) -> int:
    """Bytes of all files together."""
    return sum(len(file) if isinstance(file, bytes) else file.stat().st_size for file in files.values())


def read_manifest(content: bytes) -> dict[str, Any]:
    """What `autosort.json` of a repository says.

    Raises:
        BadInput: it is none.
    """
    try:
        manifest = dict(json.loads(content))
        if isinstance(manifest["artifact"], str) and isinstance(manifest["files"], dict):
            return manifest
    except (ValueError, TypeError, LookupError):
        pass
    raise BadInput(
        f"The {MANIFEST} of the repository is not one that `autosort publish` wrote.",
        "Name another repository, or remove that file from this one.",
    )


def artifacts_of(version: ModelVersion) -> dict[str, str | None]:
    """The digests that tell a version from another one of the same name."""
    spec = version.spec
    parts = {"artifact": spec.embedder, "reranker": spec.reranker, "emotions": spec.emotions}
    return {name: part.artifact if part else None for name, part in parts.items()}


def _model_files(folder: Path) -> dict[str, Path]:
    return {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and any(fnmatch(path.name, pattern) for pattern in _MODEL_FILES)
    }


def _manifest(version: ModelVersion, files: Mapping[str, Content]) -> dict[str, Any]:
    specification = version.spec.model_dump(mode="json", exclude={"training"})
    for name in ("embedder", "emotions"):
        if specification[name]:
            specification[name]["base_revision"] = public_revision(specification[name]["base_revision"])
    return {
        "version": version.version,
        **artifacts_of(version),
        "specification": specification,
        "files": {path: _digest(file) for path, file in files.items()},
    }


def public_revision(revision: str) -> str:
    """The base model's revision; of one that was taken from a folder, not what that folder is called."""
    return "a local copy" if revision.startswith("folder ") else revision


def _digest(file: Content) -> str:
    """SHA-256 (hex) of a file."""
    if isinstance(file, bytes):
        return sha256(file).hexdigest()
    with file.open("rb") as opened:
        return file_digest(opened, "sha256").hexdigest()
