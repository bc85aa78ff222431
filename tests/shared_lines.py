"""Pairs of places in the product that share lines of code: equal text, signatures and all, six lines in a row.

Imports, comments, docstrings and blank lines do not count, and a line ends the run where it differs by a letter.
pylint's similarity checker, which compares files alone, finds no such place at its own settings.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from .import_graph import named

LEAST = 6
_LAYOUT = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


class Pair(NamedTuple):
    """Two places, file:line, and how many lines they share."""

    first: str
    second: str
    lines: int


def pairs(paths: Sequence[Path]) -> list[Pair]:
    """Every longest run of at least LEAST equal lines in two places of these files."""
    files = {named(path): code_lines(path.read_text(encoding="utf-8")) for path in paths}
    windows: dict[tuple[str, ...], list[tuple[str, int]]] = defaultdict(list)
    for name, lines in files.items():
        for start in range(len(lines) - LEAST + 1):
            windows[tuple(text for _, text in lines[start : start + LEAST])].append((name, start))
    # Windows that move along together in two files are one run.
    runs: dict[tuple[str, str, int], list[int]] = defaultdict(list)
    for places in windows.values():
        for (name, start), (other, begin) in combinations(places, 2):
            if name != other or begin - start >= LEAST:
                runs[name, other, begin - start].append(start)
    return [
        Pair(
            f"{name}:{files[name][start][0]}", f"{other}:{files[other][start + away][0]}", LEAST + _more(starts, start)
        )
        for (name, other, away), starts in runs.items()
        for start in starts
        if start - 1 not in starts
    ]


def code_lines(source: str) -> list[tuple[int, str]]:
    """(line number, its tokens with a space between) of the lines that count."""
    left_out: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        if isinstance(node, ast.stmt) and (text or isinstance(node, (ast.Import, ast.ImportFrom))):
            left_out.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    lines: dict[int, list[str]] = defaultdict(list)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in _LAYOUT and token.start[0] not in left_out:
            lines[token.start[0]].append(token.string)
    return [(number, " ".join(tokens)) for number, tokens in sorted(lines.items())]


def _more(starts: Sequence[int], start: int) -> int:
    """How many further windows follow without a gap."""
    count = 0
    while start + count + 1 in starts:
        count += 1
    return count
