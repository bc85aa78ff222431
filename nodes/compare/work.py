"""The comparison behind Sigmasmith Compare Schedules: targets, then one run of all seeds per cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from ...schedules.comparison.comparison import SOLUTION, Cell, Comparison, Target
from ...schedules.core.finite import ModelError, check_finite
from ...schedules.core.metrics import mode_switches, sample_errors
from ...schedules.core.sigmas import check_sigmas, finish_sigmas
from ...schedules.fitting.budget import Budget
from ...schedules.fitting.effort import TOLERANCE
from ...schedules.fitting.sketch import Sketch
from ...schedules.fitting.teacher.reference import STOCHASTIC_TOLERANCE, agreement
from ...schedules.fitting.teacher.teacher import run_teacher
from ...schedules.fitting.teacher_levels import teacher_sigmas
from ...schedules.hosting.whole_runs import preset_run
from ...schedules.presets.preset import Preset
from ...schedules.samplers.fitted import NAME
from ..host import messages
from ..host.guard import check_fittable
from ..host.latents import latent_rows
from ..host.multistep import multistep_sampler
from ..host.noise_levels import check_same_noise, sigma_range_of
from ..host.progress import progress_bar
from ..host.runs import GuiderRuns
from ..host.samplers import sampler_names
from ..host.tested import try_model
from ..registration import SCHEDULER_NAMES
from ..text import parse_steps
from .grid import parse_samplers, parse_schedules
from .notes import fallbacks, low_starts, preset_differences
from .runners import Runner, behaviour, chosen_schedule, given_runner, named_runner, run_sampler, schedule_names

MAX_CELLS = 200
# Samples that are kept for the pictures.
PICTURED = 2


@dataclass(frozen=True)
class CompareRequest:
    """The inputs of the node.

    Args:
        guider: the host's, with its conditionings set.
        given_sigmas, given_samplers: input name -> SIGMAS or SAMPLER, those that are connected.
        node_id: of the node, for messages on the page.
    """

    guider: Any
    latent: dict[str, Any]
    schedules: str
    samplers: str
    steps: str
    seeds: int
    first_seed: int
    reference_steps: int
    preset: Preset | None = None
    given_sigmas: Mapping[str, Tensor] = field(default_factory=dict)
    given_samplers: Mapping[str, Any] = field(default_factory=dict)
    node_id: Any = None


@dataclass(frozen=True)
class CompareResult:
    """The numbers of a comparison, and samples to show.

    Attributes:
        comparison: numbers.
        ends: (sampler, schedule, steps) -> (PICTURED, ...) end states of the first samples, in model space.
        targets: target name -> the same of the target.
        model: the host's, to bring them into the latent space of a VAE.
    """

    comparison: Comparison
    ends: Mapping[tuple[str, str, int], Tensor]
    targets: Mapping[str, Tensor]
    model: Any


@dataclass(frozen=True)
class _Plan:
    """One cell to run."""

    runner: Runner
    schedule: str
    sigmas: Tensor

    @property
    def target(self) -> str:
        """Name of the target of its errors."""
        return f"{self.runner.label} itself on its noise path" if self.runner.noisy else SOLUTION


def compare(request: CompareRequest) -> CompareResult:
    """Run everything.

    Raises:
        ValueError: names the input to change.
    """
    check_fittable(request.guider, "comparison")
    model = request.guider.model_patcher
    latents = latent_rows(model, request.latent, request.seeds)
    runs = GuiderRuns(request.guider, latents, request.first_seed)
    plans = _plans(request, model, runs)
    return _Running(request, runs, plans).result()


def _plans(request: CompareRequest, model: Any, runs: GuiderRuns) -> list[_Plan]:
    """The cells to run, checked before the first model call."""
    lists = {name: check_sigmas(sigmas, name=name) for name, sigmas in request.given_sigmas.items()}
    typed = request.steps.strip() or ", ".join(dict.fromkeys(str(len(sigmas) - 1) for sigmas in lists.values()))
    runners = [named_runner(name, runs) for name in parse_samplers(request.samplers, sampler_names())]
    runners += [given_runner(name, sampler, runs) for name, sampler in request.given_samplers.items()]
    if not runners:
        raise ValueError("samplers is empty; type one or more names, such as euler, dpmpp_2m")
    choices = parse_schedules(request.schedules, schedule_names(model))
    if request.preset is not None:
        check_same_noise(model, request.preset)
    counts = parse_steps(typed) if choices or request.preset else ()
    plans: list[_Plan] = []
    for runner in runners:
        for count in counts:
            made = {choice.label: chosen_schedule(model, choice, count, runner.drops) for choice in choices}
            plans += [_Plan(runner, label, sigmas) for label, sigmas in made.items()]
            if request.preset is not None:
                own, sigmas = _own_runner(runner, request, runs), preset_run(request.preset, count)[0]
                plans.append(_Plan(own, preset_label(request.preset), sigmas))
        plans += [_Plan(runner, label, sigmas) for label, sigmas in lists.items()]
    if len(plans) < 1:
        raise ValueError("schedules is empty; type names such as simple, karras, or connect SIGMAS")
    if len(plans) > MAX_CELLS:
        raise ValueError(f"schedules: this makes {len(plans)} runs, at most {MAX_CELLS} are compared at once")
    return plans


def _own_runner(runner: Runner, request: CompareRequest, runs: GuiderRuns) -> Runner:
    """The sampler as it runs the connected preset: the fitted one with the preset's coefficients."""
    if runner.label != NAME:
        return runner
    return given_runner(NAME, multistep_sampler(request.preset, request.node_id), runs)


def preset_label(preset: Preset) -> str:
    """The report's name for a connected preset."""
    return f"preset {preset.name or preset.short_hash}"


class _Running:
    """A comparison under way."""

    def __init__(self, request: CompareRequest, runs: GuiderRuns, plans: list[_Plan]) -> None:
        self.request, self.runs, self.plans = request, runs, plans
        self.rows = slice(0, runs.noise.shape[0])
        self.message = "reference"
        self._rows_called = 0
        self._bar = progress_bar(runs, request.node_id, None, "the comparison", " more")
        self._left = sum(len(plan.sigmas) - 1 for plan in plans)
        self._tests: list[str] = []
        self._left += len({plan.target for plan in plans}) * (request.reference_steps + request.reference_steps // 2)

    def result(self) -> CompareResult:
        """Samplers and model tried, then targets, then the cells in order."""
        runners = {plan.runner.label: plan.runner for plan in self.plans}
        self._tests = [behaviour(runner, self.runs) for runner in runners.values()]
        self.message = "self-test"
        self._tests += try_model(self.runs, self._called)
        self.message = "reference"
        targets: dict[str, Target] = {}
        ends: dict[str, Tensor] = {}
        for plan in self.plans:
            if plan.target not in targets:
                targets[plan.target], ends[plan.target] = self._target(plan)
        cells: list[Cell] = []
        pictured: dict[tuple[str, str, int], Tensor] = {}
        for plan in self.plans:
            cell, end = self._cell(plan, ends[plan.target])
            cells.append(cell)
            if end is not None:
                pictured[(cell.sampler, cell.schedule, cell.steps)] = end[:PICTURED].clone()
        own = {*self.request.given_sigmas, *SCHEDULER_NAMES}
        if self.request.preset is not None:
            own.add(preset_label(self.request.preset))
        first = self.request.first_seed
        comparison = Comparison(
            tuple(cells),
            tuple(range(first, first + self.request.seeds)),
            targets,
            frozenset(own),
            tuple(self._notes()),
        )
        kept = {name: end[:PICTURED].clone() for name, end in ends.items()}
        return CompareResult(comparison, pictured, kept, self.runs.guider.model_patcher)

    def _target(self, plan: _Plan) -> tuple[Target, Tensor]:
        """The end states that the cell's errors are measured from, and how far they can be trusted."""
        levels = self.request.reference_steps
        run = self._noisy_end if plan.runner.noisy else self._solution
        coarse, fine = run(plan.runner, levels // 2), run(plan.runner, levels)
        error, converged = agreement(fine, coarse, STOCHASTIC_TOLERANCE if plan.runner.noisy else TOLERANCE)
        return Target(levels, error, converged), fine

    def _solution(self, _: Runner, levels: int) -> Tensor:
        sigma_range = sigma_range_of(self.runs.guider.model_patcher)
        budget = Budget(self.rows.stop, float(levels), progress=lambda *_: self._called(self.rows.stop))
        teacher = run_teacher(self.runs, teacher_sigmas(levels, sigma_range), self.rows, Sketch(1, 1), budget)
        return teacher.end.float().cpu()

    def _noisy_end(self, runner: Runner, levels: int) -> Tensor:
        sigmas = finish_sigmas(teacher_sigmas(levels, sigma_range_of(self.runs.guider.model_patcher)))
        return run_sampler(self.runs, runner.for_rows(self.rows), sigmas, self.rows, self._called)[0]

    def _cell(self, plan: _Plan, target: Tensor) -> tuple[Cell, Tensor | None]:
        """One cell; a run that breaks down is a result, not the end of the comparison."""
        steps = len(plan.sigmas) - 1
        self.message = f"{plan.runner.label} with {plan.schedule}, {steps} steps"
        before = self._rows_called
        try:
            end, seconds = run_sampler(self.runs, plan.runner.for_rows(self.rows), plan.sigmas, self.rows, self._called)
            if end.shape != target.shape:
                raise ValueError(f"it returned the shape {tuple(end.shape)} for {tuple(target.shape)}")
            check_finite(end, 0.0, steps - 1)
        except MemoryError:
            raise
        except Exception as error:  # another pack's sampler may raise anything
            if messages.is_interrupt(error):
                raise
            said = str(error) if isinstance(error, ModelError) else f"{type(error).__name__}: {error}"
            none = target.new_zeros(0).double()
            return Cell(plan.runner.label, plan.schedule, steps, none, failed=said, target=plan.target), None
        rows = self.rows.stop
        cell = Cell(
            plan.runner.label,
            plan.schedule,
            steps,
            sample_errors(end, target),
            (self._rows_called - before) / rows,
            seconds / rows,
            mode_switches(end, target),
            target=plan.target,
        )
        return cell, end

    def _called(self, rows: int) -> None:
        self._rows_called += rows
        done = round(self._rows_called / self.rows.stop)
        self._bar(done, max(done, self._left), self.message)

    def _notes(self) -> list[str]:
        request, model = self.request, self.runs.guider.model_patcher
        starts = {plan.schedule: float(plan.sigmas[0]) for plan in reversed(self.plans)}
        notes = list(dict.fromkeys(plan.runner.note for plan in self.plans if plan.runner.note))
        notes += low_starts(starts, sigma_range_of(model).sigma_max)
        notes += fallbacks(model, starts)
        if request.preset is not None:
            shape = tuple(self.runs.noise.shape[1:])
            notes += preset_differences(request.preset, preset_label(request.preset), request.guider, shape)
        notes += self._tests
        if "noise_mask" in request.latent:
            notes.append("The mask of the latent was not used: whole images are compared.")
        return list(filter(None, notes))
