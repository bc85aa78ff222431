"""A look at the model from inside one of a host's runs: does it draw numbers, remember, couple the rows of its batch?

The tests of a fit (verdict.py) start runs of their own. Whoever is a sampler in somebody else's run has the model
object alone, and asks it a few times more once the run is over.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from .random_state import random_state
from .samplers import SAME, apart, beside_others


@dataclass(frozen=True)
class ModelFacts:
    """How a model answers, as shares of the size of an end state.

    Attributes:
        draws: how far two runs end apart that differ in the random state alone; 0 for the same.
        remembers: the same for two runs that differ in nothing.
        coupled: the same for the first and the last row, each beside other rows than its own batch's.
    """

    draws: float = 0.0
    remembers: float = 0.0
    coupled: float = 0.0

    def in_words(self) -> list[str]:
        """A sentence for each thing that a person may not expect of a seed; empty for a model that keeps to it."""
        if self.remembers:
            return [
                f"The model itself gives another result each time ({self.remembers:.2g} of an image's size): something "
                "on it keeps what it saw before, or draws random numbers of its own. No seed brings an image back."
            ]
        said = []
        if self.draws:
            said.append(
                f"The model itself draws random numbers ({self.draws:.2g} of an image's size): the amounts here are "
                "not all of the noise, and an image is not the same alone and in a batch."
            )
        if self.coupled:
            said.append(
                f"With this model an image's result depends on the others in its batch ({self.coupled:.2g} of its "
                "size): it is not the same alone."
            )
        return said


def model_facts(model: Any, x: Tensor, sigmas: Tensor, extra_args: dict[str, Any]) -> ModelFacts:
    """The facts of a model, from up to four runs of two steps: eight calls, or four of a batch of one.

    Whether rows are coupled is seen on the whole batch too: its conditionings and masks are those of its rows.

    Nothing is known of a run that does not begin at its highest level, and of a model whose end state is none.

    Args:
        model, x, sigmas, extra_args: of the run: x (B, ...) its start state at sigmas[0].
    """
    positive = sigmas[sigmas > 0.0]
    if len(positive) < 2 or float(sigmas[0]) < float(positive.max()):
        return ModelFacts()
    few = torch.stack([positive[0], positive.sort(descending=True).values[len(positive) // 2], positive.new_zeros([])])

    def end(state: int, start: Tensor = x) -> Tensor:
        now = start.clone()
        with random_state(state), torch.no_grad():
            for sigma, lower in pairwise(few):
                denoised = model(now, sigma * now.new_ones([len(now)]), **extra_args)
                now = now + (now - denoised) / sigma * (lower - sigma)
        return now.detach().float().cpu()

    whole = end(1)
    if not bool(torch.isfinite(whole).all()):
        return ModelFacts()
    draws = apart(end(2), whole)
    if draws > SAME:
        remembers = apart(end(1), whole)
        return ModelFacts(remembers=remembers) if remembers > SAME else ModelFacts(draws=draws)
    coupled = max(beside_others(lambda start: end(1, start), x, whole, row) for row in (0, -1))
    return ModelFacts(coupled=coupled if coupled > SAME else 0.0)
