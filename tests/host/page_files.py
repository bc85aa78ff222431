"""Presets in the host's folder and files to drop, for the page tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from sigmasmith.schedules.family.schedule import family_schedule
from sigmasmith.schedules.presets.file import save_preset, to_bytes
from sigmasmith.schedules.presets.identity import ModelIdentity
from sigmasmith.schedules.presets.preset import Preset

SD15 = ModelIdentity(
    family="SD15",
    prediction="eps",
    sigma_min=0.0291671582,
    sigma_max=14.6146412,
    flow=False,
    checkpoint="tiny_sd15.safetensors",
)
SD3 = ModelIdentity(
    family="SD3",
    prediction="flow",
    sigma_min=0.003 / 1.002,
    sigma_max=1.0,
    flow=True,
    shift=3.0,
    checkpoint="tiny_sd3.safetensors",
)
WORKFLOW = (
    '{"last_node_id":1,"last_link_id":0,"nodes":[{"id":1,"type":"SigmasmithCosine","pos":[400,100],"size":[300,300],'
    '"flags":{},"order":0,"mode":0,"inputs":[{"name":"model","type":"MODEL","link":null}],"outputs":[],'
    '"properties":{},"widgets_values":[7,1,0.008,0.999]}],"links":[],"groups":[],"config":{},"extra":{},"version":0.4}'
)


def preset(model: ModelIdentity, counts: tuple[int, ...], **fields: Any) -> Preset:
    """The family's list at some counts, with made-up errors, for pages that only show them."""
    schedules = {
        count: family_schedule(count, sigma_min=model.sigma_min, sigma_max=model.sigma_max, flow=model.flow).sigmas
        for count in counts
    }
    errors = {count: {"fitted": 0.03, "karras": 0.05 + 0.01 * i} for i, count in enumerate(counts)}
    given: dict[str, Any] = {"sampler": "euler", "errors": errors, "guidance": 5.0} | fields
    return Preset(schedules=schedules, model=model, **given)


def lay_out(presets: Path, files: Path) -> None:
    """Three presets in the host's folder, and what is dropped."""
    for made in (
        preset(SD15, (5, 8, 10, 20), name="portrait mix", sampler="dpmpp_2m", author="Ada", licence="CC0-1.0"),
        preset(SD3, (4, 6, 10), name="sd3 quick", author="Grace", licence="CC-BY-4.0"),
        preset(SD15, (4,), name="turbo list", exact=True, errors={}),
    ):
        save_preset(presets / f"{made.name}.safetensors", made)
    files.mkdir(parents=True)
    (files / "good.safetensors").write_bytes(to_bytes(preset(SD15, (6,), name="dropped one")))
    (files / "for a node.safetensors").write_bytes(to_bytes(preset(SD15, (3,), name="for a node")))
    with_workflow = to_bytes(preset(SD15, (7,), name="with workflow"), WORKFLOW)
    (files / "with workflow.safetensors").write_bytes(with_workflow)
    (files / "bad.safetensors").write_bytes(to_bytes(preset(SD15, (6,), name="dropped one"))[:-2])
    latent = save({"latent": torch.zeros(1)}, {"format": "pt"})
    (files / "latent.safetensors").write_bytes(latent.ljust(200, b"\0"))
