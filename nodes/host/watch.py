"""Apply's side: the preset on a copy of the noise levels, and a read-only look at every run with that model."""

from __future__ import annotations

import copy
import logging
from typing import Any

import comfy.patcher_extension
import comfy.samplers
from torch import Tensor

from ...schedules.core.words import Phrase
from ...schedules.hosting import LOGGER_NAME
from ...schedules.presets.preset import Preset
from ..edits import same_guidance
from ..registration import PRESET_ATTRIBUTE, was_handed_out
from ..text import will_run
from . import messages
from .changes import running_facts
from .guiders import guidance_of
from .identity import identity_under
from .metadata import note_run
from .noise_levels import model_sampling_of
from .samplers import IGNORES_SCHEDULE

# Of Apply's wrapper, which looks on, and of Auto's, which acts. A fit's own runs go without both.
WRAPPER_KEY, AUTO_KEY = "sigmasmith", "sigmasmith_auto"
# A run that starts above this share of sigma_max is a whole one.
_WHOLE = 0.98
# Names of sampler functions that are not the dropdown's.
_FUNCTION_NAMES = {"unipc": "uni_pc", "unipc_bh2": "uni_pc_bh2", "ddim": "euler", "sigmasmith_ddim": "euler"}


def with_preset(model: Any, preset: Preset, node_id: Any) -> Any:
    """A clone of the model whose noise levels carry the preset and whose runs are compared with it."""
    patched = model.clone()
    sampling = copy.copy(model_sampling_of(model))
    setattr(sampling, PRESET_ATTRIBUTE, preset)
    patched.add_object_patch("model_sampling", sampling)
    once = messages.OncePerPrompt()

    def watch(executor: Any, noise: Tensor, latent_image: Tensor, sampler: Any, sigmas: Tensor, *args: Any, **kw: Any):  # noqa: ANN202
        try:
            note_run(sigmas, preset, sampler_name_of(sampler))
            differences = run_differences(executor.class_obj, preset, noise, sampler, sigmas, kw)
            for sentence in filter(once.due, differences):
                messages.say(sentence, node_id, warning=True)
            if not differences and once.due(""):
                # In place of a warning of an earlier run, which would stay below the node.
                top = float(model_sampling_of(executor.class_obj.model_patcher).sigma_max)
                change = change_of_an_image(preset, noise, sigmas, top)
                messages.show(Phrase("{run}.{more}", run=will_run(sigmas), more=change), node_id)
        except Exception:  # a look at the run must never stop it
            logging.getLogger(LOGGER_NAME).warning("Sigmasmith could not compare the run", exc_info=True)
        return executor(noise, latent_image, sampler, sigmas, *args, **kw)

    wrapper = comfy.patcher_extension.WrappersMP.OUTER_SAMPLE
    patched.remove_wrappers_with_key(wrapper, WRAPPER_KEY)
    patched.add_wrapper_with_key(wrapper, WRAPPER_KEY, watch)
    return patched


def run_differences(
    guider: Any, preset: Preset, noise: Tensor, sampler: Any, sigmas: Tensor, kwargs: dict[str, Any]
) -> list[str]:
    """One sentence for each thing that is not as it was when the preset was fitted."""
    model = guider.model_patcher
    sampling = model_sampling_of(model)
    riding, guidance = getattr(sampling, PRESET_ATTRIBUTE, None), guidance_of(guider)
    said: list[str] = []
    if riding is None:
        said.append(
            Phrase(
                "A ModelSampling node behind Sigmasmith Apply Schedule rebuilt the noise levels and dropped the "
                "preset. Move Apply behind it, directly in front of the sampler."
            )
        )
    elif not was_handed_out(sigmas):
        said.append(
            Phrase(
                "The model carries a preset, but this run uses another scheduler. "
                "Choose sigmasmith_optimal, or connect Sigmasmith Schedule, to use the preset."
            )
        )
    said += _unheard(preset, sampler) + _other_part(preset, sigmas, float(sampling.sigma_max))
    said += preset.differences(
        identity_under(guider),
        sampler=_same_or_running(preset.sampler, sampler),
        guidance=None if same_guidance(preset.guidance, guidance) else guidance,
        latent_shape=latent_shape_of(noise, kwargs),
        start_sigma=float(sigmas[0]) if len(sigmas) else None,
    )
    return said + preset.made_otherwise(running_facts(guider))


def _unheard(preset: Preset, sampler: Any) -> list[str]:
    """A sentence on a sampler that no list of sigmas reaches."""
    name = getattr(getattr(sampler, "sampler_function", None), "__name__", "")
    name = name.removeprefix("sample_").removesuffix("_function")
    if name not in IGNORES_SCHEDULE or preset.sampler == name:
        return []
    return [Phrase("{sampler} chooses its noise levels itself: the preset has no effect on this run.", sampler=name)]


def _other_part(preset: Preset, sigmas: Tensor, sigma_max: float) -> list[str]:
    """A sentence on a run of one of two models that is another part of the schedule than the preset was fitted for."""
    boundary = preset.made.boundary
    if boundary is None or len(sigmas) < 2:
        return []
    start, end = float(sigmas[0]), float(sigmas[-1])
    if end > 0.0 and float(sigmas[-2]) < boundary:
        return [
            Phrase(
                "The first model runs down to sigma {end}, below the boundary {boundary} that the preset was fitted "
                "with; switch after step {step} of this run.",
                end=f"{end:.4g}",
                boundary=f"{boundary:.4g}",
                step=int((sigmas[:-1] >= boundary).sum()),
            )
        ]
    if end == 0.0 and boundary <= start < _WHOLE * sigma_max:
        return [
            Phrase(
                "The second model starts at sigma {start}, above the boundary {boundary} that the preset was fitted "
                "with; let the first one run further.",
                start=f"{start:.4g}",
                boundary=f"{boundary:.4g}",
            )
        ]
    return []


def change_of_an_image(preset: Preset, noise: Tensor, sigmas: Tensor, sigma_max: float) -> str:
    """A sentence on a run that changes an image with a preset for whole ones, which is no mistake; or ""."""
    whole = preset.denoise < 1.0 or preset.made.boundary is not None or not len(sigmas)
    if whole or float(sigmas[0]) > _WHOLE * sigma_max or not bool(noise.any()):
        return ""
    return Phrase(
        " It changes an image, from sigma {start}: where it starts depends on the schedule and its steps. Fit for this "
        "denoise, or use Sigmasmith Schedule with the mode noise level.",
        start=f"{float(sigmas[0]):.4g}",
    )


def _same_or_running(fitted: str, sampler: Any) -> str | None:
    """The run's sampler name, or the preset's where both run the same function."""
    running = sampler_name_of(sampler)
    try:
        if comfy.samplers.sampler_object(fitted).sampler_function is sampler.sampler_function:
            return fitted
    except Exception:  # a name that this host does not have, or a sampler of another kind
        logging.getLogger(LOGGER_NAME).debug("Sigmasmith: samplers are compared by name", exc_info=True)
    return fitted if _FUNCTION_NAMES.get(fitted, fitted) == running else running or None


def sampler_name_of(sampler: Any) -> str:
    """The dropdown's name of a sampler object; "" where it has none."""
    name = getattr(getattr(sampler, "sampler_function", None), "__name__", "")
    running = name.removeprefix("sample_") if name.startswith("sample_") else ""
    return _FUNCTION_NAMES.get(running, running)


def latent_shape_of(noise: Tensor, kwargs: dict[str, Any]) -> tuple[int, ...] | None:
    """Shape of one sample; None for packed latents of several kinds, which have none."""
    shapes = kwargs.get("latent_shapes")
    if shapes is None:
        return tuple(noise.shape[1:])
    return tuple(shapes[0][1:]) if len(shapes) == 1 else None
