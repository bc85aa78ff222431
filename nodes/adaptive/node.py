"""Steps chosen by the error: the adaptive sampler, and schedules frozen from a pilot run."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..fit.inputs import outputs
from ..fit.node import node_output
from ..host import folders
from ..host.guiders import cfg_guider
from ..host.input_check import InputCheck
from ..host.samplers import check_sampler
from ..inputs import cfg_input, conditioned_model, noise_seed_input, sampler_name_input
from ..presets.written import preset_fingerprint
from ..schema import CATEGORY, choice, number, schema, switch, text, whole
from ..text import parse_steps

METHODS = {
    "predictive (no step taken back)": "predictive",
    "embedded 2 (Euler and Heun)": "embedded_2",
    "embedded 3 (second and third order)": "embedded_3",
}


class SigmasmithAdaptiveSampler(io.ComfyNode):
    """The adaptive sampler."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SigmasmithAdaptiveSampler",
            display_name="Sigmasmith Adaptive Sampler",
            category=CATEGORY,
            description="Chooses its noise levels while it runs, for every image of the batch by itself: short steps "
            "where the model changes quickly, long ones elsewhere. Of the SIGMAS that it is given, only the first and "
            "the last count. Below the node and in the log it says which noise levels it took.",
            search_aliases=["sigmasmith", "adaptive", "dpm_adaptive", "error control", "pid", "unipc"],
            hidden=[io.Hidden.unique_id],
            inputs=[
                whole(
                    "calls",
                    20,
                    (2, 1000),
                    "Model calls for each image, all of them used: the time it takes, as steps of dpmpp_2m.",
                ),
                number(
                    "tolerance",
                    0.0,
                    (0.0, 1.0, 0.0001),
                    "0: the calls decide. Above 0: stops as soon as every step's error is below this, with at "
                    "most that many calls. 0.03 is coarse, 0.003 fine, in latents of standard deviation 1.",
                    round=0.000001,
                ),
                choice(
                    "method",
                    list(METHODS),
                    "Predictive needs the fewest calls. The embedded ones measure the error of every step and "
                    "take steps back that were too long.",
                ),
                number(
                    "max_step",
                    4.0,
                    (0.05, 10.0, 0.05),
                    "The longest step in log sigma, where the calls allow it: 0.7 halves the noise.",
                    optional=True,
                ),
                number(
                    "min_step",
                    0.001,
                    (0.0001, 0.04, 0.0001),
                    "The shortest step in log sigma.",
                    round=0.00001,
                    optional=True,
                ),
            ],
            outputs=[io.Sampler.Output(display_name="sampler", tooltip="For SamplerCustom and the like.")],
        )

    @classmethod
    def execute(
        cls, calls: int, tolerance: float, method: str, max_step: float = 4.0, min_step: float = 0.001
    ) -> io.NodeOutput:
        from ..host.adaptive import adaptive_sampler

        # Old hosts do not check combos of such nodes.
        if method not in METHODS:
            raise ValueError(f"method: there is no {method!r}; choose one of {', '.join(METHODS)}")
        settings = {"calls": calls, "method": METHODS[method], "max_step": max_step, "min_step": min_step}
        if tolerance > 0.0:
            settings["atol"] = tolerance
        return io.NodeOutput(adaptive_sampler(cls.hidden.unique_id, **settings))


def _check_typed(sampler_name: str | None = None, steps: str | None = None, name: str | None = None) -> None:
    if name is not None:
        folders.checked_path(name)
    if sampler_name is not None:
        check_sampler(sampler_name)
    if steps is not None:
        parse_steps(steps)


class SigmasmithAdaptiveSchedule(io.ComfyNode):
    """Schedules from a pilot run."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SigmasmithAdaptiveSchedule",
            display_name="Sigmasmith Adaptive Schedule",
            category=CATEGORY,
            description="Watches a fine pilot run of a few noises and gives every step the same share of the error, "
            "for any step count. Takes a minute where Fit Schedule takes several, which finds better ones.",
            search_aliases=["sigmasmith", "adaptive", "equidistribution", "scheduler", "sigmas", "pilot"],
            is_output_node=True,
            hidden=[io.Hidden.unique_id],
            inputs=[
                *conditioned_model(
                    "The model, with everything that is on it when you sample.",
                    "A typical prompt of yours.",
                    "Your usual negative prompt.",
                ),
                io.Latent.Input("latent", tooltip="An empty latent of the size you will use."),
                cfg_input("The guidance you will use."),
                sampler_name_input("The sampler that you will use with the schedule; what counts is its order."),
                text(
                    "steps",
                    "10, 20",
                    "Step counts to show and to compare, such as 10 or 5, 8, 10, 20. The usual others are in "
                    "the preset as well.",
                ),
                whole("noises", 3, (1, 32), "Start noises of the pilot run."),
                whole("pilot_calls", 40, (8, 200), "Model calls of the pilot run for each noise."),
                noise_seed_input(
                    "calibration_seed",
                    "Seed of the noises of the pilot run. It has nothing to do with the seed of your images.",
                ),
                text(
                    "name",
                    "my_adaptive",
                    "The preset is saved under this name in models/sigmasmith. Where it exists and fits the "
                    "inputs, it is returned at once, without a model call.",
                ),
                switch("refit", False, "Run the pilot anew and replace the preset."),
                switch(
                    "check",
                    True,
                    "Also run the schedule and four of the host's on the pilot's noises, and take the best. "
                    "Costs five runs for each of the steps.",
                    optional=True,
                ),
            ],
            outputs=outputs(),
        )

    validate_inputs = InputCheck(_check_typed)

    @classmethod
    def fingerprint_inputs(cls, name: str = "", refit: bool = False, **_: Any) -> str:
        return preset_fingerprint(name or "", bool(refit))

    @classmethod
    def execute(
        cls,
        model: Any,
        positive: Any,
        negative: Any,
        cfg: float,
        pilot_calls: int,
        name: str,
        check: bool = True,
        **inputs: Any,
    ) -> io.NodeOutput:
        from .work import FitRequest, Freeze, freeze

        base = FitRequest(
            guider=cfg_guider(model, positive, negative, cfg),
            effort="pilot",
            minutes=0.0,
            name=name.strip(),
            node_id=cls.hidden.unique_id,
            **inputs,
        )
        return node_output(freeze(Freeze(base, pilot_calls, check)), cls)
