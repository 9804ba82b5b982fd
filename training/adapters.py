"""Low-rank adapters (Hu et al., "LoRA", 2021): trained instead of the weights, merged into them afterwards.

Needs the extra `lora` (the package peft); nothing else does.
"""

from pathlib import Path

from sentence_transformers import SentenceTransformer

from registry.errors import BadInput
from training.configuration import TrainingConfiguration
from training.models import load_model

_TARGETS = ["query", "key", "value"]
"""The projections of attention, as BERT and XLM-RoBERTa name them."""


def add_adapters(model: SentenceTransformer, configuration: TrainingConfiguration) -> None:
    """Freeze a model and add adapters to its attention.

    Raises:
        BadInput: peft is not installed.
    """
    try:
        from peft import LoraConfig
    except ImportError:
        raise BadInput(
            "The training method 'lora' needs the package peft.", 'Install it: pip install "autosort-lifecycle[lora]".'
        ) from None
    rank = configuration.lora_rank
    model.add_adapter(LoraConfig(r=rank, lora_alpha=2 * rank, lora_dropout=0.05, target_modules=_TARGETS))


def merged(model: SentenceTransformer, base: Path) -> SentenceTransformer:
    """The model with its adapters merged into the weights that they were added to."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    for module in model.modules():
        if isinstance(module, BaseTunerLayer):
            module.merge(safe_merge=True)
    weights = {
        name.replace(".base_layer.", "."): value for name, value in model.state_dict().items() if ".lora_" not in name
    }
    plain = load_model(base, model.prompts["query"] or "", model.prompts["document"] or "", device=model.device.type)
    plain.load_state_dict(weights)
    return plain
