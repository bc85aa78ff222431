"""Hostile guiders, patches and samplers, written for these tests, and what is right to say of each.

Everything here is a class that is made anew for every host, because some of them remember. A guider makes the model's
output of the conditional and the unconditional one; a patch changes it further; both may do what node packs do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

# What the tools say: nothing, for all is well; that every run is whole; that images ran alone; or a refusal. Variance
# stands beside a run that is a person's own: it tells.
RIGHT, WHOLE, ALONE, REFUSED, TOLD = "right", "whole", "alone", "refused", "told"


@dataclass(frozen=True)
class Hostile:
    """One of the zoo.

    Args:
        make: a new one.
        expected: of a fit.
        words: that a refusal must hold.
    """

    make: Callable[[], Any]
    expected: str
    words: str = ""


def column(sigma: Tensor, x: Tensor) -> Tensor:
    return sigma.reshape(-1, *[1] * (x.ndim - 1))
