"""The hosts' own schedules, as functions of a model's sigma table, so that a fit is compared with them without a host.

Written from the documented behaviour of each scheduler; tests/host/test_schedule_parity.py holds them to a real host.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaincinv
from torch import Tensor

from ..core.noise_space import Array, SigmaRange, shift_flow, shift_of_range
from ..core.sigma_table import check_table, host_sigma_table, in_sd_range, in_svd_range, table_sigma
from ..core.sigmas import MAX_LIST, check_steps, finish_sigmas, resample_sigmas
from ..core.types import Schedule
from ..curves.angles import tangent_sigmas
from ..curves.powers import exponential_sigmas, karras_sigmas
from . import published as tables


@dataclass(frozen=True)
class HostModel:
    """A model as a host's scheduler sees it: its range and its ascending sigma table."""

    sigma_range: SigmaRange
    table: Array

    def at_time(self, index: Array) -> Array:
        """Sigma at fractional table indices, as `model_sampling.sigma(timestep)` gives it."""
        return table_sigma(self.table, index, flow=self.sigma_range.flow)

    def between(self, count: int) -> Array:
        """`count` sigmas at even timesteps from that of sigma_max to that of sigma_min.

        Flow models call sigma itself the timestep of a sigma, so the shift is applied twice and the last of these
        is not sigma_min: the hosts' rule, kept.
        """
        if not self.sigma_range.flow:
            return self.at_time(np.linspace(len(self.table) - 1.0, 0.0, count))
        shift = shift_of_range(float(self.table[0]), len(self.table))
        return shift_flow(np.linspace(self.table[-1], self.table[0], count), shift)


def simple(model: HostModel, steps: int) -> Array:
    """Every len(table) / steps-th entry, from the top, rounded up."""
    stride = len(model.table) / steps
    return model.table[[-(1 + int(i * stride)) for i in range(steps)]]


def normal(model: HostModel, steps: int) -> Array:
    """Even timesteps, both ends included."""
    return model.between(steps)


def sgm_uniform(model: HostModel, steps: int) -> Array:
    """Even timesteps, the lowest left to the terminal 0."""
    return model.between(steps + 1)[:-1]


def ddim_uniform(model: HostModel, steps: int) -> Array:
    """Every floor(len(table) / steps)-th entry from the second upwards: rarely `steps` of them, rarely sigma_max."""
    return model.table[1 :: max(len(model.table) // steps, 1)][::-1]


def beta(model: HostModel, steps: int) -> Array:
    """Quantiles of Beta(0.6, 0.6) on rounded timesteps, repeats dropped."""
    quantile = 1.0 - np.linspace(0.0, 1.0, steps, endpoint=False)
    return model.table[np.rint(betaincinv(0.6, 0.6, quantile) * (len(model.table) - 1)).astype(int)]


def linear_quadratic(model: HostModel, steps: int) -> Array:
    """Half the steps even over the first 2.5 % below sigma_max, the rest on a parabola to 0 that joins smoothly.

    Source: Genmo's Mochi 1; ComfyUI takes it over for every model.
    """
    linear = steps // 2
    if linear == 0:
        return np.array([model.table[-1]])
    slope, rest = 0.025 / linear, steps - linear
    beyond = np.maximum(np.arange(steps) - linear, 0)
    bend = (1.0 - 0.025 - slope * rest) / rest**2
    return model.table[-1] * (1.0 - slope * np.arange(steps) - bend * beyond**2)


def webui_beta(model: HostModel, steps: int) -> Array:
    """A1111's reading of Beta(0.6, 0.6): quantiles in sigma, not in timesteps."""
    low, high = float(model.table[0]), float(model.table[-1])
    return low + betaincinv(0.6, 0.6, 1.0 - np.linspace(0.0, 1.0, steps)) * (high - low)


def turbo(model: HostModel, steps: int) -> Array:
    """Forge's Turbo: the last timestep of each of `steps` equal parts of 1000; only for tables of that length."""
    times = np.clip(np.rint(np.arange(steps, 0, -1) * (1000.0 / steps) - 1.0), 0.0, 999.0)
    if model.sigma_range.flow:
        # Forge asks a flow predictor for sigma(999), not sigma(1000): its Turbo starts just below sigma_max.
        return shift_flow(times / 1000.0, shift_of_range(float(model.table[0]), len(model.table)))
    return model.at_time(times)


def log_linear(levels: Sequence[float], count: int) -> Array:
    """`count` values log-linearly interpolated over the positions of a published list; its own where counts agree."""
    if count == len(levels):
        return np.asarray(levels, dtype=np.float64)
    return np.exp(np.interp(np.linspace(0.0, 1.0, count), np.linspace(0.0, 1.0, len(levels)), np.log(levels)))


def comfy_list(levels: Sequence[float], steps: int) -> Array:
    """ComfyUI's reading of a published list: interpolated to steps + 1 values, the last replaced by 0."""
    return log_linear(levels, steps + 1)[:-1]


def webui_list(levels: Sequence[float], steps: int) -> Array:
    """The WebUIs' reading, the authors' own: interpolated to `steps` values, 0 appended."""
    return log_linear(levels, steps)


def gits(steps: int) -> Array:
    """GITS for coefficient 1.20: a list per step count up to 20, the last one interpolated beyond; 1 step jumps."""
    if steps == 1:
        return np.array([tables.GITS_MAX])
    inner = tables.GITS_INNER[min(steps, 20) - 2]
    return comfy_list((tables.GITS_MAX, *inner, tables.GITS_MIN), steps)


# The scheduler that hosts choose for a new workflow.
DEFAULT_HOST = "simple"

_FROM_TABLE: dict[str, Callable[[HostModel, int], Array]] = {
    "simple": simple,
    "sgm_uniform": sgm_uniform,
    "normal": normal,
    "ddim_uniform": ddim_uniform,
    "beta": beta,
    "linear_quadratic": linear_quadratic,
    "webui_beta": webui_beta,
}

_FROM_RANGE: dict[str, Callable[..., Tensor]] = {
    "karras": karras_sigmas,
    "exponential": exponential_sigmas,
    "kl_optimal": tangent_sigmas,
}

_COMFY_LISTS: dict[str, Sequence[float]] = {"ays_sd1": tables.AYS_SD1, "ays_sdxl": tables.AYS_SDXL}
_WEBUI_LISTS: dict[str, Sequence[float]] = {
    "webui_ays_sd1": tables.WEBUI_AYS_SD1,
    "webui_ays_sdxl": tables.WEBUI_AYS_SDXL,
    "webui_ays_32_sd1": tables.WEBUI_AYS_32_SD1,
    "webui_ays_32_sdxl": tables.WEBUI_AYS_32_SDXL,
    "webui_gits_sd1": tables.WEBUI_GITS_SD1,
    "webui_gits_sdxl": tables.WEBUI_GITS_SDXL,
}
_FLOW_LISTS: dict[str, Sequence[float]] = {
    "oss_flux": tables.OSS_FLUX,
    "oss_wan": tables.OSS_WAN,
    "oss_chroma": tables.OSS_CHROMA,
}


def host_schedules(
    sigma_range: SigmaRange, table: ArrayLike | None = None, *, webui: bool = True
) -> dict[str, Schedule]:
    """Every schedule that a host offers for a model of this range: name -> steps -> sigmas.

    ComfyUI's dropdown has its own names, the fixed lists of its nodes are ays_*, gits and oss_*, and what the WebUIs do
    differently under the same label is webui_*. Published VE lists are offered on the range they were made for, the
    OptimalSteps lists on flow models.

    Args:
        table: the model's ascending sigmas, one per timestep; default: `host_sigma_table` of the range.
        webui: False leaves out webui_*.
    Returns:
        Callables whose lists keep the contract and have steps + 1 values. A host's list that comes out with another
        length (ddim_uniform, beta and simple at many steps) is resampled, repeats removed first; a list of a single
        sigma, which has no curve, repeats `normal`'s. The first sigma is the host's own: below sigma_max for
        ddim_uniform, oss_flux, oss_chroma and, on flow models, webui_turbo.
    """
    entries = host_sigma_table(sigma_range) if table is None else check_table(table, sigma_range)
    model = HostModel(sigma_range, entries)
    ends = {"sigma_min": sigma_range.sigma_min, "sigma_max": sigma_range.sigma_max}
    offered: dict[str, Schedule] = {}
    for name, rule in _FROM_TABLE.items():
        offered[name] = _kept(partial(rule, model), model)
    for name, curve in _FROM_RANGE.items():
        # The hosts take power, logarithm and arctangent of the model's own sigma, on flow models too.
        offered[name] = partial(curve, **ends)
    if len(entries) == 1000:
        offered["webui_turbo"] = _kept(partial(turbo, model), model)
    if in_sd_range(sigma_range):
        offered |= {name: _kept(partial(comfy_list, levels), model) for name, levels in _COMFY_LISTS.items()}
        offered |= {name: _kept(partial(webui_list, levels), model) for name, levels in _WEBUI_LISTS.items()}
        offered["gits"] = _kept(gits, model)
    if in_svd_range(sigma_range):
        offered["ays_svd"] = _kept(partial(comfy_list, tables.AYS_SVD), model)
    if sigma_range.flow and sigma_range.sigma_max > 0.99:
        offered |= {name: _kept(partial(comfy_list, levels), model) for name, levels in _FLOW_LISTS.items()}
    return offered if webui else {name: made for name, made in offered.items() if not name.startswith("webui_")}


def published_lists(sigma_range: SigmaRange, table: ArrayLike | None) -> dict[str, Callable[[int], Tensor]]:
    """Of `host_schedules` the fixed lists alone, ays_*, gits and oss_*, where they suit the range.

    Args:
        table: the model's own; without one, or with one unlike any that the lists were made for, there are none.
    """
    try:
        lists = {} if table is None else host_schedules(sigma_range, table, webui=False)
    except ValueError:
        return {}
    return {name: made for name, made in lists.items() if name.startswith(("ays_", "gits", "oss_"))}


def _kept(rule: Callable[[int], Array], model: HostModel) -> Schedule:
    """The rule as a callable that keeps the contract of a sigma list."""

    def schedule(steps: int) -> Tensor:
        exact = np.asarray(rule(check_steps(steps, most=MAX_LIST)), dtype=np.float64)
        top = model.sigma_range.sigma_max
        if abs(exact[0] / top - 1.0) < 1e-3 and not model.sigma_range.flow:
            exact = np.append(top, exact[1:])  # a printed 14.615 means the model's sigma_max
        single = exact.astype(np.float32)
        # A value must lie below everything before it, so the first of equal ones stays.
        falling = np.append(True, single[1:] < np.minimum.accumulate(single)[:-1])
        levels = exact[falling & (single > 0.0)]
        if len(levels) == steps:
            return finish_sigmas(levels)
        if len(levels) == 1:
            return finish_sigmas(normal(model, steps))
        return resample_sigmas(finish_sigmas(levels), steps)

    return schedule
