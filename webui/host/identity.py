"""Which model the host has loaded, as a preset records it."""

from __future__ import annotations

import math
import os
from typing import Any

from modules import processing, sd_models, shared
from torch import Tensor

from ...schedules.core.noise_space import SigmaRange
from ...schedules.hosting.model_facts import shift_of, table_hash
from ...schedules.presets.identity import ModelIdentity, Prediction

# huggingface_guess (Forge) and ldm_patched (reForge) name families as ComfyUI does; A1111 has flags.
_FLAGS = (("is_sd3", "SD3"), ("is_sdxl", "SDXL"), ("is_sd2", "SD20"), ("is_sd1", "SD15"))
_PREDICTIONS: dict[str, Prediction] = {"epsilon": "eps", "eps": "eps", "v_prediction": "v", "v": "v", "const": "flow"}


def model_identity(sigma_range: SigmaRange, loras: tuple[str, ...] = ()) -> ModelIdentity:
    """The facts known of the loaded model.

    Args:
        sigma_range: of the scheduler's call.
        loras: bare names of the networks in the prompt.
    """
    model = shared.sd_model
    info = getattr(model, "sd_checkpoint_info", None)
    name = os.path.basename(getattr(info, "filename", "") or "")
    return ModelIdentity(
        family=_family(model),
        prediction=_prediction(model, sigma_range),
        sigma_min=sigma_range.sigma_min,
        sigma_max=sigma_range.sigma_max,
        flow=sigma_range.flow,
        table_hash=table_hash(_sampling(model)),
        shift=shift_of(_sampling(model)) if sigma_range.flow else None,
        parameters=_parameters(model),
        checkpoint=name or None,
        checkpoint_hash=getattr(info, "sha256", None) or None,
        # Another host's digest of the same LoRA differs, so only a model without any is known for sure.
        patches=None if loras else "",
        loras=loras,
    )


def sigma_range_of(inner_model: Any, sigma_min: float, sigma_max: float) -> SigmaRange:
    """The noise range that a scheduler was asked for."""
    return SigmaRange(float(sigma_min), float(sigma_max), flow=is_flow(inner_model, float(sigma_max)))


def is_flow(inner_model: Any, sigma_max: float) -> bool:
    """Whether x = (1 - sigma) * x0 + sigma * noise.

    Forge's predictor says so; elsewhere a table that ends at 1 or below does: no noise-prediction model's is that low.
    """
    kind = getattr(getattr(inner_model, "predictor", None), "prediction_type", None)
    return kind == "const" if kind is not None else sigma_max <= 1.0


def model_range(sampler: Any) -> SigmaRange:
    """The loaded model's noise range, by a host sampler object."""
    table = sampler.model_wrap.sigmas
    return sigma_range_of(sampler.model_wrap, float(table[0]), float(table[-1]))


def loaded_range() -> SigmaRange | None:
    """The noise range of the checkpoint in memory, None where none is loaded yet."""
    model = sd_models.model_data.sd_model
    table = getattr(_sampling(model), "sigmas", None)
    if isinstance(table, Tensor):
        ends = float(table[0]), float(table[-1])
    elif isinstance(getattr(model, "alphas_cumprod", None), Tensor):
        kept = model.alphas_cumprod.detach().cpu().double()
        # Rounded once: the host's own arithmetic in float32 ends at 14.614642, other hosts' tables at 14.614641.
        ends = tuple(float(value) for value in ((1.0 - kept[[0, -1]]) / kept[[0, -1]]).sqrt().float())
    else:
        return None
    return SigmaRange(ends[0], ends[1], flow=ends[1] <= 1.0)


def exact_range(told: SigmaRange) -> SigmaRange:
    """The range that a scheduler was told, with the ends of the table that sampling uses where both mean the same.

    reForge's schedulers are told the ends of a table of its own, which it computes anew: 14.614642 for the model's
    14.614641. With the model's own, a preset gives the same sigmas in every host.
    """
    known = loaded_range()
    if known is None or known.flow != told.flow:
        return told
    pairs = ((known.sigma_min, told.sigma_min), (known.sigma_max, told.sigma_max))
    return known if all(math.isclose(*pair, rel_tol=1e-4) for pair in pairs) else told


def latent_shape(width: int, height: int) -> tuple[int, ...]:
    """(C, H, W) of the latent for an image of this size in pixels, as the host makes it."""
    model = shared.sd_model
    vae = getattr(getattr(model, "forge_objects", None), "vae", None)
    channels = getattr(vae, "latent_channels", None) or getattr(model, "latent_channels", None) or processing.opt_C
    return int(channels), height // processing.opt_f, width // processing.opt_f


def loras_of(p: Any) -> tuple[str, ...]:
    """Bare names of the networks that the prompt activates."""
    networks = (getattr(p, "extra_network_data", None) or {}).get("lora", [])
    return tuple(dict.fromkeys(os.path.basename(str(one.positional[0])) for one in networks if one.positional))


def guidance_of(p: Any) -> float | None:
    """The guidance of the pass that is about to start."""
    value = getattr(p, "hr_cfg", None) if getattr(p, "is_hr_pass", False) else None
    value = value or getattr(p, "cfg_scale", None)
    return float(value) if isinstance(value, (int, float)) else None


def dtype_of() -> str | None:
    """The weights' type, such as float16."""
    network = _network(shared.sd_model)
    weight = next(iter(network.parameters()), None) if network is not None else None
    return None if weight is None else str(weight.dtype).removeprefix("torch.")


def _unet(model: Any) -> Any:
    """The patched network of Forge and reForge: diffusion_model, predictor or model_sampling, model_config."""
    return getattr(getattr(getattr(model, "forge_objects", None), "unet", None), "model", None)


def _network(model: Any) -> Any:
    return getattr(_unet(model) or getattr(model, "model", None), "diffusion_model", None)


def _sampling(model: Any) -> Any:
    unet = _unet(model)
    return getattr(unet, "predictor", None) or getattr(unet, "model_sampling", None)


def _family(model: Any) -> str:
    for owner in (model, _unet(model)):
        config = getattr(owner, "model_config", None)
        if config is not None:
            return type(config).__name__
    return next((family for flag, family in _FLAGS if getattr(model, flag, False)), "")


def _prediction(model: Any, sigma_range: SigmaRange) -> Prediction | None:
    if sigma_range.flow:
        return "flow"
    kind = getattr(_sampling(model), "prediction_type", None) or getattr(model, "parameterization", None)
    return _PREDICTIONS.get(str(kind))


def _parameters(model: Any) -> int | None:
    network = _network(model)
    return sum(weight.numel() for weight in network.parameters()) or None if network is not None else None
