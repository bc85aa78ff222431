"""Student runs: the sampler function itself on a candidate schedule, from the batch's start state.

Two runs that share their first sigmas share their first model calls. A call is answered from an earlier run when that
run's call of the same number had the same sigma and the same state, so moving one sigma costs only the calls after it,
with any deterministic sampler and without knowing how it works.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .budget import Budget
from .sketch import Sketch
from .solvers import SamplerFunction

# run(sampler, sigmas, rows): starts a sampler function at the batch's start state. It runs `rows` alone, or, where it
# has an attribute `splits` that is False, the whole batch.
RunFunction = Callable[[SamplerFunction, Tensor, slice], None]


@dataclass(frozen=True)
class Call:
    """One model call: sigma, (B, m) sketch of the state, which also identifies it, and the model output (B, ...)."""

    sigma: float
    state: Tensor
    denoised: Tensor


@dataclass
class Rollout:
    """A finished run: sigmas (steps + 1,), the end state of the rows asked for, in model space, and its calls."""

    sigmas: Tensor
    end: Tensor
    calls: list[Call]
    sketch: Sketch


class ModelError(ValueError):
    """The model returned a value that is not finite."""


class RecordingModel:
    """The host's model object, with every call counted, checked, recorded, and answered from `reuse` where it can be.

    Samplers read attributes of the model (inner_model ...): those pass through.
    """

    def __init__(self, model: Any, budget: Budget, sketch: Sketch, reuse: list[Call]) -> None:
        self._model = model
        self._budget = budget
        self._sketch = sketch
        self._reuse = reuse
        self.calls: list[Call] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def __call__(self, x: Tensor, sigma: Tensor, **extra_args: Any) -> Tensor:
        level, state = float(sigma.flatten()[0]), self._sketch(x)
        known = self._reuse[len(self.calls)] if len(self.calls) < len(self._reuse) else None
        if known is not None and known.sigma == level and torch.equal(known.state, state):
            self.calls.append(known)
            return known.denoised
        self._reuse = []  # the runs have parted
        self._budget.before_call()
        denoised = self._model(x, sigma, **extra_args)
        check_finite(denoised, level, len(self.calls))
        self._budget.count(x.shape[0])
        self.calls.append(Call(level, state, denoised))
        return denoised


def check_finite(denoised: Tensor, sigma: float, call: int) -> None:
    """Raise ModelError naming the sigma, the call and the first sample whose output is not finite."""
    finite = torch.isfinite(denoised.flatten(1)).all(dim=1)
    if not bool(finite.all()):
        row = int((~finite).nonzero()[0])
        raise ModelError(f"the model returned NaN or infinity at sigma {sigma:.6g} (call {call + 1}) for sample {row}")


@dataclass
class Rollouts:
    """Runs one sampler on many schedules.

    Args:
        run: starts a sampler function at the batch's start state on given sigmas, in a host one `guider.sample`.
        sampler: the sampler function under fit, k-diffusion's signature.
        budget: counts every call.
        sketch: of states.
        reuse: False for samplers that read model state which a remembered output would leave stale (CFG++).
    """

    run: RunFunction
    sampler: SamplerFunction
    budget: Budget
    sketch: Sketch
    reuse: bool = True

    def __call__(self, sigmas: Tensor, rows: slice, base: Rollout | None = None) -> Rollout:
        """Run the sampler; calls before the first difference from `base` are answered from it."""
        finished: list[Rollout] = []

        def recorded(model: Any, x: Tensor, sigmas: Tensor, **kwargs: Any) -> Tensor:
            calls = base.calls if base is not None and self.reuse else []
            recording = RecordingModel(model, self.budget, self.sketch, calls)
            end = self.sampler(recording, x, sigmas, **kwargs)
            finished.append(
                Rollout(sigmas.detach().cpu().float(), take_rows(end.detach(), rows), recording.calls, self.sketch)
            )
            return end

        self.run(recorded, sigmas, rows)
        return finished[0]


def take_rows(values: Tensor, rows: slice) -> Tensor:
    """The asked rows of a result that holds them alone or the whole batch."""
    return values if values.shape[0] == rows.stop - rows.start else values[rows]
