"""The explicit list of nodes, and what is registered when the host loads the pack."""

from __future__ import annotations

from comfy_api.latest import ComfyExtension, io

from .adaptive.node import SigmasmithAdaptiveSampler, SigmasmithAdaptiveSchedule
from .auto.node import SigmasmithAuto
from .compare.node import SigmasmithCompare
from .feedback.node import SigmasmithErrorMap, SigmasmithRefine
from .fit.node import SigmasmithFit, SigmasmithFitGuider
from .host import folders, routes
from .host.samplers import sampler_registry
from .host.schedulers import scheduler_registry
from .page import ROUTE_PREFIX
from .presets.node import SigmasmithLoadPreset, SigmasmithSavePreset
from .registration import register_schedulers
from .sampler_names import register_samplers
from .schedule.curves import SigmasmithCosine, SigmasmithCurve
from .schedule.guidance import SigmasmithGuidance
from .schedule.multistep import SigmasmithMultistep
from .schedule.node import SigmasmithApply, SigmasmithSchedule
from .search.node import SigmasmithSearchPlan, SigmasmithSearchSampler, SigmasmithSearchSeeds
from .search.rewards import (
    SigmasmithCombineRewards,
    SigmasmithRewardClip,
    SigmasmithRewardFromNode,
    SigmasmithRewardImage,
)
from .variance.node import SigmasmithDDIM, SigmasmithVariance

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
    SigmasmithSearchSeeds,
    SigmasmithSearchSampler,
    SigmasmithSearchPlan,
    SigmasmithRewardClip,
    SigmasmithRewardImage,
    SigmasmithRewardFromNode,
    SigmasmithCombineRewards,
    SigmasmithAuto,
]


class SigmasmithExtension(ComfyExtension):
    """The host's way to the nodes."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        # Here and not in on_load, which hosts before 2026 do not call. Both are idempotent.
        folders.add_preset_folder()
        register_schedulers(*scheduler_registry())
        register_samplers(*sampler_registry())
        routes.mount(ROUTE_PREFIX, _page_handlers)
        return NODES


def _page_handlers() -> routes.Handlers:
    from .page.mounted import routes as page_routes

    return page_routes()
