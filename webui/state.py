"""The panel's choice and the sampling pass under way, which no argument of a scheduler entry tells.

A host calls a scheduler with a step count alone. The script's hooks, which see the whole generation, leave here what
they know, and take it away again; a call without it answers as the plain dropdown would.
"""

from __future__ import annotations

import re
import uuid
import weakref
from collections import deque
from collections.abc import Mapping
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
# Generations that a page may still ask about, and clicks on Fit now.
_MAX_ENDED, _MAX_TICKETS = 32, 32
FIT, COMPARISON, SEEDS = "fit", "comparison", "seeds"
_TICKET = re.compile(rf"sigmasmith ({FIT}|{COMPARISON}|{SEEDS}) [0-9a-f]{{32}}")


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
    """

    choice: PanelChoice
    processing: weakref.ref[Any]
    task: str | None = None
    job: FitInputs | CompareInputs | SeedInputs | None = None
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
        p = self.processing()
        if warning and p is not None:
            p.comment(signed(text))


@dataclass
class _Known:
    latest: Generation | None = None
    ended: deque[Generation] = field(default_factory=lambda: deque(maxlen=_MAX_ENDED))
    tickets: deque[str] = field(default_factory=lambda: deque(maxlen=_MAX_TICKETS))


_known = _Known()


def begin(choice: PanelChoice, processing: Any, task: str | None = None) -> Generation:
    """Start a generation; whatever an earlier one left behind after an error is gone."""
    _known.latest = Generation(choice, weakref.ref(processing), task)
    return _known.latest


def generation_of(processing: Any) -> Generation | None:
    """The generation under way if it belongs to this processing object."""
    generation = _known.latest
    return generation if generation is not None and generation.processing() is processing else None


def current_pass() -> tuple[Generation, SamplingPass] | None:
    """The generation and the sampling pass under way, if any."""
    generation = _known.latest
    if generation is None or generation.current is None or generation.processing() is None:
        return None
    return generation, generation.current


def end(generation: Generation) -> None:
    """Finish a generation; what it said and made stays known for the page that asked for it."""
    _known.ended.append(generation)
    if _known.latest is generation:
        _known.latest = None


def of_task(task: str) -> Generation | None:
    """The generation with this id of the page, None for one that is not known (any more)."""
    known = [*_known.ended, *([_known.latest] if _known.latest is not None else [])]
    return next((generation for generation in reversed(known) if task and generation.task == task), None)


def new_ticket(job: str = FIT) -> str:
    """A ticket for one job, for a click on its button; the page keeps it, but it is good only once."""
    ticket = f"sigmasmith {job} {uuid.uuid4().hex}"
    _known.tickets.append(ticket)
    return ticket


def is_ticket(value: Any) -> bool:
    """Whether a value of the page is a ticket, good or not."""
    return isinstance(value, str) and _TICKET.fullmatch(value) is not None


def take_ticket(ticket: str) -> bool:
    """Whether the ticket is good; from now on it is not."""
    if ticket not in _known.tickets:
        return False
    _known.tickets.remove(ticket)
    return True


def job_asked(value: Any) -> str | None:
    """Which job is asked for: by True (a fit) or its name over the HTTP API, or by the ticket of a click; or None."""
    if value is True:
        return FIT
    if not isinstance(value, str):
        return None
    match = _TICKET.fullmatch(value)
    if match is not None:
        return match[1] if take_ticket(value) else None
    return value if value in (FIT, COMPARISON, SEEDS) else None


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
