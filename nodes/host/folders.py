"""The host's folders of presets and of records of unfinished fits, and the files it writes for a person."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import folder_paths
from comfy.cli_args import args

from ...schedules.hosting.preset_store import PresetStore
from ...schedules.presets.checks import PresetError
from ...schedules.presets.folder import free_path

FOLDER_KEY = "sigmasmith"
SUFFIX = ".safetensors"
# First entry of the dropdown: it must never be empty, and a share code needs no file.
NO_FILE = "(share code)"
# Held by whoever writes, renames or removes presets: nodes run in one thread, requests of the page in others.
changing = threading.RLock()
# File systems allow 255; number and suffix of a file need the rest.
_MAX_PART_BYTES = 200
# Where records of unfinished fits lie below the user folder.
UNFINISHED = "sigmasmith/unfinished"
# What they may take, in GB: a number under this key in the host's settings file changes it, 0 records nothing.
_LIMIT_KEY, _LIMIT_GB = "Sigmasmith.RecordsGB", 8.0
_stores: dict[tuple[Path, ...], PresetStore] = {}


def add_preset_folder() -> None:
    """Make models/sigmasmith known to the host; extra_model_paths.yaml may add more folders under the same key."""
    folder_paths.add_model_folder_path(FOLDER_KEY, os.path.join(folder_paths.models_dir, FOLDER_KEY))
    folder_paths.folder_names_and_paths[FOLDER_KEY][1].add(SUFFIX)


def preset_folders() -> list[Path]:
    """Where presets are looked for, the folder that they are written to first."""
    return [Path(folder) for folder in folder_paths.get_folder_paths(FOLDER_KEY)]


def preset_folder() -> Path:
    """Where presets are written."""
    return preset_folders()[0]


def preset_store() -> PresetStore:
    """The presets in the host's folders; each file is read once, and again when it changes."""
    folders = tuple(preset_folders())
    with changing:
        return _stores.setdefault(folders, PresetStore(folders))


def checked_path(name: str) -> Path:
    """The file of a preset name where presets are written.

    Raises:
        ValueError: names the input `name`.
    """
    try:
        return free_path(preset_folder(), name.strip())
    except PresetError as error:
        raise ValueError(f"name: {error}") from None


def forget_presets() -> None:
    """Make the host look into the folders anew."""
    folder_paths.filename_list_cache.pop(FOLDER_KEY, None)


def is_shared() -> bool:
    """Whether several people share this host and its folders."""
    return args.multi_user


def preset_names() -> list[str]:
    """Names of all presets, sorted."""
    return preset_store().names()


def unfinished_folder() -> Path:
    """Where records of unfinished fits are kept; the host wipes its temp folder at every start."""
    return Path(folder_paths.get_user_directory()) / UNFINISHED


def records_limit() -> int:
    """Bytes that records of unfinished fits may take, as the host's settings say."""
    try:
        settings = Path(folder_paths.get_user_directory()) / "default" / "comfy.settings.json"
        limit = json.loads(settings.read_text(encoding="utf-8")).get(_LIMIT_KEY, _LIMIT_GB)
    except (OSError, ValueError, AttributeError):
        limit = _LIMIT_GB
    sane = isinstance(limit, (int, float)) and 0.0 <= limit <= 1e6
    return int(1e9 * (limit if sane else _LIMIT_GB))


def check_csv(prefix: str) -> None:
    """Raise ValueError, which names the input `filename_prefix`, where `write_csv` could not write."""
    _csv_path(prefix)


def write_csv(prefix: str, text: str) -> str:
    """Write a new numbered file into the output folder; its name below that folder.

    Raises:
        ValueError: names the input `filename_prefix`.
    """
    path, shown = _csv_path(prefix)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8", newline="") as file:
            file.write(text)
    except OSError as error:
        raise ValueError(f"filename_prefix: {shown} cannot be written: {error.strerror}") from error
    return shown


def _csv_path(prefix: str) -> tuple[Path, str]:
    """The next free file of this prefix, and its name below the output folder."""
    output = folder_paths.get_output_directory()
    parts = prefix.replace("\\", "/").split("/")
    if "\0" in prefix or max(len(part.encode("utf-8", "surrogatepass")) for part in parts) > _MAX_PART_BYTES:
        raise ValueError(f"filename_prefix: a part of it is longer than {_MAX_PART_BYTES} bytes, or holds a null")
    try:
        folder, name, number, inside, _ = folder_paths.get_save_image_path(prefix, output)
    except OSError as error:
        raise ValueError(f"filename_prefix: {prefix[:80]!r} cannot be written: {error.strerror}") from error
    except Exception as error:  # the host raises a plain Exception for a prefix that leaves the folder
        raise ValueError(f"filename_prefix: {prefix[:80]!r} does not name a file in the output folder") from error
    path = Path(folder) / f"{name}_{number:05}_.csv"
    return path, f"{inside}/{path.name}" if inside else path.name
