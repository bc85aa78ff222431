"""The models of commands: a bundled one or a user's own denoiser, with its noise range and conditioning."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ..demo.models.weights import DEMO_NAMES, FOLDER, count_parameters, load_demo
from ..schedules.core.finite import check_finite
from ..schedules.core.noise_space import SigmaRange, shift_of_range
from ..schedules.core.types import Progress, SamplerFunction
from ..schedules.fitting.budget import Budget
from ..schedules.fitting.calibrate import calibrate
from ..schedules.fitting.calibration import Calibration
from ..schedules.fitting.direct import DirectRun
from ..schedules.fitting.journal import Records
from ..schedules.fitting.self_test.verdict import SelfTestError
from ..schedules.fitting.sketch import Sketch
from ..schedules.fitting.teacher.teacher import run_teacher
from ..schedules.fitting.teacher_levels import teacher_sigmas
from ..schedules.presets.identity import ModelIdentity
from ..schedules.samplers.by_name import own_sampler
from .python_objects import load_callable

# 40 GB of noise, of which a fit holds more than one copy.
_MOST_VALUES = 10**10


@dataclass(frozen=True)
class PlainSubject:
    """A model outside of any host, to fit or to compare on.

    Args:
        name: for people.
        denoiser: k-diffusion's, (x, sigma, **extra_args) -> denoised.
        shape: of one latent.
        identity: what a preset says about it.
        guidance: passed as the keyword cfg; None where the denoiser does not take it.
        classes: row i is of class i % classes; 0 where the denoiser takes no labels.
    """

    name: str
    denoiser: Callable[..., Tensor]
    shape: tuple[int, ...]
    identity: ModelIdentity
    guidance: float | None
    classes: int
    device: torch.device

    @property
    def sigma_range(self) -> SigmaRange:
        return self.identity.sigma_range

    def noise(self, rows: int, seed: int) -> Tensor:
        """(rows, ...) standard normal, the same on every device."""
        if rows * math.prod(self.shape) > _MOST_VALUES:
            raise ValueError(f"--noises: {rows} of shape {'x'.join(map(str, self.shape))} are too many values")
        generator = torch.Generator().manual_seed(check_seed(seed))
        return torch.randn(rows, *self.shape, generator=generator).to(self.device)

    def extra_args(self, rows: int) -> dict[str, Any]:
        """Keyword arguments of the denoiser beside x and sigma, for a batch of `rows`."""
        labels = {"labels": torch.arange(rows, device=self.device) % self.classes} if self.classes else {}
        return labels if self.guidance is None else {"cfg": self.guidance, **labels}

    def end_states(self, x: Tensor, sampler: str | SamplerFunction, sigmas: Tensor) -> Tensor:
        """(B, ...) end of one run of a sampler, by name or as a function, from x (B, ...) at sigmas[0].

        Raises:
            ModelError: the end is not finite.
        """
        function = own_sampler(sampler) if isinstance(sampler, str) else sampler
        args = self.extra_args(len(x))
        with torch.no_grad():
            end = function(self.denoiser, x, sigmas.to(x.device), extra_args=args, callback=None, disable=True)
        check_finite(end, 0.0, len(sigmas) - 2)
        return end

    def teacher_ends(
        self, x: Tensor, levels: int, *, sigma: float | None = None, progress: Progress | None = None
    ) -> Tensor:
        """(B, ...) end states of a teacher with this many levels, from x (B, ...) at `sigma` (None: sigma_max)."""
        top = self.sigma_range.sigma_max
        below = replace(self.sigma_range, sigma_max=top if sigma is None else sigma)
        run = DirectRun(self.denoiser, x, self.extra_args(len(x)))
        sigmas = teacher_sigmas(levels, below, cold=below.sigma_max < top)
        budget = Budget(len(x), float(levels), progress=progress)
        return run_teacher(run, sigmas, slice(0, len(x)), Sketch(1, 1), budget).end

    def fit(
        self,
        noise: Tensor,
        sampler: str | SamplerFunction,
        steps: tuple[int, ...],
        *,
        effort: str,
        calls: int | None = None,
        progress: Progress | None = None,
        minutes: float | None = None,
        denoise: float = 1.0,
        start_sigma: float | None = None,
        method: str = "gauss_newton",
        journal: Records | None = None,
        frequency_weight: float = 1.0,
    ) -> Calibration:
        """`calibrate` on this model; what the model itself raises keeps its traceback."""
        try:
            return calibrate(
                self.denoiser,
                noise,
                sigma_min=self.sigma_range.sigma_min,
                sigma_max=self.sigma_range.sigma_max,
                flow=self.sigma_range.flow,
                sampler=sampler,
                steps=steps,
                extra_args=self.extra_args(len(noise)),
                effort=effort,
                calls=calls,
                progress=progress,
                minutes=minutes,
                denoise=denoise,
                start_sigma=start_sigma,
                method=method,
                guidance=1.0 if self.guidance is None else self.guidance,
                journal=journal,
                frequency_weight=frequency_weight,
            )
        except SelfTestError as error:
            if error.__cause__ is None:
                raise
            raise error.__cause__ from None


def demo_subject(name: str, guidance: float | None = None, device: str = "cpu") -> PlainSubject:
    """A bundled model; its rows go through the classes in turn."""
    if name not in available_demos():
        raise ValueError(f"--model must be one of {', '.join(available_demos())}, got {name!r}")
    target = check_device(device)
    model = load_demo(name, device=target)
    cfg = 1.0 if guidance is None else check_guidance(guidance)

    identity = ModelIdentity(
        family="SigmasmithDemo",
        prediction="flow" if model.flow else "eps",
        sigma_min=model.sigma_min,
        sigma_max=model.sigma_max,
        flow=model.flow,
        shift=round(shift_of_range(model.sigma_min), 6) if model.flow else None,
        parameters=count_parameters(model.denoiser),
        checkpoint=f"{name}.safetensors",
    )
    shown = f"{name}, guidance {cfg:g}"
    return PlainSubject(shown, model.denoiser, model.shape, identity, cfg, model.classes, target)


def available_demos() -> tuple[str, ...]:
    """Names of the bundled models whose weights are there."""
    return tuple(name for name in DEMO_NAMES if (FOLDER / f"{name}.safetensors").is_file())


def own_subject(
    name: str,
    *,
    shape: tuple[int, ...] | None,
    sigma_min: float | None,
    sigma_max: float | None,
    flow: bool,
    guidance: float | None,
    device: str = "cpu",
) -> PlainSubject:
    """A user's own denoiser, module:attribute."""
    for option, value in (("--shape", shape), ("--sigma-min", sigma_min), ("--sigma-max", sigma_max)):
        if value is None:
            raise ValueError(f"--denoiser also needs {option}")
    assert shape is not None
    assert sigma_min is not None
    assert sigma_max is not None
    sigma_range = SigmaRange(sigma_min, sigma_max, flow)
    denoiser = load_callable(name, "--denoiser")
    if guidance is not None and not _takes(denoiser, "cfg"):
        raise ValueError(f"--cfg: {name} takes no argument cfg")
    identity = ModelIdentity(sigma_min=sigma_range.sigma_min, sigma_max=sigma_range.sigma_max, flow=flow)
    cfg = None if guidance is None else check_guidance(guidance)
    return PlainSubject(name, _checked_output(denoiser, name), shape, identity, cfg, 0, check_device(device))


def named_sampler(name: str) -> tuple[str, str | SamplerFunction]:
    """(name without the prefix sample_, what `calibrate` takes): one of our own samplers, or module:attribute."""
    if ":" in name:
        function = load_callable(name, "--sampler")
        return getattr(function, "__name__", name).removeprefix("sample_"), function
    try:
        own_sampler(name)
    except ValueError as error:
        raise ValueError(f"--sampler: {error}") from error
    return name, name


def check_seed(seed: int) -> int:
    if not 0 <= seed < 2**63:
        raise ValueError(f"--seed must be a whole number from 0 to 2**63 - 1, got {seed}")
    return seed


def check_guidance(guidance: float) -> float:
    if not math.isfinite(guidance):
        raise ValueError(f"--cfg must be finite, got {guidance}")
    return guidance


def check_device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, OverflowError, TypeError, UnicodeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"--device {name!r} is not there: {reason}") from error
    return device


def _takes(function: Callable[..., Any], name: str) -> bool:
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):  # built-in functions tell nothing
        return True
    return name in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())


def _checked_output(denoiser: Callable[..., Any], name: str) -> Callable[..., Tensor]:
    """The denoiser, with an output that cannot be one refused by name."""

    def checked(x: Tensor, sigma: Tensor, **extra_args: Any) -> Tensor:
        try:
            denoised = denoiser(x, sigma, **extra_args)
        except ValueError as error:
            # A mistake in the user's code is theirs to find: it keeps its traceback.
            raise RuntimeError(f"{name} failed at sigma {float(sigma.flatten()[0]):.6g}") from error
        if not isinstance(denoised, Tensor):
            raise ValueError(f"--denoiser: {name} must return a tensor, it returned a {type(denoised).__name__}")
        if denoised.shape != x.shape:
            raise ValueError(
                f"--denoiser: {name} must return the shape of x, {tuple(x.shape)}, it returned {tuple(denoised.shape)}"
            )
        return denoised

    return checked
