"""The card of one preset in the library, in plain values and finished words."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from ..core.words import Phrase, picture_size
from ..fitting.claims import told_gain
from ..presets.preset import FITTED, Preset
from .whole_runs import preset_run

_THUMBNAIL_POINTS = 32


def card(preset: Preset) -> dict[str, Any]:
    """A preset as a card of the library: its facts as [label, text] pairs, its gains, its curve as a thumbnail."""
    model = preset.model
    counts = ", ".join(str(preset.running(full)) for full in preset.schedules)
    ends = {"low": f"{model.sigma_min:.3g}", "high": f"{model.sigma_max:.4g}"}
    facts = [
        (Phrase("Steps"), Phrase("{counts} (exact)", counts=counts) if preset.exact else counts),
        (Phrase("Denoise"), f"{preset.denoise:g}" if preset.denoise < 1.0 else ""),
        (Phrase("Sampler"), preset.sampler),
        (Phrase("Model"), " ".join(part for part in (model.family, _file_stem(model.checkpoint)) if part)),
        (Phrase("LoRA"), ", ".join(model.loras) or (Phrase("yes") if model.patches else "")),
        (Phrase("Noise"), Phrase("{low} to {high}, flow", **ends) if model.flow else Phrase("{low} to {high}", **ends)),
        (Phrase("Shift"), f"{model.shift:g}" if model.shift is not None else ""),
        (Phrase("Guidance"), f"{preset.guidance:g}" if preset.guidance is not None else ""),
        (Phrase("Size"), picture_size(preset.latent_shape, model.family) if preset.latent_shape else ""),
        (Phrase("Author"), preset.author),
        (Phrase("Licence"), preset.licence),
        (Phrase("Notes"), preset.made.beside(preset.notes)),
        (Phrase("Id"), preset.short_hash),
    ]
    return {
        "title": preset.name,
        "family": model.family,
        "sampler": preset.sampler,
        "steps": [preset.running(full) for full in preset.schedules],
        "facts": [[label, text] for label, text in facts if text],
        "gains": [[preset.running(full), text] for full in preset.schedules if (text := gain(preset, full))],
        "thumbnail": [thumbnail(sigmas) for sigmas in _few(list(preset.schedules.values()))],
    }


def gain(preset: Preset, steps: int) -> str:
    """The measured gain at a step count, in words; "" where nothing was measured."""
    errors = preset.errors.get(steps, {})
    hosts = {name: error for name, error in errors.items() if name != FITTED}
    origin = preset.origin.get(steps, FITTED)
    if not hosts:
        return ""
    best = min(hosts, key=lambda name: hosts[name])
    if origin != FITTED:
        return Phrase("no gain: {host} was best", host=origin)
    if told := told_gain(preset, steps):
        return told
    if not errors.get(FITTED):
        return ""
    ratio = hosts[best] / errors[FITTED]
    if ratio <= 1.0:
        return Phrase("no gain over {host}", host=best)
    return Phrase("error {ratio}x below {host}", ratio=f"{ratio:.2f}", host=best)


def count_sentence(preset: Preset, full: int, steps: int | None = None) -> str:
    """A step count of a preset in words, with its gain as the library says it: the title of a plot.

    Args:
        full: steps of its list.
        steps: of them that run; None for those that were fitted.
    """
    runs, origin = preset.running(full) if steps is None else steps, preset.origin.get(full, FITTED)
    if full not in preset.schedules:
        return f"{runs} steps: {preset_run(preset, full)[1] or _between(preset, full)}"
    if origin != FITTED:
        return f"{runs} steps: the host's {origin} was best"
    if not (told := gain(preset, full)):
        return f"{runs} steps: fitted"
    hosts = {name: error for name, error in preset.errors[full].items() if name != FITTED}
    beside = f" beside {min(hosts, key=lambda name: hosts[name])}" if told_gain(preset, full) else ""
    return f"{runs} steps: fitted, {told}{beside}"


def _between(preset: Preset, full: int) -> str:
    """How a list follows from those of fitted counts."""
    inside = min(preset.schedules) < full < max(preset.schedules)
    return f"{'interpolated' if inside else 'extended'} from {preset.counts_in_words}"


def thumbnail(sigmas: Tensor) -> list[list[float]]:
    """Points of log sigma over step, both from 0 to 1 and y downwards; the terminal 0 lies at the foot."""
    positive = sigmas[:-1].double().numpy()
    kept = np.unique(np.rint(np.linspace(0, len(positive) - 1, min(len(positive), _THUMBNAIL_POINTS))).astype(int))
    levels = np.log(positive[kept])
    high, low = levels[0], min(levels[-1], levels[0] - 1e-6)
    points = [
        [round(float(step) / len(positive), 3), round(0.85 * float((high - level) / (high - low)), 3)]
        for step, level in zip(kept, levels)
    ]
    return [*points, [1.0, 1.0]]


def _few(lists: list[Tensor], most: int = 4) -> list[Tensor]:
    """At most `most` of the schedules, evenly chosen."""
    if len(lists) <= most:
        return lists
    return [lists[round(i * (len(lists) - 1) / (most - 1))] for i in range(most)]


def _file_stem(name: str | None) -> str:
    return name.rsplit(".", 1)[0] if name else ""
