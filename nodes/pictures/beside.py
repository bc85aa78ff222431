"""End states of one set of noises by several schedules, to be looked at side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from comfy_api.latest import io, ui
from torch import Tensor

from ...schedules.core.words import Phrase
from ..host.decoding import DecodeLatents
from ..text import translatable
from .sheet import image_grid, notice_image

# Samples that are decoded, and schedules that the page is given of a large comparison.
PICTURED, MOST_ENTRIES = 2, 24
# Pixels of a tile's longer side in the image of a fit.
_TILE = 1024
REFERENCE, NO_PICTURES = Phrase("reference"), "Connect vae to see the images."


@dataclass(frozen=True)
class Entry:
    """The end states of one schedule.

    Attributes:
        label: in words.
        ends: (rows, ...) in model space.
        error: from the reference, over all rows that ran; None for the reference itself.
    """

    label: str
    ends: Tensor
    error: float | None = None

    @property
    def caption(self) -> str:
        """The label, and the error where there is one."""
        return self.label if self.error is None else f"{self.label}: error {self.error:.3g}"


@dataclass(frozen=True)
class Beside:
    """Entries of which two stand side by side at first.

    Attributes:
        title: of the row, such as the step count.
        left, right: numbers of these two.
    """

    title: str
    entries: tuple[Entry, ...]
    left: int
    right: int


def pictures_of(beside: Beside | None, decode: DecodeLatents | None) -> list[Tensor]:
    """(rows, H, W, 3) of each entry, 0..1, of at most PICTURED rows; none without entries or decoder."""
    if beside is None or decode is None:
        return []
    return [decode(entry.ends[:PICTURED]) for entry in beside.entries]


def sheet_of(beside: Beside | None, pictures: Sequence[Tensor]) -> Tensor:
    """(rows, H, W, 3) float32 in 0..1: for every row the entries side by side; a notice where there is nothing."""
    if beside is None or not pictures:
        return notice_image(NO_PICTURES)
    captions = [entry.caption for entry in beside.entries]
    tiles = {(beside.title, caption): list(rows) for caption, rows in zip(captions, pictures)}
    return image_grid([beside.title], captions, tiles, _TILE)


def for_page(beside: Beside | None, pictures: Sequence[Tensor], cls: type[io.ComfyNode] | None) -> list[dict[str, Any]]:
    """Plain data for the page, as the `ui` of a node takes them: where every picture lies, and its caption.

    Args:
        cls: of the node whose graph the files keep; None for none.
    """
    if beside is None or not pictures:
        return []
    shown = [
        {
            "label": translatable(entry.label),
            "error": entry.error,
            "images": ui.PreviewImage(rows, cls=cls).as_dict()["images"],
        }
        for entry, rows in zip(beside.entries, pictures)
    ]
    return [{"title": beside.title, "entries": shown, "left": beside.left, "right": beside.right}]
