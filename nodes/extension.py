"""The explicit list of nodes, and what is registered when the host loads the pack."""

from __future__ import annotations

from comfy_api.latest import ComfyExtension, io

from . import _host, _host_adaptive, _host_routes
from .adaptive import SigmasmithAdaptiveSampler, SigmasmithAdaptiveSchedule
from .compare import SigmasmithCompare
from .curves import SigmasmithCosine, SigmasmithCurve
from .feedback import SigmasmithErrorMap, SigmasmithRefine
from .fit import SigmasmithFit, SigmasmithFitGuider
from .guidance import SigmasmithGuidance
from .multistep import SigmasmithMultistep
from .presets import SigmasmithLoadPreset, SigmasmithSavePreset
from .registration import register_schedulers
from .sampler_names import register_samplers
from .schedule import SigmasmithApply, SigmasmithSchedule
from .variance import SigmasmithDDIM, SigmasmithVariance

NODES: list[type[io.ComfyNode]] = [
    SigmasmithFit,
    SigmasmithFitGuider,
    SigmasmithSchedule,
    SigmasmithApply,
    SigmasmithSavePreset,
    SigmasmithLoadPreset,
    SigmasmithCosine,
    SigmasmithCurve,
    SigmasmithCompare,
    SigmasmithGuidance,
    SigmasmithErrorMap,
    SigmasmithRefine,
    SigmasmithVariance,
    SigmasmithDDIM,
    SigmasmithAdaptiveSampler,
    SigmasmithAdaptiveSchedule,
    SigmasmithMultistep,
]


class SigmasmithExtension(ComfyExtension):
    """What the host asks for the nodes."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        # Here and not in on_load, which hosts before 2026 do not call. Both are idempotent.
        _host.add_preset_folder()
        register_schedulers(*_host.scheduler_registry())
        register_samplers(*_host_adaptive.sampler_registry())
        _host_routes.add_to_server()
        return NODES
