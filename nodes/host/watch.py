"""Apply's side: the preset on a copy of the noise levels, and a read-only look at every run with that model."""

from __future__ import annotations

import copy
import logging
from typing import Any

import comfy.patcher_extension
from torch import Tensor

from ...schedules.hosting import LOGGER_NAME
from ...schedules.presets.preset import Preset
from ..registration import PRESET_ATTRIBUTE, was_handed_out
from ..text import will_run
from . import messages
from .identity import model_identity
from .metadata import note_run
from .noise_levels import model_sampling_of

# Of Apply's wrapper, which looks on, and of Auto's, which acts. A fit's own runs go without both.
WRAPPER_KEY, AUTO_KEY = "sigmasmith", "sigmasmith_auto"
# Names of sampler functions that are not the dropdown's.
_FUNCTION_NAMES = {"unipc": "uni_pc", "unipc_bh2": "uni_pc_bh2", "ddim": "euler", "sigmasmith_ddim": "euler"}


def with_preset(model: Any, preset: Preset, node_id: Any) -> Any:
    """A clone of the model whose noise levels carry the preset and whose runs are compared with it."""
    patched = model.clone()
    sampling = copy.copy(model_sampling_of(model))
    setattr(sampling, PRESET_ATTRIBUTE, preset)
    patched.add_object_patch("model_sampling", sampling)

    said: dict[str, Any] = {}  # sentence -> the prompt in which it was said last

    def watch(executor: Any, noise: Tensor, latent_image: Tensor, sampler: Any, sigmas: Tensor, *args: Any, **kw: Any):  # noqa: ANN202
        try:
            note_run(sigmas, preset, sampler_name_of(sampler))
            # Once per queued prompt: a tiled upscaler runs the model hundreds of times.
            prompt = messages.prompt_id()
            differences = run_differences(executor.class_obj, preset, noise, sampler, sigmas, kw)
            for sentence in differences:
                if said.get(sentence) != prompt:
                    said[sentence] = prompt
                    messages.say(sentence, node_id, warning=True)
            if not differences and said.get("") != prompt:
                said[""] = prompt
                # In place of a warning of an earlier run, which would stay below the node.
                messages.show(f"{will_run(sigmas)}.", node_id)
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
    riding = getattr(model_sampling_of(model), PRESET_ATTRIBUTE, None)
    said: list[str] = []
    if riding is None:
        said.append(
            "A ModelSampling node behind Sigmasmith Apply Schedule rebuilt the noise levels and dropped the preset. "
            "Move Apply behind it, directly in front of the sampler."
        )
    elif not was_handed_out(sigmas):
        said.append(
            "The model carries a preset, but this run uses another scheduler. "
            "Choose sigmasmith_optimal, or connect Sigmasmith Schedule, to use the preset."
        )
    guidance = getattr(guider, "cfg", None)
    return said + preset.differences(
        model_identity(model),
        sampler=_same_or_running(preset.sampler, sampler),
        guidance=float(guidance) if isinstance(guidance, (int, float)) else None,
        latent_shape=latent_shape_of(noise, kwargs),
        start_sigma=float(sigmas[0]) if len(sigmas) else None,
    )


def _same_or_running(fitted: str, sampler: Any) -> str | None:
    """The run's sampler name, or the preset's where both run the same function."""
    running = sampler_name_of(sampler)
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
