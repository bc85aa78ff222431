"""Search inside one run: every step draws several children, and each image goes on from its best."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from ..core.finite import check_finite
from ..core.types import Callback, Denoiser
from ..variance.noise import RowNoise, row_seeds
from .children import History, StepRule, mean_and_spread, step_length
from .rewards import Reward, RewardError, measured
from .widths import UNIFORM, WidthPlan, widths

# Model outputs (N, ...) -> images (N, H, W, 3) in 0..1.
Decode = Callable[[Tensor], Tensor]
_PATH_STRIDE = 0x9E3779B1  # apart from the seeds of neighbouring rows


@dataclass(frozen=True)
class StepSearch:
    """Settings of a search.

    Args:
        reward: that is raised; `judge` is reported and never searched on.
        budget: model calls for each image.
        paths: that are kept for each image after every step.
        eta: 1 full noise; 0 would give children that are all the same.
        seeds: of the images' noise; more images count on from the last.
        noise_scale: factor of all noise that a model asks for.
    """

    reward: Reward
    decode: Decode
    budget: int
    plan: WidthPlan = UNIFORM
    paths: int = 1
    rule: StepRule = "euler_ancestral"
    eta: float = 1.0
    judge: Reward | None = None
    seeds: tuple[int, ...] = ()
    noise_scale: float = 1.0

    def __post_init__(self) -> None:
        if not 0.0 < self.eta <= 1.0:
            raise ValueError(f"eta must be above 0 and at most 1, got {self.eta}")
        if not 1 <= self.paths <= 64:
            raise ValueError(f"paths must be from 1 to 64, got {self.paths}")


@dataclass
class StepRecord:
    """How a search went.

    Attributes:
        widths: children of every step, over all paths.
        best, spread: one (B,) tensor for every step with a choice: the best child's score, and the scores' standard
            deviation over the children.
        calls: model calls for each image; `rewarded`: images scored for each image.
        judged: (B,) what the judge says of the result.
        stopped: why the search ended before the run did, in words; the run itself went on with one child.
    """

    widths: list[int] = field(default_factory=list)
    best: list[Tensor] = field(default_factory=list)
    spread: list[Tensor] = field(default_factory=list)
    calls: int = 0
    rewarded: int = 0
    judged: Tensor | None = None
    stopped: str = ""


@dataclass
class _Path:
    """One state per image, with its model output, its noise and its history."""

    x: Tensor
    denoised: Tensor
    past: History


@torch.no_grad()
def sample_search(
    model: Denoiser,
    x: Tensor,
    sigmas: Tensor,
    extra_args: dict[str, Any] | None = None,
    callback: Callback | None = None,
    disable: bool | None = None,
    *,
    search: StepSearch,
    flow: bool,
    seed: int = 0,
    record: StepRecord | None = None,
) -> Tensor:
    """The state (B, ...) at sigmas[-1], k-diffusion's signature: each image's best path.

    Args:
        sigmas: (steps + 1,) decreasing.
        search: its settings.
        flow: whether the sigmas are those of a flow model.
        seed: of the noise where the search lists none; image r has seed + r.
        record: filled in.
    Raises:
        ValueError: the budget is too small; ModelError: an output is not finite.

    Every model call has the B rows that it was given, so conditionings, masks and 5-D latents stay as the host laid
    them out, and each image has its own path and noise: alone and in any batch it is the same. A reward that fails
    ends the search, not the run.
    """
    levels, record = [float(sigma) for sigma in sigmas], record or StepRecord()
    record.widths = widths(search.plan, levels, search.budget, flow=flow, paths=search.paths)
    call = _Calls(model, extra_args or {}, record)
    seeds = row_seeds(search.seeds or (seed,), x.shape[0])
    noise = RowNoise(x, seeds, kind="white", device="cpu", flow=flow)
    scores = _Scores(search, record)
    paths = [_Path(x, call(x, levels[0]), History())]
    for i, (sigma, target) in enumerate(pairwise(levels)):
        best = paths[0]
        if callback is not None:
            callback({"x": best.x, "i": i, "sigma": sigmas[i], "sigma_hat": sigmas[i], "denoised": best.denoised})
        if i == len(levels) - 2:  # the last step draws no noise
            scores.judge(best.denoised)
            return mean_and_spread(search.rule, best.x, best.denoised, sigma, target, 0.0, flow, best.past)[0]
        step = _Step(search, sigma, target, flow)
        children = step.children(paths, 1 if scores.ended else record.widths[i], call, noise)
        paths = scores.kept(children, search.paths)
    return x


@dataclass(frozen=True)
class _Step:
    """One step of all paths."""

    search: StepSearch
    sigma: float
    target: float
    flow: bool

    def children(self, paths: Sequence[_Path], width: int, call: _Calls, noise: RowNoise) -> list[_Path]:
        """`width` children, of the paths in turn, each with its model output."""
        search, ends = self.search, (self.sigma, self.target)
        means = [
            mean_and_spread(search.rule, path.x, path.denoised, *ends, search.eta, self.flow, path.past)
            for path in paths
        ]
        length, children = step_length(*ends, self.flow), []
        for child in range(width):
            parent = child % len(paths)
            mean, spread = means[parent]
            state = mean + search.noise_scale * spread * noise(*ends)
            past = History(paths[parent].denoised, length)
            children.append(_Path(state, call(state, self.target), past))
        return children


class _Calls:
    """The model, counted and checked."""

    def __init__(self, model: Denoiser, extra_args: dict[str, Any], record: StepRecord) -> None:
        self._model, self._extra, self._record = model, extra_args, record

    def __call__(self, x: Tensor, sigma: float) -> Tensor:
        denoised = self._model(x, sigma * x.new_ones([x.shape[0]]), **self._extra)
        check_finite(denoised, sigma, self._record.calls)
        self._record.calls += 1
        return denoised


class _Scores:
    """The choice among children, image by image."""

    def __init__(self, search: StepSearch, record: StepRecord) -> None:
        self._search, self._record = search, record
        self._seen: Tensor | None = None  # (B, n, K) of every child so far, that a sum of rewards is scaled by
        self.ended = False

    def kept(self, children: Sequence[_Path], paths: int) -> list[_Path]:
        """For each image its best `paths` children, the best first."""
        if self.ended or len(children) == 1:
            return list(children[:1])
        try:
            scores = self._scored(children)
        except RewardError as error:
            self.ended, self._record.stopped = True, str(error)
            return list(children[:1])
        self._record.best.append(scores.max(dim=1).values)
        self._record.spread.append(scores.std(dim=1))
        order = scores.argsort(dim=1, descending=True, stable=True)
        return [_picked(children, order[:, place]) for place in range(min(paths, len(children)))]

    def _scored(self, children: Sequence[_Path]) -> Tensor:
        """(B, children) total scores, on the scale of all that this image's search has seen."""
        search, rows = self._search, children[0].x.shape[0]
        images = search.decode(torch.cat([child.denoised for child in children]))
        values = measured(search.reward, images).reshape(len(children), rows, -1).transpose(0, 1)
        self._record.rewarded += len(children)
        self._seen = values if self._seen is None else torch.cat([self._seen, values], dim=1)
        return torch.stack([search.reward.total(seen)[-len(children) :] for seen in self._seen])

    def judge(self, denoised: Tensor) -> None:
        judge = self._search.judge
        if judge is None:
            return
        try:
            self._record.judged = judge.total(measured(judge, self._search.decode(denoised)))
        except RewardError as error:
            self._record.stopped = self._record.stopped or str(error)


def _picked(children: Sequence[_Path], choice: Tensor) -> _Path:
    """The path whose image r is child choice[r]'s."""
    rows = range(len(choice))

    def pick(tensors: Sequence[Tensor]) -> Tensor:
        return torch.stack([tensors[int(choice[row])][row] for row in rows])

    past = children[0].past
    if past.denoised is not None:
        past = History(
            pick([child.past.denoised for child in children if child.past.denoised is not None]), past.length
        )
    return _Path(pick([child.x for child in children]), pick([child.denoised for child in children]), past)
