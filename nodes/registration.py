"""Our three names in the host's scheduler dropdown, and what they answer.

A handler is told the model_sampling object and a step count, nothing else. The preset therefore rides on that object,
where SigmasmithApply put it, and which sampler runs is known where the running node of a queued graph names it.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, MutableMapping, MutableSequence
from functools import partial
from typing import Any
from weakref import WeakSet

from torch import Tensor

from ..schedules.core.noise_space import SigmaRange
from ..schedules.core.words import Phrase
from ..schedules.family.schedule import FamilySchedule, untuned_schedule
from ..schedules.hosting import LOGGER_NAME
from ..schedules.hosting.lists import at_sigma_max, preset_sigmas
from ..schedules.hosting.named_curves import CURVES
from ..schedules.samplers.fitted import NAME

OPTIMAL, COSINE, ADAPTIVE = "sigmasmith_optimal", "sigmasmith_cosine", "sigmasmith_adaptive"
SCHEDULER_NAMES = (OPTIMAL, COSINE, ADAPTIVE)
PRESET_ATTRIBUTE = "sigmasmith_preset"
# What was handed out lately, so that a run can be told from one with another scheduler; by the number of values, not of
# lists: a graph with hundreds of detailers hands out as many.
_handed_out: deque[tuple[float, ...]] = deque()
_MOST_VALUES = 500_000
Tell = Callable[[str, bool], None]
Note = Callable[[Tensor, Any], None]
# The model_sampling objects of which it was told that they run the family.
_told: WeakSet[Any] = WeakSet()


def register_schedulers(
    handlers: MutableMapping[str, Any],
    name_lists: list[MutableSequence[str]],
    make_handler: Callable[..., Any],
    drops_penultimate: Callable[[str], bool],
    is_flow: Callable[[Any], bool],
    tell: Tell | None = None,
    runs: Callable[[], str] | None = None,
    note: Note | None = None,
) -> None:
    """Append our names once, in place: the lists that other packs hold stay the same objects.

    Args:
        handlers: the host's name -> handler.
        name_lists: the host's list of names, and the dropdown's where another pack has rebound it.
        make_handler: the host's handler type, called with (function, use_ms=True).
        drops_penultimate: sampler name -> whether the host's KSampler asks one step more and drops sigmas[-2] for it.
        is_flow: of a model_sampling object.
        tell: takes a sentence on a model that runs without a preset, and whether that is no news; default: the log.
        runs: the name of the sampler that runs what is asked for now, "" where that is not known.
        note: takes every list that is answered, and the preset that it is of or None.
    """
    for name in SCHEDULER_NAMES:
        if name not in handlers:
            answer = partial(
                scheduled,
                name,
                drops_penultimate=drops_penultimate,
                is_flow=is_flow,
                tell=tell,
                runs=runs,
                note=note,
            )
            handlers[name] = make_handler(answer, use_ms=True)
        for names in name_lists:
            if name not in names:
                names.append(name)


def scheduled(
    name: str,
    model_sampling: Any,
    steps: int,
    *,
    drops_penultimate: Callable[[str], bool],
    is_flow: Callable[[Any], bool],
    tell: Tell | None = None,
    runs: Callable[[], str] | None = None,
    note: Note | None = None,
) -> Tensor:
    """The sigma list (steps + 1,) of one of our scheduler names, float32, CPU."""
    preset = getattr(model_sampling, PRESET_ATTRIBUTE, None) if name != COSINE else None
    sigmas = _answer(name, model_sampling, steps, preset, drops_penultimate, is_flow, tell, runs)
    if note is not None:
        note(sigmas, preset)
    return sigmas


def _answer(
    name: str,
    model_sampling: Any,
    steps: int,
    preset: Any,
    drops_penultimate: Callable[[str], bool],
    is_flow: Callable[[Any], bool],
    tell: Tell | None,
    runs: Callable[[], str] | None,
) -> Tensor:
    low, high, flow = float(model_sampling.sigma_min), float(model_sampling.sigma_max), is_flow(model_sampling)
    if name == COSINE:
        return at_sigma_max(CURVES["cosine"](steps, low, high, flow=flow), high)
    if preset is not None:
        sigmas, said = preset_sigmas(preset, steps, high, drops_penultimate(preset.sampler))
        name, sentence = preset.name or "without a name", f" ({said})" if said else ""
        logging.getLogger(LOGGER_NAME).info(
            "Sigmasmith: %d steps of preset %s (%s)%s", steps, name, preset.short_hash, sentence
        )
        return remember(sigmas)
    sampler = runs() if runs and name == OPTIMAL else ""
    family = untuned_schedule(steps, SigmaRange(low, high, flow), sampler or NAME)
    _say_once(name, family, model_sampling, flow and not sampler, tell or _log)
    return remember(at_sigma_max(family.sigmas, high))


def _say_once(name: str, family: FamilySchedule, model_sampling: Any, may_lose: bool, tell: Tell) -> None:
    """Tell of every list of the family once, and with a notice the first time that a model runs one.

    Args:
        may_lose: whether a sampler that it does not serve may run it.
    """
    known = model_sampling in _told
    if known and was_handed_out(family.sigmas):
        return
    _told.add(model_sampling)
    if family.stock:
        values = {"name": name, "steps": len(family.sigmas) - 1, "stock": family.stock}
        if family.served:
            text = Phrase(
                "{name} runs {steps} steps as {stock} has them: untuned, the family has no gain at so many. Sigmasmith "
                "Auto or Fit finds what suits this very model.",
                **values,
            )
        else:
            text = Phrase(
                "{name} runs {steps} steps of {stock} with {sampler}: untuned, the family of flow models is for the "
                "sampler sigmasmith_multistep. Sigmasmith Auto or Fit finds what suits this very model.",
                sampler=family.sampler,
                **values,
            )
        tell(text, known)
        return
    said = Phrase(
        "{name} runs the family's {steps} steps (version {version}, scale {scale}, stretch {stretch}), for no preset "
        "is on the model. It is made for the sampler sigmasmith_multistep; Sigmasmith Auto or Fit finds what suits "
        "this very model.{more}",
        name=name,
        steps=len(family.sigmas) - 1,
        version=family.version,
        scale=f"{family.scale:.3g}",
        stretch=f"{family.stretch:.3g}",
        more=Phrase(" On flow models dpmpp_2m and res_multistep do better on simple.") if may_lose else "",
    )
    tell(said, known)


def _log(text: str, _: bool) -> None:
    logging.getLogger(LOGGER_NAME).info("Sigmasmith: %s", text)


def remember(sigmas: Tensor) -> Tensor:
    """Note a list that was handed out; returned unchanged."""
    positive = _positive(sigmas)
    if positive and positive not in _handed_out:
        _handed_out.append(positive)
        while sum(map(len, _handed_out)) > _MOST_VALUES and len(_handed_out) > 1:
            _handed_out.popleft()
    return sigmas


def was_handed_out(sigmas: Tensor) -> bool:
    """Whether a run's sigmas are such a list or an unbroken part of one (denoise, splits, a last 0, flipped)."""
    run = _positive(sigmas)
    if len(run) > 1 and run[0] < run[-1]:  # the host's FlipSigmas puts a small number for the 0, which is no level
        run = run[:0:-1] if len(sigmas) > 2 else run[::-1]
    if not run:
        return True
    for known in _handed_out:
        if run[0] in known:
            start = known.index(run[0])
            if known[start : start + len(run)] == run:
                return True
    return False


def _positive(sigmas: Tensor) -> tuple[float, ...]:
    return tuple(float(sigma) for sigma in sigmas.detach().cpu().float() if float(sigma) > 0.0)
