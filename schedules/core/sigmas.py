"""The contract of a sigma list, and what every schedule does to one: check, finish, resample, truncate.

A sigma list is float32, on the CPU, of shape (steps + 1,), finite, strictly decreasing and ends in exactly one 0.
Arithmetic is float64 and rounded once (float64 never reaches a device: MPS has none).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.interpolate import PchipInterpolator
from torch import Tensor

from .noise_space import Array, SigmaRange

# Steps that a person runs, and those of the longest list that a host asks for, whose end are 10,000 at denoise 0.01.
MAX_STEPS = 10_000
MAX_LIST = 1_000_000
# Two neighbours closer than this, relative, are one level to a solver that counts in float32 logarithms: of the 40
# stock samplers 11 return NaN at 1e-7, 15 at 3e-7 and none at 1e-5.
CLOSEST = 1e-5


def check_steps(steps: Any, name: str = "steps", most: int = MAX_STEPS) -> int:
    """The step count as an int, or ValueError: 1 .. `most` solver intervals, which may be more than a person runs."""
    try:
        whole = int(steps)
    except (TypeError, ValueError, OverflowError):  # None, text, NaN, infinity
        whole = 0
    if isinstance(steps, bool) or whole != steps or not 1 <= whole <= most:
        raise ValueError(f"{name} must be a whole number from 1 to {MAX_STEPS}, got {steps}")
    return whole


def check_denoise(denoise: float) -> float:
    """The host's 0..1 fraction; 0 runs nothing and has no schedule, so it is refused."""
    if not (isinstance(denoise, (int, float)) and math.isfinite(denoise) and 0.0 < denoise <= 1.0):
        raise ValueError(f"denoise must be above 0 and at most 1, got {denoise}")
    return float(denoise)


def check_sigmas(sigmas: Any, *, name: str = "sigmas", terminal_zero: bool = True) -> Tensor:
    """A copy of `sigmas` that keeps the contract above.

    Args:
        sigmas: sequence, array or tensor, (steps + 1,), any float type and device.
        terminal_zero: False allows (and expects) a list that stops above 0, as the high part of a split does.
    Returns:
        (steps + 1,) float32, CPU.
    Raises:
        ValueError: says which rule the list breaks, and where. Nothing is repaired.
    """
    values = torch.as_tensor(sigmas).detach().to("cpu", torch.float32).clone()
    if values.ndim != 1 or len(values) < 2:
        raise ValueError(f"{name} must be one list of at least 2 values, got shape {tuple(values.shape)}")
    check_steps(len(values) - 1, f"{name} (steps)", MAX_LIST)
    bad = (~torch.isfinite(values)).nonzero()
    if len(bad):
        raise ValueError(f"{name}[{int(bad[0])}] is {float(values[bad[0]])}; every value must be finite")
    rising = (values[1:] >= values[:-1]).nonzero()
    if len(rising):
        at = int(rising[0])
        raise ValueError(
            f"{name} must be strictly decreasing, but [{at}] = {float(values[at]):.6g} "
            f"and [{at + 1}] = {float(values[at + 1]):.6g}"
        )
    if terminal_zero and float(values[-1]) != 0.0:
        raise ValueError(f"{name} must end in 0, got {float(values[-1]):.6g}")
    if not terminal_zero and float(values[-1]) <= 0.0:
        raise ValueError(f"{name} must stay above 0, got {float(values[-1]):.6g}")
    return values


def finish_sigmas(positive: ArrayLike) -> Tensor:
    """Float32 sigma list from float64 positive noise levels: rounded once, terminal 0 appended.

    Neighbours nearer than CLOSEST (thousands of steps, or a curve that is flat somewhere) are moved apart to it, the
    smallest change that leaves a solver its steps; the first level stays, and the last where there is room. Anything
    else that breaks the contract raises.
    """
    exact = np.asarray(positive, dtype=np.float64)
    if np.all(np.isfinite(exact)) and np.all(exact > 0.0) and np.all(exact[1:] <= exact[:-1]):
        exact = _apart(exact)
    return check_sigmas(torch.from_numpy(np.append(exact, 0.0).astype(np.float32)))


def runnable_sigmas(sigmas: Tensor) -> Tensor:
    """The same list, or where neighbours are one level to a solver, one with these moved apart as `finish_sigmas` does.

    For lists of other people, which keep the contract and may still be such that half of the stock samplers end in NaN.

    Args:
        sigmas: a list that keeps the contract.
    """
    logs = sigmas[:-1].double().log().numpy()
    gaps = logs[:-1] - logs[1:]
    # A list that was moved apart before is left as it is: rounding to float32 takes an eighth of its smallest gaps.
    return sigmas if len(gaps) == 0 or gaps.min() >= 0.8 * _least_gap(logs) else finish_sigmas(np.exp(logs))


def _apart(levels: Array) -> Array:
    """Falling levels with CLOSEST between neighbours; where there is no room for it, the last ones go down.

    In a list so long that even levels would be nearly as close (a host's, of which it runs the end) half of that.
    """
    steps, logs = len(levels) - 1, np.log(levels)
    least = _least_gap(logs)
    if np.all(logs[1:] <= logs[:-1] - least):
        return levels
    place = np.arange(steps + 1) * least
    moved = np.minimum.accumulate(logs + place) - place
    if _half_even_gap(logs) >= least:  # the last level stays: those that came too near to it go up again
        moved = np.maximum(moved, logs[-1] + place[::-1])
    return np.where(np.abs(moved - logs) > 1e-12, np.exp(moved), levels)


def _half_even_gap(logs: Array) -> float:
    return float(0.5 * (logs[0] - logs[-1]) / max(len(logs) - 1, 1))


def _least_gap(logs: Array) -> float:
    """Between neighbours of falling log levels."""
    half = _half_even_gap(logs)
    return half if 0.1 * CLOSEST < half < CLOSEST else CLOSEST


def resample_sigmas(sigmas: Any, steps: int) -> Tensor:
    """The same curve with another number of steps.

    Interpolates log sigma over the position in the positive part (monotone cubic), because 0 has no logarithm; the
    first and the last positive sigma stay. The same step count returns the same list. On flow models too the
    logarithm is that of sigma: in log-SNR sigma 1 is infinitely far, and added sigmas would gather just below it.

    Args:
        sigmas: a list that keeps the contract, of any kind of model.
        steps: solver intervals of the result, >= 1.
    """
    sigmas, steps = check_sigmas(sigmas), check_steps(steps, most=MAX_LIST)
    if steps == len(sigmas) - 1:
        return sigmas
    positive = sigmas[:-1].double().numpy()
    if steps == 1:
        return finish_sigmas(positive[:1])
    if len(positive) == 1:
        raise ValueError(f"a list of 1 step has no curve to resample to {steps} steps")
    position, value = np.linspace(0.0, 1.0, len(positive)), np.log(positive)
    curve = PchipInterpolator(position, value) if len(position) > 2 else lambda at: np.interp(at, position, value)
    result = np.exp(curve(np.linspace(0.0, 1.0, steps)))
    result[0], result[-1] = positive[0], positive[-1]
    return finish_sigmas(result)


def steps_before_truncation(steps: int, denoise: float) -> int:
    """Length of the full schedule whose tail of `steps` steps the host's KSampler and BasicScheduler run.

    Differs: none; the same rule, int(steps / denoise), with denoise above 0.9999 counted as 1.
    """
    return steps if check_denoise(denoise) > 0.9999 else int(min(steps / denoise, MAX_LIST))


def steps_after_truncation(full: int, denoise: float) -> int:
    """Steps that the host runs of a schedule of `full` steps: the inverse of `steps_before_truncation` where `full` is
    one of its values, the next higher count where it is none."""
    if check_denoise(denoise) > 0.9999:
        return full
    nearest = math.ceil(full * denoise)
    # Rounding may have carried full * denoise across a whole number.
    exact = [count for count in (nearest, nearest - 1) if count > 0 and steps_before_truncation(count, denoise) == full]
    return exact[0] if exact else nearest


def noise_level_start(denoise: float, sigma_range: SigmaRange) -> float:
    """Start sigma of the noise-level mode: the same for every schedule and step count.

    `denoise` is the share of noise in the start state, noise / (noise + signal), relative to that at sigma_max; on
    flow models this is sigma itself.
    """
    denoise = check_denoise(denoise)
    return sigma_range.sigma_max if denoise > 0.9999 else sigma_range.at_noise_fraction(denoise)
