"""What a command works on: a bundled model or a user's own denoiser, with its noise range and conditioning."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..demo.models.weights import DEMO_NAMES, FOLDER, count_parameters, load_demo
from ..schedules.core.noise_space import SigmaRange, shift_of_range
from ..schedules.core.types import Progress, SamplerFunction
from ..schedules.fitting.calibrate import calibrate
from ..schedules.fitting.calibration import Calibration
from ..schedules.presets.identity import ModelIdentity
from ..schedules.samplers.by_name import own_sampler
from .python_objects import load_callable


@dataclass(frozen=True)
class Subject:
    """A model to fit or to compare on.

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
        generator = torch.Generator().manual_seed(check_seed(seed))
        return torch.randn(rows, *self.shape, generator=generator).to(self.device)

    def extra_args(self, rows: int) -> dict[str, Any]:
        """What the denoiser is given beside x and sigma for a batch of `rows`."""
        found: dict[str, Any] = {} if self.guidance is None else {"cfg": self.guidance}
        if self.classes:
            found["labels"] = torch.arange(rows, device=self.device) % self.classes
        return found

    def fit(
        self,
        noise: Tensor,
        sampler: str | SamplerFunction,
        steps: tuple[int, ...],
        *,
        effort: str,
        progress: Progress | None = None,
        minutes: float | None = None,
        denoise: float = 1.0,
        start_sigma: float | None = None,
        method: str = "gauss_newton",
    ) -> Calibration:
        """`calibrate` on this model."""
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
            progress=progress,
            minutes=minutes,
            denoise=denoise,
            start_sigma=start_sigma,
            method=method,
        )


def demo_subject(name: str, guidance: float | None = None, device: str = "cpu") -> Subject:
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
    return Subject(shown, model.denoiser, model.shape, identity, cfg, model.classes, target)


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
) -> Subject:
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
    return Subject(name, _checked_output(denoiser, name), shape, identity, cfg, 0, check_device(device))


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
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"--device {name!r} is not there: {str(error).splitlines()[0]}") from error
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
