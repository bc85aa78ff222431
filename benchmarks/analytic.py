"""Models whose denoiser is a formula: a Gaussian with its exact trajectory, and a mixture with guidance.

State: x = alpha * x0 + sigma * noise, alpha = 1 on VE models and 1 - sigma on flow models. A denoiser has k-diffusion's
signature, (x (B, dim), sigma (B,), **extra_args) -> (B, dim), and computes in the dtype of x; rows are independent.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


def power_law(dim: int, exponent: float, total: float = 1.0) -> Tensor:
    """(dim,) float64 variances i**-exponent, the spectrum of natural images, with mean `total`."""
    spectrum = torch.arange(1, dim + 1, dtype=torch.float64) ** -exponent
    return spectrum * (total / spectrum.mean())


def _alpha(sigma: Tensor, flow: bool) -> Tensor:
    return 1.0 - sigma if flow else torch.ones_like(sigma)


@dataclass(frozen=True)
class GaussianTeacher:
    """Data N(mean, diag(variance)): the denoiser is linear and every trajectory is known in closed form.

    Args:
        mean, variance: (dim,) float64.
        flow: True for the straight path of rectified-flow models.
    """

    mean: Tensor
    variance: Tensor
    flow: bool = False

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        mean, variance = self.mean.to(x), self.variance.to(x)
        noise = sigma.to(x)[:, None]
        alpha = _alpha(noise, self.flow)
        return mean + alpha * variance / (alpha**2 * variance + noise**2) * (x - alpha * mean)

    def at(self, x: Tensor, start: float, sigma: float) -> Tensor:
        """The exact solution at `sigma` (0 included) of the trajectory that is at x (B, dim) at `start`."""
        mean, variance = self.mean.to(x), self.variance.to(x)
        first, last = ((1.0 - s if self.flow else 1.0) for s in (start, sigma))
        std = ((last**2 * variance + sigma**2) / (first**2 * variance + start**2)).sqrt()
        return last * mean + std * (x - first * mean)


@dataclass(frozen=True)
class MixtureDenoiser:
    """Mixture of Gaussians with diagonal covariances, optionally under classifier-free guidance between its classes.

    Args:
        means: (modes, dim) float64.
        variances: (modes, dim) float64, within each mode.
        classes: (modes,) long, the class of each mode; unconditional is the whole mixture.
        flow: True for the straight path of rectified-flow models.
        cfg: guidance, uncond + cfg * (cond - uncond); 1 is the plain mixture when no label is passed.
    """

    means: Tensor
    variances: Tensor
    classes: Tensor
    flow: bool = False
    cfg: float = 1.0

    @property
    def dim(self) -> int:
        return self.means.shape[1]

    def __call__(self, x: Tensor, sigma: Tensor, *, labels: Tensor | None = None) -> Tensor:
        """labels: (B,) long class of each row; None is unconditional and ignores cfg."""
        noise = sigma.to(x)[:, None]
        log_weights, gains, offsets = self._modes(x, noise)
        whole = self._blend(x, torch.softmax(log_weights, dim=1), gains, offsets)
        if labels is None:
            return whole
        outside = self.classes[None, :] != labels[:, None]
        own = torch.softmax(log_weights.masked_fill(outside, -torch.inf), dim=1)
        conditional = self._blend(x, own, gains, offsets)
        return conditional if self.cfg == 1.0 else whole + self.cfg * (conditional - whole)

    def _modes(self, x: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, modes) log p(mode | x) up to a constant; (B or 1, modes, dim) gain and offset of each mode's estimate."""
        means, variances = self.means.to(x), self.variances.to(x)
        # Rows of one call nearly always share sigma: then the per-mode factors are needed once, not per row.
        level = noise[:1] if bool((noise == noise[0]).all()) else noise
        alpha = _alpha(level, self.flow)[:, :, None]
        total = alpha**2 * variances + level[:, :, None] ** 2
        precision = 1.0 / total
        pull = alpha * means * precision
        quadratic = _rows(x**2, precision) - 2.0 * _rows(x, pull) + (pull * alpha * means).sum(2)
        log_weights = -0.5 * (quadratic + total.log().sum(2))
        gain = alpha * variances * precision
        return log_weights, gain, means - gain * alpha * means

    @staticmethod
    def _blend(x: Tensor, weights: Tensor, gains: Tensor, offsets: Tensor) -> Tensor:
        if gains.shape[0] == 1:
            return x * (weights @ gains[0]) + weights @ offsets[0]
        return x * torch.einsum("bm,bmd->bd", weights, gains) + torch.einsum("bm,bmd->bd", weights, offsets)


def _rows(x: Tensor, factors: Tensor) -> Tensor:
    """(B, modes) inner products of rows with per-mode factors, shared (1, modes, dim) or per row."""
    return x @ factors[0].T if factors.shape[0] == 1 else torch.einsum("bd,bmd->bm", x, factors)


def random_mixture(
    seed: int,
    spectrum: Tensor,
    *,
    modes: int = 24,
    classes: int = 4,
    between: float = 0.5,
    flow: bool = False,
    cfg: float = 1.0,
) -> MixtureDenoiser:
    """A mixture with the same spectrum between and within its modes.

    Args:
        seed: of the mixture; the same seed gives the same mixture on every machine.
        spectrum: (dim,) variances, such as `power_law`.
        between: share of the variance that is between the modes, 0..1. Modes of one class share half of it.
    """
    dim = len(spectrum)
    draw = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=draw, dtype=torch.float64)

    labels = torch.arange(modes) % classes
    centres = (0.5**0.5) * (normal(classes, dim)[labels] + normal(modes, dim))
    means = centres * (between * spectrum).sqrt()
    spread = torch.exp(0.5 * normal(modes, 1) + 0.25 * normal(modes, dim))
    return MixtureDenoiser(means, (1.0 - between) * spectrum * spread, labels, flow, cfg)
