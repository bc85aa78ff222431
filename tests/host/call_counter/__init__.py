"""A node pack without nodes: counts the calls of every model in the file `calls` beside it, and makes them slow.

Each call appends a byte, and sleeps for the seconds in the file `seconds`, where there is one.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import comfy.model_base

_HERE = Path(__file__).parent
_calls = os.open(_HERE / "calls", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
_plain = comfy.model_base.BaseModel.apply_model


def _counted(self: Any, *given: Any, **options: Any) -> Any:
    os.write(_calls, b".")
    seconds = _HERE / "seconds"
    if seconds.exists():
        time.sleep(float(seconds.read_text()))
    return _plain(self, *given, **options)


comfy.model_base.BaseModel.apply_model = _counted
NODE_CLASS_MAPPINGS = {}
