"""Drawing tokens from probabilities with one random number a row."""

import torch

# Words of the vocabulary whose probabilities are summed first, so that a draw looks at V / 256 + 256 numbers.
BLOCK_WORDS = 256


def sample(probabilities: torch.Tensor) -> torch.Tensor:
    """One index a row, (B,), each with its probability in (B, V): the inverse of the cumulative distribution at one
    uniform number a row, found first among blocks of words and then inside one."""
    rows, words = probabilities.shape
    padding = -words % BLOCK_WORDS
    if padding:
        probabilities = torch.nn.functional.pad(probabilities, (0, padding))
    blocks = probabilities.view(rows, -1, BLOCK_WORDS)
    up_to_block = blocks.sum(-1).cumsum(-1)  # (B, V / 256)
    point = torch.rand(rows, 1) * up_to_block[:, -1:]
    block = torch.searchsorted(up_to_block, point, right=True).clamp_(max=up_to_block.shape[1] - 1)
    before = torch.where(block > 0, up_to_block.gather(1, (block - 1).clamp(min=0)), 0.0)
    inside = blocks.gather(1, block.unsqueeze(-1).expand(-1, -1, BLOCK_WORDS)).squeeze(1)  # (B, 256)
    up_to_word = inside.cumsum(-1)
    # Rounding may put the point past the block's end: its last possible word, never one of probability zero.
    point = torch.minimum(point - before, up_to_word[:, -1:] * (1 - 1e-6))
    word = torch.searchsorted(up_to_word, point, right=True)
    return (block * BLOCK_WORDS + word).view(-1)
