"""Samplers of ours as the host's SAMPLER objects: variance control around one of the host's, DDIM and its inversion."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import partial
from typing import Any

import comfy.k_diffusion.sampling
import comfy.samplers
import torch
from torch import Tensor

from ...schedules.core.noise_space import FLOW_EDGE
from ...schedules.fitting.self_test.samplers import facts_in_run
from ...schedules.variance.clamp import DataSpread
from ...schedules.variance.control import Control
from ...schedules.variance.controlled import RunNoise
from ...schedules.variance.ddim import sample_ddim
from ...schedules.variance.inversion import Inversion
from ...schedules.variance.noise import NoiseSource, row_seeds
from ...schedules.variance.readout import NoiseLog
from ...schedules.variance.routes import HostSampler, choose_route
from ...schedules.variance.running import run_route
from . import messages
from .noise_levels import is_flow
from .tested import seen_in_run

# They draw from a Brownian tree over the run's sigmas when they are given no noise; all others draw afresh.
_BROWNIAN = ("dpmpp_sde", "dpmpp_2m_sde", "dpmpp_2m_sde_heun", "dpmpp_3m_sde", "sa_solver", "sa_solver_pece")


_UNSEEN = (
    "{name} draws noise of its own that this node does not see: the amounts here are not all of it, and an image is "
    "not the same alone and in a batch."
)
_COUPLED = "With {name} an image's result depends on the others in its batch: it is not the same alone."


class SeededSampler(comfy.samplers.KSAMPLER):
    """A SAMPLER whose rows start from noise of their own seeds, and that can take up its inversions on flow models.

    Args:
        inner: runs.
        seeds: row r starts from the noise that the host makes for seed seeds[r] alone; empty leaves the noise alone.
    """

    def __init__(self, inner: Any, seeds: tuple[int, ...]) -> None:
        super().__init__(inner.sampler_function, inner.extra_options, inner.inpaint_options)
        self._inner = inner
        self._seeds = seeds

    def sample(
        self, model_wrap: Any, sigmas: Tensor, extra_args: Any, callback: Any, noise: Tensor, *args: Any, **kwargs: Any
    ) -> Tensor:
        """The host's call, with its noise and sigmas exchanged where that is due."""
        silent = not bool(noise.any())  # "add noise" is off
        if silent:
            sigmas = _off_the_end(sigmas, is_flow(model_wrap.inner_model.model_sampling))
        elif self._seeds:
            noise = start_noise(noise, self._seeds)
        return self._inner.sample(model_wrap, sigmas, extra_args, callback, noise, *args, **kwargs)


def start_noise(noise: Tensor, seeds: tuple[int, ...]) -> Tensor:
    """Noise like `noise` (B, ...), each row as the host draws it for a batch of one."""
    rows = [
        torch.randn((1, *noise.shape[1:]), generator=torch.Generator().manual_seed(seed))
        for seed in row_seeds(seeds, noise.shape[0])
    ]
    return torch.cat(rows).to(noise)


def _off_the_end(sigmas: Tensor, flow: bool) -> Tensor:
    """Flow sigmas of 1 a hair lower: the host multiplies latents with 1 - sigma, and divides inverted ones by it."""
    return sigmas.clamp(max=1.0 - FLOW_EDGE) if flow and float(sigmas.max()) >= 1.0 else sigmas


def ddim_sampler(eta: Any, noise: NoiseSource, inversion: Inversion, node_id: Any) -> SeededSampler:
    """The SAMPLER of the DDIM node.

    Args:
        eta: its curve.
    """

    def sample_sigmasmith_ddim(
        model: Any, x: Tensor, sigmas: Tensor, extra_args: Any = None, callback: Any = None, disable: Any = None
    ) -> Tensor:
        sampling, log, start = _sampling_of(model), NoiseLog("Sigmasmith DDIM."), x.clone()
        x = sample_ddim(
            model,
            x,
            sigmas,
            extra_args,
            callback,
            eta=eta,
            noise=noise,
            flow=is_flow(sampling),
            noise_scale=_noise_scale(sampling),
            inversion=inversion,
            log=log,
            report=lambda record: messages.say(record.text(), node_id, quiet=True),
        )
        if log.steps and any(eta.values):
            log.how = "\n".join([log.how, *seen_in_run(model, start, sigmas, extra_args or {})])
            messages.say(log.text(), node_id, quiet=True)
        return x

    if any(eta.values):  # what runs is not what the dropdown has under that name, and presets know samplers by it
        sample_sigmasmith_ddim.__name__ += "_with_noise"
    return SeededSampler(comfy.samplers.KSAMPLER(sample_sigmasmith_ddim), noise.seeds)


def sample_ddim_by_name(
    model: Any, x: Tensor, sigmas: Tensor, extra_args: Any = None, callback: Any = None, disable: Any = None
) -> Tensor:
    """The dropdown's sigmasmith_ddim: without noise, inverting where the sigmas rise.

    Raises:
        ValueError: an inversion to a flow sigma of 1.
    """
    flow = is_flow(_sampling_of(model))
    if flow and float(sigmas[-1]) >= 1.0:
        raise ValueError(
            "sigmas: an inversion that ends at sigma 1 is divided by 0 by the host; connect the Sigmasmith DDIM node, "
            "which ends a hair below it"
        )
    return sample_ddim(model, x, sigmas, extra_args, callback, flow=flow)


def host_sampler(sampler: Any) -> HostSampler:
    """A SAMPLER as plain values.

    Raises:
        ValueError: names the input `sampler`.
    """
    function = getattr(sampler, "sampler_function", None)
    if not callable(function):
        raise ValueError(
            f"sampler: {type(sampler).__name__} is not one of the host's samplers; connect KSamplerSelect or a "
            "Sampler node"
        )
    name = getattr(function, "__name__", "").removeprefix("sample_")
    return HostSampler(name, sampler.sampler_function, dict(getattr(sampler, "extra_options", {}) or {}))


def variance_sampler(sampler: Any, control: Control, noise: NoiseSource | None, reference: Any, node_id: Any) -> Any:
    """The SAMPLER of the Variance node.

    Args:
        sampler: the host's, not changed.
        noise: None for the sampler's own.
        reference: finished LATENT whose spread is the target, or None.
    """
    host = host_sampler(sampler)

    def sample(
        model: Any, x: Tensor, sigmas: Tensor, extra_args: Any = None, callback: Any = None, disable: Any = None
    ) -> Tensor:
        _check_levels(sigmas)
        sampling, log = _sampling_of(model), NoiseLog()
        flow, settings = is_flow(sampling), with_spread(control, model, reference)
        start = x.clone()

        def controlled(model: Any, x: Tensor, sigmas: Tensor, *, extra_args: Any, log: NoiseLog, **told: Any) -> Tensor:
            source = _run_noise(host, noise, x, sigmas, given, sampling)
            return run_route(
                choose_route(host, settings, flow=flow, own_source=noise is not None),
                host, settings, source, model, x, sigmas, extra_args, **told, flow=flow, log=log,
            )  # fmt: skip

        given = extra_args or {}
        end = controlled(model, x, sigmas, extra_args=extra_args, log=log, callback=callback, disable=disable)
        facts = facts_in_run(partial(controlled, log=NoiseLog()), model, start, sigmas, given, flow=flow)
        name, said = host.name or "The sampler", []
        # Where the sampler's own noise is left to it and its amount unknown, the lines say so already.
        if facts.draws and not (noise is None and any(step.std is None for step in log.steps)):
            said.append(_UNSEEN.format(name=name))
        if facts.coupled:
            said.append(_COUPLED.format(name=name))
        log.how = "\n".join(filter(None, [log.how, *said, *seen_in_run(model, start, sigmas, given)]))
        messages.say(log.text(), node_id, quiet=True)
        return end

    # A preset for the sampler alone, or a second node like this around it, must not take it for the sampler alone.
    sample.__name__ = f"sample_{host.name}" if control == Control() else f"sample_{host.name}_with_variance"
    wrapped = copy.copy(sampler)
    wrapped.sampler_function, wrapped.extra_options = sample, {}
    return SeededSampler(wrapped, noise.seeds) if noise is not None and noise.seeds else wrapped


def with_spread(control: Control, model: Any, reference: Any) -> Control:
    """The control with the spread of a finished LATENT, in the units that the sampler works in."""
    if reference is None:
        return control
    base = model.inner_model.inner_model
    return replace(control, spread=DataSpread.of(base.process_latent_in(reference["samples"])))


def _run_noise(
    host: HostSampler, noise: NoiseSource | None, x: Tensor, sigmas: Tensor, extra_args: dict[str, Any], sampling: Any
) -> RunNoise:
    seed, flow = extra_args.get("seed") or 0, is_flow(sampling)
    rows = (noise or NoiseSource()).start(x, seed, flow=flow)
    between = rows
    if noise is None:  # another pack's node may have given the sampler its noise
        between = host.options.get("noise_sampler") or host_noise(host.name, x, sigmas, extra_args.get("seed"))
    return RunNoise(between, rows.fresh, _noise_scale(sampling))


def _check_levels(sigmas: Tensor) -> None:
    if not bool((sigmas > 0.0).any()):
        raise ValueError(f"sigmas: no level is above 0 ({len(sigmas)} values), so there is no step to run")


def host_noise(name: str, x: Tensor, sigmas: Tensor, seed: int | None) -> Any:
    """The noise_sampler that a function of the host makes for itself when it is given none."""
    if name.removesuffix("_gpu") in _BROWNIAN:
        tree = comfy.k_diffusion.sampling.BrownianTreeNoiseSampler
        positive = sigmas[sigmas > 0]
        return tree(x, positive.min(), sigmas.max(), seed=seed, cpu=not name.endswith("_gpu"))
    return comfy.k_diffusion.sampling.default_noise_sampler(x, seed=seed)


def _sampling_of(model: Any) -> Any:
    """The noise levels of the model that a sampler function was given."""
    return model.inner_model.model_patcher.get_model_object("model_sampling")


def _noise_scale(sampling: Any) -> float:
    return float(getattr(sampling, "noise_scale", 1.0))
