"""A guidance curve on a model: for every model call the guider's own CFG is set to the curve's, and put back.

In the host's PREDICT_NOISE wrapper, around the guider: CFG functions of other nodes are then given the right scale,
and where it is 1 the host leaves the unconditional call out by itself.
"""

from __future__ import annotations

from typing import Any

import comfy.patcher_extension
import torch
from torch import Tensor

from ...schedules.core.words import Phrase
from ...schedules.curves.guidance import GuidanceCurve
from . import messages
from .noise_levels import model_sampling_of

GUIDANCE_KEY = "sigmasmith_guidance"


def percent_to_sigma_of(model: Any) -> Any:
    """The model's function from the host's percent of the run to sigma."""
    return model_sampling_of(model).percent_to_sigma


def with_guidance(model: Any, curve: GuidanceCurve, node_id: Any = None) -> Any:
    """A clone of the model that samples under the curve; an earlier curve on it is replaced."""
    patched = model.clone()
    kind = comfy.patcher_extension.WrappersMP.PREDICT_NOISE
    patched.remove_wrappers_with_key(kind, GUIDANCE_KEY)
    patched.add_wrapper_with_key(kind, GUIDANCE_KEY, _Guidance(curve, node_id))
    # Travels with clones: for digests (identity.py), and for samplers that ask where the guidance jumps.
    patched.set_attachments(GUIDANCE_KEY, curve)
    return patched


def guidance_curve_of(model: Any) -> GuidanceCurve | None:
    """The curve that rides on a model."""
    return model.get_attachment(GUIDANCE_KEY)


class _Guidance:
    """The wrapper: `executor(x, timestep, model_options, seed)` with the guider as its class_obj."""

    def __init__(self, curve: GuidanceCurve, node_id: Any) -> None:
        self.curve = curve
        self.node_id = node_id
        self.told: Any = None

    def __call__(self, executor: Any, x: Tensor, timestep: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        guider = executor.class_obj
        own = self._own_guidance(guider)
        if own is None:
            return executor(x, timestep, *args, **kwargs)
        row_scales = [self.curve.at(sigma, own) for sigma in timestep.detach().flatten().tolist()]
        scales = sorted(set(row_scales))
        try:
            outs = []
            for scale in scales:
                guider.cfg = scale
                outs.append(executor(x, timestep, *args, **kwargs))
        finally:
            guider.cfg = own
        if len(outs) == 1:
            return outs[0]
        # Rows at different sigmas, as in samplers with a step size per image: each takes the run with its own scale.
        rows = [outs[scales.index(scale)][row] for row, scale in enumerate(row_scales)]
        return torch.stack(rows)

    def _own_guidance(self, guider: Any) -> float | None:
        """The guider's CFG; None, said once per prompt, for a guider that has not exactly one between two prompts."""
        own = getattr(guider, "cfg", None)
        if isinstance(own, (int, float)) and not hasattr(guider, "cfg1") and guider.conds.get("negative") is not None:
            return float(own)
        if self.told != (prompt := messages.prompt_id()):
            self.told = prompt
            messages.say(
                Phrase(
                    "Sigmasmith Guidance does nothing under this guider: it needs one CFG between a positive and a "
                    "negative prompt, as KSampler and CFGGuider have."
                ),
                self.node_id,
                warning=True,
            )
        return None
