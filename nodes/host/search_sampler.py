"""A search inside one run as a SAMPLER, and the runs of its pilot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import comfy.model_management
import comfy.sample
import comfy.samplers
import torch
from torch import Tensor

from ...schedules.core.words import Phrase
from ...schedules.search.rewards import measured
from ...schedules.search.stepwise import StepRecord, StepSearch, sample_search
from ...schedules.search.widths import UNIFORM, WidthPlan, plan_of_preset
from ...schedules.search.words import steps_in_words
from ..registration import PRESET_ATTRIBUTE
from . import messages
from .decoding import DecodeLatents
from .latents import latent_rows
from .noise_levels import is_flow

# model -> its latents' decoder
DecoderOf = Callable[[Any], DecodeLatents]


def search_sampler(
    search: StepSearch,
    decoder: DecoderOf,
    told: Callable[[StepSearch, StepRecord], None],
    *,
    plan_of_model: bool = False,
) -> Any:
    """A SAMPLER that searches inside its run.

    Args:
        search: its `decode` is exchanged for that of the run's model.
        told: hears of every run after it.
        plan_of_model: whether the plan is that of the preset on the run's model, else uniform.
    """

    def sample_sigmasmith_search(
        model: Any, x: Tensor, sigmas: Tensor, extra_args: Any = None, callback: Any = None, disable: Any = None
    ) -> Tensor:
        patcher = model.inner_model.model_patcher
        sampling, decode, record = patcher.get_model_object("model_sampling"), decoder(patcher), StepRecord()

        def images_of(denoised: Tensor) -> Tensor:
            messages.stop_if_interrupted()
            return decode(patcher.model.process_latent_out(denoised.float()))

        settings = replace(
            search,
            reward=_KeepsModel(search.reward, patcher),
            decode=images_of,
            noise_scale=float(getattr(sampling, "noise_scale", 1.0)),
            plan=_plan_on(sampling) if plan_of_model else search.plan,
        )
        seed, flow = int((extra_args or {}).get("seed") or 0), is_flow(sampling)
        given = (model, x, sigmas, extra_args, callback, disable)
        end = sample_search(*given, search=settings, flow=flow, seed=seed, record=record)
        told(settings, record)
        return end

    return comfy.samplers.KSAMPLER(sample_sigmasmith_search)


def _plan_on(sampling: Any) -> WidthPlan:
    """The plan that the preset on a model keeps; uniform where there is none."""
    preset = getattr(sampling, PRESET_ATTRIBUTE, None)
    return UNIFORM if preset is None else plan_of_preset(preset.made.more) or UNIFORM


def tell_search(node_id: Any) -> Callable[[StepSearch, StepRecord], None]:
    """`told` that writes the log and below the node."""

    def told(search: StepSearch, record: StepRecord) -> None:
        if record.stopped:
            messages.say(Phrase("The search stopped: {reason}", reason=record.stopped), node_id, warning=True)
        messages.say(steps_in_words(search, record), node_id, quiet=True)

    return told


@dataclass(frozen=True)
class PilotRuns:
    """The runs of a pilot (schedules/search/pilot.py): searches on images of their own seeds, scored at their end.

    Args:
        guider: the host's.
        latent: a LATENT; its first sample is what every image starts from.
        sigmas: (steps + 1,).
    """

    guider: Any
    latent: dict[str, Any]
    sigmas: Tensor
    search: StepSearch
    decoder: DecoderOf

    def __call__(self, plan: WidthPlan, seeds: Sequence[int]) -> tuple[Tensor, StepRecord]:
        """(images, K) measures of the reward on the results, and how the search went.

        Raises:
            RewardError: the reward failed.
        """
        model, records = self.guider.model_patcher, []
        start = latent_rows(model, self.latent, 1)
        search = replace(self.search, plan=plan, seeds=tuple(seeds))
        sampler = search_sampler(search, self.decoder, lambda _, record: records.append(record))
        noise = torch.cat([comfy.sample.prepare_noise(start, seed) for seed in seeds])
        latent = start.expand(len(seeds), *start.shape[1:]).clone()
        mask = self.latent.get("noise_mask")
        ends = self.guider.sample(noise, latent, sampler, self.sigmas, mask, None, True, seeds[0])
        return measured(search.reward, self.decoder(model)(ends.cpu())), records[0]


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
