"""Run by the host's interpreter: prints as JSON what a ComfyUI checkout itself computes for its schedulers.

Usage: python schedule_reference.py PATH_TO_COMFYUI < {"steps": [...]}
"""

from __future__ import annotations

import json
import sys
from typing import Any


def model_samplings() -> dict[str, Any]:
    """The model_sampling objects that the comparison is made on, by our name for them."""
    from comfy import model_sampling

    class Epsilon(model_sampling.ModelSamplingDiscrete, model_sampling.EPS):
        pass

    class Flow(model_sampling.ModelSamplingDiscreteFlow, model_sampling.CONST):
        pass

    class Flux(model_sampling.ModelSamplingFlux, model_sampling.CONST):
        pass

    class Continuous(model_sampling.ModelSamplingContinuousEDM, model_sampling.EPS):
        pass

    flow3, flow1, flux, svd = Flow(), Flow(), Flux(), Continuous()
    flow3.set_parameters(shift=3.0)
    flow1.set_parameters(shift=1.0)
    flux.set_parameters(shift=1.15)
    svd.set_parameters(0.002, 700.0, 1.0)
    return {"sd15": Epsilon(), "zsnr": Epsilon(zsnr=True), "flow3": flow3, "flow1": flow1, "flux": flux, "svd": svd}


def node_lists(steps: list[int]) -> dict[str, dict[int, list[float]]]:
    """What the nodes with fixed lists return."""
    from comfy_extras import nodes_align_your_steps, nodes_gits, nodes_optimalsteps

    ays = nodes_align_your_steps.AlignYourStepsScheduler
    oss = nodes_optimalsteps.OptimalStepsScheduler
    gits = nodes_gits.GITSScheduler
    calls: dict[str, tuple[Any, Any]] = {f"ays_{kind.lower()}": (ays, kind) for kind in ("SD1", "SDXL", "SVD")}
    calls |= {f"oss_{kind.lower()}": (oss, kind) for kind in ("FLUX", "Wan", "Chroma")}
    calls["gits"] = (gits, 1.20)
    return {
        name: {n: node.execute(kind, n, 1.0).result[0].tolist() for n in steps} for name, (node, kind) in calls.items()
    }


def laplace(steps: list[int]) -> dict[int, list[float]]:
    from comfy.k_diffusion.sampling import get_sigmas_laplace

    return {n: get_sigmas_laplace(n, 1e-4, 1e4, mu=0.0, beta=0.5).tolist() for n in steps}


def main() -> None:
    path = sys.argv[1]
    sys.argv = sys.argv[:1]
    sys.path.insert(0, path)
    from comfy.cli_args import args

    args.cpu = True  # before anything that picks a device
    import comfy.samplers

    asked = json.load(sys.stdin)
    steps = asked["steps"]
    found: dict[str, Any] = {"ranges": {}, "tables": {}, "schedules": {}}
    for kind, sampling in model_samplings().items():
        found["ranges"][kind] = [float(sampling.sigma_min), float(sampling.sigma_max)]
        found["tables"][kind] = sampling.sigmas.tolist()
        found["schedules"][kind] = {
            name: {
                n: comfy.samplers.calculate_sigmas(sampling, name, n).tolist()
                for n in steps
                if not (name == "kl_optimal" and n == 1)
            }
            for name in comfy.samplers.SCHEDULER_NAMES
        }
    found["lists"] = node_lists([n for n in steps if n > 2])
    found["laplace"] = laplace([n for n in steps if n > 2])
    print(json.dumps(found))


if __name__ == "__main__":
    main()
