"""The schedules that need no model call, by name: closed forms and the family, and the knobs of each.

Nodes, the WebUI and the command line read both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from ..curves.angles import cosine_sigmas, shifted_cosine_sigmas, tangent_sigmas
from ..curves.powers import exponential_sigmas, karras_sigmas, log_snr_uniform_sigmas, polyexponential_sigmas, vp_sigmas
from ..curves.quantiles import beta_sigmas, laplace_sigmas
from ..family.learned import VERSION
from ..family.placing import SCALES, STRETCHES
from ..family.schedule import family_schedule


@dataclass(frozen=True)
class CurveParameter:
    """An extra knob of a curve.

    Args:
        name: keyword of the curve's function.
        default, minimum, maximum, step: what an input widget needs; the function itself may allow more.
        help: one line for a tooltip.
    """

    name: str
    default: float
    minimum: float
    maximum: float
    step: float
    help: str


def family_sigmas(
    steps: int,
    sigma_min: float,
    sigma_max: float,
    *,
    flow: bool = False,
    scale: float = 1.0,
    stretch: float = 1.0,
    version: float = VERSION,
) -> Tensor:
    """(steps + 1,) the family's list, its levels moved from where they usually lie in this range.

    Args:
        scale, stretch: times the usual ones, 1 for these; cut where the family's own limits are.
        version: of the family's data, a whole number: a workflow that names it keeps its sigmas when a newer one comes.
    Raises:
        ValueError: names the argument and its value.
    """
    usual = family_schedule(1, sigma_min=sigma_min, sigma_max=sigma_max, flow=flow, version=_whole(version))
    if scale == stretch == 1.0:
        return family_schedule(steps, sigma_min=sigma_min, sigma_max=sigma_max, flow=flow, version=usual.version).sigmas
    return family_schedule(
        steps,
        sigma_min=sigma_min,
        sigma_max=sigma_max,
        flow=flow,
        scale=min(max(usual.scale * scale, SCALES[0]), SCALES[1]),
        stretch=min(max(usual.stretch * stretch, STRETCHES[0]), STRETCHES[1]),
        version=usual.version,
    ).sigmas


def _whole(version: float) -> int:
    if version != int(version):
        raise ValueError(f"version must be a whole number, got {version}")
    return int(version)


CURVES: Mapping[str, Callable[..., Tensor]] = {
    "karras": karras_sigmas,
    "exponential": exponential_sigmas,
    "polyexponential": polyexponential_sigmas,
    "log_snr_uniform": log_snr_uniform_sigmas,
    "cosine": cosine_sigmas,
    "shifted_cosine": shifted_cosine_sigmas,
    "tangent": tangent_sigmas,
    "laplace": laplace_sigmas,
    "beta": beta_sigmas,
    "vp": vp_sigmas,
    "family": family_sigmas,
}

CURVE_PARAMETERS: Mapping[str, tuple[CurveParameter, ...]] = {
    "karras": (CurveParameter("rho", 7.0, 0.1, 100.0, 0.1, "Larger puts more steps at low noise."),),
    "exponential": (),
    "polyexponential": (CurveParameter("rho", 1.0, 0.1, 10.0, 0.05, "Larger puts more steps at low noise."),),
    "log_snr_uniform": (),
    "cosine": (
        CurveParameter("offset", 0.008, 0.0, 1.0, 0.001, "Improved DDPM's s: noise kept in the first timesteps."),
        CurveParameter("max_beta", 0.999, 0.5, 0.9999, 0.0001, "Clip of the 1000-step table near pure noise."),
    ),
    "shifted_cosine": (
        CurveParameter("resolution_ratio", 2.0, 0.1, 32.0, 0.05, "Image side over the side a plain cosine suits."),
        CurveParameter("fine_ratio", 1.0, 0.1, 32.0, 0.05, "The same at low noise; at most resolution_ratio."),
    ),
    "tangent": (CurveParameter("c", 1.0, 0.01, 100.0, 0.01, "Smaller puts more steps at low noise; 1: kl_optimal."),),
    "laplace": (
        CurveParameter("mu", 0.0, -10.0, 10.0, 0.1, "Log sigma around which the steps gather."),
        CurveParameter("beta", 0.5, 0.05, 10.0, 0.05, "Width in log sigma; smaller gathers them more."),
    ),
    "beta": (
        CurveParameter("alpha", 0.6, 0.05, 10.0, 0.05, "Below 1: more steps at low noise."),
        CurveParameter("beta", 0.6, 0.05, 10.0, 0.05, "Below 1: more steps at high noise."),
    ),
    "vp": (
        CurveParameter("beta_d", 19.9, 0.01, 100.0, 0.1, "Slope of the noise rate over time."),
        CurveParameter("beta_min", 0.1, 0.0, 100.0, 0.05, "Noise rate at time 0."),
    ),
    "family": (
        CurveParameter("scale", 1.0, 0.2, 5.0, 0.05, "Noise levels, times the usual ones; larger for smooth pictures."),
        CurveParameter("stretch", 1.0, 0.5, 2.0, 0.01, "Their spread in log sigma, times the usual one."),
        CurveParameter("version", VERSION, 1, VERSION, 1, "Of the family; a newer one leaves it as it is."),
    ),
}
