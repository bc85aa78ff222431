"""The core: schedules, their fitting and their file format. Knows no host.

`calibrate` and `Calibration` are the public API; they load on first use, so that importing the package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .fitting.calibrate import calibrate as calibrate
    from .fitting.calibration import Calibration as Calibration

__all__ = ["Calibration", "calibrate"]


def __getattr__(name: str) -> Any:
    if name == "calibrate":
        from .fitting.calibrate import calibrate

        return calibrate
    if name == "Calibration":
        from .fitting.calibration import Calibration

        return Calibration
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
