"""Models as folders: loaded without the network and without code of their own, saved as safetensors."""

import shutil
from pathlib import Path

from sentence_transformers import SentenceTransformer


def load_model(
    folder: Path, playlist_prompt: str = "", song_prompt: str = "", *, device: str | None = None
) -> SentenceTransformer:
    """The sentence-transformers model of a folder, with the prompts it is to be used with.

    Args:
        device: where to compute; by default CUDA, then MPS, then the CPU.
    """
    model = SentenceTransformer(
        str(folder),
        device=device,
        local_files_only=True,
        trust_remote_code=False,
        model_kwargs={"use_safetensors": True},
    )
    model.prompts = {"query": playlist_prompt, "document": song_prompt}
    return model


def save_model(model: SentenceTransformer, folder: Path) -> Path:
    """Write a model to a folder, in place of what was there; return that folder."""
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(str(folder), safe_serialization=True, create_model_card=False)
    return folder
