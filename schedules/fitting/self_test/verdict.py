"""The verdict of the self-test: go on, forget no call, one row at a time, or refuse and say why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from torch import Tensor

from ...core.noise_space import SigmaRange
from ...core.run import Run, RunsInTurn, RunsRowByRow
from ...core.sigmas import finish_sigmas
from ...core.types import SamplerFunction
from ...core.words import Phrase
from ...samplers.brownian import BrownianPath, is_stochastic, on_path
from ...samplers.by_name import own_sampler
from ..budget import Budget
from ..teacher_levels import teacher_sigmas
from ..verdict import Verdict
from .faults import SelfTestError, named_model
from .runs import Recorded, Runner, starter
from .samplers import SAME, SamplerFacts, SamplerFor, sampler_facts

# A row alone may differ from the same row among others by this: half-precision kernels add up in another order there.
SAME_ROW = 0.02
# Noise levels of the model's runs, and a sampler that takes more calls for them than this is tried on a stand-in alone.
LEVELS = 3
MOST_CALLS = 5


def self_test(
    run: Run,
    samplers: Mapping[str, SamplerFunction],
    sigma_range: SigmaRange,
    shape: tuple[int, ...],
    rows: int,
    budget: Budget,
    suspects: str = "",
    seed: int = 0,
) -> Verdict:
    """Try samplers on a stand-in and the model in a few short runs; `run` then makes its runs as the verdict says.

    It costs at most `most_evaluations`.

    Args:
        samplers: by name; the first one also runs on the model.
        sigma_range: the levels that will run.
        shape: of one row; `rows`: of the batch.
        budget: counts the calls.
        suspects: what the host knows on the model that may be the cause of a refusal, as a sentence, or "".
        seed: of the noise paths.
    Raises:
        SelfTestError: says what cannot be done, and why. ModelError: NaN from the model.
    """
    message, budget.message = budget.message, Phrase("self-test")
    several = slice(0, min(2, rows)) if run.splits else slice(0, rows)
    facts: dict[str, SamplerFacts] = {}
    for name, function in samplers.items():
        facts[name] = sampler_facts(run, sampler_on(name, function, sigma_range, shape, seed), sigma_range, several)
        check_sampler_facts(name, facts[name])
    name, function = next(iter(samplers.items()))
    sampler = sampler_on(name, function, sigma_range, shape, seed)
    if facts[name].calls > MOST_CALLS + 2:  # of one level more than the model's runs have
        sampler = starter(own_sampler("euler"))
    tests = [
        ModelTest(part, sampler, levels, several, budget, suspects, most=most)
        for part, levels, most in _parts(run, sigma_range)
    ]
    with named(name, facts[name]):
        verdicts = [test.verdict() for test in tests]
    budget.message = message
    notes = tuple(dict.fromkeys(note for verdict in verdicts for note in verdict.notes))
    return Verdict(all(one.remembers for one in verdicts), all(one.together for one in verdicts), notes)


def _parts(run: Run, sigma_range: SigmaRange) -> list[tuple[Run, SigmaRange, int]]:
    """The runs of each model alone, with its levels and how many of them a test runs at."""
    if not isinstance(run, RunsInTurn):
        # Where every call costs the whole batch, a run is one call shorter.
        return [(run, sigma_range, LEVELS if run.splits else LEVELS - 1)]
    low, high, flow = sigma_range.sigma_min, sigma_range.sigma_max, sigma_range.flow
    # At the boundary itself the first model runs.
    ranges = (SigmaRange(run.boundary, high, flow), SigmaRange(low, run.boundary * (1.0 - 1e-3), flow))
    return [(part, levels, LEVELS - 1) for part, levels in zip((run.first, run.second), ranges)]


def most_evaluations(run: Run, rows: int) -> float:
    """Evaluations per sample that a self-test with a verdict costs at most.

    Seven runs of LEVELS levels on one row, or on a whole batch five calls; with two calls per step 35 and 9.
    """
    return 7 * MOST_CALLS / rows if run.splits else 9.0


def sampler_on(
    name: str, function: SamplerFunction, sigma_range: SigmaRange, shape: tuple[int, ...], seed: int
) -> SamplerFor:
    """rows -> the sampler as a fit runs it: one that takes noise has it from those rows' Brownian paths."""
    if not is_stochastic(function, name):
        return starter(function)
    return lambda rows: on_path(function, BrownianPath(shape, sigma_range.sigma_max, seed, rows))


def check_sampler_facts(name: str, facts: SamplerFacts) -> None:
    """Raise SelfTestError where no schedule can be fitted for the sampler."""
    if facts.remembers:
        raise SelfTestError(
            f"sampler: {name} gives another result each time, with the same seed and random numbers: it keeps "
            "something from run to run, or draws noise from a generator of its own"
        )
    if facts.draws:
        raise SelfTestError(
            f"sampler: {name} draws noise of its own that cannot be given to it: two runs that differ in nothing but "
            f"the random numbers end {facts.draws:.2g} of their size apart, and no schedule changes that. Choose one "
            "without noise (eta 0), such as dpmpp_2m"
        )
    if facts.broken:
        raise SelfTestError(f"sampler: {name} cannot be used: {facts.broken}")
    if facts.coupled:
        raise SelfTestError(f"sampler: with {name} the result of an image depends on the others in its batch")
    if facts.ignores and not facts.fault:
        raise SelfTestError(f"sampler: {name} chooses its noise levels itself and ignores every schedule")


@contextmanager
def named(name: str, facts: SamplerFacts) -> Iterator[None]:
    """While a sampler runs: where it fails as it did on the stand-in, the error names it as the cause."""
    try:
        yield
    except Exception as error:
        if facts.fault:
            raise SelfTestError(f"sampler: {name} cannot run: {facts.fault}") from error
        raise


@dataclass
class ModelTest:
    """The runs of a model and what follows from them.

    Args: as of `self_test`, and
        rows: that are tried: the whole batch where it cannot be split.
        remembers: whether whoever asks would answer calls from earlier runs.
        most: levels of a run.
    """

    run: Run
    sampler_for: SamplerFor
    sigma_range: SigmaRange
    rows: slice
    budget: Budget
    suspects: str = ""
    remembers: bool = True
    most: int = LEVELS

    def __post_init__(self) -> None:
        few = finish_sigmas(teacher_sigmas(LEVELS, self.sigma_range)[: self.most])
        self.runner = Runner(self.run, self.sampler_for, few, self.budget)

    def verdict(self) -> Verdict:
        """The decision; the run is told where its rows must run one at a time."""
        if not self.run.splits or self.rows.stop == 1:
            whole = self._tried(self.rows)
            self._check_repeats(whole, self.rows)
            return self._decided(whole, self.rows, "")
        return self._of_rows()

    def _of_rows(self) -> Verdict:
        try:
            together, refused = self._tried(self.rows), ""
        except SelfTestError as error:
            together, refused = None, str(error.__cause__ or error)
        if together is not None:
            self._check_repeats(together, self.rows)
        alone = [self._tried(slice(row, row + 1)) for row in range(self.rows.stop)]
        if together is None:
            self._check_repeats(alone[0], slice(0, 1))
            return self._decided(alone[0], slice(0, 1), f"The model takes one image at a time ({refused}); so it ran.")
        distance = max(one.apart(together.rows(slice(row, row + 1))) for row, one in enumerate(alone))
        if distance <= SAME_ROW:
            return self._decided(alone[0], slice(0, 1), "")
        note = (
            f"An image's result depends on the others in its batch ({distance:.2g} of its size), so every image ran "
            "alone: the schedule is for batches of one."
        )
        verdict = self._decided(alone[0], slice(0, 1), note)
        self._check_alone(alone)
        return verdict

    def _check_alone(self, alone: list[Recorded]) -> None:
        """Raise where rows that take turns still differ from rows alone."""
        again = self._tried(self.rows)
        distance = max(one.apart(again.rows(slice(row, row + 1))) for row, one in enumerate(alone))
        if distance > SAME_ROW:
            raise SelfTestError(
                f"model: an image's result depends on the others in its batch ({distance:.2g} of its size), even where "
                f"they take turns.{self._hint()}"
            )

    def _decided(self, known: Recorded, rows: slice, alone: str) -> Verdict:
        """The verdict, once a run with remembered calls was held against a whole one."""
        if alone:
            if not isinstance(self.run, RunsRowByRow):
                raise SelfTestError(f"model: {alone[0].lower()}{alone[1:]} This host cannot do that.{self._hint()}")
            self.run.one_row_at_a_time()
        distance = self._memory(known, rows)
        notes = [alone] if alone else []
        said = f"differs by {distance:.2g} of its size" if distance < float("inf") else "fails"
        if distance > SAME:
            notes.append(
                "The guidance, a patch or the sampler keeps something from call to call (a run with remembered calls "
                f"{said}), so every run was made whole; that costs more calls for the same search."
            )
            if alone and self.rows.stop > 1:
                raise SelfTestError(
                    "model: it keeps something from call to call, and images cannot run together: "
                    f"{alone[0].lower()}{alone[1:]}{self._hint()}"
                )
        return Verdict(distance <= SAME, not alone, tuple(notes))

    def _memory(self, known: Recorded, rows: slice) -> float:
        """How far runs that remember their first call, and all calls but the last, are from the whole one."""
        last = len(known.outputs) - 1
        if last < 1 or not self.remembers:
            return 0.0
        answers = [{0: known.outputs[0]}]
        if last > 1:
            answers.append(dict(enumerate(known.outputs[:last])))
        try:
            return max(self._tried(rows, 1, given).apart(known) for given in answers)
        except SelfTestError:  # CFG++ samplers read what a remembered call does not leave them
            return float("inf")

    def _check_repeats(self, first: Recorded, rows: slice) -> None:
        """Raise where the same run gives another result."""
        distance = self._tried(rows, 2).apart(first)
        if distance <= SAME:
            return
        if self._tried(rows, 1).apart(first) <= SAME:
            cause = "it draws random numbers at every call"
        else:
            cause = "it keeps something from run to run, or draws random numbers of its own"
        raise SelfTestError(
            f"model: the same run gives another result each time ({distance:.2g} of its size): {cause}. Nothing can be "
            f"compared through it; bypass what does that and try again.{self._hint()}"
        )

    def _tried(self, rows: slice, state: int = 1, remembered: dict[int, Tensor] | None = None) -> Recorded:
        """A run; what a model raises is its own and becomes a SelfTestError."""
        with named_model(self.suspects):
            try:
                return self.runner(rows, state, remembered)
            except Exception as error:
                cancelled = self.runner.cancelled
                if cancelled is None or error is not cancelled:
                    raise
        raise cancelled  # outside of `named_model`: it is not the model's

    def _hint(self) -> str:
        return f" {self.suspects}" if self.suspects else ""
