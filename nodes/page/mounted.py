"""The pack's routes over the host's folders, models and nodes."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from ...schedules.hosting.library import Library
from ...schedules.presets.preset import Preset
from ..graph import NodeValues, RunningModel
from ..host import folders, peek
from ..presets import store
from .routes import Routes


class HostSources:
    """live_request.Sources in a running host."""

    def load_preset(self, choice: str, share_code: str) -> Preset:
        return store.load(choice, share_code)

    def library(self) -> Mapping[str, Preset]:
        return folders.preset_store().presets()

    def running_model(self, chain: tuple[NodeValues, ...]) -> RunningModel | None:
        return peek.running_model(chain)


@functools.lru_cache(maxsize=1)
def routes() -> Routes:
    """The handlers, made for the first page that asks."""
    library = Library(
        folders=folders.preset_folders,
        may_remove=not folders.is_shared(),
        changed=folders.forget_presets,
        changing=folders.changing,
    )
    return Routes(library, HostSources(), peek.choices)
