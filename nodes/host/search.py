"""Searches in the host: runs from seeds, exactly as a KSampler makes them, and a search inside one run as a SAMPLER."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import comfy.model_management
import comfy.patcher_extension
import comfy.sample
import comfy.samplers
import latent_preview
import torch
from torch import Tensor

from ...schedules.presets.preset import Preset
from ...schedules.samplers.fitted import NAME
from ...schedules.search.seeds import Drawn
from ...schedules.search.stepwise import StepRecord, StepSearch, sample_search
from ...schedules.search.words import steps_in_words
from ..registration import PRESET_ATTRIBUTE
from . import messages
from .decoding import DecodeLatents
from .guiders import cfg_guider
from .latents import latent_rows
from .multistep import multistep_sampler
from .noise_levels import is_flow, model_sampling_of
from .runs import first_chunk
from .variance import tell

_COUNT_KEY = "sigmasmith_search_calls"


@dataclass(frozen=True)
class KSamplerInputs:
    """The inputs of a KSampler."""

    model: Any
    positive: Any
    negative: Any
    latent: dict[str, Any]
    steps: int
    cfg: float
    sampler_name: str
    scheduler: str
    denoise: float = 1.0

    def sigmas(self, steps: int) -> Tensor:
        """(steps + 1,) noise levels of its run at a step count."""
        device, options = self.model.load_device, self.model.model_options
        sampler = comfy.samplers.KSampler(
            self.model, steps, device, self.sampler_name, self.scheduler, self.denoise, options
        )
        return sampler.sigmas


@dataclass(frozen=True)
class DraftRule:
    """What drafts run, and why, in a sentence."""

    sigmas: Tensor
    sampler: Any
    sentence: str


def draft_rule(inputs: KSamplerInputs, steps: int, node_id: Any) -> DraftRule:
    """The best few-step run that is there: the preset's coefficients, its schedule, or the scheduler chosen."""
    preset: Preset | None = getattr(model_sampling_of(inputs.model), PRESET_ATTRIBUTE, None)
    sampler = comfy.samplers.sampler_object(inputs.sampler_name)
    if preset is None:
        sentence = (
            f"Drafts ran {inputs.scheduler} at {steps} steps: the model carries no preset. Drafts of a fitted schedule "
            "rank seeds better: connect Sigmasmith Apply Schedule."
        )
        return DraftRule(inputs.sigmas(steps), sampler, sentence)
    sigmas = preset.sigmas(steps, inputs.denoise)
    if inputs.denoise == 1.0 and preset.sampler == NAME and steps in preset.coefficients:
        said = f"Drafts ran the preset's {steps} fitted steps with their coefficients."
        return DraftRule(sigmas, multistep_sampler(preset, node_id), said)
    if preset.is_fitted(steps, inputs.denoise):
        return DraftRule(sigmas, sampler, f"Drafts ran the preset's {steps} fitted steps with {inputs.sampler_name}.")
    sentence = f"Drafts ran the preset's schedule interpolated to {steps} steps: it was not fitted at that count."
    return DraftRule(sigmas, sampler, sentence)


class KSamplerRuns:
    """The SeedRuns (schedules/search/seeds.py) of a KSampler's inputs.

    Args:
        inputs: its latent's first sample is what every run starts from.
        draft: what drafts run.
        total_calls: what the progress bar ends at.
    Attributes:
        at_once: drafts that fit the memory together, at most eight.
    """

    def __init__(
        self,
        inputs: KSamplerInputs,
        draft: DraftRule,
        decode_drafts: DecodeLatents,
        decode: DecodeLatents,
        total_calls: int,
    ) -> None:
        self._calls = 0
        self._total = total_calls
        model = inputs.model.clone()
        kinds = comfy.patcher_extension.WrappersMP
        model.add_wrapper_with_key(kinds.CALC_COND_BATCH, _COUNT_KEY, self._counted)
        self._inputs, self._draft = replace(inputs, model=model), draft
        self._decode_drafts, self._decode = decode_drafts, decode
        self._latent = latent_rows(inputs.model, inputs.latent, 1)
        self._mask = inputs.latent.get("noise_mask")
        self._show = latent_preview.prepare_callback(inputs.model, total_calls)
        self.at_once = min(8, first_chunk(inputs.model, (8, *self._latent.shape[1:])))

    def draft(self, seeds: Sequence[int]) -> Drawn:
        """Few-step runs of these seeds, as one batch."""
        inputs, before = self._inputs, self._calls
        noise = torch.cat([comfy.sample.prepare_noise(self._latent, seed) for seed in seeds])
        latent = self._latent.expand(len(seeds), *self._latent.shape[1:]).clone()
        guider = cfg_guider(inputs.model, inputs.positive, inputs.negative, inputs.cfg)
        # A sampler with noise of its own draws it for the whole batch: such a draft is not quite its seed's.
        ends = guider.sample(
            noise, latent, self._draft.sampler, self._draft.sigmas, self._mask, self._progress, True, seeds[0]
        )
        return self._drawn(ends, before, self._decode_drafts)

    def full(self, seed: int) -> Drawn:
        """What a KSampler with this seed gives, bit for bit."""
        inputs, before = self._inputs, self._calls
        ends = comfy.sample.sample(
            inputs.model,
            comfy.sample.prepare_noise(self._latent, seed),
            inputs.steps,
            inputs.cfg,
            inputs.sampler_name,
            inputs.scheduler,
            inputs.positive,
            inputs.negative,
            self._latent.clone(),
            denoise=inputs.denoise,
            noise_mask=self._mask,
            callback=self._progress,
            disable_pbar=True,
            seed=seed,
        )
        return self._drawn(ends, before, self._decode)

    def _drawn(self, ends: Tensor, before: int, decode: DecodeLatents) -> Drawn:
        ends = ends.cpu()
        return Drawn(ends, decode(ends), (self._calls - before) / len(ends))

    def _counted(self, executor: Any, model: Any, conds: Any, x: Tensor, *args: Any, **kwargs: Any) -> Any:
        messages.stop_if_interrupted()
        self._calls += x.shape[0]
        return executor(model, conds, x, *args, **kwargs)

    def _progress(self, _: int, denoised: Tensor, x: Tensor, __: int) -> None:
        self._show(min(self._calls, self._total) - 1, denoised, x, self._total)


def search_sampler(search: StepSearch, decode: Callable[[Any], DecodeLatents], node_id: Any) -> Any:
    """A SAMPLER that searches inside its run.

    Args:
        search: its `decode` is exchanged for the host's.
        decode: model -> its latents' decoder.
    """

    def sample_sigmasmith_search(
        model: Any, x: Tensor, sigmas: Tensor, extra_args: Any = None, callback: Any = None, disable: Any = None
    ) -> Tensor:
        guider = model.inner_model
        patcher = guider.model_patcher
        sampling, decoded, record = patcher.get_model_object("model_sampling"), decode(patcher), StepRecord()

        def images_of(denoised: Tensor) -> Tensor:
            messages.stop_if_interrupted()
            return decoded(patcher.model.process_latent_out(denoised.float()))

        settings = replace(search, decode=images_of, noise_scale=float(getattr(sampling, "noise_scale", 1.0)))
        settings = replace(settings, reward=_KeepsModel(search.reward, patcher))
        seed = int((extra_args or {}).get("seed") or 0)
        end = sample_search(
            model,
            x,
            sigmas,
            extra_args,
            callback,
            disable,
            search=settings,
            flow=is_flow(sampling),
            seed=seed,
            record=record,
        )
        if record.stopped:
            messages.say(f"The search stopped: {record.stopped}", node_id, warning=True)
        tell(steps_in_words(settings, record), node_id)
        return end

    return comfy.samplers.KSAMPLER(sample_sigmasmith_search)


@dataclass(frozen=True)
class _KeepsModel:
    """A reward after which the diffusion model is where it was: VAEs and rewards may have pushed it off the device."""

    reward: Any
    patcher: Any

    @property
    def name(self) -> str:
        return self.reward.name

    def measure(self, images: Tensor) -> Tensor:
        try:
            return self.reward.measure(images)
        finally:
            comfy.model_management.load_models_gpu([self.patcher])

    def total(self, measured: Tensor) -> Tensor:
        return self.reward.total(measured)
