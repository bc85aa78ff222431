"""The inputs and outputs of a Fit node as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from ...schedules.presets.preset import Preset
from ...schedules.samplers.fitted import NAME
from ..host.samplers import sampler_names
from ..pictures.beside import Beside
from .in_use import InUse

# Samplers that a fit may choose among: deterministic, one model call per step, different in which models they suit.
CHOICE = ("dpmpp_2m", "res_multistep", "ipndm", "deis")


@dataclass(frozen=True)
class FitRequest:
    """The inputs of a Fit node.

    Args:
        guider: the host's, with its conditionings set.
        positives: further positive conditionings.
        minutes: 0 for no limit.
        node_id: of the node, for messages on the page.
        choose_sampler: also fit CHOICE and take the best.
        low_guider: of the model that takes over below the boundary, or None.
        low_input: name of the input that it came from.
        boundary: share of noise at which it does.
        denoise: of the runs that the fit is for.
        method: how schedules are searched for, as calibrate takes it.
        starts_over_limit: whether a fit that `minutes` will not suffice for by its first calls is gone on with.
        checkpoint: file of the model, for hosts whose models do not know it.
        facts: further facts for the preset's `made`.
        in_use: what the fit is to be seen beside.
        frequency_weight: how many times more an error in the finest detail counts than one in flat areas.
    """

    guider: Any
    latent: dict[str, Any]
    sampler_name: str
    steps: str
    noises: int
    effort: str
    calibration_seed: int
    minutes: float
    name: str
    refit: bool
    node_id: Any = None
    positives: tuple[Any, ...] = ()
    choose_sampler: bool = False
    low_guider: Any = None
    low_input: str = "model_low"
    boundary: float = 0.875
    denoise: float = 1.0
    method: str = "gauss_newton"
    starts_over_limit: bool = True
    checkpoint: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    in_use: InUse = field(default_factory=InUse)
    frequency_weight: float = 1.0

    def __post_init__(self) -> None:
        if self.low_guider is not None and self.sampler_name == NAME:
            raise ValueError(
                f"sampler_name: {NAME} is fitted for one model from the first step to the last, and a second one is "
                f"connected to {self.low_input}; give another sampler, such as dpmpp_2m"
            )

    @property
    def guiders(self) -> tuple[Any, ...]:
        """One, or two that take over from each other."""
        return (self.guider,) if self.low_guider is None else (self.guider, self.low_guider)

    @property
    def samplers(self) -> list[str]:
        """Names of the samplers to fit: the one asked for, and those to choose among where that is asked too."""
        others = [name for name in CHOICE if name in sampler_names()] if self.choose_sampler else []
        return list(dict.fromkeys([self.sampler_name, *others]))


@dataclass(frozen=True)
class FitResult:
    """The outputs of a Fit node.

    Args:
        sigmas: the schedule of the first step count typed.
        plots: one per step count: title, fitted sigmas, and the host's curves by name.
        report: in words.
        beside: before and after on noises that the fit has not seen; None where nothing was run.
        table: the report as a table for the page.
    """

    preset: Preset
    sigmas: Tensor
    report: str
    plots: tuple[tuple[str, Tensor, Mapping[str, Tensor]], ...] = field(default=())
    beside: Beside | None = None
    table: Mapping[str, Any] = field(default_factory=dict)
