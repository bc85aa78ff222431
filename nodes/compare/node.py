"""Sigmasmith Compare Schedules: samplers and schedules against a converged reference, and what that shows."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io, ui

from ..host import registries as _host
from ..schema import CATEGORY, PresetType, schema
from ..text import parse_steps
from .grid import parse_samplers
from .work import CompareRequest, CompareResult, compare

GIVEN_SIGMAS = tuple(f"sigmas_{number}" for number in (1, 2, 3, 4))
GIVEN_SAMPLERS = ("sampler_1", "sampler_2")
_REFERENCE = "reference"


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

    @classmethod
    def validate_inputs(cls, samplers: str | None = None, steps: str | None = None) -> bool | str:
        # A linked input is None here; it is checked when the node runs.
        try:
            if samplers is not None:
                parse_samplers(samplers, _host.sampler_names())
            if steps is not None and steps.strip():
                parse_steps(steps)
        except ValueError as error:
            return str(error)
        return True

    @classmethod
    def execute(
        cls, model: Any, positive: Any, negative: Any, cfg: float, filename_prefix: str, **inputs: Any
    ) -> io.NodeOutput:
        from ...schedules.comparison.text import csv_text, report_text, verdict_sentences
        from ..host.compare import write_csv
        from ..host.fit import cfg_guider

        guider, vae = inputs.pop("guider", None), inputs.pop("vae", None)
        request = CompareRequest(
            guider=guider if guider is not None else cfg_guider(model, positive, negative, cfg),
            given_sigmas={name: given for name in GIVEN_SIGMAS if (given := inputs.pop(name, None)) is not None},
            given_samplers={name: given for name in GIVEN_SAMPLERS if (given := inputs.pop(name, None)) is not None},
            node_id=cls.hidden.unique_id,
            **inputs,
        )
        result = compare(request)
        file = write_csv(filename_prefix, csv_text(result.comparison))
        report = f"{report_text(result.comparison)}\nSaved as {file} in the output folder."
        # In place of the last progress line, which would stay below the node.
        _host.show("\n".join(verdict_sentences(result.comparison)) or f"Saved as {file}.", cls.hidden.unique_id)
        return node_output(result, vae, report, cls)


def _run_inputs() -> list[io.Input]:
    return [
        io.Model.Input("model", tooltip="The model to sample, with everything that is on it."),
        io.Conditioning.Input("positive", tooltip="A typical prompt of yours."),
        io.Conditioning.Input("negative", tooltip="Your usual negative prompt."),
        io.Latent.Input("latent", tooltip="An empty latent of the size you use."),
        io.Float.Input(
            "cfg", default=8.0, min=0.0, max=100.0, step=0.1, round=0.01, tooltip="The guidance that you use."
        ),
    ]


def _choice_inputs() -> list[io.Input]:
    return [
        io.String.Input(
            "schedules",
            default="simple, karras, beta\nsigmasmith_optimal",
            multiline=True,
            tooltip="Names of the scheduler list, and curves with settings to try, one curve a line: "
            "karras rho: 3, 5, 7 or cosine offset: 0.008, 0.03. Several settings, with ; between them, are combined.",
        ),
        io.String.Input(
            "samplers",
            default="euler, dpmpp_2m",
            tooltip="Names of the sampler list. Samplers that draw noise draw the same in every cell.",
        ),
        io.String.Input(
            "steps",
            default="6, 10",
            tooltip="Step counts to compare at, such as 6, 10, 20. Empty: those of the connected sigmas.",
        ),
        io.Int.Input(
            "seeds",
            default=4,
            min=2,
            max=64,
            tooltip="Start noises that every cell runs. More tell smaller differences from chance, and take longer.",
        ),
        io.Int.Input(
            "first_seed",
            default=1000,
            min=0,
            max=2**32 - 1,
            control_after_generate=False,
            tooltip="The first start noise; the next ones follow. Take others than those a preset was fitted on.",
        ),
        io.Int.Input(
            "reference_steps",
            default=100,
            min=16,
            max=1000,
            tooltip="Steps of the reference that errors are measured from. It is also run with half as many, to see "
            "whether it has converged.",
        ),
        io.String.Input(
            "filename_prefix",
            default="sigmasmith/compare",
            tooltip="Where the numbers go in the output folder, as a CSV file.",
        ),
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


def node_output(result: CompareResult, vae: Any, report: str, cls: type[io.ComfyNode]) -> io.NodeOutput:
    """A result as the node gives it out and shows it."""
    from ...schedules.comparison.text import sentences
    from .picture import notice_image, table_image

    table = table_image(result.comparison, list(sentences(result.comparison)))
    images = notice_image("Connect vae to see the images.") if vae is None else _grid(result, vae)
    shown = ui.PreviewImage(table, cls=cls).as_dict()
    if vae is not None:
        sheets: dict[str, Any] = ui.PreviewImage(images, cls=cls).as_dict()
        shown["images"] = [*shown["images"], *sheets["images"]]
    return io.NodeOutput(images, table, report, ui=shown | {"text": (report,)})


def _grid(result: CompareResult, vae: Any) -> Any:
    """The images: a line per sampler and step count, the reference first, then every schedule."""
    from ..host.compare import decoded
    from .picture import image_grid

    targets = {name: decoded(vae, result.model, ends) for name, ends in result.targets.items()}
    pictures: dict[tuple[str, str], Any] = {}
    columns = [_REFERENCE, *dict.fromkeys(cell.schedule for cell in result.comparison.cells)]
    rows: dict[str, None] = {}
    for cell in result.comparison.cells:
        row = f"{cell.sampler}\n{cell.steps} steps"
        rows[row] = None
        pictures[row, _REFERENCE] = targets[cell.target]
        if (ends := result.ends.get((cell.sampler, cell.schedule, cell.steps))) is not None:
            pictures[row, cell.schedule] = decoded(vae, result.model, ends)
    return image_grid(list(rows), columns, pictures)
