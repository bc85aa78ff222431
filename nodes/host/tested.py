"""The self-test of a fit (schedules/fitting/self_test) for nodes that run whole runs and remember none."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from torch import Tensor

from ...schedules.fitting.budget import Budget
from ...schedules.fitting.self_test.in_run import model_facts
from ...schedules.fitting.self_test.runs import starter
from ...schedules.fitting.self_test.samplers import SamplerFacts, SamplerFor, sampler_facts
from ...schedules.fitting.self_test.verdict import ModelTest
from ...schedules.hosting import LOGGER_NAME
from ...schedules.samplers.by_name import own_sampler
from . import messages
from .changes import changes_of, digest, hooks_of
from .guard import step_state, suspects_in_words
from .guiders import conditionings_of, guidance_facts
from .identity import model_identity
from .noise_levels import sigma_range_of
from .runs import GuiderRuns

# What was seen of models in runs of this session, by a digest of all that hangs on them.
_seen: OrderedDict[str, list[str]] = OrderedDict()
_MOST_SEEN = 64


def seen_in_run(model: Any, x: Tensor, sigmas: Tensor, extra_args: dict[str, Any]) -> list[str]:
    """Sentences on a model that runs now, as `ModelFacts.in_words`; looked at once in a session with what is on it.

    Args:
        model, x, sigmas, extra_args: as a sampler function of the host is given them; x at sigmas[0].
    """
    guider = model.inner_model
    if step_state(guider):  # a cache would answer in the model's place
        return []
    hung = [changes_of(guider.model_patcher), hooks_of(conditionings_of(guider)), guidance_facts(guider), x.shape]
    key = digest([repr(model_identity(guider.model_patcher)), type(guider), *hung])
    if key not in _seen:
        try:
            said = model_facts(model, x, sigmas, extra_args).in_words()
        except Exception as error:  # the run itself is done, and its image is not lost to a look at it
            if messages.is_interrupt(error):
                raise
            logging.getLogger(LOGGER_NAME).debug("Sigmasmith could not look at the model", exc_info=True)
            said = []
        _seen[key] = [*said, suspects_in_words([guider])] if said else []
        while len(_seen) > _MOST_SEEN:
            _seen.popitem(last=False)
    return list(filter(None, _seen[key]))


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
    with messages.interrupts_first():
        return test.verdict().notes


def facts_of(runs: GuiderRuns, sampler_for: SamplerFor) -> SamplerFacts:
    """How a sampler behaves on a stand-in for the model; no model call."""
    return sampler_facts(runs, sampler_for, sigma_range_of(runs.guider.model_patcher), few_rows(runs))


def few_rows(runs: GuiderRuns) -> slice:
    """The rows that are tried."""
    return slice(0, min(2, runs.noise.shape[0]))
