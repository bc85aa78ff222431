"""Run by the host's interpreter: prints as JSON where a ComfyUI checkout's own samplers end, with real model samplings.

Usage: python host_sampler_ends.py PATH_TO_COMFYUI < {"names": [...], "cases": [{"flow", "x", "sigmas"}, ...]}
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import torch


def main() -> None:
    path = sys.argv[1]
    sys.argv = sys.argv[:1]
    sys.path[:0] = [path, str(Path(__file__).resolve().parents[2] / "host")]
    from comfy.cli_args import args

    args.cpu = True  # before anything that picks a device
    import comfy.model_sampling as sampling
    import comfy.samplers
    from sampler_reference import Clusters

    class Flow(sampling.ModelSamplingDiscreteFlow, sampling.CONST):
        """As the host puts them together for a flow model."""

    flow = Flow()
    flow.set_parameters(shift=3.0)
    asked = json.load(sys.stdin)
    # uni_pc loses up to 6e-4 in float32, in the logarithms of its VP space; in float64 the arithmetic shows.
    torch.set_default_dtype(torch.float64)
    ends = {}
    for name in asked["names"]:
        if name not in comfy.samplers.SAMPLER_NAMES:
            continue
        sample = comfy.samplers.sampler_object(name).sampler_function
        ends[name] = []
        for case in asked["cases"]:
            model, known = Clusters(case["flow"]), flow if case["flow"] else SimpleNamespace()
            known_patcher = SimpleNamespace(get_model_object=lambda _, known=known: known)
            model.inner_model = SimpleNamespace(model_patcher=known_patcher)
            x, sigmas = torch.tensor(case["x"]), torch.tensor(case["sigmas"])
            ends[name].append(sample(model, x, sigmas, disable=True, extra_args={}).tolist())
    print(json.dumps(ends))


if __name__ == "__main__":
    main()
