"""The panel's inputs for a fit, checked before anything runs."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from ..schedules.core.run import LEAST_ASKED
from ..schedules.core.words import parse_steps
from ..schedules.fitting.effort import Effort, effort_for
from .samplers import MULTISTEP

# The seed of the start noises; it has nothing to do with the seed of images, but lets an image repeat a fit's.
FIT_SEED = 0
# An effort of its own: the schedules of one fine run, and how many model calls that has.
PILOT_EFFORT, PILOT_CALLS = "pilot", 40
# Schedules of the host's dropdown that it is compared with.
PILOT_COMPARED = ("simple", "karras", "exponential", "beta")
# Samplers that a fit may choose among, by k-diffusion's names: deterministic, one model call per step, different in
# which models they suit. A host has those that it has.
CHOICE = ("dpmpp_2m", "res_multistep", "ipndm", "deis")


@dataclass(frozen=True)
class FitInputs:
    """A fit that the panel asks for.

    Args:
        sampler: the host's name of the sampler to fit for.
        steps: step counts as the page has them.
        noises: rows of the fit; a quarter of them, at least 2, only judge the result. sigmasmith_multistep has six at
            quick and fast and at least 16 at others, any other sampler as many as its calls pay for, eight and more.
        effort: "quick", "fast", "balanced", "thorough" or PILOT_EFFORT.
        minutes: wall-clock limit, None for none.
        name: of the preset; "" for the checkpoint's and the sampler's.
        replace: whether a preset of this name may be replaced.
        denoise: the host's 0..1 fraction; below 1 the fit is for images that are changed.
        runs: of each of `steps` the steps that run, fewer below denoise 1; () where they are the same.
        prompts: further ones than the page's; the noises take them in turn.
        choose: whether samplers of CHOICE are fitted too, and the best is taken.
    """

    sampler: str
    steps: tuple[int, ...]
    noises: int = 4
    effort: str = "fast"
    minutes: float | None = None
    name: str = ""
    replace: bool = False
    denoise: float = 1.0
    runs: tuple[int, ...] = ()
    prompts: tuple[str, ...] = ()
    choose: bool = False

    @property
    def rows(self) -> int:
        """Of the batch."""
        return self.noises

    @property
    def running(self) -> tuple[int, ...]:
        """The step counts that run."""
        return self.runs or self.steps

    @property
    def evaluations(self) -> float:
        """Model evaluations per noise that the fit stays under."""
        if self.effort == PILOT_EFFORT:
            return PILOT_CALLS + (2.0 + len(PILOT_COMPARED)) * sum(self.steps)
        return self._effort.limit(self.running, coefficients=self.sampler == MULTISTEP)

    @property
    def could_be_fewer(self) -> bool:
        """Whether the fit would have fewer noises if the panel asked for fewer."""
        return self._effort.could_be_fewer(self.noises)

    @property
    def _effort(self) -> Effort:
        return effort_for(self.effort, self.running, coefficients=self.sampler == MULTISTEP)


def fit_inputs(
    sampler: str,
    steps: object,
    noises: object,
    effort: str,
    minutes: object,
    name: str,
    replace: bool,
    prompts: str = "",
    choose: bool = False,
) -> FitInputs:
    """The panel's inputs for a fit, brought to their types.

    Args:
        prompts: one a line.
    Raises:
        ValueError: names the input to change.
    """
    counts = parse_steps(steps)
    limit = _number("Minutes", minutes)
    if limit < 0.0:
        raise ValueError(f"Minutes must be 0 (no limit) or more, got {limit:g}")
    rows = _number("Noises", noises)
    if rows != int(rows) or not LEAST_ASKED <= rows <= 64:
        raise ValueError(f"Noises must be a whole number from {LEAST_ASKED} to 64, got {rows:g}")
    rows = int(rows)
    if effort != PILOT_EFFORT:
        rows = effort_for(effort, counts, coefficients=sampler == MULTISTEP).noises(rows)
    further = tuple(filter(None, (line.strip() for line in (prompts or "").splitlines())))
    if len(further) >= rows:
        raise ValueError(f"Further prompts: {len(further)} and the page's are more than {rows} noises")
    return FitInputs(
        sampler,
        counts,
        rows,
        effort,
        limit or None,
        name.strip(),
        bool(replace),
        prompts=further,
        choose=bool(choose),
    )


def default_name(checkpoint: str | None, sampler: str, denoise: float = 1.0) -> str:
    """A preset name for a checkpoint's file name, a sampler's and a denoise, of characters that every system allows."""
    stem = re.sub(r"\.(safetensors|ckpt|gguf|sft|pt)$", "", checkpoint or "model")
    words = re.sub(r"[^0-9A-Za-z._ -]+", "_", f"{stem} {sampler}" + (f" denoise {denoise:g}" if denoise < 1.0 else ""))
    return re.sub(r"\s+", " ", words).strip(" .")[:120].strip(" .")


def cost_in_words(inputs: FitInputs) -> str:
    """How much a fit costs, before it runs."""
    evaluations = inputs.evaluations
    images = math.ceil(evaluations * inputs.noises / 20)
    return (
        f"At most {evaluations:.0f} model calls for each of {inputs.noises} noises: about as long as {images} images "
        "of 20 steps at this size."
    )


def costs_in_words(steps: object, noises: object, effort: str) -> list[str]:
    """The cost of a fit, a sentence for each kind of sampling method: ours, whose steps are fitted too, costs more.

    Raises:
        ValueError: as `fit_inputs`.
    """
    asked = (fit_inputs(sampler, steps, noises, effort, 0, "", False) for sampler in (MULTISTEP, ""))
    ours, others = map(cost_in_words, asked)
    words = [ours] if ours == others else [f"{MULTISTEP}: {ours}", f"Other sampling methods: {others}"]
    return [*words, "The time is measured on the first calls and shown while it runs."]


def _number(label: str, value: object) -> float:
    try:
        number = float(value)  # pyright: ignore[reportArgumentType]
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{label} must be a number, got {value!r}")
    return number
