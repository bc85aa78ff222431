"""First coefficients: every step fitted to land on the teacher, along the student's own run.

One run fits them. At step i the change d of the parameters from those of DPM++ 2M minimises, over rows b,

    sum_b w_b ||m_b + C_b d||**2 + ridge * sum_j N_jj d_j**2,    w_b = 1 / ||m_b||**2,   N = sum_b w_b C_b' C_b

with m_b what DPM++ 2M misses the teacher's state at the next sigma by, and C_b what each parameter adds to the state
(samplers/parameters.py). The state is the one that the earlier fitted steps left, so a later step corrects what an
earlier one could not reach.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from torch import Tensor

from ...core.noise_space import Array
from ...samplers.loop import linear_step, sample_steps
from ...samplers.parameters import allowed, dpmpp_2m_parameters, row_of
from ..objective import normal_equations
from ..rollouts import take_rows
from ..sketch import Sketch
from ..teacher.local_errors import DenseTeacher
from .features import feature_sketches

# Pull to DPM++ 2M, as a share of each feature's own square sum: features are nearly parallel, and what small shares
# still decide is how far they may cancel. Between 1e-3 and 1e-1 the held-out error of 5-10 steps changed by 10 %.
RIDGE = 1e-3


@dataclass
class GreedyFit:
    """A sampler function that fits its coefficients as it runs.

    Args:
        teacher: on the fitted rows.
        sketch: of states, the teacher's own draw.
        rows: of the batch, which a run function may pass whole.
        order: model outputs that a step weighs.

    After a run `theta` holds the parameters, (steps, features).
    """

    teacher: DenseTeacher
    sketch: Sketch
    rows: slice
    order: int
    ridge: float = RIDGE
    theta: Array = field(init=False)

    def __post_init__(self) -> None:
        self._teacher_at = CubicSpline(-np.log(self.teacher.sigmas), self.teacher.states, axis=0)

    def __call__(
        self, model: Any, x: Tensor, sigmas: Tensor, extra_args: dict[str, Any] | None = None, **_: Any
    ) -> Tensor:
        levels, listed = sigmas.tolist(), sigmas.detach().cpu().float()
        self.theta = dpmpp_2m_parameters(listed, self.order)
        free = allowed(len(levels) - 1, self.order)
        history: list[Tensor] = []
        outputs: list[Tensor] = []

        def take(x: Tensor, denoised: Tensor, i: int) -> Tensor:
            nonlocal history, outputs
            sigma, sigma_next = levels[i], levels[i + 1]
            history = [denoised, *history][: self.order]
            outputs = [self.sketch(take_rows(denoised, self.rows)), *outputs][: self.order]
            state = self.sketch(take_rows(x, self.rows))
            columns = feature_sketches(state, outputs, sigma, sigma_next, self.order)
            carry = sigma_next / sigma
            plain = carry * state + (1.0 - carry) * outputs[0]
            self.theta[i] += self._correction(
                plain + columns @ torch.from_numpy(self.theta[i]), columns, sigma_next, free[i]
            )
            row = torch.from_numpy(row_of(self.theta[i], sigma, sigma_next)).float().tolist()
            return linear_step(x, history, row)  # as the sampler will run it, so that this run answers that one's calls

        return sample_steps(model, x, sigmas, extra_args, take=take)

    def _correction(self, reached: Tensor, columns: Tensor, sigma_next: float, free: NDArray[np.bool_]) -> Array:
        """(features,) change of the parameters that brings the step nearest to the teacher, in mean log distance."""
        target = self.teacher.end if sigma_next == 0.0 else self._teacher_at(-np.log(sigma_next))
        miss = reached - torch.as_tensor(target)
        normal, gradient = normal_equations(miss, columns[:, :, torch.from_numpy(free)])
        diagonal = np.diag(normal)
        change = np.zeros(len(free))
        change[free] = -np.linalg.solve(
            normal + np.diag(self.ridge * diagonal + 1e-12 * diagonal.max() + 1e-300), gradient
        )
        return change
