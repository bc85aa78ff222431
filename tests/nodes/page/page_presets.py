"""Presets and a stand-in for the host, for the tests of what the page asks."""

from __future__ import annotations

from typing import Any

from sigmasmith.nodes.graph import NodeValues, RunningModel
from sigmasmith.schedules.family.schedule import family_schedule
from sigmasmith.schedules.presets.identity import ModelIdentity
from sigmasmith.schedules.presets.preset import Preset
from sigmasmith.schedules.presets.share_code import from_share_code

SD15 = ModelIdentity(
    family="SD15",
    prediction="eps",
    sigma_min=0.0291671582,
    sigma_max=14.6146412,
    flow=False,
    checkpoint="sd.safetensors",
)
FLUX = ModelIdentity(family="Flux", prediction="flow", sigma_min=0.003, sigma_max=1.0, flow=True, shift=3.0)


def preset(counts: tuple[int, ...] = (5, 8, 10), model: ModelIdentity = SD15, **fields: Any) -> Preset:
    """A preset with the fallback curve at these counts."""
    schedules = {
        count: family_schedule(count, sigma_min=model.sigma_min, sigma_max=model.sigma_max, flow=model.flow).sigmas
        for count in counts
    }
    given: dict[str, Any] = {"sampler": "dpmpp_2m", "name": "mine"} | fields
    return Preset(schedules=schedules, model=model, **given)


class Host:
    """live_request.Sources with presets in a dict and one model."""

    def __init__(self, presets: dict[str, Preset] | None = None, model: ModelIdentity | None = None) -> None:
        self.presets = presets or {}
        self.model = model

    def load_preset(self, choice: str, share_code: str) -> Preset:
        if share_code:
            return from_share_code(share_code)
        if choice not in self.presets:
            raise ValueError(f"preset: there is no preset {choice!r}")
        return self.presets[choice]

    def library(self) -> dict[str, Preset]:
        return self.presets

    def running_model(self, chain: tuple[NodeValues, ...]) -> RunningModel | None:
        return RunningModel(self.model) if self.model is not None and chain else None


def node(kind: str, **values: Any) -> dict[str, Any]:
    """A node as the page describes it."""
    return {"type": kind, "values": values}


LOADER = node("SigmasmithLoadPreset", preset="mine", share_code="")
CHECKPOINT = node("CheckpointLoaderSimple", ckpt_name="sd.safetensors")
