"""Schedules and samplers against the field, and the studies behind single features.

Without a command: every host's schedules and samplers, the published optimisers and ours, over half an hour of two slow
cores (--quick: few of all).
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

# Command -> the module whose main() runs it, and its line of help.
COMMANDS = {
    "readme": (".field.readme", "the table and figure of docs/benchmarks.md, from the CSV of the comparison above"),
    "compare": (".promises.run", "every figure promised of schedules (--quick: few of all)"),
    "adaptive": (".studies.adaptive", "adaptive sampling against dpm_adaptive and against dpmpp_2m"),
    "variance": (".studies.variance", "variance control and DDIM: inversion, noise, composition, overhead"),
    "feedback": (".studies.feedback", "error map, capped 2M, refinement by error"),
    "prompts": (".studies.prompts", "fits judged on classes that they have not seen"),
    "away": (".studies.away", "fits run at step counts that they were not fitted for"),
    "fleet": (".studies.fleet", "how fits over many machines scale, simulated"),
    "default": (".family.fits", "true gains of fits beside those that they claim"),
    "look": (".studies.look", "five fitted steps beside ten and twenty of the best stock pair, by a classifier"),
    "calls": (".studies.calls", "error over model calls in all: ours, the best host by a race, Optimal Stepsize"),
    "edits": (".studies.edits", "how far the guidance may be edited before a fit of before loses to a new one"),
    "search": (".studies.search", "the best of many seeds by drafts, and of many children of every step"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command, or the comparison with the field; returns the exit status."""
    given = list(sys.argv[1:] if argv is None else argv)
    if given[:1] and given[0] in COMMANDS:
        module, _ = COMMANDS[given.pop(0)]
        return importlib.import_module(module, __package__).main(given)
    # Imported only now, as the commands are: the field needs torch and all that it compares.
    from .field import run

    listed = "\n".join(f"  {name:12}{said}" for name, (_, said) in COMMANDS.items())
    return run.main(given, about=__doc__ or "", commands=f"commands, each with its own --help:\n{listed}")


if __name__ == "__main__":
    sys.exit(main())
