"""Which code runs a controlled sampler: the host's own function at once, the host's step by step, or an own method.

At once is exact where only the size or the source of the noise changes, for noise enters every one of these samplers
linearly, and where eta is one number. Step by step is exact for samplers without memory of earlier steps. Only
DPM-Solver++(2M), which has such a memory, and the posterior on rectified-flow Euler are own code.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..core.types import SamplerFunction
from .calls import sample_euler
from .control import Control
from .eta_curves import Curve, constant
from .noise_steps import Form
from .steppers import NoisyStepper, OdeStepper, SdeStepper, Stepper


class _Noisy(NamedTuple):
    """A host's stochastic sampler: without memory, and the form of its noise on VE and on flow models."""

    one_step: bool
    ve: Form | None
    flow: Form | None
    posterior: bool = True


_ANCESTRAL = _Noisy(True, "ddim", "rectified")
_DDIM = _Noisy(True, "ddim", "ddim")
_SDE = _Noisy(False, "sde", "sde")
_SEEDS = _Noisy(True, "sde", "sde", posterior=False)  # its two draws of a step depend on each other

NOISY: dict[str, _Noisy] = {
    "euler_ancestral": _ANCESTRAL,
    "dpm_2_ancestral": _ANCESTRAL,
    "dpmpp_2s_ancestral": _ANCESTRAL,
    "euler_ancestral_cfg_pp": _DDIM,
    "dpmpp_2s_ancestral_cfg_pp": _Noisy(True, "ddim", None),
    "dpmpp_sde": _DDIM,
    "dpmpp_sde_gpu": _DDIM,
    "ddpm": _Noisy(True, "ddim", None),
    "seeds_2": _SEEDS,
    "seeds_3": _SEEDS,
    "exp_heun_2_x0_sde": _SEEDS,
    "dpmpp_2m_sde": _SDE,
    "dpmpp_2m_sde_gpu": _SDE,
    "dpmpp_2m_sde_heun": _SDE,
    "dpmpp_2m_sde_heun_gpu": _SDE,
    "dpmpp_3m_sde": _SDE,
    "dpmpp_3m_sde_gpu": _SDE,
    "res_multistep_ancestral": _Noisy(False, "ddim", None),
}
# Deterministic, and every step depends on its two sigmas only.
ONE_STEP_ODE = ("euler", "heun", "dpm_2", "exp_heun_2_x0", "euler_cfg_pp")
# What the own 2M method stands in for. The heun variant differs from it in the third order.
OWN_2M = ("dpmpp_2m", "dpmpp_2m_sde", "dpmpp_2m_sde_gpu")
_FULL, _NONE = constant(1.0, "eta"), constant(0.0, "eta")
INSTEAD = "euler_ancestral, dpmpp_sde, dpmpp_2m_sde or euler"


@dataclass(frozen=True)
class HostSampler:
    """A host's sampler.

    Args:
        name: of the dropdown, without `sample_`.
        function: k-diffusion's signature.
        options: keyword arguments that its own node set.
    """

    name: str
    function: SamplerFunction
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def takes(self) -> frozenset[str]:
        """Names of its parameters; empty where they cannot be read."""
        return frozenset(self._parameters())

    def default(self, name: str) -> float:
        """The value that a parameter has by itself: its node's, or the function's own."""
        if name in self.options:
            return float(self.options[name])
        parameter = self._parameters().get(name)
        return 1.0 if parameter is None or parameter.default is inspect.Parameter.empty else float(parameter.default)

    def _parameters(self) -> Mapping[str, inspect.Parameter]:
        try:
            return inspect.signature(self.function).parameters
        except (TypeError, ValueError):
            return {}

    def bound(self, *without: str) -> SamplerFunction:
        """The function with its options, but those."""
        function, kept = self.function, {key: value for key, value in self.options.items() if key not in without}
        if not kept:
            return function

        def sample(*given: Any, **kwargs: Any) -> Any:
            return function(*given, **(kept | kwargs))

        return sample


@dataclass(frozen=True)
class Route:
    """How a run goes.

    Attributes:
        how: in words, for the readout.
        form: of the noise; None where it is not known.
        eta: in force; None where the sampler has none that is known.
        factor: of its noise that the host's function applies by itself.
        stepper: for a run step by step; None when the host's function runs at once.
        keywords: what that function is given then.
        wrapped_noise: whether it is given our noise_sampler.
    """

    how: str
    form: Form | None = None
    eta: Curve | None = None
    factor: float = 1.0
    stepper: Stepper | None = None
    keywords: dict[str, Any] = field(default_factory=dict)
    wrapped_noise: bool = False


def choose_route(host: HostSampler, control: Control, *, flow: bool, own_source: bool) -> Route:
    """The code that runs `host` under `control` exactly.

    Args:
        own_source: whether the noise is to come from a source of ours.
    Raises:
        ValueError: names the input that this sampler cannot follow.
    """
    noisy = NOISY.get(host.name)
    form = None if noisy is None else noisy.flow if flow else noisy.ve
    if host.name == "dpm_2_ancestral" and flow and control.eta is not None and 0.0 in control.eta.values:
        # ComfyUI's function takes the root of a rounding error there, which can lie below 0.
        raise ValueError("eta: dpm_2_ancestral cannot run with eta 0 on flow models; connect dpm_2 for that")
    if control.posterior:
        _check_posterior(host, noisy, form, flow)
        if form == "rectified":
            how = f"Own DDIM steps: on flow models the noise of {host.name} is not the posterior's."
            return Route(how, "ddim", _FULL, stepper=OdeStepper(sample_euler, flow))
    if _at_once(host, control, flow=flow, own_source=own_source):
        return _whole(host, control, form, own_source)
    return _stepwise(host, control, noisy, form, flow)


def _eta_of(host: HostSampler, control: Control) -> Curve | None:
    """Eta in force, where the sampler has one."""
    if control.eta is not None:
        return control.eta
    if control.posterior:
        return _FULL
    return constant(host.default("eta"), "eta") if "eta" in host.takes else None


def _at_once(host: HostSampler, control: Control, *, flow: bool, own_source: bool) -> bool:
    takes = host.takes
    stochastic = "noise_sampler" in takes
    if control.churn.amount:
        # The hosts' churn scales flow states as if they were VE ones, and draws from the global generator.
        simple = control.eta is None or not any(control.eta.values)
        between = control.clamps or control.restarts or own_source
        return "s_churn" in takes and not flow and simple and not between and control.s_noise.is_constant
    if control.needs_steps:
        return False
    if control.eta is not None and "eta" not in takes:
        return not stochastic and not any(control.eta.values)
    return True


def _whole(host: HostSampler, control: Control, form: Form | None, own_source: bool) -> Route:
    if control.churn.amount:
        keywords = {
            "s_churn": control.churn.amount,
            "s_tmin": control.churn.low,
            "s_tmax": control.churn.high,
            "s_noise": control.s_noise.values[0],
        }
        return Route(f"The host's {host.name} with its own churn.", keywords=keywords)
    scaled = set(control.s_noise.values) != {1.0}
    if "noise_sampler" not in host.takes:
        if scaled:
            raise ValueError(f"s_noise: {host.name} adds no noise of its own; set eta above 0, or s_noise to 1")
        return Route(f"The host's {host.name}, which adds no noise.")
    eta = _eta_of(host, control)
    return Route(
        f"The host's {host.name}.",
        form,
        eta,
        host.default("s_noise"),
        keywords={} if eta is None else {"eta": eta.values[0]},
        # A sampler of another pack keeps the noise that only it knows, unless something is to change.
        wrapped_noise=scaled or own_source or control.posterior > 0.0 or host.name in NOISY,
    )


def _stepwise(host: HostSampler, control: Control, noisy: _Noisy | None, form: Form | None, flow: bool) -> Route:
    eta = _eta_of(host, control)
    takes_eta = "eta" in host.takes
    if noisy is not None and noisy.one_step and form is not None and (takes_eta or control.eta is None):
        stepper = NoisyStepper(host.bound("eta"), takes_eta)
        return Route(f"The host's {host.name}, step by step.", form, eta or _FULL, host.default("s_noise"), stepper)
    if host.name in ONE_STEP_ODE:
        stepper = OdeStepper(host.bound("s_churn", "s_noise", "s_tmin", "s_tmax"), flow)
        how = f"The host's {host.name}, step by step; noise is added between its steps."
        return Route(how, "ddim", eta or _NONE, stepper=stepper)
    if host.name in OWN_2M:
        how = f"Own DPM-Solver++(2M) with noise: {host.name} looks back on earlier steps and cannot run step by step."
        return Route(how, "sde", eta or _NONE, host.default("s_noise"), SdeStepper(flow))
    wanted = "eta" if control.eta is not None and not control.eta.is_constant else _first_between(control)
    raise ValueError(
        f"{wanted}: the sampler {host.name} cannot follow this: it looks back on earlier steps or hides how it adds "
        f"noise. Connect {INSTEAD} to sampler"
    )


def _first_between(control: Control) -> str:
    checks: dict[str, Callable[[], Any]] = {
        "restarts": lambda: control.restarts,
        "clamp": lambda: control.clamps,
        "s_churn": lambda: control.churn.amount,
    }
    return next((name for name, asked in checks.items() if asked()), "eta")


def _check_posterior(host: HostSampler, noisy: _Noisy | None, form: Form | None, flow: bool) -> None:
    known = noisy is not None and noisy.posterior and form is not None
    if not known or (form == "rectified" and host.name != "euler_ancestral"):
        kind = "flow models" if flow else "this sampler"
        raise ValueError(
            f"posterior: the noise that {host.name} adds on {kind} is not that of an eta = 1 step. "
            "Connect euler_ancestral, dpmpp_sde or dpmpp_2m_sde to sampler, or set posterior to 0"
        )
