"""A comparison as the node gives it out: pictures, table, report, and the numbers in the output folder."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io, ui

from ...schedules.comparison.text import csv_text, report_text, sentences, verdict_sentences
from ..host import messages
from ..host.folders import write_csv
from ..host.latents import decoded
from .picture import image_grid, notice_image, table_image
from .work import CompareResult

_REFERENCE = "reference"


def node_output(result: CompareResult, vae: Any, filename_prefix: str, cls: type[io.ComfyNode]) -> io.NodeOutput:
    """A result as the node gives it out, shows it, and writes it into the output folder."""
    saved = _saved(result, filename_prefix, cls.hidden.unique_id)
    report = f"{report_text(result.comparison)}\n{saved}"
    # In place of the last progress line, which would stay below the node.
    messages.show("\n".join(verdict_sentences(result.comparison)) or saved, cls.hidden.unique_id)
    table = table_image(result.comparison, list(sentences(result.comparison)))
    images = notice_image("Connect vae to see the images.") if vae is None else _grid(result, vae)
    shown = ui.PreviewImage(table, cls=cls).as_dict()
    if vae is not None:
        sheets: dict[str, Any] = ui.PreviewImage(images, cls=cls).as_dict()
        shown["images"] = [*shown["images"], *sheets["images"]]
    return io.NodeOutput(images, table, report, ui=shown | {"text": (report,)})


def _saved(result: CompareResult, filename_prefix: str, node_id: Any) -> str:
    """Where the numbers lie, or why they do not: the report and the pictures are given out all the same."""
    try:
        return f"Saved as {write_csv(filename_prefix, csv_text(result.comparison))} in the output folder."
    except ValueError as error:
        said = f"The numbers are in this report alone: {error}."
        messages.say(said, node_id, warning=True)
        return said


def _grid(result: CompareResult, vae: Any) -> Any:
    """The images: a line per sampler and step count, the reference first, then every schedule."""
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
