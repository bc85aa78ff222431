"""`python -m sigmasmith`: fit, show, compare and plot schedules without any host."""

from __future__ import annotations

import sys

from .cli.main import main

if __name__ == "__main__":
    sys.exit(main())
