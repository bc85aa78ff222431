"""Guidance over sigma as a line of text: what the panel, the HTTP API and infotexts hold."""

from __future__ import annotations

import re
from collections.abc import Callable

from ..schedules.core.noise_space import SigmaRange
from ..schedules.curves.guidance import SHAPES, UNITS, GuidanceCurve, SigmaAxis, guidance_curve, parse_values

_NUMBER = r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
_LINE = re.compile(
    rf"({'|'.join(SHAPES)})\s+{_NUMBER}\s+to\s+{_NUMBER}"
    rf"(?:\s+({'|'.join(sorted(UNITS, key=len, reverse=True))}))?(?:\s+outside\s+{_NUMBER})?(?:\s*:\s*(.+))?"
)
HELP = "interval 0.2 to 0.9; rising cosine 0 to 1 outside 1; list 0 to 1: 1, 7, 5; interval 5 to 0.5 sigma"


def parse_guidance(
    text: str, sigma_range: SigmaRange | None = None, percent_to_sigma: Callable[[float], float] | None = None
) -> GuidanceCurve | None:
    """The curve of a line such as "interval 0.2 to 0.9", None for an empty one.

    Places are shares of the run, 0 at pure noise, where no other unit is named; outside is 1 where it is not given.

    Args:
        sigma_range, percent_to_sigma: of the model; without them the line is only checked.
    Raises:
        ValueError: names the input.
    """
    line = " ".join((text or "").split())
    if not line:
        return None
    match = _LINE.fullmatch(line)
    if match is None:
        raise ValueError(f"Guidance: {line[:80]!r} cannot be read; write for example {HELP}")
    shape, start, end, unit, outside, values = match.groups()
    axis = SigmaAxis(
        unit or "percent",  # pyright: ignore[reportArgumentType] (of UNITS, by the pattern)
        sigma_range or SigmaRange(0.03, 14.6),
        percent_to_sigma or (lambda share: 14.6 * (1.0 - share) + 0.03 * share),
    )
    try:
        return guidance_curve(
            shape,  # pyright: ignore[reportArgumentType] (of SHAPES)
            float(start),
            float(end),
            axis,
            outside=1.0 if outside is None else float(outside),
            values=parse_values(values or ""),
        )
    except ValueError as error:
        raise ValueError(f"Guidance: {error}") from None
