"""Low-rank adapters by hand: W x + B (A x), of which A and B are trained. Hu et al., "LoRA" (2021).

The few lines that this takes keep what is trained under the names and at the scale in which it is stored.
"""

import math

import torch
from torch import nn
from transformers import BertForSequenceClassification


class _Adapted(nn.Module):
    """A linear layer that stays as it is, and what is added to it."""

    def __init__(self, layer: nn.Linear, rank: int) -> None:
        super().__init__()
        self.layer = layer
        self.lora_A = nn.Parameter(torch.empty(rank, layer.in_features))
        self.lora_B = nn.Parameter(torch.zeros(layer.out_features, rank))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        added = nn.functional.linear(nn.functional.linear(inputs, self.lora_A), self.lora_B)
        return self.layer(inputs) + added  # type: ignore[no-any-return]


def adapt(model: BertForSequenceClassification, rank: int) -> None:
    """Leave to train: adapters, one on each linear layer of a classifier's encoder, its pooler and its head."""
    model.requires_grad_(requires_grad=False)
    for name, layer in list(model.bert.encoder.named_modules()):
        if isinstance(layer, nn.Linear):
            parent, _, own = name.rpartition(".")
            setattr(model.bert.encoder.get_submodule(parent), own, _Adapted(layer, rank))
    for whole in (model.bert.pooler, model.classifier):
        assert whole is not None  # noqa: S101 - a classifier has both
        whole.requires_grad_(requires_grad=True)


def trained_tensors(model: BertForSequenceClassification) -> dict[str, nn.Parameter]:
    """What is trained: "….weight.lora_A" and "….weight.lora_B" of a layer that was adapted, and whole layers."""
    return {
        name.replace(".lora_", ".weight.lora_"): value
        for name, value in model.named_parameters()
        if value.requires_grad
    }
