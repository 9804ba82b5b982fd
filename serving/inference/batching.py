"""How texts of different lengths share batches."""

from collections.abc import Sequence


def batches_by_tokens(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Rows in batches that pad to at most `budget` tokens each, the longest first; a longer row goes alone.

    Args:
        lengths: tokens of each row.
        budget: rows of a batch times its longest row.

    Returns:
        Indices into `lengths`, each once.
    """
    batches: list[list[int]] = []
    widest = 0
    for row in sorted(range(len(lengths)), key=lambda each: -lengths[each]):
        if not batches or widest * (len(batches[-1]) + 1) > budget:
            batches.append([])
            widest = max(lengths[row], 1)
        batches[-1].append(row)
    return batches
