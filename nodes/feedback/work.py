"""The work behind Error Map and Refine by Error: host objects in, plain results out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ...schedules.core.sigmas import check_sigmas
from ...schedules.feedback.refine import Critic, refine
from ...schedules.feedback.words import heat_image, map_in_words, refinement_in_words
from ...schedules.search.rewards import Reward, measured
from ..host.feedback import ObservedRuns, SamplingInputs, pixels_per_value
from ..host.noise_levels import sigma_range_of


@dataclass(frozen=True)
class FeedbackResult:
    """The outputs of a node.

    Args:
        picture: (B, H, W, 3); frames of a video in turn.
        mask: (B, H, W), of the pictures' size.
        report: in words.
    """

    latent: dict[str, Any]
    picture: Tensor
    mask: Tensor
    report: str


def error_map(**inputs: Any) -> FeedbackResult:
    """Sample and map the error.

    Raises:
        ValueError: names the input.
    """
    request = SamplingInputs(**inputs)
    sigmas = check_sigmas(request.sigmas, terminal_zero=_ends_in_zero(request.sigmas))
    runs = ObservedRuns(request, len(sigmas) - 1)
    run = runs.first()
    picture, mask = heat_image(run.record.map(), pixels_per_value(request.model))
    report = map_in_words(run.record, runs.in_sampler_units(run.end), run.calls)
    return FeedbackResult(_latent_of(request, run.end), picture, mask, report)


def refined(
    budget: int,
    share: float,
    mask: Tensor | None = None,
    critic: Reward | None = None,
    pass_score: float = 0.0,
    crops: int = 4,
    vae: Any = None,
    **inputs: Any,
) -> FeedbackResult:
    """Sample, then sample the worst pixels again.

    Raises:
        ValueError: names the input.
    """
    request = SamplingInputs(**inputs)
    sigmas = check_sigmas(request.sigmas)
    runs = ObservedRuns(request, len(sigmas) - 1 + budget)
    allowed = _allowed(mask, request, runs.samples)
    refinement = refine(
        runs.first(keep_states=True),
        sigmas,
        runs.again,
        budget=budget,
        sigma_min=sigma_range_of(request.model).sigma_min,
        share=share,
        allowed=allowed,
        critic=None if critic is None else crop_critic(critic, pass_score, crops, vae),
    )
    pixels = pixels_per_value(request.model)
    picture = heat_image(refinement.after, pixels)[0]
    region = refinement.region.cpu().reshape(-1, *refinement.region.shape[-2:])
    region = region.repeat_interleave(pixels, dim=1).repeat_interleave(pixels, dim=2)
    return FeedbackResult(_latent_of(request, refinement.end), picture, region, refinement_in_words(refinement))


def crop_critic(reward: Reward, pass_score: float, crops: int, vae: Any) -> Critic:
    """The critic that cuts every picture into crops x crops parts and names those that score below `pass_score`.

    Raises:
        ValueError: names the input.
    """
    if vae is None:
        raise ValueError("vae: a critic looks at pictures; connect the VAE")

    def failing(latents: Tensor) -> Tensor:
        if latents.ndim != 4:
            raise ValueError("critic: pictures of videos cannot be judged in parts yet; leave it unconnected")
        pictures = vae.decode(latents)[..., :3].float().cpu().clamp(0.0, 1.0)
        if min(pictures.shape[1:3]) < crops:
            raise ValueError(f"crops: {crops} parts a side are too many for {pictures.shape[2]} x {pictures.shape[1]}")
        parts = [part for row in pictures.tensor_split(crops, dim=1) for part in row.tensor_split(crops, dim=2)]
        # One size for all, as rewards that look at several pictures at once want it.
        size = parts[0].shape[1:3]
        sized = [functional.interpolate(part.movedim(-1, 1), size=size, mode="area").movedim(1, -1) for part in parts]
        scores = reward.total(measured(reward, torch.cat(sized))).reshape(crops, crops, len(pictures))
        bad = (scores < pass_score).float().permute(2, 0, 1)[:, None]
        return functional.interpolate(bad, size=latents.shape[-2:], mode="nearest")[:, 0]

    return failing


def _ends_in_zero(sigmas: Any) -> bool:
    """A split schedule stops above 0; its run can be mapped too."""
    return not (isinstance(sigmas, Tensor) and sigmas.numel() and float(sigmas.flatten()[-1]) > 0.0)


def _latent_of(request: SamplingInputs, samples: Tensor) -> dict[str, Any]:
    # As KSampler does: an empty latent's ratios mean nothing for a finished one.
    kept = {name: value for name, value in request.latent.items() if not name.startswith("downscale_ratio")}
    return kept | {"samples": samples}


def _allowed(mask: Tensor | None, request: SamplingInputs, samples: Tensor) -> Tensor | None:
    """(B, *spatial) of 0 and 1: where the input mask and the latent's own noise mask let pixels change."""
    shape, own = (samples.shape[0], *samples.shape[2:]), request.latent.get("noise_mask")
    if mask is not None:
        check_mask_shape(mask, shape)
    given = [each for each in (mask, own) if each is not None]
    if not given:
        return None
    allowed = math.prod(fit_mask(each, shape) for each in given)
    assert isinstance(allowed, Tensor)
    if not bool(allowed.any()):
        raise ValueError("mask: it lets no pixel change; paint white where the picture may be refined")
    return allowed


def check_mask_shape(mask: Tensor, shape: tuple[int, ...]) -> None:
    """Refuse a mask of another aspect ratio than the latent's: the host would stretch it over the wrong pixels."""
    (height, width), (rows, columns) = mask.shape[-2:], shape[-2:]
    # Image sides are rounded to whole latent values: by that much, and no more, the shapes may differ.
    if abs(height * columns - width * rows) > 1.01 * max(height, width, rows, columns):
        raise ValueError(
            f"mask: its shape, {width} x {height}, is not that of the picture, which is {columns} x {rows} in the "
            "latent; give a mask of the same aspect ratio"
        )


def fit_mask(mask: Tensor, shape: tuple[int, ...]) -> Tensor:
    """A mask in the shape of the latent's pixels, of 0 and 1.

    Args:
        mask: (..., H, W) of any size; before that 1 mask, one per image, or of a video one per frame.
        shape: (B, H, W), or (B, T, H, W) for video.
    Raises:
        ValueError: names the input.
    """
    flat = mask.detach().cpu().float().reshape(-1, 1, *mask.shape[-2:])
    shrinks = flat.shape[-2] >= shape[-2]
    small = functional.interpolate(flat, size=shape[-2:], mode="area" if shrinks else "nearest")[:, 0]
    white, images = (small > 0.5).float(), math.prod(shape[:-2])
    if len(white) == images:
        return white.reshape(shape)
    if len(white) == shape[-3] or len(white) == 1:  # of a video: the same for every one of the batch
        return white.expand(shape).clone()
    if len(white) == shape[0]:
        return white.unsqueeze(1).expand(shape).clone()
    raise ValueError(f"mask: it holds {len(white)} masks for {images} images; give one, or one for each")
