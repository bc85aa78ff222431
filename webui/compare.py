"""The sampler behind the panel's Compare: schedules on the same start noises, against a converged reference."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..schedules.comparison.comparison import SOLUTION, Cell, Comparison, Target
from ..schedules.comparison.text import report_text, sorted_cells
from ..schedules.core.finite import ModelError, check_finite
from ..schedules.core.metrics import mode_switches, sample_errors
from ..schedules.core.noise_space import SigmaRange
from ..schedules.core.sigmas import finish_sigmas
from ..schedules.core.types import SamplerFunction
from ..schedules.fitting.budget import Budget
from ..schedules.fitting.effort import TOLERANCE
from ..schedules.fitting.sketch import Sketch
from ..schedules.fitting.teacher.reference import STOCHASTIC_TOLERANCE, agreement
from ..schedules.fitting.teacher.teacher import run_teacher
from ..schedules.fitting.teacher_levels import teacher_sigmas
from ..schedules.hosting.multistep import multistep_of
from ..schedules.samplers.brownian import BrownianPath, on_path
from .compare_inputs import COMPARE_SEED, REFERENCE_STEPS, CompareInputs
from .host.fit import fit_sampler, progress_bar
from .host.identity import exact_range, guidance_of, model_range
from .host.runs import HostRuns, InterruptedException
from .host.samplers import check_fittable, create_sampler, eta_of
from .infotext import COMPARED
from .log import say
from .registration import scheduler_name
from .samplers import MULTISTEP
from .schedulers import labelled
from .state import Generation

REFERENCE = "reference"


@dataclass(frozen=True)
class _Plan:
    """One cell to run.

    Args:
        own: whether the schedule is a preset's.
    """

    sampler: str
    schedule: str
    sigmas: Tensor
    function: SamplerFunction
    noisy: bool
    own: bool

    @property
    def target(self) -> str:
        """Name of the target of its errors."""
        return f"{self.sampler} itself on its noise path" if self.noisy else SOLUTION


def sample_comparison(generation: Generation, request: CompareInputs, runs: HostRuns, p: Any) -> Tensor:
    """Run everything and say what it shows.

    Returns:
        (B, ...) end states to look at, all of the first start noise: the reference, then the runs by their error.
    Raises:
        ValueError: names the panel's input to change.
    """
    plans, notes = _plans(generation, request, runs, p)
    say(f"Comparing {len(plans)} runs on {request.seeds} start noises.")
    running = _Running(runs, plans, say)
    comparison = running.result(notes)
    generation.say(report_text(comparison))
    return _pictures(comparison, running, p)


def _plans(generation: Generation, request: CompareInputs, runs: HostRuns, p: Any) -> tuple[list[_Plan], list[str]]:
    """The cells to run, checked before the first model call, and what to know of them."""
    plans: list[_Plan] = []
    notes: dict[str, None] = {}
    for label in request.samplers:
        target = create_sampler(label, p)
        check_fittable(label, target)
        sampler = fit_sampler(target, eta_of(p))
        notes |= dict.fromkeys([sampler.note] if sampler.note else [])
        for steps in request.steps:
            for schedule in request.schedules:
                made = labelled(generation, schedule, steps, target, p)
                chosen = made.chosen
                function = sampler.function
                if label == MULTISTEP:
                    function = multistep_of(chosen.preset, exact_range(model_range(target)), guidance_of(p))
                elif sampler.stochastic:
                    path = BrownianPath(tuple(runs.start.shape[1:]), runs.sigma_max, COMPARE_SEED, _rows(runs))
                    function = on_path(function, path)
                own = chosen.preset is not None
                plans.append(_Plan(label, schedule, made.sigmas, function, sampler.stochastic, own))
                if scheduler_name(schedule) and not own:
                    notes[f"{schedule}: {chosen.why}"] = None
                notes |= dict.fromkeys(f"{schedule}: {warning}" for warning in chosen.warnings)
    return plans, list(notes)


def _rows(runs: HostRuns) -> slice:
    return slice(0, runs.start.shape[0])


class _Running:
    """A comparison under way; `ends` and `targets` hold the first start noise's end states by cell and by target."""

    def __init__(self, runs: HostRuns, plans: list[_Plan], say: Callable[[str], None]) -> None:
        self.runs, self.plans, self.rows = runs, plans, _rows(runs)
        self.ends: dict[tuple[str, str, int], Tensor] = {}
        self.targets: dict[str, Tensor] = {}
        self._bar = progress_bar(runs.timer, None, say, "The comparison")
        self._done, self._message = 0, REFERENCE
        runs.called = self._called
        self._total = sum(len(plan.sigmas) - 1 for plan in plans)
        self._total += len({plan.target for plan in plans}) * (REFERENCE_STEPS + REFERENCE_STEPS // 2)

    def result(self, notes: list[str]) -> Comparison:
        """The targets, then the cells in order."""
        targets: dict[str, Target] = {}
        ends: dict[str, Tensor] = {}
        for plan in self.plans:
            if plan.target not in targets:
                targets[plan.target], ends[plan.target] = self._target(plan)
                self.targets[plan.target] = ends[plan.target][:1]
        cells = tuple(self._cell(plan, ends[plan.target]) for plan in self.plans)
        seeds = tuple(range(COMPARE_SEED, COMPARE_SEED + self.rows.stop))
        own = frozenset(plan.schedule for plan in self.plans if plan.own)
        return Comparison(cells, seeds, targets, own, tuple(notes))

    def _target(self, plan: _Plan) -> tuple[Target, Tensor]:
        run = self._noisy_end if plan.noisy else self._solution
        coarse, fine = run(plan, REFERENCE_STEPS // 2), run(plan, REFERENCE_STEPS)
        error, converged = agreement(fine, coarse, STOCHASTIC_TOLERANCE if plan.noisy else TOLERANCE)
        return Target(REFERENCE_STEPS, error, converged), fine

    def _levels(self, count: int) -> Any:
        sigma_range = SigmaRange(float(self.runs.denoiser.inner_model.sigmas[0]), self.runs.sigma_max, self.runs.flow)
        return teacher_sigmas(count, sigma_range)

    def _solution(self, _: _Plan, count: int) -> Tensor:
        self._message, budget = REFERENCE, Budget(self.rows.stop, float(count))
        return run_teacher(self.runs, self._levels(count), self.rows, Sketch(1, 1), budget).end.float().cpu()

    def _noisy_end(self, plan: _Plan, count: int) -> Tensor:
        return self._run(plan.function, finish_sigmas(self._levels(count)), REFERENCE)[0]

    def _cell(self, plan: _Plan, target: Tensor) -> Cell:
        """One cell; a run that breaks down is a result, not the end of the comparison."""
        steps = len(plan.sigmas) - 1
        named: dict[str, Any] = {"sampler": plan.sampler, "schedule": plan.schedule, "steps": steps}
        began = time.perf_counter()
        try:
            end, calls = self._run(plan.function, plan.sigmas, f"{plan.sampler}, {plan.schedule}, {steps} steps")
            check_finite(end, 0.0, steps - 1)
        except (MemoryError, InterruptedException):
            raise
        except Exception as error:  # another extension's sampler may raise anything
            said = str(error) if isinstance(error, ModelError) else f"{type(error).__name__}: {error}"
            return Cell(**named, errors=target.new_zeros(0).double(), failed=said, target=plan.target)
        self.ends[plan.sampler, plan.schedule, steps] = end[:1]
        return Cell(
            **named,
            errors=sample_errors(end, target),
            calls=calls,
            seconds=(time.perf_counter() - began) / self.rows.stop,
            switched=mode_switches(end, target),
            target=plan.target,
        )

    def _run(self, function: SamplerFunction, sigmas: Tensor, message: str) -> tuple[Tensor, int]:
        """(end states float32 on the CPU, model calls per row) of one run."""
        before = self._done
        self._message = message
        return self.runs.end_state(function, sigmas, self.rows).detach().float().cpu(), self._done - before

    def _called(self) -> None:
        self._done += 1
        self._bar(self._done, max(self._done, self._total), self._message)


def _pictures(comparison: Comparison, running: _Running, p: Any) -> Tensor:
    """As many pictures as the batch has rows, each named in its infotext; the last repeats where there are fewer."""
    rows = running.rows.stop
    cells = [cell for cell in sorted_cells(comparison) if not cell.failed]
    shown = [(f"{REFERENCE}, {name}", end) for name, end in running.targets.items()]
    shown += [(cell.label, running.ends[cell.sampler, cell.schedule, cell.steps]) for cell in cells]
    shown = [shown[min(row, len(shown) - 1)] for row in range(rows)]
    p.extra_generation_params.pop("Schedule type", None)
    p.extra_generation_params[COMPARED] = [name for name, _ in shown]
    p.all_seeds[:], p.seeds[:] = [COMPARE_SEED] * len(p.all_seeds), [COMPARE_SEED] * len(p.seeds)
    p.sampler_name = comparison.cells[0].sampler
    return torch.cat([end for _, end in shown]).to(running.runs.start)
