"""The panel's inputs in the order in which the host passes them on; the HTTP API's `args` have the same order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...schedules.presets.preset import DenoiseMode
from .. import samplers
from ..compare_inputs import DEFAULT_SCHEDULES, CompareInputs, compare_inputs
from ..fit_inputs import FitInputs, fit_inputs
from ..seed_inputs import MEASURES, MORE, SeedInputs, seed_inputs
from ..state import MATCH, PanelChoice
from ..tickets import COMPARISON, SEEDS, job_asked

HOST_SLICING, NOISE_LEVEL = "Host's slicing", "Noise level"
FIELDS = ("preset", "code", "denoise", "fit", "steps", "noises", "effort", "minutes", "name", "replace")
# Later ones stand behind the options of our samplers, so that saved calls keep their order.
COMPARED = ("compared_samplers", "compared_schedules", "compared_steps", "seeds")
SEARCHED = ("measure", "wanted", "budget", "draft_steps")
LATER = (*COMPARED, "prompts", "choose", "guidance", *SEARCHED)
DEFAULTS: dict[str, Any] = {
    "preset": MATCH,
    "code": "",
    "denoise": HOST_SLICING,
    "fit": "",
    "steps": "10",
    "noises": 4,
    "effort": "fast",
    "minutes": 0,
    "name": "",
    "replace": False,
    "compared_samplers": [],
    "compared_schedules": list(DEFAULT_SCHEDULES),
    "compared_steps": "10",
    "seeds": 4,
    "prompts": "",
    "choose": False,
    "guidance": "",
    "measure": MEASURES[0],
    "wanted": MORE,
    "budget": 4,
    "draft_steps": 4,
}


@dataclass(frozen=True)
class Inputs:
    """The values that a person has set.

    Args:
        values: by field; those that the host left out are the defaults.
        options: of our samplers, by key.
    """

    values: dict[str, Any]
    options: dict[str, float | str]

    @property
    def choice(self) -> PanelChoice:
        """The preset and what goes with it."""
        mode = denoise_mode(self.values["denoise"])
        preset, code = str(self.values["preset"] or MATCH), str(self.values["code"] or "")
        return PanelChoice(preset, code, mode, self.options, str(self.values["guidance"] or ""))

    def request(
        self, sampler: str, scheduler: str = "", steps: int = 20
    ) -> FitInputs | CompareInputs | SeedInputs | None:
        """The job that is asked for, if any.

        Args:
            sampler, scheduler, steps: of the page.

        Raises:
            ValueError: names the input to change.
        """
        job = job_asked(self.values["fit"])
        if job is None:
            return None
        if job == COMPARISON:
            return compare_inputs(sampler, *(self.values[name] for name in COMPARED))
        if job == SEEDS:
            return seed_inputs(sampler, scheduler, steps, *(self.values[name] for name in SEARCHED))
        names = ("steps", "noises", "effort", "minutes", "name", "replace", "prompts", "choose")
        return fit_inputs(sampler, *(self.values[name] for name in names))


def denoise_mode(chosen: Any) -> DenoiseMode:
    """The denoise mode for the panel's choice at a denoising strength below 1."""
    return "noise_level" if chosen == NOISE_LEVEL else "steps"


def read(args: Sequence[Any]) -> Inputs:
    """The inputs from what the host passes to the script's hooks."""
    passed = list(args[len(FIELDS) :])
    names = (*FIELDS, *(None for _ in samplers.options()), *LATER)
    given = {name: value for name, value in zip(names, args) if name is not None and value is not None}
    options: dict[str, float | str] = {}
    for at, option in enumerate(samplers.options()):
        options[option.key] = option.read(passed[at]) if at < len(passed) else option.default
    return Inputs(DEFAULTS | given, options)
