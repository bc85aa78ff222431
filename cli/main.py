"""Entry of the command line: parses, runs one command, turns mistakes into one line and an exit status."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Sequence

from .parser import build_parser

# What shells give to a program that an interrupt (signal 2) ended.
INTERRUPTED = 130
MISTAKE = 2
# Not among the package's dependencies: in a host they are the host's.
NEEDED = ("torch", "numpy", "scipy", "safetensors")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status. A wrong option exits through argparse, as everywhere."""
    args = build_parser().parse_args(argv)

    def work() -> None:
        # Imported only now: the commands need torch, which takes seconds, and --help does not.
        importlib.import_module(f".{args.command}", __package__).run(args)

    return guarded(args.program, work)


def guarded(program: str, work: Callable[[], None]) -> int:
    """Run a command; a mistake in its input becomes one line on stderr. Returns the exit status."""
    try:
        work()
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("\nInterrupted; no file was left half written.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (head, less) has gone. Python would complain once more when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except ValueError as error:
        print(f"{program}: error: {error}", file=sys.stderr)
        return MISTAKE
    except ModuleNotFoundError as error:
        if error.name not in NEEDED:  # a mistake in the user's own module keeps its traceback
            raise
        print(f"{program}: error: {error.name} is not installed; it needs {', '.join(NEEDED)}", file=sys.stderr)
        return MISTAKE
    return 0
