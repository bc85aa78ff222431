"""The panel's search over seeds: many are drafted in a few steps, the best are run in full as ordinary images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..schedules.hosting.multistep import multistep_of
from ..schedules.search.seeds import DrawnImages, SeedSearch, search_seeds
from ..schedules.search.words import drafts_in_words, seeds_in_words
from . import infotext
from .host.decoding import pictures
from .host.fit import fit_sampler, progress_bar
from .host.identity import exact_range, guidance_of, model_identity, model_range
from .host.runs import HostRuns
from .host.samplers import check_fittable, create_sampler, eta_of, scheduler_of
from .host.schedules import AUTOMATIC
from .log import say
from .samplers import MULTISTEP
from .schedulers import labelled
from .seed_inputs import SeedInputs
from .state import Generation


def sample_seeds(generation: Generation, request: SeedInputs, runs: HostRuns, p: Any) -> Tensor:
    """Search, and say which seed won.

    Returns:
        (kept, ...) end states of the full runs, the winner first; the generation's seeds are theirs.
    Raises:
        ValueError: names the panel's input to change.
    """
    searching = _SeedRuns(generation, request, runs, p)
    first = int(p.all_seeds[0])
    search = search_seeds(searching, request.reward, request.budget, first, at_once=request.rows)
    generation.say(seeds_in_words(search, drafts_in_words(search, request.budget), searching.note))
    return _winners(search, searching, request, p)


class _SeedRuns:
    """The SeedRuns of a batch of the host: row r has the noise of the first seed + r.

    Attributes:
        note: which schedule the drafts ran, a sentence.
    """

    def __init__(self, generation: Generation, request: SeedInputs, runs: HostRuns, p: Any) -> None:
        self.runs, self.p, self.first = runs, p, int(p.all_seeds[0])
        target = create_sampler(request.sampler, p)
        check_fittable(request.sampler, target)
        self.sampler = fit_sampler(target, eta_of(p))
        if self.sampler.stochastic:
            raise ValueError(f"Sampling method: {request.sampler} draws noise; choose one without, such as DPM++ 2M")
        self.label = scheduler_of(request.scheduler, target.config)
        budget = request.budget
        self.quick = labelled(generation, self.label, budget.draft_steps, target, p)
        self.whole = labelled(generation, self.label, budget.steps, target, p)
        preset, self.function = self.whole.chosen.preset, self.sampler.function
        if request.sampler == MULTISTEP:
            self.function = multistep_of(preset, exact_range(model_range(target)), guidance_of(p))
        self.note = f"Drafts ran {self.label} at {budget.draft_steps} steps"
        self.note += f" of the preset {preset.name}." if preset else "; a fitted schedule ranks seeds better."
        self.identity = model_identity(exact_range(model_range(target)))
        self._bar, self._done = progress_bar(runs.timer, None, say, "The search"), 0
        self._total = budget.draft_steps + budget.kept * budget.steps
        runs.called = self._called

    def draft(self, seeds: Sequence[int]) -> DrawnImages:
        """Few-step runs of these seeds, together."""
        return self._drawn(self.quick.sigmas, slice(seeds[0] - self.first, seeds[-1] + 1 - self.first))

    def full(self, seed: int) -> DrawnImages:
        """One full run, the image that Generate makes of this seed."""
        return self._drawn(self.whole.sigmas, slice(seed - self.first, seed + 1 - self.first))

    def _drawn(self, sigmas: Tensor, rows: slice) -> DrawnImages:
        before = self._done
        ends = self.runs.end_state(self.function, sigmas, rows)
        return DrawnImages(ends, pictures(self.p.sd_model, ends), self._done - before)

    def _called(self) -> None:
        self._done += 1
        self._bar(self._done, max(self._done, self._total), "seeds")


def _winners(search: SeedSearch, runs: _SeedRuns, request: SeedInputs, p: Any) -> Tensor:
    """The full runs as what the generation has made."""
    winner = search.winner or 0
    order = [winner, *(place for place in range(len(search.finals)) if place != winner)]
    seeds = [search.kept[place] for place in order]
    for listed in (p.all_seeds, p.seeds):
        listed[: len(seeds)] = seeds
    p.sampler_name, p.scheduler = request.sampler, request.scheduler
    p.extra_generation_params["Schedule type"] = runs.label  # in place of the job's
    if runs.label == AUTOMATIC:
        del p.extra_generation_params["Schedule type"]
    if runs.whole.answer is not None:
        p.extra_generation_params.update(infotext.written(runs.whole.answer, runs.identity, hires=False, mode="steps"))
    return torch.cat([search.finals[place].latents for place in order])
