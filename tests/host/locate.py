"""Find the ComfyUI to test with, and give it the tiny models."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GENERATOR = Path(__file__).with_name("tiny_checkpoints.py")


class HostError(RuntimeError):
    """The host did not start, died, or did not answer in time; the message ends with the tail of its log."""


@dataclass(frozen=True)
class Host:
    """A ComfyUI checkout and the interpreter that has its requirements."""

    path: Path
    python: Path


def find_host() -> tuple[Host | None, str]:
    """The host named by COMFYUI_PATH and COMFYUI_PYTHON, else ~/comfy/ComfyUI and its .venv; or None and the reason."""
    path = Path(os.environ.get("COMFYUI_PATH", "~/comfy/ComfyUI")).expanduser()
    default = path / (".venv/Scripts/python.exe" if os.name == "nt" else ".venv/bin/python")
    python = Path(os.environ.get("COMFYUI_PYTHON", default)).expanduser()
    if not (path / "main.py").is_file():
        return None, f"no ComfyUI at {path}: clone https://github.com/Comfy-Org/ComfyUI there, or set COMFYUI_PATH"
    if not python.is_file():
        return None, f"no {python}: make that venv with {path / 'requirements.txt'}, or set COMFYUI_PYTHON"
    return Host(path, python), f"ComfyUI at {path}"


def clean_environment() -> dict[str, str]:
    """Ours without what would leak this interpreter's modules into the host, and with model downloads off."""
    # The last: hosts would compile themselves and us anew at every start, as nobody's does.
    hidden = ("PYTHONPATH", "PYTHONSAFEPATH", "PYTHONWARNINGS", "VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if name not in hidden}
    # Tiny models gain nothing from a second thread; on a busy machine waiting for it makes a step ten times longer.
    kept.setdefault("OMP_NUM_THREADS", "1")
    return kept | {"HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}


def answer_of(script: Path, *, host: Host, asked: Any) -> Any:
    """What a script prints in its last line, as JSON, run by the host's interpreter with `asked` on its input."""
    done = subprocess.run(
        [str(host.python), str(script), str(host.path)],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=300,
        env=clean_environment(),
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def make_tiny_models(host: Host, models: Path) -> None:
    """Write the tiny checkpoints and the LoRA below `models`, if they are not there (10 s).

    Raises:
        HostError: the generator failed.
    """
    # The LoRA is written last, so its presence says that the others are whole.
    if not (models / "loras" / "tiny_sd15_lora.safetensors").is_file():
        command = [str(host.python), str(GENERATOR), str(host.path), str(models)]
        done = subprocess.run(
            command, env=clean_environment(), capture_output=True, text=True, check=False, timeout=300
        )
        if done.returncode:
            raise HostError(f"{GENERATOR.name} failed:\n{done.stderr[-2000:]}")
