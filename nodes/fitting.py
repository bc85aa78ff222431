"""The fit behind both Fit nodes: an earlier preset where it still fits, else calibrate and save."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from . import _host
from .text import duration, parse_steps, plot_sentence

if TYPE_CHECKING:
    from ..schedules.model_identity import ModelIdentity
    from ..schedules.optimal.calibration import Calibration
    from ..schedules.presets import Preset
    from ._host_samplers import FitSampler

# Samplers that a fit may choose among: deterministic, one model call per step, different in which models they suit.
CHOICE = ("dpmpp_2m", "res_multistep", "ipndm", "deis")

# Hashes of the preset files written by this process, so that a fit's own file does not count as a changed one.
_written: dict[str, str] = {}


@dataclass(frozen=True)
class FitRequest:
    """The inputs of a Fit node.

    Args:
        guider: the host's, with its conditionings set.
        positives: further positive conditionings.
        minutes: 0 for no limit.
        node_id: of the node, for messages on the page.
        choose_sampler: also fit CHOICE and take the best.
    """

    guider: Any
    latent: dict[str, Any]
    sampler_name: str
    steps: str
    noises: int
    effort: str
    calibration_seed: int
    minutes: float
    name: str
    refit: bool
    node_id: Any = None
    positives: tuple[Any, ...] = ()
    choose_sampler: bool = False


@dataclass(frozen=True)
class FitResult:
    """What a Fit node gives out.

    Args:
        sigmas: the schedule of the first step count typed.
        plots: one per step count: title, fitted sigmas, and the host's curves by name.
        report: in words.
    """

    preset: Preset
    sigmas: Tensor
    report: str
    plots: tuple[tuple[str, Tensor, Mapping[str, Tensor]], ...] = field(default=())


def fit(request: FitRequest) -> FitResult:
    """The preset under `name` where it fits the inputs, else a new fit, saved under `name`.

    Raises:
        ValueError: names the input to change.
    """
    from ._host_fit import latent_rows
    from ._host_identity import model_identity
    from .preset_store import checked_path

    request = replace(request, name=request.name.strip())
    steps = parse_steps(request.steps)
    check_choice(request.sampler_name, request.choose_sampler)
    path = checked_path(request.name)
    model = request.guider.model_patcher
    latents = latent_rows(model, request.latent, request.noises)
    identity, shape = model_identity(model), tuple(latents.shape[1:])
    baselines = _host.host_baselines(model, request.sampler_name, steps)
    if path.is_file() and not request.refit:
        preset = _existing(request, path, identity, shape, steps)
        report = _existing_in_words(request, preset, steps)
    else:
        preset, report = _fit_anew(request, steps, latents, identity, baselines)
        save(path, preset)
    return _result(preset, steps, baselines, report)


def _fit_anew(
    request: FitRequest,
    steps: tuple[int, ...],
    latents: Tensor,
    identity: ModelIdentity,
    baselines: Mapping[str, Any],
) -> tuple[Preset, str]:
    """The preset of a new fit, and the report."""
    from ._host_fit import guidance_of
    from ._host_guard import check_fittable
    from ._host_guidance import guidance_curve_of
    from ._host_identity import dtype_of
    from ._host_samplers import fit_sampler

    check_fittable(request.guider)
    samplers = [fit_sampler(name) for name in sampler_choice(request)]
    calibration = _calibrated(request, steps, latents, samplers, identity, baselines)
    notes = [sampler.note for sampler in samplers if sampler.note]
    if "noise_mask" in request.latent:
        notes.append("The mask of the latent was not used: the schedule is fitted for whole images.")
    if curve := guidance_curve_of(request.guider.model_patcher):
        notes.append(f"Fitted under a guidance curve: {curve.in_words(guidance_of(request.guider))}")
    preset = calibration.to_preset(
        model=identity,
        guidance=guidance_of(request.guider),
        dtype=dtype_of(request.guider.model_patcher),
        seeds=tuple(range(request.calibration_seed, request.calibration_seed + request.noises)),
        name=request.name,
        notes="\n".join(notes),
        tool="Sigmasmith for ComfyUI",
    )
    return preset, _in_words(request, calibration, notes)


def sampler_choice(request: FitRequest) -> list[str]:
    """Names of the samplers to fit: the one asked for, and those to choose among where that is asked too."""
    others = [name for name in CHOICE if name in _host.sampler_names()] if request.choose_sampler else []
    return list(dict.fromkeys([request.sampler_name, *others]))


def check_choice(sampler_name: str, choose_sampler: bool) -> None:
    """Raise ValueError, which names the input, where no schedule can be fitted for this sampler or this choice."""
    from ._host_samplers import draws_noise

    _host.check_sampler(sampler_name)
    if choose_sampler and draws_noise(sampler_name):
        raise ValueError(
            f"choose_sampler: {sampler_name} draws noise of its own, and only samplers that do not can be compared; "
            "turn choose_sampler off, or give sampler_name one without, such as dpmpp_2m"
        )


def preset_fingerprint(name: str, refit: bool) -> str:
    """What the host's cache compares: changes when somebody else changes or deletes the preset, not by our own fit."""
    from .preset_store import checked_path

    if refit:
        return "refit"
    try:
        path = checked_path(name)
    except ValueError:
        return "bad name"
    found = _file_hash(path)
    return "own" if found == _written.get(str(path)) else found or "deleted"


def save(path: Path, preset: Preset) -> None:
    """Write the preset of a fit, replacing an earlier one."""
    from ..schedules.preset_file import save_preset

    save_preset(path, preset, overwrite=True)
    _written[str(path)] = _file_hash(path) or ""


def _file_hash(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


def _existing(
    request: FitRequest, path: Path, identity: ModelIdentity, shape: tuple[int, ...], steps: tuple[int, ...]
) -> Preset:
    """The preset under the name; where it does not fit, an error that says why and what to do."""
    from ..schedules.preset_file import load_preset
    from ._host_fit import guidance_of

    try:
        preset = load_preset(path)
    except ValueError as error:
        raise ValueError(
            f"name: the file {request.name} cannot be used: {error}. Turn on refit to replace it"
        ) from None
    sampler = preset.sampler if preset.sampler in sampler_choice(request) else request.sampler_name
    differences = preset.differences(identity, sampler, guidance_of(request.guider), shape)
    missing = [str(count) for count in steps if not preset.is_fitted(count)]
    if missing:
        held = ", ".join(map(str, preset.schedules))
        differences.append(f"It holds {held} steps, not {', '.join(missing)}.")
    if differences:
        raise ValueError(
            f"name: the preset {request.name} exists and was fitted to something else. {' '.join(differences)} "
            "Turn on refit to replace it, or give another name to keep both."
        )
    return preset


def _calibrated(
    request: FitRequest,
    steps: tuple[int, ...],
    latents: Tensor,
    samplers: list[FitSampler],
    identity: ModelIdentity,
    baselines: Mapping[str, Any],
) -> Calibration:
    from ..schedules.optimal.budget import OutOfTimeError
    from ..schedules.optimal.calibrate import calibrate
    from ._host_fit import noise_rows, progress_bar, prompt_rows
    from ._host_run import GuiderRuns

    noise = noise_rows(tuple(latents.shape), request.calibration_seed)
    prompts = prompt_rows(1 + len(request.positives), request.noises, request.calibration_seed)
    runs = GuiderRuns(request.guider, noise, latents, request.calibration_seed, request.positives, prompts)
    minutes = request.minutes or None
    journal = _host.unfinished_folder() / _fit_key(request, identity, latents, steps)
    try:
        calibration = calibrate(
            None,
            noise,
            sigma_min=identity.sigma_min,
            sigma_max=identity.sigma_max,
            sampler=[sampler.function for sampler in samplers],
            steps=steps,
            flow=identity.flow,
            effort=request.effort,
            baselines=baselines,
            progress=progress_bar(runs, request.node_id, minutes),
            run=runs,
            minutes=minutes,
            journal=journal,
            seed=request.calibration_seed,
        )
    except OutOfTimeError:
        raise ValueError(
            f"minutes: {request.minutes:g} do not suffice for the reference solution and one run; "
            "give more, or lower noises or the size of the latent"
        ) from None
    return calibration


def _fit_key(request: FitRequest, identity: ModelIdentity, latents: Tensor, steps: tuple[int, ...]) -> str:
    """Name of the records of this very fit."""
    from ._host_fit import guidance_of
    from ._host_identity import conditioning_digest

    facts = (
        identity,
        conditioning_digest(request.guider.original_conds),
        [conditioning_digest(positive) for positive in request.positives],
        conditioning_digest([latents]),
        type(request.guider).__name__,
        guidance_of(request.guider),
        sampler_choice(request),
        steps,
        request.noises,
        request.effort,
        request.calibration_seed,
    )
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:32]


def _result(preset: Preset, steps: tuple[int, ...], baselines: Mapping[str, Any], report: str) -> FitResult:
    plots = []
    for count in steps:
        errors = dict(preset.errors.get(count, {}))
        title = plot_sentence(count, preset.origin.get(count, "fitted"), errors)
        # The best first: the plot shows only so many, and of equal curves the better one.
        shown = sorted((name for name in baselines if name in errors), key=lambda name: errors[name])
        shown = shown or list(baselines)[:4]
        plots.append((title, preset.sigmas(count), {name: baselines[name](count) for name in shown}))
    return FitResult(preset, preset.sigmas(steps[0]), report, tuple(plots))


def _existing_in_words(request: FitRequest, preset: Preset, steps: tuple[int, ...]) -> str:
    lines = [
        f"The preset {request.name} exists and fits this model: no model call was made. Turn on refit to fit anew.",
        *(plot_sentence(k, preset.origin.get(k, "fitted"), preset.errors.get(k, {})) + "." for k in steps),
    ]
    return "\n".join(lines) + (f" Fitted at effort {preset.effort}." if preset.effort else "")


def _in_words(request: FitRequest, calibration: Calibration, notes: list[str]) -> str:
    heading = (
        f"Sigmasmith fitted {calibration.sampler} in {duration(calibration.seconds)}, "
        f"{calibration.nfe:.0f} model evaluations per sample, effort {request.effort}. "
        f"Saved as {request.name}."
    )
    use = (
        "To use it: Sigmasmith Apply Schedule on the model, and in the KSampler the scheduler sigmasmith_optimal and "
        f"the sampler {calibration.sampler}."
    )
    return "\n".join([heading, "", str(calibration.report), *notes, "", use])
