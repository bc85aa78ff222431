"""`fleet`: many fits over several machines. It knows no host: servers are asked over HTTP, workers through Ray."""

from __future__ import annotations

from .command import run

__all__ = ["run"]
