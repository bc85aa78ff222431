"""Run by the host's interpreter: prints as JSON where a ComfyUI checkout's own samplers end on an analytic denoiser.

Usage: python sampler_reference.py PATH_TO_COMFYUI < {"names": [...], "cases": [{"flow", "x", "sigmas"}, ...]}
"""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor


class Clusters:
    """The exact denoiser of two Gaussian clusters; on flow models x is (1 - sigma) * x0 + sigma * noise."""

    # res_multistep asks the host's model for an optional factor of its (here absent) noise.
    inner_model = SimpleNamespace(model_patcher=SimpleNamespace(get_model_object=lambda name: SimpleNamespace()))

    def __init__(self, flow: bool) -> None:
        self.flow = flow

    def __call__(self, x: Tensor, sigma: Tensor, **_: Any) -> Tensor:
        s = sigma[:, None]
        scale = 1.0 - s if self.flow else torch.ones_like(s)
        centre = torch.linspace(-1.0, 1.0, x.shape[1]).to(x)
        total = scale**2 * 0.09 + s**2
        lean = torch.tanh((x * scale * centre / total).sum(dim=1, keepdim=True))
        gain = scale * 0.09 / total
        return gain * x + (1.0 - gain * scale) * lean * centre


def main() -> None:
    path = sys.argv[1]
    sys.argv = sys.argv[:1]
    sys.path.insert(0, path)
    from comfy.cli_args import args

    args.cpu = True  # before anything that picks a device
    import comfy.samplers

    asked = json.load(sys.stdin)
    ends: dict[str, list[Any]] = {}
    for name in asked["names"]:
        sample = comfy.samplers.sampler_object(name).sampler_function
        ends[name] = []
        for case in asked["cases"]:
            x, sigmas = torch.tensor(case["x"]), torch.tensor(case["sigmas"])
            ends[name].append(sample(Clusters(case["flow"]), x, sigmas, disable=True).tolist())
    print(json.dumps(ends))


if __name__ == "__main__":
    main()
