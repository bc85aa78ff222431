"""The comparison behind Sigmasmith Compare Schedules: its cells, and what to know of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from ...schedules.comparison.comparison import Comparison
from ...schedules.comparison.running import CellRun, CellRunner
from ...schedules.core.sigmas import check_sigmas
from ...schedules.core.words import Phrase
from ...schedules.hosting.whole_runs import preset_run
from ...schedules.presets.preset import Preset
from ...schedules.samplers.fitted import NAME
from ..host import messages
from ..host.guard import check_fittable
from ..host.latents import latent_rows
from ..host.messages import NodePage
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
from .runners import Contender, behaviour, chosen_schedule, given_runner, named_runner, schedule_names

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


def compare(request: CompareRequest) -> CompareResult:
    """Run everything.

    Raises:
        ValueError: names the input to change.
    """
    check_fittable(request.guider, "comparison")
    model = request.guider.model_patcher
    latents = latent_rows(model, request.latent, request.seeds)
    runs = GuiderRuns(request.guider, latents, request.first_seed)
    planned = _planned(request, model, runs)
    runners = {runner.label: runner for runner, _ in planned}
    cells = [cell for _, cell in planned]
    running = CellRunner(
        runs,
        cells,
        request.seeds,
        sigma_range_of(model),
        request.reference_steps,
        progress=progress_bar(
            runs, NodePage(request.node_id), None, work=Phrase("The comparison"), more=Phrase(" more")
        ),
        passes=messages.is_interrupt,
        kept=PICTURED,
    )
    notes = list(dict.fromkeys(runner.note for runner, _ in planned if runner.note))
    tests = [behaviour(runner, runs) for runner in runners.values()]
    running.message = Phrase("self-test")
    tests += try_model(runs, running.called)
    result = running.result()
    own = {*request.given_sigmas, *SCHEDULER_NAMES}
    if request.preset is not None:
        own.add(preset_label(request.preset))
    seeds = tuple(range(request.first_seed, request.first_seed + request.seeds))
    notes += [*_notes(request, runs, cells), *filter(None, tests)]
    comparison = Comparison(result.cells, seeds, result.targets, frozenset(own), tuple(notes))
    return CompareResult(comparison, result.ends, result.target_ends, runs.guider.model_patcher)


def _planned(request: CompareRequest, model: Any, runs: GuiderRuns) -> list[tuple[Contender, CellRun]]:
    """The cells to run with their samplers, checked before the first model call."""
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
    plans: list[tuple[Contender, str, Tensor]] = []
    for runner in runners:
        for count in counts:
            made = {
                choice.label: chosen_schedule(model, choice, count, runner.drops, runner.name) for choice in choices
            }
            plans += [(runner, label, sigmas) for label, sigmas in made.items()]
            if request.preset is not None:
                own, sigmas = _own_runner(runner, request, runs), preset_run(request.preset, count)[0]
                plans.append((own, preset_label(request.preset), sigmas))
        plans += [(runner, label, sigmas) for label, sigmas in lists.items()]
    if len(plans) < 1:
        raise ValueError("schedules is empty; type names such as simple, karras, or connect SIGMAS")
    if len(plans) > MAX_CELLS:
        raise ValueError(f"schedules: this makes {len(plans)} runs, at most {MAX_CELLS} are compared at once")
    rows = slice(0, request.seeds)
    return [
        (runner, CellRun(runner.label, label, sigmas, runner.for_rows(rows), runner.noisy))
        for runner, label, sigmas in plans
    ]


def _own_runner(runner: Contender, request: CompareRequest, runs: GuiderRuns) -> Contender:
    """The sampler as it runs the connected preset: the fitted one with the preset's coefficients."""
    if runner.label != NAME:
        return runner
    return given_runner(NAME, multistep_sampler(request.preset, request.node_id), runs)


def preset_label(preset: Preset) -> str:
    """The report's name for a connected preset."""
    return f"preset {preset.name or preset.short_hash}"


def _notes(request: CompareRequest, runs: GuiderRuns, cells: Sequence[CellRun]) -> list[str]:
    """All else to know, in sentences."""
    model = runs.guider.model_patcher
    starts = {cell.schedule: float(cell.sigmas[0]) for cell in reversed(cells)}
    notes = [*low_starts(starts, sigma_range_of(model).sigma_max), *fallbacks(model, starts)]
    if request.preset is not None:
        shape = tuple(runs.noise.shape[1:])
        notes += preset_differences(request.preset, preset_label(request.preset), request.guider, shape)
    if "noise_mask" in request.latent:
        notes.append("The mask of the latent was not used: whole images are compared.")
    return list(filter(None, notes))
