"""Our samplers in the host's dropdown: a table with their options in the panel. host/own_samplers.py runs them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .registration import OPTIMAL


@dataclass(frozen=True)
class Option:
    """An input of the panel.

    Args:
        key: name among the options of all samplers.
        label: what the person reads, and its name in infotexts after "Sigmasmith".
        default: a number, or a text.
        help: one line.
        minimum, maximum, step: of a number.
        choices: of a text that is one of these.
    """

    key: str
    label: str
    default: float | str
    help: str
    minimum: float = 0.0
    maximum: float = 0.0
    step: float = 0.0
    choices: tuple[str, ...] = ()

    def read(self, value: Any) -> float | str:
        """The value that a host passes, brought to what the option allows; the default where it cannot be."""
        if isinstance(self.default, str):
            text = value.strip()[:200] if isinstance(value, str) else ""
            return text if text in self.choices or (text and not self.choices) else self.default
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return self.default
        # A whole number stays one: hosts read it back from an infotext as what its default is.
        return type(self.default)(min(max(float(value), self.minimum), self.maximum))

    @property
    def infotext(self) -> str:
        """Its key in an infotext."""
        return f"Sigmasmith {self.label.lower()}"


@dataclass(frozen=True)
class OwnSampler:
    """One of our samplers.

    Args:
        label: in the dropdown; must not end in the name of a scheduler (registration.taken_apart).
        runner: name of the function of host/own_samplers.py that runs it.
        options: keys of OPTIONS.
        own_levels: whether it goes to noise levels between those of the schedule.
        scheduler: our scheduler that it takes where the schedule type is Automatic, "" for the host's default.
    """

    label: str
    runner: str
    options: tuple[str, ...] = ()
    own_levels: bool = False
    scheduler: str = ""


CALLS = Option(
    "calls",
    "Calls",
    0,
    "Predictive: model calls for each image, all of them used. 0: as many as steps.",
    maximum=150,
    step=1,
)
TOLERANCE = Option(
    "tolerance",
    "Tolerance",
    0.0,
    "Predictive: 0 lets the calls decide; above, it stops once every step's error is below this. 0.003 is fine.",
    maximum=0.1,
    step=0.001,
)
BASE = Option(
    "base",
    "Base",
    "Euler a",
    "Variance: the host's sampler whose noise it controls.",
    choices=("Euler a", "DPM++ 2S a", "DPM++ SDE", "DPM++ 2M SDE", "DPM2 a", "Euler", "DPM++ 2M"),
)
ETA = Option(
    "eta",
    "Eta",
    "1",
    "DDIM-eta and Variance: share of noise, 0 to 1, or over the steps: cosine 1 to 0, window 1 from 10 to 1.",
)
S_NOISE = Option(
    "s_noise",
    "S noise",
    1.0,
    "DDIM-eta and Variance: factor of the noise.",
    minimum=0.5,
    maximum=1.5,
    step=0.01,
)
OPTIONS: Mapping[str, Option] = {option.key: option for option in (CALLS, TOLERANCE, BASE, ETA, S_NOISE)}

MULTISTEP = "Sigmasmith Multistep"
OWN_SAMPLERS: tuple[OwnSampler, ...] = (
    OwnSampler("Sigmasmith Predictive", "predictive", ("calls", "tolerance"), own_levels=True),
    OwnSampler("Sigmasmith Variance", "variance", ("base", "eta", "s_noise"), own_levels=True),
    OwnSampler("Sigmasmith DDIM-eta", "ddim_eta", ("eta", "s_noise")),
    # Its coefficients belong to the sigmas beside them, so under Automatic it takes the preset's.
    OwnSampler(MULTISTEP, "multistep", scheduler=OPTIMAL),
)


def options() -> list[Option]:
    """All options in the order of the panel."""
    return list(OPTIONS.values())


def own_sampler(label: str) -> OwnSampler | None:
    """Ours of this name."""
    return next((one for one in OWN_SAMPLERS if one.label == label), None)


def written(label: str, values: Mapping[str, float | str]) -> dict[str, float | str]:
    """Key in an infotext -> value, for the options of a sampler of ours; empty for other samplers."""
    sampler = own_sampler(label)
    if sampler is None:
        return {}
    return {OPTIONS[key].infotext: values.get(key, OPTIONS[key].default) for key in sampler.options}
