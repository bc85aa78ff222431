"""Our samplers on the host's denoiser, with the host's noise: each image's depends on its own seed alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from ...schedules.adaptive.report import AdaptiveReport
from ...schedules.adaptive.samplers import sample_sigmasmith_adaptive
from ...schedules.family.run import FamilyCoefficients
from ...schedules.hosting.whole_runs import preset_coefficients
from ...schedules.samplers.fitted import CoefficientSource, FirstKnown, sample_sigmasmith_multistep
from ...schedules.variance.calls import sample_euler
from ...schedules.variance.control import Control
from ...schedules.variance.controlled import RunNoise, sample_controlled
from ...schedules.variance.eta_curves import constant, parse_curve
from ...schedules.variance.readout import NoiseLog
from ...schedules.variance.routes import HostSampler, choose_route
from ...schedules.variance.running import run_route
from ...schedules.variance.steppers import OdeStepper
from ..log import say
from ..state import current_pass
from .identity import is_flow, loaded_range, sigma_range_of
from .samplers import create_sampler, function_name


def predictive(
    model: Any, x: Tensor, sigmas: Tensor, extra_args: dict[str, Any], callback: Any, *, calls: float, tolerance: float
) -> Tensor:
    """The adaptive sampler: steps chosen on the way, for every image by itself."""
    report, steps = AdaptiveReport(), len(sigmas) - 1
    known = loaded_range()
    settings: dict[str, Any] = {"calls": max(2, int(calls) or steps)}
    if tolerance > 0.0:
        settings["atol"] = tolerance
    result = sample_sigmasmith_adaptive(
        model,
        x,
        sigmas,
        extra_args,
        callback,
        flow=_flow(model),
        sigma_min=None if known is None else known.sigma_min,
        # ControlNets and masks look at one noise level for the whole batch.
        together=_reads_one_level(model),
        report=report,
        **settings,
    )
    _said(report.in_words())
    return result


def ddim_eta(
    model: Any, x: Tensor, sigmas: Tensor, extra_args: dict[str, Any], callback: Any, *, eta: str, s_noise: float
) -> Tensor:
    """DDIM with a share of noise that may change over the steps."""
    log = NoiseLog("Sigmasmith DDIM-eta.")
    result = sample_controlled(
        model,
        x,
        sigmas,
        extra_args,
        callback,
        stepper=OdeStepper(sample_euler, _flow(model)),
        control=_control(eta, s_noise),
        noise=_noise(model),
        flow=_flow(model),
        log=log,
    )
    _said(log.text())
    return result


def variance(
    model: Any,
    x: Tensor,
    sigmas: Tensor,
    extra_args: dict[str, Any],
    callback: Any,
    *,
    base: str,
    eta: str,
    s_noise: float,
) -> Tensor:
    """A sampler of the host under a control of its noise."""
    inner, flow, log = create_sampler(base, model.p), _flow(model), NoiseLog()
    host = HostSampler(function_name(inner), inner.func)
    control = _control(eta, s_noise)
    route = choose_route(host, control, flow=flow, own_source=True)
    result = run_route(
        route, host, control, _noise(model), model, x, sigmas, extra_args, callback, True, flow=flow, log=log
    )
    _said(log.text())
    return result


def multistep(model: Any, x: Tensor, sigmas: Tensor, extra_args: dict[str, Any], callback: Any) -> Tensor:
    """The coefficients that a preset holds beside its sigmas, DPM++ 2M where there are none."""
    under_way = current_pass()
    answer = under_way[1].answer if under_way else None
    preset = answer.preset if answer else None
    family = _family(model)
    sources: tuple[CoefficientSource, ...] = (family,)
    if preset is not None:
        sources = (*preset_coefficients(preset, family.guidance), *sources)
    return sample_sigmasmith_multistep(
        model, x, sigmas, extra_args, callback, coefficients=FirstKnown(sources), warn=_warned
    )


def _family(model: Any) -> FamilyCoefficients:
    """The family for the model and the guidance of the pass under way."""
    table = model.inner_model.sigmas
    sigma_range = sigma_range_of(model.inner_model, float(table[0]), float(table[-1]))
    return FamilyCoefficients(sigma_range, float(model.p.cfg_scale))


def _control(eta: str, s_noise: float) -> Control:
    return Control(eta=parse_curve(eta, "Eta"), s_noise=constant(s_noise, "s_noise"))


def _noise(model: Any) -> RunNoise:
    """The host's own generators, one per image."""
    fresh: Callable[[], Tensor] = model.p.rng.next
    return RunNoise(lambda *_: fresh(), fresh)


def _flow(model: Any) -> bool:
    linker = model.inner_model
    return is_flow(linker, float(linker.sigmas[-1]))


def _reads_one_level(model: Any) -> bool:
    unet = getattr(getattr(model.inner_model.inner_model, "forge_objects", None), "unet", None)
    return model.mask is not None or getattr(unet, "controlnet_linked_list", None) is not None


def _said(text: str) -> None:
    """Tell the panel alone of a run: a line of the log for every image is enough, and the schedule has it."""
    under_way = current_pass()
    if text and under_way is not None and text not in under_way[0].said:
        under_way[0].said.append(text)


def _warned(text: str) -> None:
    under_way = current_pass()
    if under_way is not None:
        under_way[0].say_once(text, warning=True)
    else:
        say(text, warning=True)
