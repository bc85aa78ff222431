"""The host's sampler functions as the fit runs them: those that draw noise take it from the fit."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import comfy.samplers
from torch import Tensor

from . import registries as _host

# They take a noise sampler and never ask it.
_ASK_NO_NOISE = ("res_multistep", "res_multistep_cfg_pp")


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
    inner, options = _host_function(_host.check_sampler(name))
    note = ""
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
    inner, _ = _host_function(name)
    # er_sde, sa_solver and ddpm draw noise and have no eta.
    return _takes(inner, "noise_sampler") and _default(inner, "eta", 1.0) != 0.0 and name not in _ASK_NO_NOISE


def _host_function(name: str) -> tuple[Callable[..., Tensor], dict[str, Any]]:
    """The function behind a dropdown name, and its options."""
    sampler = comfy.samplers.sampler_object(name)
    return sampler.sampler_function, dict(sampler.extra_options)


def _takes(function: Callable[..., Any], name: str) -> bool:
    return name in inspect.signature(function).parameters


def _default(function: Callable[..., Any], name: str, missing: float) -> Any:
    """Default value of a parameter; `missing` where there is no such parameter."""
    found = inspect.signature(function).parameters.get(name)
    return missing if found is None else found.default
