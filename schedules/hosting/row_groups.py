"""Model calls on some rows of a batch at a time: of one prompt each, and of half as many after memory ran out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from typing import TypeVar

import torch

from . import LOGGER_NAME

Output = TypeVar("Output")


class RowGroups:
    """How many rows of a batch run at a time.

    Args:
        size: rows of the first call, at least 1; falls when memory runs out and stays there.
        too_large: message of the MemoryError, says what a person can do where one row alone does not fit.
        free_memory: gives back what the failed call left behind.
    """

    def __init__(self, size: int, too_large: str, free_memory: Callable[[], None]) -> None:
        self.size = size
        self.too_large = too_large
        self.free_memory = free_memory

    def run(self, call: Callable[[list[int]], Output], prompts: Sequence[int]) -> list[tuple[list[int], Output]]:
        """The groups of rows and what `call` gave for each of them; every row is in exactly one group.

        Args:
            call: a model call on these rows (ascending, all of one prompt); called again with fewer after it failed.
            prompts: number of the prompt of every row.
        Raises:
            MemoryError: one row alone does not fit.
        """
        outputs: list[tuple[list[int], Output]] = []
        done: set[int] = set()
        while len(done) < len(prompts):
            group = next_group(prompts, self.size, done)
            try:
                output = call(group)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
            else:
                outputs.append((group, output))
                done.update(group)
                continue
            self._halve(len(group))  # outside the handler: until it is left, the failed call keeps its memory
        return outputs

    def _halve(self, rows: int) -> None:
        self.free_memory()
        if rows == 1:
            raise MemoryError(self.too_large)
        self.size = (rows + 1) // 2
        logging.getLogger(LOGGER_NAME).info("Sigmasmith: out of memory, going on with %d rows at a time", self.size)


def next_group(prompts: Sequence[int], size: int, done: Collection[int]) -> list[int]:
    """The first row that is not done and the next ones of its prompt, at most `size`."""
    left = [row for row in range(len(prompts)) if row not in done]
    return [row for row in left if prompts[row] == prompts[left[0]]][:size]


def is_out_of_memory(error: Exception) -> bool:
    """Whether an exception says that the device's memory ran out."""
    known = getattr(torch.cuda, "OutOfMemoryError", None)
    if isinstance(error, MemoryError) or (known is not None and isinstance(error, known)):
        return True
    return isinstance(error, RuntimeError) and "out of memory" in str(error).lower()
