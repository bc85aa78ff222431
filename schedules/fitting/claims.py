"""The gain that a fit may claim, from a few rows that chose nothing.

With d_b the log of how many times nearer the fit ends than the best host schedule compared, in row b of n, and m, s^2
their mean and variance, the gain is taken as normal with

    precision = n / v + 1 / tau^2,    mean = (m n / v + mu / tau^2) / precision,
    v = (k s_0^2 + (n - 1) s^2) / (k + n - 1)

mu and tau are what fits of other models gained, s_0 how much their rows differed, counted as k rows. Two rows say
little by themselves: their variance can be anything, and their best host schedule is the luckiest of several. Fits of
sigmasmith_multistep gain the more the more steps there are, about .35 N, up to 11 steps: over the seven left-out models
of docs/family.md 1.7, 2.8 and 3.5 at 5, 8 and 10 steps, 3.9 at 20.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from ..core.metrics import Ratio
from ..core.words import Phrase
from ..presets.preset import Preset
from ..samplers.fitted import NAME

# Key of the gains in a preset: step count -> gain and the ends of its interval.
GAIN = "gain"
# Of the normal distribution, for an interval that holds nine of ten.
_QUANTILE = 1.645
_ROW_SPREAD, _ROWS_WORTH = 0.38, 4.0
# What fits gained on models that no choice was made on: at N steps this times N, between these step counts; the spread
# of its logarithm between models; and average and spread of the logarithm for samplers of a host.
_GAIN_A_STEP, _FEWEST, _MOST, _SPREAD = 0.35, 4, 11, 0.5
_OTHER_SAMPLERS = (0.1, 0.25)


def claimed_gain(fitted: Tensor, host: Tensor, sampler: str, steps: int, least: float = 0.0) -> Ratio:
    """How many times nearer the fit ends than the host schedule, with the interval that holds the truth in nine of ten
    fits.

    Args:
        fitted, host: (rows,) errors of the same rows.
        sampler, steps: name of the sampler that was fitted for, and of how many steps.
        least: the reference's own error: what lies below it is no gain.
    """
    floor = max(least, 1e-12) if least == least else 1e-12  # NaN where it is not known
    logs = (host.clamp_min(floor) / fitted.clamp_min(floor)).log().double()
    rows, mean = len(logs), float(logs.mean())
    around = float((logs - logs.mean()).square().sum())
    variance = (_ROWS_WORTH * _ROW_SPREAD**2 + around) / (_ROWS_WORTH + rows - 1)
    usual, spread = _usual_gain(sampler, steps)
    precision = rows / variance + 1.0 / spread**2
    centre = (mean * rows / variance + usual / spread**2) / precision
    half = _QUANTILE / math.sqrt(precision)
    low, middle, high = torch.tensor([centre - half, centre, centre + half], dtype=torch.float64).exp().tolist()
    return Ratio(middle, low, high)


def _usual_gain(sampler: str, steps: int) -> tuple[float, float]:
    """Average and spread of the log gain of fits on other models."""
    if sampler != NAME:
        return _OTHER_SAMPLERS
    return math.log(_GAIN_A_STEP * min(max(steps, _FEWEST), _MOST)), _SPREAD


def gain_facts(gain: Ratio) -> list[float]:
    """A gain and its interval as presets hold them."""
    return [round(value, 4) for value in (gain.mean, gain.low, gain.high)]


def told_gain(preset: Preset, steps: int) -> str:
    """A preset's word on its gain at a fitted count, in words; "" where it does not."""
    known = preset.made.more.get(GAIN)
    facts = known.get(str(steps)) if isinstance(known, Mapping) else None
    if not isinstance(facts, list | tuple) or len(facts) != 3 or not all(isinstance(f, int | float) for f in facts):
        return ""
    return gain_in_words(Ratio(*map(float, facts)))


def gain_in_words(gain: Ratio) -> Phrase:
    """Three numbers, or that no gain was shown."""
    numbers = {"mean": f"{gain.mean:.2f}", "low": f"{gain.low:.2f}", "high": f"{gain.high:.2f}"}
    if gain.low > 1.0:
        return Phrase("{mean}x ({low} to {high})", **numbers)
    return Phrase("no gain shown, {mean}x ({low} to {high})", **numbers)
