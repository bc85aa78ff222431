"""DDIM inversion: the noise from which DDIM makes a given image, with the same model calls and a fraction of the error.

DDIM's step down from s to sigma is x = y + (sigma - s) d(y, s), d(y, s) = (y - denoised) / s. Inversion asks for y.
Running the sampler on flipped sigmas puts d(x, sigma), the derivative at the wrong end, in its place: an error of the
first order in every step. Here y is found as the fixed point of

    y = x + (s - sigma) d(y, s)

started from the derivative extrapolated from the last two steps, which alone makes the round trip's error one of third
order for one model call per step. Further calls are made, row by row, where the residual is not small yet: mostly in
the first step and where steps are long compared with sigma. They are accelerated by Anderson's mixing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ..core.finite import FiniteModel
from ..core.types import Callback
from .calls import euler_step, sample_euler

# Differences that Anderson's mixing looks back on: a third gained nothing on the demo models.
_MEMORY = 2
# A residual that shows in the round trip.
_POOR = 0.03
# Relative, against nearly parallel differences.
_RIDGE = 1e-6


@dataclass(frozen=True)
class Inversion:
    """How an inversion is corrected.

    Args:
        corrections: most model calls per step, 0 for the plain flipped-sigmas inversion (one call per step).
        tolerance: residual, as a share of the state's spread, at which a row's step is good; 0 makes all calls.
        check: run the sampler back down and report how far it lands from the start; one more call per step.
    Raises:
        ValueError: names the input.
    """

    corrections: int = 12
    tolerance: float = 0.005
    check: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.corrections <= 100:
            raise ValueError(f"corrections must be from 0 (plain) to 100, got {self.corrections}")
        if not (math.isfinite(self.tolerance) and self.tolerance >= 0.0):
            raise ValueError(f"tolerance must be 0 or more, got {self.tolerance}")


@dataclass
class InversionReport:
    """How an inversion went.

    Attributes:
        calls: model calls of every step.
        residual: largest of the rows' last residuals, per step, as a share of the state's spread; NaN when plain.
        round_trip: per row, the root mean square of (sampled back - start); None without a check.
        relative: the same, divided by the standard deviation of the start.
    """

    calls: list[int] = field(default_factory=list)
    residual: list[float] = field(default_factory=list)
    round_trip: list[float] | None = None
    relative: list[float] | None = None

    def text(self) -> str:
        """A sentence."""
        parts = [f"inversion: {len(self.calls)} steps, {sum(self.calls)} model calls"]
        if self.residual and not math.isnan(worst := max(self.residual)):
            at = self.residual.index(worst) + 1
            parts.append(f"largest residual {worst:.2g} of the latents' spread, in step {at}")
            if worst > _POOR:
                parts.append("that is much: more steps, or a lower cfg, bring it down")
        if self.round_trip is not None and self.relative is not None:
            errors = ", ".join(
                f"{error:.3g} ({100.0 * share:.2g} % of the image's spread)"
                for error, share in zip(self.round_trip, self.relative)
            )
            parts.append(f"round-trip error {errors}")
        return "; ".join(parts)


@torch.no_grad()
def invert(
    model: Any,
    x: Tensor,
    sigmas: Tensor,
    extra_args: dict[str, Any] | None = None,
    callback: Callback | None = None,
    *,
    settings: Inversion,
    flow: bool = False,
    report: Callable[[InversionReport], None] | None = None,
) -> Tensor:
    """The state at sigmas[-1] from which DDIM comes to x at sigmas[0].

    Args:
        model: denoiser, (x (B, ...), sigma (B,), **extra_args) -> denoised.
        x: (B, ...) clean latents, or a state at sigmas[0].
        sigmas: (steps + 1,) rising; the first may be 0 unless the inversion is plain.
        flow: only the tolerance's scale needs it.
        report: called at the end.
    Returns:
        (B, ...). A row does not depend on the other rows.
    Source: the fixed-point form of Pan et al. 2023, arXiv:2309.04907; mixing: Walker and Ni 2011, type II.
    Differs: starts from an extrapolated derivative, and stops row by row.
    """
    run = _Inverting(FiniteModel(model), sigmas, extra_args or {}, settings, flow)
    said, start = InversionReport(), x
    for i in range(len(sigmas) - 1):
        before = run.model.calls
        step = run.plain_step(x, i) if settings.corrections == 0 else run.corrected_step(x, i)
        said.calls.append(run.model.calls - before)
        said.residual.append(step.residual)
        if callback is not None:
            levels = {"sigma": sigmas[i], "sigma_hat": sigmas[i + 1]}
            callback({"x": step.x, "i": i, **levels, "denoised": step.denoised})
        x = step.x
    if settings.check:
        back = sample_euler(run.model, x, sigmas.flip(0), run.extra_args)
        said.round_trip = _rms(back - start).tolist()
        said.relative = (_rms(back - start) / start.flatten(1).std(dim=1).clamp_min(1e-12)).tolist()
    if report is not None:
        report(said)
    return x


@dataclass(frozen=True)
class _Upward:
    """One step up: the new state, its largest residual as a share of the spread, and the model's last answer."""

    x: Tensor
    residual: float
    denoised: Tensor


@dataclass
class _Inverting:
    model: FiniteModel
    sigmas: Tensor
    extra_args: dict[str, Any]
    settings: Inversion
    flow: bool
    derivatives: list[tuple[float, Tensor]] = field(default_factory=list)  # (sigma, d) of the last steps, newest first

    def plain_step(self, x: Tensor, i: int) -> _Upward:
        """Euler's step with the derivative of the lower end."""
        if float(self.sigmas[i]) == 0.0:
            raise ValueError(
                "sigmas: the plain inversion cannot start at 0; let the first be small, such as 0.0001, or set "
                "corrections to 1 or more"
            )
        denoised = self._ask(x, self.sigmas[i])
        return _Upward(euler_step(x, denoised, self.sigmas[i], self.sigmas[i + 1]), math.nan, denoised)

    def corrected_step(self, x: Tensor, i: int) -> _Upward:
        """The fixed point, from an extrapolated derivative."""
        low, high = float(self.sigmas[i]), float(self.sigmas[i + 1])
        if high == low:
            return _Upward(x, 0.0, x)
        spread = math.hypot(1.0 - high if self.flow else 1.0, high)
        y = x + (high - low) * self._extrapolated(high) if self.derivatives else x
        rows, live = [-1, *[1] * (x.ndim - 1)], torch.ones(x.shape[0], dtype=torch.bool, device=x.device)
        best, least = y, torch.full((x.shape[0],), math.inf, device=x.device)
        images, residuals = [], []  # of the last iterates, newest first
        call = 0
        while True:
            call += 1
            denoised = self._ask(y, self.sigmas[i + 1])
            image = x + (high - low) * ((y - denoised) / high)
            images, residuals = [image, *images[:_MEMORY]], [image - y, *residuals[:_MEMORY]]
            y = torch.where(live.reshape(rows), _mixed(images, residuals), y)
            left = _rms(residuals[0]) / spread
            # Under strong guidance long steps need not contract: what came after the least residual is kept.
            better = live & (left < least)
            best, least = torch.where(better.reshape(rows), y, best), torch.where(better, left, least)
            live = live & (left > self.settings.tolerance)
            if call == self.settings.corrections or not bool(live.any()):
                break
        y, left = best, least
        self.derivatives = [(high, (y - x) / (high - low)), *self.derivatives[:1]]
        return _Upward(y, float(left.max()), denoised)

    def _ask(self, x: Tensor, sigma: Tensor) -> Tensor:
        return self.model(x, sigma * x.new_ones([x.shape[0]]), **self.extra_args)

    def _extrapolated(self, sigma: float) -> Tensor:
        """The derivative at sigma from the last two, along a line in log sigma."""
        (newer, d), *rest = self.derivatives
        if not rest:
            return d
        older, d_old = rest[0]
        return d + (d - d_old) * (math.log(sigma / newer) / math.log(newer / older))


def _mixed(images: list[Tensor], residuals: list[Tensor]) -> Tensor:
    """Anderson's combination of the last iterates' images, every row by itself."""
    if len(images) == 1:
        return images[0]
    steps = torch.stack([(residuals[0] - old).flatten(1) for old in residuals[1:]], dim=1)
    moves = torch.stack([(images[0] - old).flatten(1) for old in images[1:]], dim=1)
    # Small systems are solved on the CPU: float64 does not exist on every device.
    gram = (steps @ steps.transpose(1, 2)).cpu().double()
    right = (steps @ residuals[0].flatten(1)[:, :, None]).cpu().double()
    ridge = _RIDGE * gram.diagonal(dim1=1, dim2=2).mean(dim=1)[:, None, None] + 1e-30
    weights = torch.linalg.solve(gram + ridge * torch.eye(len(images) - 1, dtype=gram.dtype), right)
    mixed = images[0].flatten(1) - (weights.to(moves).transpose(1, 2) @ moves)[:, 0]
    return mixed.reshape(images[0].shape)


def _rms(x: Tensor) -> Tensor:
    """(B,) root mean square of each row."""
    return x.flatten(1).square().mean(dim=1).sqrt()
