"""The gain that a fit may claim, from a few rows that chose nothing.

With d_b the log of how many times nearer the fit ends than the best host schedule compared, in row b of n, and m, s^2
their mean and variance, the log gain g is what Bayes' rule leaves of two of Student's t,

    p(g | d) ~ t_q((g - mu) / tau) t_f((m - g) / sqrt(v / n)),   f = k + n - 1,   v = (k s_0^2 + (n - 1) s^2) / f

mu and tau are what fits of other models gained, s_0 how much their rows differed, counted as k rows. Claimed is the
median, and the interval leaves out a twentieth on either side. Two rows say little by themselves: their variance can be
anything, and their best host schedule is the luckiest of several. With q degrees of freedom a model far from all others
is pulled less than in proportion; fits for samplers of a host never gain much, and q is infinite. Those of
sigmasmith_multistep gain the more the more steps there are, about .35 N, up to 11 steps: over the seven left-out models
of docs/family.md 1.7, 2.8 and 3.5 at 5, 8 and 10 steps, 5.2 at 20.

The reference that errors e are measured against has one of its own, e_ref, which adds to an error rather than takes
from it. So a gain is of sqrt(max(e^2 - e_ref^2, e_ref^2 / 2)): below e_ref little is known, and little is counted.
The upper end may also be of sqrt(max(e^2 - e_ref^2, e^2 / 4)).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from ..core.metrics import Ratio
from ..core.words import Phrase
from ..presets.preset import Preset
from ..samplers.fitted import NAME

# Key of the gains in a preset: step count -> gain and the ends of its interval.
GAIN = "gain"
# Of an interval that holds nine of ten, and the median.
_QUANTILES = (0.05, 0.5, 0.95)
# Of a choice for a host's schedule: rows that what is known counts as, quantile of the normal, and rounds that settle
# how much a model far from all others is pulled.
_CHOICE_ROWS, _CHOICE_QUANTILE, _ROUNDS = 4.0, 1.645, 20
_ROWS_WORTH = 8.0
# What fits gained on models that no choice was made on: at N steps this times N, between these step counts.
_GAIN_A_STEP, _FEWEST, _MOST = 0.35, 4, 11
# Points that the distribution of a gain is laid out on, and how many deviations beyond what is known they reach.
_POINTS, _WIDTHS = 4001, 8.0


class _Usual(NamedTuple):
    """Fits of other models: mu, tau and 1 / q of the log gain, and s_0."""

    mean: float
    spread: float
    tail: float
    rows: float


_OTHER_SAMPLERS = _Usual(0.1, 0.25, 0.0, 0.33)


def claimed_gain(fitted: Tensor, host: Tensor, sampler: str, steps: int, least: float = 0.0) -> Ratio:
    """How many times nearer the fit ends than the host schedule, with the interval that holds the truth in nine of ten
    fits.

    Args:
        fitted, host: (rows,) errors of the same rows.
        sampler, steps: name of the sampler that was fitted for, and of how many steps.
        least: the reference's own error; NaN where it is not known.
    """
    usual, own = _usual_gain(sampler, steps), 0.0 if math.isnan(least) else least**2
    first, second = (errors.double().square().clamp_min(1e-24) for errors in (host, fitted))
    low, middle, high = _interval((first - own).clamp_min(own / 2.0), (second - own).clamp_min(own / 2.0), usual)
    _, _, best = _interval((first - own).maximum(first / 4.0), (second - own).maximum(second / 4.0), usual)
    return Ratio(*(math.exp(end) for end in (middle, low, max(high, best))))


def host_is_nearer(fitted: Tensor, host: Tensor, sampler: str, steps: int) -> bool:
    """Whether rows, and what fits of other models gained, show that the host schedule ends nearer.

    A choice, not a claim: gain and rows are taken as normal, which believes two rows that are far from the usual where
    t and a normal prior do not. The variance of rows is that of their t, s_0^2 k / (k - 2), counted as few of them.
    """
    usual = _usual_gain(sampler, steps)
    logs = (host.double().clamp_min(1e-12) / fitted.double().clamp_min(1e-12)).log()
    rows, mean = len(logs), float(logs.mean())
    usually = _CHOICE_ROWS * usual.rows**2 * _ROWS_WORTH / (_ROWS_WORTH - 2.0)
    told = rows * (_CHOICE_ROWS + rows - 1) / (usually + float((logs - mean).square().sum()))
    centre, precision = mean, told
    for _ in range(_ROUNDS):
        pull = (1.0 + usual.tail) / (usual.spread**2 + usual.tail * (centre - usual.mean) ** 2)
        precision = told + pull
        centre = (told * mean + pull * usual.mean) / precision
    return centre + _CHOICE_QUANTILE / math.sqrt(precision) < 0.0


def _interval(host: Tensor, fitted: Tensor, usual: _Usual) -> tuple[float, float, float]:
    """(low, median, high) of the log gain, from squared errors of the rows and what other models gained."""
    gains, below = _distribution(host, fitted, usual)
    low, median, high = gains[torch.searchsorted(below, below.new_tensor(_QUANTILES))].tolist()
    return low, median, high


def _distribution(host: Tensor, fitted: Tensor, usual: _Usual) -> tuple[Tensor, Tensor]:
    """Log gains, and how probable it is that the gain is no larger."""
    logs = 0.5 * (host / fitted).log()
    rows, mean = len(logs), float(logs.mean())
    freedom = _ROWS_WORTH + rows - 1
    variance = (_ROWS_WORTH * usual.rows**2 + float((logs - mean).square().sum())) / freedom / rows
    wide = _WIDTHS * max(usual.spread, math.sqrt(variance))
    gains = torch.linspace(min(mean, usual.mean) - wide, max(mean, usual.mean) + wide, _POINTS, dtype=torch.float64)
    told = _log_student((gains - mean) ** 2 / variance, 1.0 / freedom)
    usually = _log_student(((gains - usual.mean) / usual.spread) ** 2, usual.tail)
    return gains, (told + usually).softmax(0).cumsum(0)


def _log_student(squares: Tensor, tail: float) -> Tensor:
    """Log density at squared deviates of Student's t with 1 / tail degrees of freedom, but for a constant; of the
    normal distribution for 0."""
    if tail == 0.0:
        return -0.5 * squares
    return -0.5 * (1.0 + 1.0 / tail) * (tail * squares).log1p()


def _usual_gain(sampler: str, steps: int) -> _Usual:
    if sampler != NAME:
        return _OTHER_SAMPLERS
    return _Usual(math.log(_GAIN_A_STEP * min(max(steps, _FEWEST), _MOST)), 0.4, 0.25, 0.36)


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
