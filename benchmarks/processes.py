"""Cases measured in processes of their own."""

from __future__ import annotations

import argparse
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import TypeVar

_Options = TypeVar("_Options")
_Result = TypeVar("_Result")

DEFAULT_JOBS = min(os.cpu_count() or 1, 2)


def measured(
    measure: Callable[[str, _Options], _Result], keys: Sequence[str], options: _Options, jobs: int
) -> Iterator[tuple[str, _Result]]:
    """(key, measure(key, options)) as they come; the keys are started in the order given."""
    # Spawned: torch's thread pools do not survive a fork.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max(1, min(jobs, len(keys))), mp_context=context) as pool:
        pending = {pool.submit(measure, key, options): key for key in keys}
        for done in as_completed(pending):
            yield pending[done], done.result()


def at_least(least: int) -> Callable[[str], int]:
    """A whole number of at least `least`, for argparse."""

    def number(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"must be at least {least}, got {value}")
        return value

    return number
