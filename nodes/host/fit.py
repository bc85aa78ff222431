"""A fit on the host's side: guider, noises, latents, progress bar with preview."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import comfy.model_management
import comfy.sample
import comfy.samplers
import comfy.utils
import latent_preview
import torch
from torch import Tensor

from ...schedules.hosting.progress import AT_MOST, Throttle, takes_about
from .. import LOGGER_NAME
from ..text import duration
from . import registries as _host
from .runs import GuiderRuns

if TYPE_CHECKING:
    from .experts import ExpertRuns

# Previews cost a decode and a JPEG each; the page shows no more than this many a second anyway.
_PREVIEW_INTERVAL = 0.2
_TEXT_INTERVAL = 2.0


def cfg_guider(model: Any, positive: Any, negative: Any, cfg: float) -> Any:
    """The guider that a KSampler makes of these inputs."""
    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds(positive, negative)
    guider.set_cfg(cfg)
    return guider


def guidance_of(guider: Any) -> float | None:
    """The guider's guidance where it has a single one."""
    cfg = getattr(guider, "cfg", None)
    return float(cfg) if isinstance(cfg, (int, float)) else None


def free_memory() -> float:
    """Bytes of the computer's memory that are free."""
    return float(comfy.model_management.get_free_memory(torch.device("cpu")))


def latent_rows(model: Any, latent: dict[str, Any], rows: int) -> Tensor:
    """(rows, ...) float32 CPU: the LATENT as a sampler sees it, its samples in turn.

    Raises:
        ValueError: names the input `latent`.
    """
    samples = latent.get("samples") if isinstance(latent, dict) else None
    if samples is None:
        raise ValueError("latent: it holds no samples")
    if getattr(samples, "is_nested", False):
        raise ValueError("latent: latents of two kinds at once (video with audio) cannot be fitted yet")
    if samples.ndim < 3 or samples.numel() == 0:
        raise ValueError(f"latent: it is empty (shape {tuple(samples.shape)}); give it at least one sample")
    if not bool(torch.isfinite(samples).all()):
        raise ValueError("latent: it holds NaN or infinity; check the node that makes it")
    known = inspect.signature(comfy.sample.fix_empty_latent_channels).parameters
    ratios = {key: latent[key] for key in ("downscale_ratio_spacial", "downscale_ratio_temporal") if key in latent}
    samples = comfy.sample.fix_empty_latent_channels(model, samples, **{k: v for k, v in ratios.items() if k in known})
    return comfy.utils.repeat_to_batch_size(samples.detach().cpu().float(), rows).clone()


def noise_rows(shape: tuple[int, ...], seed: int) -> Tensor:
    """(B, ...) standard normal, float32, CPU. Row r is drawn from seed + r alone, so it does not depend on B."""
    rows = [torch.randn(shape[1:], generator=torch.Generator().manual_seed(seed + row)) for row in range(shape[0])]
    return torch.stack(rows)


def prompt_rows(prompts: int, rows: int, seed: int) -> tuple[int, ...]:
    """A prompt for every row, each as often as any other, in random order: noises and prompts are paired at random."""
    generator = torch.Generator().manual_seed(seed)
    order: list[int] = []
    while len(order) < rows:
        order += torch.randperm(prompts, generator=generator).tolist()
    return tuple(order[:rows])


def progress_bar(
    runs: GuiderRuns | ExpertRuns,
    node_id: Any,
    minutes: float | None,
    work: str = "the fit",
    more: str = AT_MOST,
) -> Callable[[int, int, str], None]:
    """calibrate's progress function: the host's bar with a preview, and once in words how long `work` will take."""
    model = runs.guider.model_patcher
    previewer = _previewer(model)
    bar = comfy.utils.ProgressBar(1)
    previews, texts = Throttle(_PREVIEW_INTERVAL), Throttle(_TEXT_INTERVAL)

    def progress(done: int, total: int, message: str) -> None:
        _host.stop_if_interrupted()
        preview = None
        if previewer is not None and runs.preview is not None and previews.due():
            preview = previewer(runs.preview)
        bar.update_absolute(done, total, preview)
        left = runs.timer.first_estimate(done, total)
        if left is not None:
            _host.say(takes_about(work, left, minutes if minutes and left > 60.0 * minutes else None, more), node_id)
            texts.restart()
        elif runs.timer.told and texts.due():
            _host.show(f"{message}; {duration(runs.timer.seconds_left(done, total))}{more}", node_id)

    return progress


def _previewer(model: Any) -> Callable[[Tensor], Any] | None:
    """Latent -> what the host's progress bar takes as a preview; None where previews are off."""
    try:
        previewer = latent_preview.get_previewer(model.load_device, model.model.latent_format)
    except Exception as error:  # a missing preview must not cost the fit
        logging.getLogger(LOGGER_NAME).debug("Sigmasmith: no preview: %s", error)
        return None
    if previewer is None:
        return None
    return lambda latent: previewer.decode_latent_to_preview_image("JPEG", latent)
