"""DDIM, and its inversion when the sigmas rise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..core.types import Callback
from .calls import direction, sample_euler
from .control import Control
from .controlled import RunNoise, sample_controlled
from .eta_curves import Curve, constant
from .inversion import Inversion, InversionReport, invert
from .noise import NoiseSource
from .readout import NoiseLog
from .steppers import OdeStepper

WHITE = NoiseSource()
CORRECTED = Inversion()


@torch.no_grad()
def sample_ddim(
    model: Any,
    x: Tensor,
    sigmas: Tensor,
    extra_args: dict[str, Any] | None = None,
    callback: Callback | None = None,
    disable: bool | None = None,
    *,
    eta: Curve | float = 0.0,
    s_noise: Curve | float = 1.0,
    noise: NoiseSource = WHITE,
    flow: bool = False,
    noise_scale: float = 1.0,
    inversion: Inversion = CORRECTED,
    log: NoiseLog | None = None,
    report: Callable[[InversionReport], None] | None = None,
) -> Tensor:
    """DDIM down a falling list of sigmas; up a rising one its inversion, which adds no noise.

    Args:
        model: denoiser, (x (B, ...), sigma (B,), **extra_args) -> denoised.
        x: (B, ...) state at sigmas[0], any number of dimensions.
        sigmas: (steps + 1,).
        disable: ignored, there is no progress bar.
        eta: 0 deterministic .. 1 the DDPM posterior's lower bound.
        s_noise: factor of the noise.
        noise: how it is drawn; `extra_args["seed"]`, 0 without one, is the seed where it names none.
        flow: flow model. Only noise needs to know: the deterministic step is the same.
        noise_scale: further factor of the noise, which some flow models ask for.
        inversion: of rising sigmas.
        log: written to, of falling ones.
        report: called at the end of an inversion.
    Returns:
        (B, ...) state at sigmas[-1].
    Raises:
        ValueError: eta outside 0..1, sigmas that go both ways.
        ModelError: the model returned a value that is not finite.
    Source: Song et al. 2020, arXiv:2010.02502, eq. 12 and 16; on flow models by way of sigma / (1 - sigma).
    Differs: with eta 0 bit-equal to k-diffusion's sample_euler, which ComfyUI's ddim is.
    """
    if direction([float(sigma) for sigma in sigmas]) > 0:
        return invert(model, x, sigmas, extra_args, callback, settings=inversion, flow=flow, report=report)
    control = Control(eta=_curve(eta, "eta"), s_noise=_curve(s_noise, "s_noise"))
    rows = noise.start(x, int((extra_args or {}).get("seed") or 0), flow=flow)
    return sample_controlled(
        model,
        x,
        sigmas,
        extra_args,
        callback,
        stepper=OdeStepper(sample_euler, flow),
        control=control,
        noise=RunNoise(rows, rows.fresh, noise_scale),
        flow=flow,
        log=log,
    )


def _curve(value: Curve | float, name: str) -> Curve:
    if isinstance(value, Curve):
        return value
    if name == "eta" and not 0.0 <= value <= 1.0:
        raise ValueError(f"eta must be from 0 to 1, got {value:g}")
    return constant(value, name)
