"""A model's discrete sigma table, rebuilt from the ends of its range, and sigmas between its entries."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .noise_space import Array, SigmaRange, shift_flow, shift_of_range

# Relative distance at which two ends count as the same: hosts and UIs print 0.029 and 14.615 for 0.02917 and 14.6146.
_SAME = 0.01
_TIMESTEPS = 1000
_FLUX_TIMESTEPS = 10_000


def sd_sigma_table() -> Array:
    """Stable Diffusion's 1000 sigmas, ascending: betas even in their square root from 0.00085 to 0.012.

    Source: Rombach et al. 2022, arXiv:2112.10752, configs of the published models (SD 1, 2 and SDXL).
    """
    betas = np.linspace(0.00085**0.5, 0.012**0.5, _TIMESTEPS) ** 2
    return np.sqrt(np.expm1(-np.cumsum(np.log1p(-betas))))


def zero_snr_sigma_table() -> Array:
    """The same table rescaled to zero terminal signal, its last entry held at the finite value that hosts use.

    Source: Lin et al. 2024, arXiv:2305.08891, algorithm 1; last alpha_bar as in ComfyUI, 4.897e-8.
    """
    signal = 1.0 / np.sqrt(1.0 + sd_sigma_table() ** 2)
    rescaled = (signal - signal[-1]) * signal[0] / (signal[0] - signal[-1])
    rescaled[-1] = 4.8973451890853435e-08**0.5
    return np.sqrt(1.0 / rescaled**2 - 1.0)


def in_sd_range(sigma_range: SigmaRange) -> bool:
    """Whether this is Stable Diffusion's VE range, 0.0292 .. 14.6146, which the published VE tables were made for."""
    return not sigma_range.flow and _same_ends(sigma_range, 0.0291671582, 14.6146412293)


def _same_ends(sigma_range: SigmaRange, sigma_min: float, sigma_max: float) -> bool:
    return abs(sigma_range.sigma_min / sigma_min - 1.0) < _SAME and abs(sigma_range.sigma_max / sigma_max - 1.0) < _SAME


def in_svd_range(sigma_range: SigmaRange) -> bool:
    """Whether this is Stable Video Diffusion's VE range, 0.002 .. 700."""
    return not sigma_range.flow and _same_ends(sigma_range, 0.002, 700.0)


def host_sigma_table(sigma_range: SigmaRange) -> Array:
    """The ascending sigma table that a host keeps for a model with this range.

    A VE range within 1 % of Stable Diffusion's (plain or zero terminal SNR) is its table, stretched in log sigma to the
    exact ends. Any other VE range is 1000 sigmas even in log sigma: that is what hosts register for every VE model
    without betas (EDM, SVD, Playground, Cosmos), and two ends cannot tell which other betas were meant. A flow range
    is the shift table of 1000 timesteps that starts at sigma_min; a start below a shift of 1 is read as 10,000
    timesteps, Flux's count. Where a host is there, pass its own table instead.

    Returns:
        (timesteps,) float64, strictly ascending from sigma_min to sigma_max.
    """
    low, high = sigma_range.sigma_min, sigma_range.sigma_max
    if sigma_range.flow:
        return _flow_table(sigma_range)
    if in_sd_range(sigma_range):
        known = sd_sigma_table()
    else:
        known = zero_snr_sigma_table()
        if not _same_ends(sigma_range, known[0], known[-1]):
            known = np.geomspace(low, high, _TIMESTEPS)
    place = np.log(known / known[0]) / np.log(known[-1] / known[0])
    table = low * np.exp(place * np.log(high / low))
    table[0], table[-1] = low, high
    return table


def flow_shift(sigma_range: SigmaRange) -> tuple[float, int]:
    """(shift, timesteps) of the flow table that starts at sigma_min: 1000 timesteps, or Flux's 10,000."""
    shift = shift_of_range(sigma_range.sigma_min, _TIMESTEPS)
    # 1 % of slack: hosts keep sigma_min in float32, and a plain model has a shift of exactly 1.
    if shift >= 1.0 - _SAME:
        return shift, _TIMESTEPS
    return shift_of_range(sigma_range.sigma_min, _FLUX_TIMESTEPS), _FLUX_TIMESTEPS


def _flow_table(sigma_range: SigmaRange) -> Array:
    shift, timesteps = flow_shift(sigma_range)
    last = float(unshift_flow(sigma_range.sigma_max, shift))
    table = shift_flow(np.linspace(1.0 / timesteps, last, timesteps), shift)
    table[0], table[-1] = sigma_range.sigma_min, sigma_range.sigma_max
    return table


def unshift_flow(sigma: ArrayLike, shift: float) -> Array:
    """Time 0..1 at which a shifted flow schedule is at sigma: the inverse of `shift_flow`."""
    return shift_flow(sigma, 1.0 / shift)


def table_sigma(table: Array, index: ArrayLike, *, flow: bool) -> Array:
    """Sigma at a fractional index 0 .. len(table) - 1: log-linear between VE entries, linear between flow entries."""
    index = np.asarray(index, dtype=np.float64)
    entries = np.arange(len(table), dtype=np.float64)
    if flow:
        return np.interp(index, entries, table)
    return np.exp(np.interp(index, entries, np.log(table)))


def check_table(table: ArrayLike, sigma_range: SigmaRange) -> Array:
    """A float64 copy of a host's table, or ValueError: ascending, positive, with the ends of the range (to 1 %)."""
    values = np.array(table, dtype=np.float64)
    if values.ndim != 1 or len(values) < 2 or not np.all(np.isfinite(values)):
        raise ValueError(f"table must be one list of at least 2 finite values, got shape {values.shape}")
    if values[0] <= 0 or np.any(np.diff(values) <= 0):
        raise ValueError("table must be strictly ascending and positive")
    if not _same_ends(sigma_range, values[0], values[-1]):
        raise ValueError(
            f"table must run from sigma_min to sigma_max, {sigma_range.sigma_min:.6g} .. {sigma_range.sigma_max:.6g}, "
            f"but runs {values[0]:.6g} .. {values[-1]:.6g}"
        )
    return values
