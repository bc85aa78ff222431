"""A sampler function, tried on a stand-in for the model: its noise, its memory, its rows. No model is called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...core.noise_space import SigmaRange
from ...core.run import Run
from ...core.sigmas import finish_sigmas
from ...core.types import SamplerFunction
from ..teacher_levels import teacher_sigmas
from .random_state import random_state

# rows of the batch -> the sampler function for them, which has their noise paths where it is given noise.
SamplerFor = Callable[[slice], SamplerFunction]
# Two runs are one where their end states differ by less than this share of their size: float32 in another order.
SAME = 1e-3
STEPS = 4


@dataclass(frozen=True)
class SamplerFacts:
    """A sampler's behaviour, as far as a stand-in shows it.

    Attributes:
        draws: how far two runs end apart, as a share, that differ in seeds and random states alone; 0 for the same.
        remembers: the same for two runs that differ in nothing; a sampler that leaves something behind.
        coupled: the same for a row alone and among others.
        ignores: whether it visits the same levels on two lists with the same ends.
        calls: model calls of a run of STEPS steps.
        broken: what is wrong with its end state, or "".
        fault: the error that it raised on the stand-in, or ""; then nothing else is known.
    """

    draws: float = 0.0
    remembers: float = 0.0
    coupled: float = 0.0
    ignores: bool = False
    calls: int = STEPS
    broken: str = ""
    fault: str = ""


class BrokenError(Exception):
    """The end state of a run is none."""


class StandIn:
    """The host's model object with the answers of a Gaussian in place of the network's; attributes pass through.

    Args:
        model: the host's.
        flow: of a flow model.
        hooks: how many functions the host calls after guidance already; those that a CFG++ sampler adds are called.
    """

    def __init__(self, model: Any, flow: bool, hooks: int = 0) -> None:
        self._model, self._flow, self._hooks = model, flow, hooks
        self.levels: list[float] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def __call__(self, x: Tensor, sigma: Any, **extra_args: Any) -> Tensor:
        sigma = torch.as_tensor(sigma).to(x)
        self.levels.append(float(sigma.flatten()[0]))
        level = sigma.reshape(-1, *[1] * (x.ndim - 1))
        kept = 1.0 - level if self._flow else torch.ones_like(level)
        pattern = torch.linspace(-1.0, 1.0, x[0].numel(), device=x.device, dtype=x.dtype).reshape(x[0].shape)
        denoised = pattern + kept / (kept**2 + level**2) * (x - kept * pattern)
        told = {"denoised": denoised, "uncond_denoised": 0.9 * denoised, "cond_denoised": denoised, "sigma": sigma}
        told |= {"input": x, "model": self._model, "cond_scale": 1.0, "cond": [], "uncond": []}
        for hook in _hooks(extra_args)[self._hooks :]:
            denoised = hook({**told, "denoised": denoised, "model_options": extra_args.get("model_options", {})})
        return denoised


def _hooks(extra_args: dict[str, Any]) -> list[Any]:
    """Functions that ComfyUI calls after guidance."""
    return (extra_args.get("model_options") or {}).get("sampler_post_cfg_function", [])


def sampler_facts(run: Run, sampler_for: SamplerFor, sigma_range: SigmaRange, rows: slice) -> SamplerFacts:
    """The facts of a sampler, from runs on a stand-in inside one run of the host.

    Args:
        run: gives the start state and the model object that the sampler reads.
        rows: of the batch, two where there are two.
    """
    facts: list[SamplerFacts] = []

    def sample(model: Any, x: Tensor, sigmas: Tensor, extra_args: Any = None, **_: Any) -> Tensor:
        if not facts:
            trial = _Trial(model, x[: rows.stop - rows.start], extra_args or {}, sampler_for, rows, sigma_range.flow)
            facts.append(trial.facts(_lists(sigma_range, x)))
        return x

    run(sample, _lists(sigma_range)[0], rows)
    return facts[0] if facts else SamplerFacts()


def facts_in_run(
    sampler: SamplerFunction, model: Any, x: Tensor, sigmas: Tensor, extra_args: dict[str, Any], *, flow: bool
) -> SamplerFacts:
    """Facts that a stand-in shows of a sampler on the list of a run: `draws` and `coupled`.

    Nothing of one that does not run on a stand-in: what it raises there it has not raised in its run.

    Args:
        model, x, sigmas, extra_args: of the run that a sampler is about to make or has made.
    """
    hooks = len(_hooks(extra_args))

    def end(seed: int, start: Tensor) -> Tensor:
        given = dict(extra_args) | ({"seed": (extra_args["seed"] or 0) + seed} if "seed" in extra_args else {})
        with random_state(seed), torch.no_grad():
            stand_in = StandIn(model, flow, hooks)
            made = sampler(stand_in, start.clone(), sigmas.clone(), extra_args=given, callback=None, disable=True)
        return made.float().cpu()

    try:
        whole = end(1, x)
        draws = apart(end(2, x), whole)
        coupled = max(beside_others(lambda start: end(1, start), x, whole, row) for row in (0, -1))
    except Exception:
        return SamplerFacts()
    if not bool(torch.isfinite(whole).all()):
        return SamplerFacts()
    return SamplerFacts(draws=draws if draws > SAME else 0.0, coupled=coupled if coupled > SAME else 0.0)


def beside_others(end: Callable[[Tensor], Tensor], x: Tensor, whole: Tensor, row: int) -> float:
    """How far a row ends, as a share, from where it ends beside other rows than its own batch's; 0 for a batch of one.

    Args:
        end: start state (B, ...) -> end state.
        whole: that of x.
    """
    if len(x) == 1 or len(whole) != len(x):
        return 0.0
    others = -x
    others[row] = x[row]
    return apart(end(others)[row][None], whole[row][None])


def _lists(sigma_range: SigmaRange, like: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Two lists of STEPS steps with the same ends."""
    levels = teacher_sigmas(STEPS, sigma_range)
    other = levels.copy()
    other[1:-1] = (levels[1:-1] * levels[:-2]) ** 0.5
    first, second = finish_sigmas(levels), finish_sigmas(other)
    return (first, second) if like is None else (first.to(like.device), second.to(like.device))


@dataclass
class _Trial:
    model: Any
    x: Tensor
    extra_args: dict[str, Any]
    sampler_for: SamplerFor
    rows: slice
    flow: bool

    def facts(self, lists: tuple[Tensor, Tensor]) -> SamplerFacts:
        """All of them; a sampler may raise anything."""
        try:
            with torch.no_grad():
                return self._facts(*lists)
        except BrokenError as error:
            return SamplerFacts(broken=str(error))
        except Exception as error:
            return SamplerFacts(fault=f"{type(error).__name__}: {error}")

    def _facts(self, sigmas: Tensor, other: Tensor) -> SamplerFacts:
        end, levels = self._end(sigmas, 1)
        again, _ = self._end(sigmas, 1)
        reseeded, _ = self._end(sigmas, 2)
        _, moved = self._end(other, 1)
        count = self.rows.stop - self.rows.start
        remembers, draws = apart(again, end), apart(reseeded, end)
        coupled = 0.0
        if count > 1 and max(remembers, draws) <= SAME:
            alone, _ = self._end(sigmas, 1, count - 1)
            coupled = apart(alone, end[-1:])
        return SamplerFacts(
            draws=draws if draws > SAME else 0.0,
            remembers=remembers if remembers > SAME else 0.0,
            coupled=coupled if coupled > SAME else 0.0,
            ignores=levels == moved,
            calls=len(levels),
        )

    def _end(self, sigmas: Tensor, seed: int, only: int | None = None) -> tuple[Tensor, list[float]]:
        """End state of a run of all rows, or of one of them, and the levels that it visited."""
        rows, x, model = self.rows, self.x, StandIn(self.model, self.flow, len(_hooks(self.extra_args)))
        if only is not None:
            rows, x = slice(rows.start + only, rows.start + only + 1), x[only : only + 1]
        given = dict(self.extra_args)
        if "seed" in given:
            given["seed"] = (given["seed"] or 0) + seed
        with random_state(seed):
            sampler = self.sampler_for(rows)
            end = sampler(model, x.clone(), sigmas.clone(), extra_args=given, callback=None, disable=True)
        if end.shape != x.shape:
            raise BrokenError(f"it returns the shape {tuple(end.shape)} for {tuple(x.shape)}")
        if not bool(torch.isfinite(end).all()):
            raise BrokenError("it ends in NaN or infinity")
        return end.float().cpu(), model.levels


def apart(one: Tensor, other: Tensor) -> float:
    """Largest RMSE of a row as a share of the size of its values; infinite where shapes or finiteness differ."""
    if one.shape != other.shape:
        return float("inf")
    difference = (one.double() - other.double()).flatten(1).square().mean(dim=1).sqrt()
    size = other.double().flatten(1).square().mean(dim=1).sqrt() + 1e-12
    worst = float((difference / size).max())
    return worst if worst == worst else float("inf")
