"""In which order a table's rows are asked: a function of the seed and the position, without memory of what came before.

A run that is killed and resumed at position p is asked the same prompts from p on. A permutation of any number of rows
costs nothing to make: each place is computed by a Feistel network over the next power of two, walked until it falls
among the rows (Black and Rogaway, "Ciphers with arbitrary finite domains", 2002).
"""

import hashlib
from dataclasses import dataclass

from core.errors import InvalidInput

ROUNDS = 6


class Permutation:
    """The numbers from 0 to `size` - 1 in an order that the seed decides: `p[i]` is the i-th, `p.place(p[i])` is i.

    Takes no memory; a number costs some 10 microseconds.
    """

    def __init__(self, size: int, seed: int | str) -> None:
        self._size = size
        bits = max(1, (size - 1).bit_length())
        self._low = bits // 2  # bits of the lower half
        self._masks = (1 << self._low) - 1, (1 << (bits - self._low)) - 1
        self._key = hashlib.blake2b(str(seed).encode(), digest_size=32).digest()

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, index: int) -> int:
        self._check(index)
        value = self._mixed(index, range(ROUNDS))
        while value >= self._size:  # on average less than once: the domain is less than twice the size
            value = self._mixed(value, range(ROUNDS))
        return value

    def place(self, value: int) -> int:
        """Where a number stands."""
        self._check(value)
        index = self._mixed(value, range(ROUNDS - 1, -1, -1))
        while index >= self._size:
            index = self._mixed(index, range(ROUNDS - 1, -1, -1))
        return index

    def _mixed(self, value: int, rounds: range) -> int:
        """One half is changed by a hash of the other in each round; the rounds backwards undo it."""
        low, high = value & self._masks[0], value >> self._low
        for number in rounds:
            if number % 2:
                low ^= self._hash(number, high) & self._masks[0]
            else:
                high ^= self._hash(number, low) & self._masks[1]
        return high << self._low | low

    def _hash(self, number: int, half: int) -> int:
        data = number.to_bytes(1, "little") + half.to_bytes(16, "little")
        return int.from_bytes(hashlib.blake2b(data, digest_size=8, key=self._key).digest(), "little")

    def _check(self, index: int) -> None:
        if not 0 <= index < self._size:
            raise IndexError(f"{index} is not among {self._size}")


@dataclass(frozen=True)
class Split:
    """Which rows are held out for evaluation; they are never trained on.

    seed  of this choice alone, so that runs with other seeds are evaluated on the same rows
    Raises InvalidInput when nothing would be left to train on.
    """

    rows: int
    hold_out: int = 0
    seed: int | str = 0

    def __post_init__(self) -> None:
        if not 0 <= self.hold_out < self.rows:
            problem = f"and there are {self.rows:,} rows" if self.hold_out >= 0 else "which is no number of rows"
            raise InvalidInput("hold_out", self.hold_out, problem, "hold out fewer rows than there are, or 0")

    @property
    def training_rows(self) -> int:
        return self.rows - self.hold_out

    def evaluation_row(self, index: int) -> int:
        """The row that is the `index`-th of those held out."""
        if not 0 <= index < self.hold_out:
            raise IndexError(f"{index} is not among {self.hold_out} held-out rows")
        return self._order()[index]

    def evaluation_rows(self) -> list[int]:
        """All rows held out, in the order in which they are asked."""
        order = self._order()
        return [order[index] for index in range(self.hold_out)]

    def training_row(self, index: int) -> int:
        """The row that is the `index`-th of those to train on."""
        if not 0 <= index < self.training_rows:
            raise IndexError(f"{index} is not among {self.training_rows} rows to train on")
        return self._order()[self.hold_out + index]

    def holds_out(self, row: int) -> bool:
        return self._order().place(row) < self.hold_out

    def _order(self) -> Permutation:
        return Permutation(self.rows, f"hold out {self.seed}")


@dataclass(frozen=True)
class Order:
    """The rows that a run trains on, one position after the other, all of them again and again in new orders."""

    split: Split
    seed: int | str

    def epoch_of(self, position: int) -> int:
        """How often all rows have been asked before this position."""
        return position // self.split.training_rows

    def training_at(self, position: int) -> int:
        """The row at this position of the run, from 0."""
        epoch, place = divmod(position, self.split.training_rows)
        return self.split.training_row(Permutation(self.split.training_rows, f"epoch {epoch} of {self.seed}")[place])


def sample_indices(count: int, size: int, seed: int | str) -> list[int]:
    """`size` different numbers below `count`, or all of them, ascending: for a histogram of some rows."""
    order = Permutation(count, f"sample {seed}") if count else range(0)
    return sorted(order[index] for index in range(min(size, count)))
