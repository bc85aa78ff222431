"""The choices of noise, and seeds as a person types them."""

from __future__ import annotations

import re

SAMPLERS_OWN = "the sampler's own"
NOISES = {
    "per image, CPU": ("white", True),
    "per image, device": ("white", False),
    "one path, CPU": ("path", True),
    "one path, device": ("path", False),
}


def parse_seeds(text: str) -> tuple[int, ...]:
    """Seeds from "7, 8, 9".

    Raises:
        ValueError: names the input `seeds`.
    """
    parts = [part for part in re.split(r"[,;\s]+", str(text).strip()) if part]
    for part in parts:
        if not re.fullmatch(r"[0-9]{1,20}", part) or int(part) >= 2**64:
            raise ValueError(f"seeds: {part!r} is no seed; type whole numbers from 0 to {2**64 - 1}, such as 7, 8, 9")
    return tuple(int(part) for part in parts)
