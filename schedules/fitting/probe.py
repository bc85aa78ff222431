"""A model's answer to a fixed question, by which a fit knows whether the records it found are this model's own.

What a host tells of a model (weights, guidance, patches) decides where records are looked for. It cannot tell of
everything: a function that another pack has put on the model, a file changed under its name. So the model itself is
asked, at the start of a fit and of its resumption, and the answers are compared.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from ..core.finite import check_finite
from ..core.noise_space import SigmaRange
from ..core.run import Run
from ..core.sigmas import finish_sigmas
from .budget import Budget
from .self_test.faults import checked_shape, named_model
from .sketch import Sketch

VALUES = 64  # kept of every answer
# Answers of one model differ by less than this share of their size (half-precision kernels that add in no fixed order
# by a few 1e-4), and what moves a model's output less moves a schedule less than another batch of noise.
SAME = 2e-3
# Shares of noise asked at: guidance, detail and whatever is switched on for a part of the run show at one of them.
_SHARES = (0.5, 0.1)


@dataclass
class _Question:
    """A sampler function, Euler's, that keeps a sketch of every answer."""

    budget: Budget
    suspects: str = ""
    answers: list[Tensor] = field(default_factory=list)

    def __call__(self, model: Any, x: Tensor, sigmas: Tensor, extra_args: Any = None, **_: Any) -> Tensor:
        for sigma, lower in pairwise(sigmas):
            self.budget.before_call()
            with named_model(self.suspects):
                denoised = checked_shape(model(x, sigma * x.new_ones([x.shape[0]]), **(extra_args or {})), x)
            check_finite(denoised, float(sigma), len(self.answers))
            # No part of the search: with records and without them a fit must come to the same decisions.
            self.budget.count(x.shape[0], planned=False)
            self.answers.append(Sketch(denoised.numel(), VALUES)(denoised.reshape(1, -1))[0])
            x = denoised + lower / sigma * (x - denoised)
        return x


def ask(run: Run, levels: SigmaRange, boundary: float | None, budget: Budget, suspects: str = "") -> Tensor:
    """(answers, VALUES at most) float64: sketches of the model's outputs on the way of one row through few levels.

    A run that must take its whole batch is asked once, with all of it.

    Args:
        levels: that run.
        boundary: of two models in turn; both are asked.
        suspects: a sentence on what the host knows on the model, for an error.
    Raises:
        SelfTestError: the model cannot run; says why. ModelError: NaN from it.
    """
    top, (middle, low) = levels.sigma_max, (levels.at_noise_fraction(share) for share in _SHARES)
    low = max(low, levels.sigma_min)
    if boundary is not None:
        low = min(low, (boundary * levels.sigma_min) ** 0.5)
    asked = sorted({top, max(middle, levels.sigma_min), low}, reverse=True)
    if not run.splits and boundary is None:
        asked = asked[1:2] or asked
    question = _Question(budget, suspects)
    run(question, finish_sigmas(asked), slice(0, 1))
    return torch.stack(question.answers)


def same_answers(one: Tensor, other: Tensor) -> bool:
    """Whether two answers are one model's."""
    if one.shape != other.shape:
        return False
    return bool(((one - other).norm(dim=1) <= SAME * torch.maximum(one.norm(dim=1), other.norm(dim=1))).all())
