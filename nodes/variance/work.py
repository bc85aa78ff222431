"""The samplers of the Variance and DDIM nodes, from their inputs."""

from __future__ import annotations

from typing import Any

from ...schedules.variance.control import Churn, Control, parse_restarts
from ...schedules.variance.eta_curves import parse_curve
from ...schedules.variance.inversion import Inversion
from ...schedules.variance.noise import NoiseSource
from ..host.variance import ddim_sampler, variance_sampler
from .noise import NOISES, SAMPLERS_OWN, parse_seeds


def controlled(
    node_id: Any,
    sampler: Any,
    eta: str,
    s_noise: str,
    posterior: float,
    clamp: str,
    s_churn: float,
    s_tmin: float,
    s_tmax: float,
    restarts: str,
    noise: str,
    seeds: str = "",
    reference: Any = None,
) -> Any:
    """The SAMPLER of the Variance node.

    Raises:
        ValueError: names the input.
    """
    control = Control(
        eta=parse_curve(eta, "eta") if eta.strip() else None,
        s_noise=parse_curve(s_noise, "s_noise", high=2.0, outside=1.0),
        posterior=posterior,
        clamp=parse_curve(clamp, "clamp"),
        churn=Churn(s_churn, s_tmax, s_tmin) if s_churn else Churn(),
        restarts=parse_restarts(restarts),
    )
    return variance_sampler(sampler, control, noise_source(noise, seeds), reference, node_id)


def ddim(node_id: Any, eta: str, noise: str, corrections: int, tolerance: float, check: bool, seeds: str = "") -> Any:
    """The SAMPLER of the DDIM node.

    Raises:
        ValueError: names the input.
    """
    inversion = Inversion(corrections, tolerance, check)
    source = noise_source(noise, seeds) or NoiseSource()
    return ddim_sampler(parse_curve(eta, "eta"), source, inversion, node_id)


def noise_source(noise: str, seeds: str) -> NoiseSource | None:
    """Where noise comes from; None for the sampler's own."""
    numbers = parse_seeds(seeds)
    if noise == SAMPLERS_OWN:
        if numbers:
            raise ValueError(f"seeds: {SAMPLERS_OWN} noise has one seed for the whole batch; choose another noise")
        return None
    kind, on_cpu = NOISES[noise]
    return NoiseSource("path" if kind == "path" else "white", numbers, on_cpu)
