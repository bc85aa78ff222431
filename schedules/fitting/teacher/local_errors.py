"""Errors of single solver steps along the teacher, without model evaluations.

Along the teacher every state and model output is known, so the error of a step of a linear multistep rule between any
noise levels is a linear combination of known vectors. Between the teacher's own levels the output is interpolated and
the state is its integral: x / sigma = x_0 / sigma_0 + integral of D d(1/sigma).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline

from ...core.noise_space import Array
from ...samplers.rules import MultistepRule
from .teacher import Teacher


@dataclass(frozen=True)
class DenseTeacher:
    """Teacher sketches at more noise levels.

    Attributes:
        sigmas: (M,) float64, decreasing.
        states, outputs: (M, B, m) float64.
        end: (B, m) state at sigma = 0.
    """

    sigmas: Array
    states: Array
    outputs: Array
    end: Array


@dataclass(frozen=True)
class LocalErrors:
    """Mean squared errors of single steps, each sample divided by its own difficulty.

    Attributes:
        sigmas: (M,) noise levels; index M stands for sigma = 0.
        first: (M, M + 1) [i, k]: a step from i to k without history.
        pair: (M, M, M) [h, i, k]: a step from i to k with the output at h < i as history. inf where not ordered.
        skipped: (M,) of a run that starts at this level from noise alone, as hosts start a schedule whose first sigma
            lies below the model's.
    """

    sigmas: Array
    first: Array
    pair: Array
    skipped: Array


def densify(teacher: Teacher, factor: int) -> DenseTeacher:
    """`factor` noise levels for each of the teacher's, even in log sigma between two of them."""
    time = -np.log(teacher.sigmas)
    fine = np.interp(np.arange((len(time) - 1) * factor + 1) / factor, np.arange(len(time)), time)
    spline = CubicSpline(time, teacher.outputs.numpy(), axis=0)
    nodes, gauss = np.polynomial.legendre.leggauss(3)
    half = 0.5 * np.diff(fine)
    at = fine[:-1] + half * (nodes[:, None] + 1.0)
    weights = gauss[:, None] * half * np.exp(at)
    steps = np.einsum("gn,gnbm->nbm", weights, spline(at))
    integral = np.concatenate([np.zeros_like(steps[:1]), np.cumsum(steps, axis=0)])
    states = np.exp(-fine)[:, None, None] * (teacher.states[0].numpy() * np.exp(time[0]) + integral)
    return DenseTeacher(np.exp(-fine), states, spline(fine), teacher.end_sketch.numpy())


def local_errors(teacher: DenseTeacher, rule: MultistepRule) -> LocalErrors:
    """Errors of all steps, for dynamic programming. Rules with a longer history than one output enter with one.

    A sample's difficulty is the summed squared error of its first-order steps between neighbouring levels: it puts
    samples on one scale, as the geometric mean over samples does.
    """
    sigmas, count = teacher.sigmas, len(teacher.sigmas)
    derivative = (teacher.states - teacher.outputs) / sigmas[:, None, None]
    feature = teacher.outputs if rule.feature == "denoised" else derivative
    ends = np.concatenate([teacher.states, teacher.end[None]])
    difficulty = np.zeros(ends.shape[1])
    for i in range(count - 1):
        near = ends[i + 1] - _first_order(rule, teacher.states[i], feature[i], sigmas, i, i + 1)[0]
        difficulty += np.square(near).mean(axis=1)
    scale = 1.0 / np.sqrt(np.maximum(difficulty, 1e-30) * ends.shape[2] * ends.shape[1])[:, None]
    alone = (teacher.states - teacher.states[0] * (sigmas / sigmas[0])[:, None, None]) * scale
    first = np.full((count, count + 1), np.inf)
    pair = np.full((count, count, count), np.inf)
    for i in range(count):  # residuals of one level at a time: those of all would outweigh the whole teacher
        v = ends[i + 1 :] - _first_order(rule, teacher.states[i], feature[i], sigmas, i)
        v[-1] = teacher.end - teacher.outputs[i]  # every rule's step to 0 returns the output
        v = (v * scale).reshape(len(v), -1)
        first[i, i + 1 :] = np.einsum("kn,kn->k", v, v)
        if rule.order > 1 and 0 < i < count - 1:
            u = ((feature[:i] - feature[i]) * scale).reshape(i, -1)
            w = np.asarray(rule.weights([sigmas[i], sigmas[:i, None]], sigmas[None, i + 1 :])[1])
            cross, square = u @ v[:-1].T, np.einsum("hn,hn->h", u, u)[:, None]
            pair[:i, i, i + 1 :] = first[i, i + 1 : -1] - 2.0 * w * cross + w * w * square
        elif rule.order == 1 and i > 0:
            pair[:i, i, i + 1 :] = first[i, i + 1 : -1]
    return LocalErrors(sigmas, first, np.maximum(pair, 0.0), np.square(alone).sum(axis=(1, 2)))


def _first_order(
    rule: MultistepRule, state: Array, feature: Array, sigmas: Array, i: int, last: int | None = None
) -> Array:
    """(M - i, B, m) results of steps without history from level i to every later one, and to 0; or to `last` alone."""
    later = np.append(sigmas[i + 1 :], 0.0) if last is None else sigmas[last : last + 1]
    carry = later / sigmas[i] if rule.feature == "denoised" else np.ones_like(later)
    weight = 1.0 - carry if rule.feature == "denoised" else later - sigmas[i]
    return carry[:, None, None] * state + weight[:, None, None] * feature
