"""What the tests of the WebUIs' HTTP API ask with, and what they make of the answers."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import torch
from PIL import Image
from sigmasmith.schedules.hosting.named_curves import CURVES
from sigmasmith.schedules.presets.file import save_preset
from sigmasmith.schedules.presets.identity import ModelIdentity
from sigmasmith.schedules.presets.preset import Preset

from .webui_server import WebuiServer

OURS = ["Sigmasmith Optimal", "Sigmasmith Cosine", "Sigmasmith Adaptive"]
# The ends of SD 1.5's table; A1111 rounds its lower end otherwise, so there the curves differ and presets do not.
LOW, HIGH = 0.029167158529162407, 14.614641189575195
SAMPLERS = ["Sigmasmith Predictive", "Sigmasmith Variance", "Sigmasmith DDIM-eta", "Sigmasmith Multistep"]
MATCH, HOST, LEVEL = "Match the checkpoint", "Host's slicing", "Noise level"
# Behind these stand the options of our samplers, then the inputs of a comparison, further prompts, and the rest.
OPTIONS, COMPARING = [0, 0.0, "Euler a", "1", 1.0], [[], ["Karras"], "4", 2]
FIT = [MATCH, "", HOST, True, "5", 4, "fast", 0, "fitted", True]


def preset(name: str, *counts: int, **fields: Any) -> Preset:
    model = ModelIdentity(family="SD15", prediction="eps", sigma_min=LOW, sigma_max=HIGH, flow=False)
    schedules = {count: CURVES["laplace"](count, LOW, HIGH, flow=False) for count in counts}
    return Preset(schedules=schedules, sampler="", model=model, name=name, **fields)


def put(server: WebuiServer, found: Preset) -> Preset:
    save_preset(server.presets / f"{found.name}.safetensors", found, overwrite=True)
    return found


def difference(left: str, right: str) -> int:
    """The largest difference between two images as the API sends them, of 255."""
    pixels = [np.asarray(Image.open(io.BytesIO(base64.b64decode(image)))).astype(int) for image in (left, right)]
    return int(abs(pixels[0] - pixels[1]).max())


def values(sigmas: torch.Tensor) -> list[float]:
    return [float(sigma) for sigma in sigmas]
