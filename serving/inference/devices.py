"""What a device offers; apart from the models, so that asking takes no longer than importing torch."""

import torch


def offered_precision(device: str) -> str:
    """The fastest precision that a device computes in itself: "bf16", "fp16" or "fp32".

    A CPU without AMX or AVX512-BF16 emulates bf16, many times slower than fp32.
    """
    if device == "mps":
        return "fp16"
    if device == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    features = torch.cpu.get_capabilities() if device == "cpu" else {}
    return "bf16" if features.get("amx_bf16") or features.get("avx512_bf16") else "fp32"
