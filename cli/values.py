"""Values of options as people type them, for argparse: whole numbers, numbers and names, one or several."""

from __future__ import annotations

import argparse

# No count or size that anybody means is larger.
MOST = 10**9
# Of whole numbers whose own limits the commands say: sums of such stay finite.
_LARGEST = 10**15


def whole_numbers(text: str) -> tuple[int, ...]:
    """An option's value such as 5,8,10: whole numbers above 0."""
    try:
        values = tuple(int(part) for part in text.split(","))
    except ValueError:
        values = ()
    if not values or min(values) < 1 or max(values) > MOST:
        raise argparse.ArgumentTypeError(
            f"must be whole numbers above 0, at most {MOST:,}, with commas between, got {text[:80]!r}"
        )
    return values


def whole(text: str) -> int:
    """An option's value such as 8; what it may be the command says."""
    try:
        value = int(text)
    except ValueError:  # Python's own limit of 4,300 digits among them
        value = _LARGEST + 1
    if abs(value) > _LARGEST:
        raise argparse.ArgumentTypeError(f"must be a whole number, at most {_LARGEST:,}, got {text[:80]!r}")
    return value


def seed(text: str) -> int:
    """A seed; its range the command says."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a whole number, got {text[:80]!r}") from None


def numbers(text: str) -> tuple[float, ...]:
    """An option's value such as 1,3.5."""
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be numbers with commas between, got {text!r}") from None


def names(text: str) -> tuple[str, ...]:
    """An option's value such as digits_flow,digits_eps."""
    return tuple(part.strip() for part in text.split(","))
