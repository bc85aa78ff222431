"""The panel's choice and the sampling pass under way, which no argument of a scheduler entry tells.

A host calls a scheduler with a step count alone. The script's hooks, which see the whole generation, leave here what
they know, and take it away again; a call without it answers as the plain dropdown would.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from ..schedules.presets.preset import DenoiseMode
from .answers import ScheduleAnswer, Slicing
from .fit_inputs import FitInputs
from .log import say, signed

MATCH, NONE, CODE = "Match the checkpoint", "None (the family)", "Share code below"

# Model calls of one pass whose noise levels are kept; no schedule is longer.
MAX_SEEN = 20_000


@dataclass(frozen=True)
class PanelChoice:
    """The panel's inputs for one generation.

    Args:
        preset: MATCH, NONE, CODE or the name of a preset.
        code: the share code, used where `preset` is CODE.
        mode: what denoise below 1 means.
        options: of our samplers, by keyword.
    """

    preset: str = MATCH
    code: str = ""
    mode: DenoiseMode = "steps"
    options: Mapping[str, float | str] = field(default_factory=dict)


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


@dataclass
class Generation:
    """One image generation of the host.

    Args:
        choice: the panel's.
        processing: a weak reference to the host's processing object.
        fit: what to fit instead of sampling, None in all other generations.
    """

    choice: PanelChoice
    processing: weakref.ref[Any]
    fit: FitInputs | None = None
    problem: ValueError | None = None  # what is wrong with the inputs of a fit
    current: SamplingPass | None = None
    said: list[str] = field(default_factory=list)
    fitted: str | None = None  # name of the preset that it made

    def say(self, text: str) -> None:
        """Tell the log, and the panel after the run."""
        self.said.append(text)
        say(text)

    def say_once(self, text: str, *, warning: bool) -> None:
        """As `say`, but of a batch of images the first alone; a warning stands below the images, too."""
        if text in self.said:
            return
        self.said.append(text)
        say(text, warning=warning)
        p = self.processing()
        if warning and p is not None:
            p.comment(signed(text))


@dataclass
class _Latest:
    generation: Generation | None = None
    said: tuple[str, ...] = ()
    fitted: str | None = None


_latest = _Latest()


def begin(choice: PanelChoice, processing: Any) -> Generation:
    """Start a generation; whatever an earlier one left behind after an error is gone."""
    _latest.generation = Generation(choice, weakref.ref(processing))
    return _latest.generation


def generation_of(processing: Any) -> Generation | None:
    """The generation under way if it belongs to this processing object."""
    generation = _latest.generation
    return generation if generation is not None and generation.processing() is processing else None


def current_pass() -> tuple[Generation, SamplingPass] | None:
    """The generation and the sampling pass under way, if any."""
    generation = _latest.generation
    if generation is None or generation.current is None or generation.processing() is None:
        return None
    return generation, generation.current


def end(generation: Generation) -> None:
    """Finish a generation; what was said in it stays readable for the panel."""
    _latest.said, _latest.fitted = tuple(generation.said), generation.fitted
    if _latest.generation is generation:
        _latest.generation = None


def last_messages() -> tuple[str, ...]:
    """The sentences of the latest finished generation."""
    return _latest.said


def last_fitted() -> str | None:
    """The preset that the latest finished generation made, if it was a fit."""
    return _latest.fitted


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
