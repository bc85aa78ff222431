"""The tools of the product over the zoo, without a host, and whether what each of them says is so.

`Told` is what a tool says; `judge` runs everything anew, every image alone, without remembered calls, and compares.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from sigmasmith.schedules.adaptive.equidistribution import frozen_sigmas
from sigmasmith.schedules.adaptive.pilot import run_pilot
from sigmasmith.schedules.core.finite import check_finite
from sigmasmith.schedules.core.metrics import geometric_mean, sample_errors
from sigmasmith.schedules.core.sigmas import finish_sigmas
from sigmasmith.schedules.fitting.budget import Budget
from sigmasmith.schedules.fitting.calibrate import solve_schedules
from sigmasmith.schedules.fitting.self_test.in_run import model_facts
from sigmasmith.schedules.fitting.self_test.random_state import random_state
from sigmasmith.schedules.fitting.self_test.runs import starter
from sigmasmith.schedules.fitting.self_test.samplers import SAME, SamplerFacts, apart, facts_in_run, sampler_facts
from sigmasmith.schedules.fitting.self_test.verdict import ModelTest, check_sampler_facts, named, sampler_on, self_test
from sigmasmith.schedules.fitting.settings import Sampling, Searching
from sigmasmith.schedules.fitting.sketch import Sketch
from sigmasmith.schedules.fitting.teacher.teacher import run_teacher
from sigmasmith.schedules.fitting.teacher_levels import teacher_sigmas
from sigmasmith.schedules.hosting.named_curves import CURVES
from sigmasmith.schedules.samplers.by_name import own_sampler
from torch import Tensor

from .hostile_samplers import SAMPLERS
from .tiny_host import RANGE, ROWS, SHAPE, TinyHost, noise
from .zoo import ALONE, REFUSED, RIGHT, TOLD, WHOLE

STEPS = 3
TWO = slice(0, 2)


@dataclass(frozen=True)
class Cell:
    """One guider, some patches and a sampler."""

    guider: str = "plain"
    patches: tuple[str, ...] = ()
    sampler: str = "euler"

    def host(self) -> TinyHost:
        return TinyHost(self.guider, self.patches)

    def sampler_for(self) -> Callable[[slice], Any]:
        return sampler_on(self.sampler, SAMPLERS[self.sampler].make(), RANGE, SHAPE, 0)

    def end_alone(self, sigmas: Tensor, row: int) -> Tensor:
        """End state of an image alone in a host of its own: the truth."""
        rows = slice(row, row + 1)
        return self.host().end(self.sampler_for()(rows), sigmas.clone(), rows).float()

    def reference_alone(self, nodes: int, row: int) -> Tensor:
        budget, levels = Budget(1, 0.0), teacher_sigmas(nodes, RANGE)
        return run_teacher(self.host(), levels, slice(row, row + 1), Sketch(6, 6), budget).end.float()


@dataclass(frozen=True)
class Told:
    """What a tool said, one of the zoo's kinds, and the words; `wrong` where a number is not so."""

    kind: str
    words: str = ""
    wrong: str = ""


def said(run: Callable[[], Told]) -> Told:
    """What a tool said, a refusal included."""
    try:
        return run()
    except ValueError as error:  # SelfTestError and ModelError are
        return Told(REFUSED, str(error))


def kind_of(notes: str) -> str:
    if "alone: the schedule is for batches of one" in notes or "takes one image at a time" in notes:
        return ALONE
    return WHOLE if "every run was made whole" in notes else RIGHT


def fit(cell: Cell) -> Told:
    """A fit, its error of the schedule that won held against every image alone."""

    def run() -> Told:
        host = cell.host()
        sampling = Sampling(RANGE, {cell.sampler: SAMPLERS[cell.sampler].make()}, (STEPS,))
        baselines = {name: (lambda steps, name=name: CURVES[name](steps, 0.03, 14.6)) for name in ("karras", "tangent")}
        made = solve_schedules(host, noise(), sampling, Searching(baselines, "fast"))
        report, notes = made.report, str(made.report)
        if "Nothing was fitted" in notes:
            return Told(kind_of(notes), notes)
        row, held = report.rows[STEPS], range(ROWS - report.held_out, ROWS)
        ends = torch.cat([cell.end_alone(made.schedules[STEPS], r) for r in held])
        stochastic = sampling.draws_noise
        aims = [None if stochastic else cell.reference_alone(24, r) for r in held]
        if stochastic:  # against itself with many steps
            levels = finish_sigmas(teacher_sigmas(40, RANGE))
            aims = [cell.end_alone(levels, r) for r in held]
        true = geometric_mean(sample_errors(ends, torch.cat(aims)))  # pyright: ignore[reportArgumentType]
        told = row.errors[row.chosen]
        wrong = "" if abs(told - true) <= 0.05 * true + 2e-3 else f"error {told:.4g} is {true:.4g}"
        return Told(kind_of(notes), notes, wrong)

    return said(run)


def compare(cell: Cell) -> Told:
    """Runs of two images on one list, as Compare makes them, against images alone."""

    def run() -> Told:
        host, sampler_for = cell.host(), cell.sampler_for()
        facts = sampler_facts(host, sampler_for, RANGE, TWO)
        check_sampler_facts(cell.sampler, facts)
        notes = " ".join(tested(host).notes)
        sigmas = CURVES["karras"](STEPS, 0.03, 14.6)
        with named(cell.sampler, facts):
            ends = host.end(sampler_for(TWO), sigmas.clone(), TWO).float()
        check_finite(ends, 0.0, 0)
        return Told(kind_of(notes), notes, away(ends, torch.cat([cell.end_alone(sigmas, row) for row in (0, 1)])))

    return said(run)


def adaptive(cell: Cell) -> Told:
    """A pilot of two images, against images alone."""

    def run() -> Told:
        host, sampler_for = cell.host(), cell.sampler_for()
        facts = sampler_facts(host, sampler_for, RANGE, TWO)
        check_sampler_facts(cell.sampler, facts)
        notes = " ".join(tested(host).notes)
        pilot = run_pilot(host, TWO, RANGE, 12)
        alone = [run_pilot(cell.host(), slice(row, row + 1), RANGE, 12).end for row in (0, 1)]
        sigmas = frozen_sigmas(pilot, 2, STEPS, RANGE)
        with named(cell.sampler, facts):
            host.end(sampler_for(TWO), sigmas.clone(), TWO)
        wrong = away(pilot.end.float(), torch.cat(alone).float())
        return Told(kind_of(notes), notes, wrong if len(sigmas) == STEPS + 1 else "the schedule has another length")

    return said(run)


def apply(cell: Cell) -> Told:
    """A list as a run uses it: it reaches the model, and images end where they end alone, or the self-test says."""

    def run() -> Told:
        host, sampler_for, sigmas = cell.host(), cell.sampler_for(), CURVES["tangent"](STEPS, 0.03, 14.6)
        verdict = self_test(host, {cell.sampler: SAMPLERS[cell.sampler].make()}, RANGE, SHAPE, ROWS, Budget(ROWS, 0.0))
        host.levels.clear()
        end = host.end(sampler_for(slice(0, 1)), sigmas.clone(), slice(0, 1)).float()
        check_finite(end, 0.0, 0)
        missing = [
            level for level in sigmas[:-1].tolist() if all(abs(level - seen) > 1e-4 * level for seen in host.levels)
        ]
        wrong = f"levels {missing} were not visited" if missing else away(end, cell.end_alone(sigmas, 0))
        return Told(kind_of(" ".join(verdict.notes)), " ".join(verdict.notes), wrong)

    return said(run)


def variance(cell: Cell) -> Told:
    """What is told of noise that nobody gave and of the model, against runs with other random states and alone."""

    def run() -> Told:
        host, sampler_for = cell.host(), cell.sampler_for()
        found: list[SamplerFacts] = []
        words: list[str] = []
        sigmas = CURVES["karras"](STEPS, 0.03, 14.6)

        def look(model: Any, x: Tensor, sigmas: Tensor, extra_args: Any = None, **_: Any) -> Tensor:
            found.append(facts_in_run(sampler_for(TWO), model, x, sigmas, extra_args, flow=False))
            assert not host.calls  # a sampler is tried on a stand-in
            words.extend(model_facts(model, x, sigmas, extra_args).in_words())
            return x

        try:
            host(look, sigmas, TWO)
        except (KeyError, IndexError, RuntimeError):  # nor can the run itself be made
            return Told(RIGHT, wrong="a run can be made" if _runs(cell, sigmas) else "")
        if found[0].draws:
            return Told(TOLD, "draws noise")
        if found[0].coupled:
            words.append("others in its batch")
        return Told(TOLD if words else RIGHT, " ".join(words), _unlike(cell, sigmas, bool(words)))

    return said(run)


def _runs(cell: Cell, sigmas: Tensor) -> bool:
    try:
        cell.host().end(cell.sampler_for()(TWO), sigmas.clone(), TWO)
    except (KeyError, IndexError, RuntimeError, ValueError):
        return False
    return True


def _unlike(cell: Cell, sigmas: Tensor, told: bool) -> str:
    """What is wrong where an image is not the same alone, or in another random state, and nothing was told of it."""
    host, ends = cell.host(), []
    try:
        for state, rows in ((1, TWO), (2, TWO), (1, slice(0, 1)), (1, slice(1, 2))):
            with random_state(state):
                ends.append(host.end(cell.sampler_for()(rows), sigmas.clone(), rows).float())
    except (IndexError, RuntimeError, ValueError):  # the sampler's own failure
        return ""
    if len(ends[0]) != 2 or not all(bool(torch.isfinite(end).all()) for end in ends):
        return ""
    away = max(apart(ends[1], ends[0]), apart(torch.cat(ends[2:]), ends[0]))
    return "" if (away > SAME) is told else f"told: {told}, but {away:.3g} away"


def tested(host: TinyHost) -> Any:
    """The verdict on the model as Compare and Adaptive ask for it."""
    euler = starter(own_sampler("euler"))
    return ModelTest(host, euler, RANGE, TWO, Budget(ROWS, 0.0), remembers=False).verdict()


def away(ends: Tensor, true: Tensor) -> str:
    if ends.shape != true.shape:
        return f"shape {tuple(ends.shape)} for {tuple(true.shape)}"
    distance = float((ends.double() - true.double()).square().mean().sqrt())
    return "" if distance <= 0.02 * float(true.square().mean().sqrt()) + 1e-4 else f"{distance:.4g} away from the truth"


TOOLS = {"fit": fit, "apply": apply, "compare": compare, "adaptive": adaptive, "variance": variance}
