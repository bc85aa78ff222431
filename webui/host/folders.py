"""The folders of presets and of unfinished fits, and the setting that names one."""

from __future__ import annotations

import os
from pathlib import Path

from modules import paths, shared

from ...schedules.hosting.library import Library
from ...schedules.hosting.preset_store import PresetStore

FOLDER = "sigmasmith"
FOLDER_OPTION = "sigmasmith_folder"

_libraries: dict[tuple[Path, ...], Library] = {}
_stores: dict[tuple[Path, ...], PresetStore] = {}


def default_folder() -> Path:
    """models/sigmasmith."""
    return Path(paths.models_path) / FOLDER


def preset_folders() -> tuple[Path, ...]:
    """The folder named in the settings, which is written to, and models/sigmasmith."""
    named = str(getattr(shared.opts, FOLDER_OPTION, "") or "").strip()
    return (Path(os.path.expanduser(named)), default_folder()) if named else (default_folder(),)


def preset_store() -> PresetStore:
    """The presets of these folders."""
    folders = preset_folders()
    return _stores.setdefault(folders, PresetStore(folders))


def preset_library() -> Library:
    """The same presets as a person lists and changes them."""
    folders = preset_folders()
    return _libraries.setdefault(folders, Library(lambda: list(folders)))


def unfinished_folder() -> Path:
    """Where records of unfinished fits are kept."""
    return Path(paths.data_path) / "cache" / FOLDER / "unfinished"


def add_settings() -> None:
    """Our section in the host's settings."""
    shared.opts.add_option(
        FOLDER_OPTION,
        shared.OptionInfo(
            "",
            "Folder of presets, such as ComfyUI's models/sigmasmith; empty: models/sigmasmith of this WebUI",
            section=(FOLDER, "Sigmasmith"),
        ),
    )
