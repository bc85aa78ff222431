"""Models with known answers behind the host's own BaseModel: the real KSampler and CFGGuider path without weights.

Imported by the host's interpreter only, after `comfy.cli_args.args.cpu = True`.
"""

from __future__ import annotations

from typing import Any

import comfy.latent_formats
import comfy.model_base
import comfy.model_patcher
import comfy.supported_models_base
import torch
from torch import Tensor

KINDS = {
    "eps": comfy.model_base.ModelType.EPS,
    "v": comfy.model_base.ModelType.V_PREDICTION,
    "flow": comfy.model_base.ModelType.FLOW,
}


class Mixture(torch.nn.Module):
    """The exact denoiser of two Gaussian clusters; the prompt (a number) weighs them.

    Args:
        kind: what the network returns: eps, v or flow (velocity).
        out_of_memory_above: batch size from which it runs out of memory; 0 never does.
    """

    def __init__(self, kind: str, out_of_memory_above: int = 10**9) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(4, 4))
        self.dtype = torch.float32
        self.kind = kind
        self.out_of_memory_above = out_of_memory_above
        self.calls = 0
        self.largest = 0

    def forward(
        self, xc: Tensor, t: Tensor, context: Tensor, control: Any = None, transformer_options: Any = None, **_: Any
    ) -> Tensor:
        self.calls += 1
        self.largest = max(self.largest, xc.shape[0])
        if xc.shape[0] > self.out_of_memory_above:
            raise torch.cuda.OutOfMemoryError("the test's memory is full")
        sigma = transformer_options["sigmas"].float()
        sigma = sigma.repeat(xc.shape[0] // sigma.shape[0]).reshape(-1, *[1] * (xc.ndim - 1))
        x = xc if self.kind == "flow" else xc * (sigma**2 + 1.0).sqrt()
        denoised = self.denoised(x, sigma, context)
        if self.kind == "v":
            return (x / (sigma**2 + 1.0) - denoised) * (sigma**2 + 1.0).sqrt() / sigma
        return (x - denoised) / sigma

    def denoised(self, x: Tensor, sigma: Tensor, context: Tensor) -> Tensor:
        scale = 1.0 - sigma if self.kind == "flow" else torch.ones_like(sigma)
        pattern = torch.linspace(-1.0, 1.0, x[0].numel()).reshape(1, *x.shape[1:]) * self.weight.mean()
        spread = 0.3
        variance = scale**2 * spread**2 + sigma**2
        prompt = context.float().flatten(1).mean(dim=1).reshape(-1, *[1] * (x.ndim - 1))
        # One dimension decides between the clusters, so that a sample's answer is a smooth function of it.
        along = (x * pattern).flatten(1).mean(dim=1).reshape(-1, *[1] * (x.ndim - 1))
        weight = torch.tanh(4.0 * scale * along / variance.clamp_min(0.05) + prompt)
        mean = pattern * weight
        return mean + scale * spread**2 / variance * (x - scale * mean)


def model_of(kind: str, *, video: bool = False, out_of_memory_above: int = 10**9) -> Any:
    """A ModelPatcher around the mixture."""

    class Format(comfy.latent_formats.LatentFormat):
        latent_channels = 4
        latent_dimensions = 3 if video else 2

    class Config(comfy.supported_models_base.BASE):
        unet_config = {"disable_unet_model_creation": True}  # noqa: RUF012
        unet_extra_config = {}  # noqa: RUF012
        latent_format = Format
        sampling_settings = {"shift": 3.0} if kind == "flow" else {}
        memory_usage_factor = 1.0

    model = comfy.model_base.BaseModel(Config(dict(Config.unet_config)), KINDS[kind])
    model.diffusion_model = Mixture(kind, out_of_memory_above)
    cpu = torch.device("cpu")
    return comfy.model_patcher.ModelPatcher(model, cpu, cpu)


def prompt(value: float) -> list[Any]:
    """A conditioning: one number in place of a text."""
    return [[torch.full((1, 4, 8), value), {}]]


def latent(*shape: int) -> dict[str, Tensor]:
    """An empty LATENT."""
    return {"samples": torch.zeros(shape or (1, 4, 8, 8))}
