"""Runs without a host: the sampler function on the caller's own denoiser."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..core.types import Denoiser, SamplerFunction
from .budget import Budget
from .experts import parts

# Outputs for part of the batch may differ by this share of their spread from those for the whole: half-precision
# kernels do, another row's conditioning differs far more.
_SAME = 0.02


class DirectRun:
    """The Run (core/run.py) of a plain denoiser; it also starts from images.

    The whole batch is passed in the given order, so that `extra_args` may hold one conditioning per row. Where the
    denoiser turns out to take fewer rows (`try_splitting`), the search runs only those it needs.

    Args:
        model: k-diffusion's denoiser.
        x: (B, ...) start state at `sigma_max`.
        sigma_max: where it is pure noise, so that a schedule which starts lower starts at as much less of it, as hosts
            scale it; None where the state is the caller's own and starts as it is.
        extra_args: keyword arguments of every call; tensors, lists and tuples of length B hold one entry per row.
        second: (denoiser, boundary) of the model that runs below a sigma (experts.py), or None.
        flow: whether noised images are (1 - sigma) * image + sigma * noise.
    """

    def __init__(
        self,
        model: Denoiser,
        x: Tensor,
        extra_args: dict[str, Any],
        sigma_max: float | None = None,
        second: tuple[Denoiser, float] | None = None,
        flow: bool = False,
    ) -> None:
        self.model = _Checked(model)
        self.x = x
        self.sigma_max = sigma_max
        self.extra_args = extra_args
        self.second, self.boundary = (self.model, None) if second is None else (_Checked(second[0]), second[1])
        self.flow = flow
        self.splits = False

    @property
    def has_images(self) -> bool:
        """Whether the start state is the caller's own."""
        return self.sigma_max is None

    def start_from(self, images: Tensor, sigma: float) -> None:
        """Start from images (B, ...) that are noised to sigma, each with another row's noise."""
        assert self.sigma_max is not None
        noise = (self.x / self.sigma_max).roll(1, dims=0)
        kept = 1.0 - sigma if self.flow else 1.0
        self.x, self.sigma_max = kept * images.to(noise) + sigma * noise, None

    def __call__(self, sampler: SamplerFunction, sigmas: Tensor, rows: slice) -> None:
        x, args = (self.x[rows], self._args(rows)) if self.splits else (self.x, dict(self.extra_args))
        scale = 1.0 if self.sigma_max is None else float(sigmas[0]) / self.sigma_max
        scale = 1.0 if scale > 1.0 - 1e-6 else scale  # sigma_max itself, but for rounding
        with torch.no_grad():
            x = x * scale
            for model, part in zip((self.model, self.second), parts(sigmas.to(x.device), self.boundary)):
                if len(part):
                    x = sampler(model, x, part, extra_args=args, callback=None, disable=True)

    def try_splitting(self, sigma: float, state: Tensor, output: Tensor, parts: list[slice], budget: Budget) -> None:
        """Set `splits` if each part alone gives the output that the whole batch gave.

        Args:
            sigma, state, output: one recorded call of the whole batch, at a level where conditioning matters.
            parts: the row ranges that the fit would run alone.
        """
        tolerance = _SAME * float(output.float().std())
        model = self.model if self.boundary is None or sigma >= self.boundary else self.second
        for rows in parts:
            part = state[rows].to(self.x.device)
            try:
                alone = model(part, torch.full((len(part),), sigma).to(part), **self._args(rows))
            except Exception:  # a caller's denoiser that needs its whole batch may fail in any way it likes
                return
            budget.count(len(part))
            if alone.shape != part.shape:
                return
            # The worst row decides: one row with a conditioning of its own drowns in the mean over many.
            if float((alone.cpu() - output[rows].cpu()).abs().flatten(1).mean(dim=1).max()) > tolerance:
                return
        self.splits = True

    def _args(self, rows: slice) -> dict[str, Any]:
        return {name: rows_of(value, rows, len(self.x)) for name, value in self.extra_args.items()}


class _Checked:
    """The caller's denoiser: an answer that can be none is refused.

    It may write into what it is given and fill one buffer anew at every call: both are copies. Its other attributes
    pass through.
    """

    def __init__(self, model: Denoiser) -> None:
        self._model = model

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def __call__(self, x: Tensor, sigma: Tensor, **extra_args: Any) -> Tensor:
        denoised = self._model(x.clone(), sigma, **extra_args)
        if not isinstance(denoised, Tensor):
            raise ValueError(f"denoiser must return a tensor, it returned a {type(denoised).__name__}")
        if denoised.shape != x.shape:
            raise ValueError(
                f"denoiser must return the shape of x, {tuple(x.shape)}, it returned {tuple(denoised.shape)}"
            )
        return denoised.clone()


def rows_of(value: Any, rows: slice, batch: int) -> Any:
    """The entries of some rows, for values that have one per row; anything else as it is."""
    if isinstance(value, dict):
        return {key: rows_of(entry, rows, batch) for key, entry in value.items()}
    per_row = (isinstance(value, Tensor) and value.ndim > 0) or isinstance(value, (list, tuple))
    return value[rows] if per_row and len(value) == batch else value
