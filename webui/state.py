"""The panel's choice and the sampling pass under way, which no argument of a scheduler entry tells.

A host calls a scheduler with a step count alone. The script's hooks, which see the whole generation, leave here what
they know, and take it away again; a call without it answers as the plain dropdown would.
"""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from ..schedules.presets.preset import DenoiseMode
from .answers import ScheduleAnswer, Slicing
from .compare_inputs import CompareInputs
from .fit_inputs import FitInputs
from .log import say, signed
from .registration import LABELS, OPTIMAL
from .seed_inputs import SeedInputs

MATCH, NONE, CODE = "Match the checkpoint", "None (the family)", "Share code below"

# Model calls of one pass whose noise levels are kept; no schedule is longer.
MAX_SEEN = 20_000
# Generations that a page may still ask about.
_MAX_ENDED = 32


@dataclass(frozen=True)
class PanelChoice:
    """The panel's inputs for one generation.

    Args:
        preset: MATCH, NONE, CODE or the name of a preset.
        code: the share code, used where `preset` is CODE.
        mode: what denoise below 1 means.
        options: of our samplers, by keyword.
        guidance: over sigma, a line of guidance.py; "" for the host's CFG scale alone.
    """

    preset: str = MATCH
    code: str = ""
    mode: DenoiseMode = "steps"
    options: Mapping[str, float | str] = field(default_factory=dict)
    guidance: str = ""


@dataclass
class SamplingPass:
    """One call of the host's sampler: a first pass, an img2img run or a hires pass.

    Args:
        scheduler: our scheduler's name, None where another one is chosen.
        sampler: the host's name of the sampler.
        function: its name in k-diffusion, "" where it has none.
        slicing: how the host cuts the list; None where it is not known.
        hires: whether it is the hires pass.
        guidance, latent_shape: of the run, None where not known.
        own_levels: whether the sampler goes to levels between the given ones by design.
    """

    scheduler: str | None
    sampler: str
    function: str = ""
    slicing: Slicing | None = None
    hires: bool = False
    guidance: float | None = None
    latent_shape: tuple[int, ...] | None = None
    own_levels: bool = False
    answer: ScheduleAnswer | None = None
    seen: list[Tensor] = field(default_factory=list)


@dataclass(frozen=True)
class Fitted:
    """The preset that a fit has made, and how it is used.

    Args:
        preset: its name.
        sampler: the host's name of the sampler that runs it.
        steps: its step counts, the first one asked for first.
        scheduler: label of our schedule type that runs it.
    """

    preset: str
    sampler: str
    steps: tuple[int, ...]
    scheduler: str = LABELS[OPTIMAL]


@dataclass
class Generation:
    """One image generation of the host.

    Args:
        choice: the panel's.
        processing: a weak reference to the host's processing object.
        task: the page's id of it, None for one of the HTTP API.
        job: what to do instead of sampling, None in all other generations.
        outer: the one that it is a part of, such as the image whose faces a detailer repaints; None for most.
    """

    choice: PanelChoice
    processing: weakref.ref[Any]
    task: str | None = None
    job: FitInputs | CompareInputs | SeedInputs | None = None
    outer: Generation | None = None
    hooked: bool = True  # whether our hooks run in it; a detailer may leave them out
    decoded: bool = False  # between a batch's images and the next batch, where scripts may start generations
    problem: ValueError | None = None  # what is wrong with the inputs of a job
    current: SamplingPass | None = None
    said: list[str] = field(default_factory=list)  # for the panel
    noted: set[str] = field(default_factory=set)  # for the log, once each
    fitted: Fitted | None = None

    def say(self, text: str) -> None:
        """Tell the log, and the panel after the run."""
        self.said.append(text)
        say(text)

    def say_once(self, text: str, *, warning: bool) -> None:
        """Tell the log, of a batch of images the first alone; a warning stands below the images, too.

        Not the panel: it has said before the run what will run, and below the images stands what was different.
        """
        if text in self.noted:
            return
        self.noted.add(text)
        say(text, warning=warning)
        p = (self.outer or self).processing()
        if warning and p is not None:
            p.comment(signed(text))


@dataclass
class _Known:
    latest: Generation | None = None
    ended: deque[Generation] = field(default_factory=lambda: deque(maxlen=_MAX_ENDED))


_known = _Known()


def begin(choice: PanelChoice, processing: Any, task: str | None = None) -> Generation:
    """Start a generation, inside the one whose images are worked on; what another left behind after an error is gone.

    Args:
        task: the page's id of it; a generation started inside another has the same.
    """
    outer = next((one for one in _under_way() if one.decoded and one.task == task), None)
    generation = Generation(choice, weakref.ref(processing), task, outer=outer)
    if outer is not None:
        generation.noted = outer.noted  # of a batch, each face asks anew
    _known.latest = generation
    return generation


def begin_without_hooks(processing: Any, task: str | None = None) -> None:
    """Start a generation that no hook of ours has started, with the choice of the one around it."""
    if generation_of(processing) is not None:
        return
    generation = begin(PanelChoice(), processing, task)
    generation.hooked = False
    if generation.outer is not None:
        generation.choice = generation.outer.choice


def generation_of(processing: Any) -> Generation | None:
    """The generation under way of this processing object; what was started inside it has ended."""
    generation = next((one for one in _under_way() if one.processing() is processing), None)
    if generation is not None:
        _known.latest = generation
    return generation


def is_continued(processing: Any) -> bool:
    """Whether a processing object is a copy of one under way, whose seeds are drawn already.

    ADetailer runs the hooks once more with such a copy, so that other scripts go on after its own generations.
    """
    seeds = getattr(processing, "all_seeds", None)
    known = [one.processing() for one in _under_way()]
    return seeds is not None and any(getattr(p, "all_seeds", None) is seeds for p in known if p is not processing)


def latest() -> Generation | None:
    """The generation under way, the innermost."""
    return next(_under_way(), None)


def _under_way() -> Iterator[Generation]:
    """Generations under way whose processing object still lives, from the innermost on."""
    generation = _known.latest
    while generation is not None:
        if generation.processing() is not None:
            yield generation
        generation = generation.outer


def current_pass() -> tuple[Generation, SamplingPass] | None:
    """The generation and the sampling pass under way, if any."""
    generation = latest()
    return None if generation is None or generation.current is None else (generation, generation.current)


def end(generation: Generation) -> None:
    """Finish a generation; what it said and made stays known for the page that asked for it."""
    _known.ended.append(generation)
    if _known.latest is generation:
        _known.latest = generation.outer


def of_task(task: str) -> Generation | None:
    """The generation with this id of the page, None for one that is not known (any more)."""
    known = [*_known.ended, *([_known.latest] if _known.latest is not None else [])]
    return next((generation for generation in reversed(known) if task and generation.task == task), None)


def not_followed(expected: Tensor, seen: list[Tensor]) -> bool:
    """Whether a sampler called the model at other noise levels than it was given.

    Samplers of second order also call it between the given levels; one that leaves out given levels has its own.

    Args:
        expected: (runs + 1,) sigmas, float32.
        seen: one value per model call.
    """
    if not seen:
        return False
    called = {float(value) for value in seen}
    wanted = [float(value) for value in expected if float(value) > 0.0]
    return not all(any(abs(value - level) <= 1e-4 * level for value in called) for level in wanted)
