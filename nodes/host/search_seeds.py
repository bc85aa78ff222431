"""Runs from seeds for a search, exactly as a KSampler makes them, and batches that are pruned while they run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import comfy.model_management
import comfy.patcher_extension
import comfy.sample
import comfy.samplers
import latent_preview
import torch
from torch import Tensor

from ...schedules.hosting.whole_runs import preset_run
from ...schedules.presets.preset import Preset
from ...schedules.samplers.fitted import NAME
from ...schedules.search.pruning import Choose
from ...schedules.search.seeds import DrawnImages
from ..registration import PRESET_ATTRIBUTE, remember
from . import messages
from .decoding import DecodeLatents
from .guiders import cfg_guider
from .latents import latent_rows
from .multistep import multistep_sampler
from .noise_levels import model_sampling_of
from .runs import first_chunk

_COUNT_KEY, _PRUNE_KEY = "sigmasmith_search_calls", "sigmasmith_pruned_rows"


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
    """Sigmas and sampler of the drafts, and why these, in a sentence."""

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
    sigmas = remember(preset_run(preset, steps, inputs.denoise)[0])  # or Apply would warn of a foreign schedule
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
        decode_drafts, decode: of drafts, and of full runs.
        total_calls: what the progress bar ends at.
    Attributes:
        draft_rule: what drafts run.
        at_once: drafts that fit the memory together, at most eight.
    """

    draft_rule: DraftRule

    def __init__(
        self,
        inputs: KSamplerInputs,
        decode_drafts: DecodeLatents,
        decode: DecodeLatents,
        total_calls: int,
    ) -> None:
        self._calls = 0
        self._total = total_calls
        self._uncounted = inputs.model
        self._inputs = replace(inputs, model=self._with_count(inputs.model.clone()))
        self._decode_drafts, self._decode = decode_drafts, decode
        self._latent = latent_rows(inputs.model, inputs.latent, 1)
        self._mask = inputs.latent.get("noise_mask")
        self._show = latent_preview.prepare_callback(inputs.model, total_calls)
        self.at_once = min(8, first_chunk(inputs.model, (8, *self._latent.shape[1:])))

    def draft(self, seeds: Sequence[int]) -> DrawnImages:
        """Few-step runs of these seeds, as one batch."""
        inputs, rule, before = self._inputs, self.draft_rule, self._calls
        noise, latent = self._starts(seeds)
        guider = cfg_guider(inputs.model, inputs.positive, inputs.negative, inputs.cfg)
        # A sampler with noise of its own draws it for the whole batch: such a draft is not quite its seed's.
        ends = guider.sample(noise, latent, rule.sampler, rule.sigmas, self._mask, self._progress, True, seeds[0])
        return self._drawn(ends, before, self._decode_drafts)

    def full(self, seed: int) -> DrawnImages:
        """The result of a KSampler with this seed, bit for bit."""
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

    def pruned(self, seeds: Sequence[int], rounds: Mapping[int, int], choose: Choose) -> DrawnImages:
        """One run of all seeds under the host's sampler; after the steps of `rounds` rows are dropped below it.

        The cut is made in the host's CALC_COND_BATCH wrapper, which every guider passes: the sampler keeps its whole
        batch, and for a dropped row it gets back the state itself, at no model call.
        """
        inputs, before = self._inputs, self._calls
        model, alive = self._uncounted.clone(), list(range(len(seeds)))

        def below(executor: Any, model: Any, conds: Any, x: Tensor, timestep: Tensor, *args: Any, **kw: Any) -> Any:
            if x.shape[0] != len(seeds) or len(alive) == len(seeds):  # a guider that makes its own batch
                return executor(model, conds, x, timestep, *args, **kw)
            rows = torch.tensor(alive, device=x.device)
            answers = executor(model, conds, x[rows], timestep[rows], *args, **kw)
            return [x.index_copy(0, rows, answer.to(x)) for answer in answers]

        def look(step: int, denoised: Tensor, x: Tensor, _: int) -> None:
            self._progress(step, denoised, x, 0)
            left = rounds.get(step + 1, len(alive))
            if left < len(alive):
                images = self._decode_drafts(model.model.process_latent_out(denoised[alive].float()))
                alive[:] = choose(images, list(alive), left)
                comfy.model_management.load_models_gpu([model])

        model.add_wrapper_with_key(comfy.patcher_extension.WrappersMP.CALC_COND_BATCH, _PRUNE_KEY, below)
        self._with_count(model)  # the host runs wrappers in this order: the count sees the rows that are left
        noise, latent = self._starts(seeds)
        guider = cfg_guider(model, inputs.positive, inputs.negative, inputs.cfg)
        sampler = comfy.samplers.sampler_object(inputs.sampler_name)
        ends = guider.sample(noise, latent, sampler, inputs.sigmas(inputs.steps), self._mask, look, True, seeds[0])
        return self._drawn(ends[alive], before, self._decode)

    def _starts(self, seeds: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Noise and latents of these seeds, each as the host draws it alone."""
        noise = torch.cat([comfy.sample.prepare_noise(self._latent, seed) for seed in seeds])
        return noise, self._latent.expand(len(seeds), *self._latent.shape[1:]).clone()

    def _drawn(self, ends: Tensor, before: int, decode: DecodeLatents) -> DrawnImages:
        ends = ends.cpu()
        return DrawnImages(ends, decode(ends), (self._calls - before) / len(ends))

    def _with_count(self, model: Any) -> Any:
        """The model, its calls counted in rows."""
        model.add_wrapper_with_key(comfy.patcher_extension.WrappersMP.CALC_COND_BATCH, _COUNT_KEY, self._counted)
        return model

    def _counted(self, executor: Any, model: Any, conds: Any, x: Tensor, *args: Any, **kwargs: Any) -> Any:
        messages.stop_if_interrupted()
        self._calls += x.shape[0]
        return executor(model, conds, x, *args, **kwargs)

    def _progress(self, _: int, denoised: Tensor, x: Tensor, __: int) -> None:
        self._show(min(self._calls, self._total) - 1, denoised, x, self._total)
