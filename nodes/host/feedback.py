"""Runs that are observed: a sampler from its noise, and a region of it again from one of the run's own states."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import comfy.model_management
import comfy.sample
import comfy.samplers
import latent_preview
import torch
from torch import Tensor

from ...schedules.core.counted import CountedModel
from ...schedules.feedback.estimate import RunRecord, observed
from ...schedules.feedback.refine import Pass
from . import messages
from .guiders import cfg_guider
from .latents import latent_rows
from .noise_levels import model_sampling_of


@dataclass(frozen=True)
class SamplingInputs:
    """The inputs of a node that samples, as SamplerCustom takes them.

    Args:
        sampler: the host's SAMPLER.
        sigmas: (steps + 1,).
    """

    model: Any
    positive: Any
    negative: Any
    latent: dict[str, Any]
    seed: int
    cfg: float
    sampler: Any
    sigmas: Tensor


class ObservedRuns:
    """Runs of one node.

    Args:
        total_calls: what the progress bar ends at.
    Raises:
        ValueError: names the input `latent` or `sampler`.
    """

    def __init__(self, inputs: SamplingInputs, total_calls: int) -> None:
        samples = inputs.latent.get("samples") if isinstance(inputs.latent, dict) else None
        if getattr(samples, "is_nested", False):
            raise ValueError("latent: latents of two kinds at once (video with audio) have no single map of pixels")
        self.inputs = inputs
        self.samples = latent_rows(inputs.model, inputs.latent, 1 if samples is None else samples.shape[0])
        self.guider = cfg_guider(inputs.model, inputs.positive, inputs.negative, inputs.cfg)
        self.function = _function_of(inputs.sampler)
        self.total_calls = total_calls
        self.done = 0
        self._limit: int | None = None
        self._show = latent_preview.prepare_callback(inputs.model, total_calls)

    def first(self, *, keep_states: bool = False) -> Pass:
        """The run that SamplerCustom would make, bit for bit."""
        noise = comfy.sample.prepare_noise(self.samples, self.inputs.seed, self.inputs.latent.get("batch_index"))
        mask = self.inputs.latent.get("noise_mask")
        return self._run(self.function, noise, self.samples, self.inputs.sigmas, mask, keep_states)

    def again(self, state: Tensor, sigmas: Tensor, image: Tensor, region: Tensor, most_calls: int) -> Pass | None:
        """schedules.feedback's Resample: from `state` at sigmas[0], on its own noise, in the region only."""
        image = image.to(self.samples)
        noise = self._noise_of(state, sigmas[0], image)

        def from_state(model: Any, x: Tensor, *given: Any, **options: Any) -> Tensor:
            return self.function(model, state.to(x), *given, **options)

        self._limit = self.done + most_calls
        try:
            return self._run(from_state, noise, image, sigmas, region.cpu().unsqueeze(1), keep_states=False)
        except _OverBudgetError:
            return None

    def count_call(self) -> None:
        """One more model call, or `_OverBudgetError` where none is left."""
        messages.stop_if_interrupted()
        if self.done == self._limit:
            raise _OverBudgetError
        self.done += 1

    def in_sampler_units(self, samples: Tensor) -> Tensor:
        """A latent as samplers see it."""
        model = self.inputs.model.model
        return model.process_latent_in(samples) if torch.count_nonzero(samples) > 0 else samples

    def _noise_of(self, state: Tensor, sigma: Tensor, image: Tensor) -> Tensor:
        """The noise that the host's own rule puts on the image to get the state; it is linear in the noise.

        The host's mask then keeps what lies outside of the region on the straight line from the state to the image.
        """
        sampling, latent = model_sampling_of(self.inputs.model), self.in_sampler_units(image)
        bare = sampling.noise_scaling(sigma, torch.zeros_like(latent), latent.clone())
        unit = sampling.noise_scaling(sigma, torch.ones_like(latent), torch.zeros_like(latent))
        return (state.to(latent) - bare) / unit

    def _run(
        self,
        function: Callable[..., Tensor],
        noise: Tensor,
        latent: Tensor,
        sigmas: Tensor,
        mask: Tensor | None,
        keep_states: bool,
    ) -> Pass:
        record, before = RunRecord(keep_states), self.done

        def counted(model: Any, *given: Any, **options: Any) -> Tensor:
            return function(CountedModel(model, before=self.count_call), *given, **options)

        sampler = comfy.samplers.KSAMPLER(
            observed(counted, record), self.inputs.sampler.extra_options, self.inputs.sampler.inpaint_options
        )
        end = self.guider.sample(
            noise, latent, sampler, sigmas, mask, callback=self._progress, disable_pbar=True, seed=self.inputs.seed
        )
        return Pass(record, end.to(comfy.model_management.intermediate_device()), self.done - before)

    def _progress(self, _: int, denoised: Tensor, x: Tensor, __: int) -> None:
        # The bar runs over all rounds; a sampler may need more calls than foreseen.
        self._show(min(self.done, self.total_calls) - 1, denoised, x, self.total_calls)


class _OverBudgetError(Exception):
    """A sampler that chooses its own steps asks for more calls than it may take."""


def _function_of(sampler: Any) -> Callable[..., Tensor]:
    function = getattr(sampler, "sampler_function", None)
    if function is None or not hasattr(sampler, "extra_options"):
        raise ValueError("sampler: this one hides its steps; choose another, for example with KSamplerSelect")
    return function


def pixels_per_value(model: Any) -> int:
    """Side of the square of pixels that one latent value stands for; older hosts do not say, and mostly it is 8."""
    ratio = getattr(model.get_model_object("latent_format"), "spacial_downscale_ratio", 8)
    return max(1, int(ratio))
