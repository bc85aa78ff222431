"""An error map as a picture and in words."""

from __future__ import annotations

import torch
from torch import Tensor

from .estimate import RunRecord, normalised, root_mean_square, worst_region
from .refine import Refinement

# Dark to bright with even steps of lightness, so that it also reads in grey; from no error to the largest.
_COLOURS = ((0, 0, 12), (62, 12, 94), (136, 34, 106), (205, 66, 71), (245, 130, 32), (250, 203, 58), (252, 252, 200))
_SHOWN_ROWS = 8


def heat_image(error_map: Tensor, pixels: int = 8) -> tuple[Tensor, Tensor]:
    """A map as pictures.

    Args:
        error_map: (B, H, W), or (B, T, H, W) for video.
        pixels: per side of one value.
    Returns:
        (B * T, H * pixels, W * pixels, 3) and the same without colour, float32, CPU, 0..1 within each image's range.
    """
    share = normalised(error_map.detach().cpu().float())[0]
    share = share.reshape(-1, *share.shape[-2:])
    share = share.repeat_interleave(pixels, dim=1).repeat_interleave(pixels, dim=2)
    colours = torch.tensor(_COLOURS, dtype=torch.float32) / 255.0
    place = share * (len(colours) - 1)
    low = place.floor().long().clamp(max=len(colours) - 2)
    rest = (place - low)[..., None]
    return colours[low] * (1.0 - rest) + colours[low + 1] * rest, share


def map_in_words(record: RunRecord, end: Tensor, calls: int) -> str:
    """The numbers of a run's map.

    Args:
        record: of the run, finished.
        end: (B, ...) its result in the sampler's own units, those of the map.
    """
    error_map = record.map()
    spread = end.flatten(1).float().std(dim=1).clamp_min(1e-12)
    mean, worst = root_mean_square(error_map), root_mean_square(error_map, worst_region(error_map, 0.25))
    top = normalised(error_map)[1]
    lines = [f"{calls} model calls, none of them for the map."]
    rows = list(zip(mean.tolist(), worst.tolist(), top.tolist(), spread.tolist()))
    for number, (average, high, brightest, own) in enumerate(rows[:_SHOWN_ROWS], start=1):
        name = f"Image {number}: " if len(rows) > 1 else ""
        lines.append(
            f"{name}estimated error {average:.3g}, {average / own:.1%} of the latent's own spread of {own:.3g}; "
            f"{high:.3g} around the worst quarter of the pixels. The brightest colour stands for {brightest:.3g}."
        )
    if len(rows) > _SHOWN_ROWS:
        lines.append(f"... and {len(rows) - _SHOWN_ROWS} more images.")
    return "\n".join([*lines, _largest_step(record)])


def _largest_step(record: RunRecord) -> str:
    """Which step the estimate is largest in: more steps help there."""
    parts = [float(square.sum()) for square in record.squares]
    if not sum(parts) > 0.0:
        return "A run of one step says nothing about its error." if len(parts) == 1 else "No error was estimated."
    step = max(range(len(parts)), key=lambda i: parts[i])
    following = f"{record.levels[step + 1]:.3g}" if step + 1 < len(parts) else "the end"
    return (
        f"The largest part, {parts[step] / sum(parts):.0%} of its square, comes from the step from sigma "
        f"{record.levels[step]:.3g} to {following}."
    )


def refinement_in_words(refinement: Refinement) -> str:
    """Sentences on what the rounds did, and why they stopped."""
    before, after = (float(root_mean_square(each.reshape(1, -1))) for each in (refinement.before, refinement.after))
    changed, calls = float(refinement.region.mean()), refinement.calls
    lines = [
        f"Estimated error of the whole picture: {before:.3g} before, {after:.3g} after {calls} more model calls.",
        f"{changed:.0%} of the pixels were resampled; all others are exactly as before.",
    ]
    for number, each in enumerate(refinement.rounds, start=1):
        lines.append(
            f"Round {number}: {each.steps} steps from sigma {each.sigma:.3g}, {each.calls} model calls; estimate in "
            f"the region {each.before:.3g} -> {each.after:.3g}, {'kept' if each.kept else 'discarded'}."
        )
    return "\n".join([*lines, f"Stopped: {refinement.reason}."])
