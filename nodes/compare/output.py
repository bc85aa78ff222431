"""A comparison as the node gives it out: pictures, table, report, and the numbers in the output folder."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io, ui
from torch import Tensor

from ...schedules.comparison.comparison import Cell, Comparison
from ...schedules.comparison.text import csv_text, report_text, sentences, sorted_cells, verdict_sentences
from ...schedules.core.words import Phrase
from ..host import messages
from ..host.decoding import DecodeLatents, decoder_of
from ..host.folders import write_csv
from ..pictures.beside import MOST_ENTRIES, NO_PICTURES, REFERENCE, Beside, Entry, for_page
from ..pictures.sheet import image_grid, notice_image
from ..schema import PICTURES, REPORT
from ..text import translatable
from .picture import table_image
from .work import CompareResult


def node_output(result: CompareResult, vae: Any, filename_prefix: str, cls: type[io.ComfyNode]) -> io.NodeOutput:
    """A result as the node gives it out, shows it, and writes it into the output folder."""
    saved = _saved(result, filename_prefix, cls.hidden.unique_id)
    report = f"{report_text(result.comparison)}\n{saved}"
    table = table_image(result.comparison, list(sentences(result.comparison)))
    seen = _Seen(result, decoder_of(result.model, vae))
    shown: dict[str, Any] = ui.PreviewImage(table, cls=cls).as_dict()
    images = seen.sheets()
    if vae is not None:
        sheets: dict[str, Any] = ui.PreviewImage(images, cls=cls).as_dict()
        shown["images"] = [*shown["images"], *sheets["images"]]
    shown |= {"text": (report,), REPORT: [translatable(_table(result.comparison, saved))], PICTURES: seen.for_page(cls)}
    return io.NodeOutput(images, table, report, ui=shown)


def _table(comparison: Comparison, saved: str) -> dict[str, Any]:
    """The table on the page: the best of every step count, and what the comparison shows."""
    rows = [
        [str(cell.steps), cell.sampler, cell.schedule, Phrase("failed") if cell.failed else f"{cell.error:.3g}"]
        for cell in sorted_cells(comparison)[:MOST_ENTRIES]
    ]
    notes = [*verdict_sentences(comparison), saved]
    heads = [Phrase("steps"), Phrase("sampler"), Phrase("schedule"), Phrase("error")]
    return {"heads": heads, "rows": rows, "notes": notes}


def _saved(result: CompareResult, filename_prefix: str, node_id: Any) -> str:
    """Where the numbers lie, or why they do not: the report and the pictures are given out all the same."""
    try:
        file = write_csv(filename_prefix, csv_text(result.comparison))
        return Phrase("Saved as {file} in the output folder.", file=file)
    except ValueError as error:
        said = Phrase("The numbers are in this report alone: {error}.", error=str(error))
        messages.say(said, node_id, warning=True)
        return said


class _Seen:
    """The end states as pictures, each decoded once."""

    def __init__(self, result: CompareResult, decode: DecodeLatents | None) -> None:
        self.comparison, self.ends, self.targets = result.comparison, result.ends, result.targets
        self._decode = decode
        self._known: dict[int, Tensor] = {}

    def sheets(self) -> Tensor:
        """(seeds, H, W, 3): a line per sampler and step count, the reference first, then every schedule."""
        if self._decode is None:
            return notice_image(NO_PICTURES)
        pictures: dict[tuple[str, str], Any] = {}
        columns = [REFERENCE, *dict.fromkeys(cell.schedule for cell in self.comparison.cells)]
        rows: dict[str, None] = {}
        for cell in self.comparison.cells:
            row = f"{cell.sampler}\n{cell.steps} steps"
            rows[row] = None
            pictures[row, REFERENCE] = list(self._decoded(self.targets[cell.target]))
            if (ends := self.ends.get((cell.sampler, cell.schedule, cell.steps))) is not None:
                pictures[row, cell.schedule] = list(self._decoded(ends))
        return image_grid(list(rows), columns, pictures)

    def for_page(self, cls: type[io.ComfyNode]) -> list[dict[str, Any]]:
        """The best schedule beside its best rival, and all others to choose."""
        chosen = self._in_order()
        if self._decode is None or len(chosen) < 2:
            return []
        entries = [Entry(REFERENCE, self.targets[chosen[0].target])]
        entries += [
            Entry(cell.label, self.ends[cell.sampler, cell.schedule, cell.steps], cell.error)
            for cell in chosen[: MOST_ENTRIES - 1]
        ]
        beside = Beside("", tuple(entries), 2, 1)
        return for_page(beside, [self._decoded(entry.ends) for entry in entries], cls)

    def _in_order(self) -> list[Cell]:
        """Cells with a picture: one of the person's own where there is one, its best rival, then all by their error."""
        cells = sorted(self.comparison.finished, key=lambda cell: cell.error)
        gains = sorted(self.comparison.gains(), key=lambda gain: gain[0].error)
        first = list(gains[0][:2]) if gains else []
        return [*first, *(cell for cell in cells if cell not in first)]

    def _decoded(self, ends: Tensor) -> Tensor:
        if id(ends) not in self._known:
            assert self._decode is not None
            self._known[id(ends)] = self._decode(ends)
        return self._known[id(ends)]
