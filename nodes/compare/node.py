"""Sigmasmith Compare Schedules: samplers and schedules against a converged reference, and what that shows."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..host.folders import check_csv
from ..host.guiders import cfg_guider
from ..host.input_check import InputCheck
from ..host.samplers import sampler_names
from ..inputs import cfg_input, conditioned_model, noise_seed_input
from ..schema import CATEGORY, PresetType, schema, text, whole
from ..text import parse_steps
from .grid import parse_samplers

GIVEN_SIGMAS = tuple(f"sigmas_{number}" for number in (1, 2, 3, 4))
GIVEN_SAMPLERS = ("sampler_1", "sampler_2")


def _check_typed(samplers: str | None = None, steps: str = "", filename_prefix: str | None = None) -> None:
    if filename_prefix is not None:
        check_csv(filename_prefix)
    if samplers is not None:
        parse_samplers(samplers, sampler_names())
    if steps.strip():
        parse_steps(steps)


class SigmasmithCompare(io.ComfyNode):
    """Compare schedules and samplers."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SigmasmithCompare",
            display_name="Sigmasmith Compare Schedules",
            category=CATEGORY,
            description="Runs samplers and schedules on the same seeds, measures how far each ends from a converged "
            "reference, and says which is surely better at its cost and where there is no difference. Also a search "
            "over step counts and curve settings.",
            search_aliases=["sigmasmith", "compare", "grid", "xy plot", "benchmark", "scheduler", "sampler"],
            is_output_node=True,
            hidden=[io.Hidden.unique_id],
            inputs=[*_run_inputs(), *_choice_inputs(), *_connected_inputs()],
            outputs=[
                io.Image.Output(
                    display_name="images",
                    tooltip="The first two seeds, a sheet each: the reference and every schedule. Needs vae.",
                ),
                io.Image.Output(display_name="table", tooltip="Errors with their spread, calls and seconds."),
                io.String.Output(display_name="report", tooltip="The same in words. A CSV lies in the output folder."),
            ],
        )

    validate_inputs = InputCheck(_check_typed)

    @classmethod
    def execute(
        cls, model: Any, positive: Any, negative: Any, cfg: float, filename_prefix: str, **inputs: Any
    ) -> io.NodeOutput:
        from .output import node_output
        from .work import CompareRequest, compare

        check_csv(filename_prefix)
        guider, vae = inputs.pop("guider", None), inputs.pop("vae", None)
        request = CompareRequest(
            guider=guider if guider is not None else cfg_guider(model, positive, negative, cfg),
            given_sigmas={name: given for name in GIVEN_SIGMAS if (given := inputs.pop(name, None)) is not None},
            given_samplers={name: given for name in GIVEN_SAMPLERS if (given := inputs.pop(name, None)) is not None},
            node_id=cls.hidden.unique_id,
            **inputs,
        )
        return node_output(compare(request), vae, filename_prefix, cls)


def _run_inputs() -> list[io.Input]:
    return [
        *conditioned_model(
            "The model to sample, with everything that is on it.",
            "A typical prompt of yours.",
            "Your usual negative prompt.",
        ),
        io.Latent.Input("latent", tooltip="An empty latent of the size you use."),
        cfg_input("The guidance that you use."),
    ]


def _choice_inputs() -> list[io.Input]:
    return [
        text(
            "schedules",
            "simple, karras, beta\nsigmasmith_optimal",
            "Names of the scheduler list, and curves with settings to try, one curve a line: "
            "karras rho: 3, 5, 7 or cosine offset: 0.008, 0.03. Several settings, with ; between them, are combined.",
            multiline=True,
        ),
        text(
            "samplers",
            "euler, dpmpp_2m",
            "Names of the sampler list. Samplers that draw noise draw the same in every cell.",
        ),
        text("steps", "6, 10", "Step counts to compare at, such as 6, 10, 20. Empty: those of the connected sigmas."),
        whole(
            "seeds",
            4,
            (2, 64),
            "Start noises that every cell runs. More tell smaller differences from chance, and take longer.",
        ),
        noise_seed_input(
            "first_seed",
            "The first start noise; the next ones follow. Take others than those a preset was fitted on.",
            default=1000,
        ),
        whole(
            "reference_steps",
            100,
            (16, 1000),
            "Steps of the reference that errors are measured from. It is also run with half as many, to see "
            "whether it has converged.",
        ),
        text("filename_prefix", "sigmasmith/compare", "Where the numbers go in the output folder, as a CSV file."),
    ]


def _connected_inputs() -> list[io.Input]:
    return [
        io.Vae.Input("vae", optional=True, tooltip="Connect it to see the images too."),
        PresetType.Input("preset", optional=True, tooltip="A preset to compare with the others."),
        io.Guider.Input("guider", optional=True, tooltip="Guidance of another kind; replaces model, prompts and cfg."),
        *(
            io.Sigmas.Input(name, optional=True, tooltip="A schedule to compare with the others, at its own steps.")
            for name in GIVEN_SIGMAS
        ),
        *(
            io.Sampler.Input(name, optional=True, tooltip="A sampler with options of its own to compare too.")
            for name in GIVEN_SAMPLERS
        ),
    ]
