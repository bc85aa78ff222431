"""The self-test of a fit (schedules/fitting/self_test) for nodes that run whole runs and remember none."""

from __future__ import annotations

from collections.abc import Callable

from ...schedules.fitting.budget import Budget
from ...schedules.fitting.self_test.runs import starter
from ...schedules.fitting.self_test.samplers import SamplerFacts, SamplerFor, sampler_facts
from ...schedules.fitting.self_test.verdict import ModelTest
from ...schedules.samplers.by_name import own_sampler
from .guard import suspects_in_words
from .noise_levels import sigma_range_of
from .runs import GuiderRuns


def try_model(runs: GuiderRuns, called: Callable[[int], None]) -> tuple[str, ...]:
    """Try the model in four short runs; sentences on how `runs` then makes its runs.

    Args:
        called: told the number of rows of every model call after it.
    Raises:
        SelfTestError: nothing can be compared through the model; says why.
    """
    budget, told = Budget(runs.noise.shape[0], 0.0), [0]

    def progress(*_: object) -> None:
        rows, told[0] = budget.rows_evaluated - told[0], budget.rows_evaluated
        called(rows)

    budget.progress = progress
    suspects, levels = suspects_in_words([runs.guider]), sigma_range_of(runs.guider.model_patcher)
    test = ModelTest(runs, starter(own_sampler("euler")), levels, few_rows(runs), budget, suspects, remembers=False)
    return test.verdict().notes


def facts_of(runs: GuiderRuns, sampler_for: SamplerFor) -> SamplerFacts:
    """How a sampler behaves on a stand-in for the model; no model call."""
    return sampler_facts(runs, sampler_for, sigma_range_of(runs.guider.model_patcher), few_rows(runs))


def few_rows(runs: GuiderRuns) -> slice:
    """The rows that are tried."""
    return slice(0, min(2, runs.noise.shape[0]))
