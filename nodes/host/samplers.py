"""The host's sampler dropdown, and its functions as a fit runs them: those that draw noise take it from the fit."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import comfy.samplers
from torch import Tensor

# They are given sigma_min and sigma_max only and choose the levels between themselves.
IGNORES_SCHEDULE = ("dpm_fast", "dpm_adaptive", "sigmasmith_adaptive")
# It replaces all of the noise in every step: with more steps it comes to no end that a fit could aim at.
RENEWS_NOISE = ("lcm",)
# They take a noise sampler and never ask it.
_ASK_NO_NOISE = ("res_multistep", "res_multistep_cfg_pp")


def sampler_registry() -> tuple[Any, list[Any]]:
    """The arguments of sampler_names.register_samplers."""
    samplers = comfy.samplers
    lists: list[Any] = [samplers.KSAMPLER_NAMES]
    for names in (samplers.SAMPLER_NAMES, samplers.KSampler.SAMPLERS):
        if all(names is not other for other in lists):
            lists.append(names)
    return samplers.k_diffusion_sampling, lists


def own_sampler(name: str, run: Callable[..., Tensor]) -> Any:
    """A SAMPLER under one of our dropdown names, by which presets know it.

    Args:
        run: (model, x, sigmas, extra_args, callback, disable) -> end state.
    """

    def sample(
        model: Any, x: Tensor, sigmas: Tensor, extra_args: Any = None, callback: Any = None, disable: Any = None
    ) -> Tensor:
        return run(model, x, sigmas, extra_args, callback, disable)

    sample.__name__ = f"sample_{name}"
    return comfy.samplers.KSAMPLER(sample)


def sampler_names() -> list[str]:
    """The list object of the host's sampler dropdown, other packs' samplers included."""
    return comfy.samplers.KSampler.SAMPLERS


def sampler_of(name: str) -> Any:
    """The host's SAMPLER of a dropdown name."""
    return comfy.samplers.sampler_object(name)


def check_sampler(name: str) -> str:
    """A sampler that a schedule can be fitted for.

    Raises:
        ValueError: names the input `sampler_name`, with the nearest names where there is no such sampler.
    """
    if name not in sampler_names():
        near = difflib.get_close_matches(name, sampler_names(), n=3, cutoff=0.5)
        hint = f"did you mean {', '.join(near)}?" if near else "see the list of the KSampler node"
        raise ValueError(f"sampler_name: this host has no sampler {name!r}; {hint}")
    if name in IGNORES_SCHEDULE:
        raise ValueError(f"sampler_name: {name} chooses its noise levels itself and ignores every schedule")
    if name in RENEWS_NOISE:
        raise ValueError(
            f"sampler_name: {name} replaces all of the noise in every step, so there is no result with many steps to "
            "fit it to; fit for euler or dpmpp_2m and use that schedule with it"
        )
    return name


def check_fit_sampler(sampler_name: str, choose_sampler: bool) -> None:
    """Raise ValueError, which names the input, where no schedule can be fitted for this sampler or this choice."""
    check_sampler(sampler_name)
    if choose_sampler and draws_noise(sampler_name):
        raise ValueError(
            f"choose_sampler: {sampler_name} draws noise of its own, and only samplers that do not can be compared; "
            "turn choose_sampler off, or give sampler_name one without, such as dpmpp_2m"
        )


@dataclass(frozen=True)
class FitSampler:
    """A host sampler under its dropdown name.

    Attributes:
        function: has a parameter `noise_sampler` where the sampler draws noise; the fit gives it a Brownian path.
        note: what to say about it.
    """

    function: Callable[..., Tensor]
    note: str = ""


def fit_sampler(name: str) -> FitSampler:
    """The host's own function for a sampler name.

    Raises:
        ValueError: names the input `sampler_name`.
    """
    sampler = sampler_of(check_sampler(name))
    inner, options, note = sampler.sampler_function, dict(sampler.extra_options), ""
    if not draws_noise(name) and _default(inner, "eta", 0.0) != 0.0:
        options |= {"eta": 0.0}
        note = f"{name} draws noise that cannot be given to it from outside; it was fitted without noise (eta 0)."

    def sample(
        model: Any,
        x: Tensor,
        sigmas: Tensor,
        extra_args: Any = None,
        callback: Any = None,
        disable: Any = True,
        **noise: Any,
    ) -> Tensor:
        # A copy: uni_pc writes its own last sigma into the list.
        given = {"extra_args": extra_args, "callback": callback, "disable": disable}
        return inner(model, x, sigmas.clone(), **(given | options | noise))

    def sample_on_path(*given: Any, noise_sampler: Any = None, **kwargs: Any) -> Tensor:
        return sample(*given, noise_sampler=noise_sampler, **kwargs)

    function = sample_on_path if draws_noise(name) else sample
    # The fit knows samplers by k-diffusion's names; the host's ddim is euler's function, uni_pc's has another name.
    function.__name__ = f"sample_{name}"
    return FitSampler(function, note)


def draws_noise(name: str) -> bool:
    """Whether a sampler asks a noise sampler that it can be given; without one it makes its own."""
    inner = comfy.samplers.sampler_object(name).sampler_function
    # er_sde, sa_solver and ddpm draw noise and have no eta.
    return _takes(inner, "noise_sampler") and _default(inner, "eta", 1.0) != 0.0 and name not in _ASK_NO_NOISE


def _takes(function: Callable[..., Any], name: str) -> bool:
    return name in inspect.signature(function).parameters


def _default(function: Callable[..., Any], name: str, missing: float) -> Any:
    """Default value of a parameter; `missing` where there is no such parameter."""
    parameter = inspect.signature(function).parameters.get(name)
    return missing if parameter is None else parameter.default
