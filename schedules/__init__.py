"""The core: schedules, their fitting and their file format. Knows no host.

`calibrate`, `Calibration` and `family_schedule` are the public API; they load on first use, so that importing the
package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .family.schedule import family_schedule as family_schedule
    from .fitting.calibrate import calibrate as calibrate
    from .fitting.calibration import Calibration as Calibration

__all__ = ["Calibration", "calibrate", "family_schedule"]


def __getattr__(name: str) -> Any:
    if name == "calibrate":
        from .fitting.calibrate import calibrate

        return calibrate
    if name == "Calibration":
        from .fitting.calibration import Calibration

        return Calibration
    if name == "family_schedule":
        from .family.schedule import family_schedule

        return family_schedule
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
