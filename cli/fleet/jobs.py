"""The jobs file: what is to be fitted, checked as a whole before anything starts."""

from __future__ import annotations

import difflib
import json
import sys
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .fields import FIELDS, KINDS, BadFieldError, checked_field

# What a file may hold beside its jobs.
_TOP = ("engine", "servers", "defaults", "jobs")
# Problems that are listed; a file that is wrong throughout is wrong for one reason.
_MOST_SAID = 20


@dataclass(frozen=True)
class Job:
    """One fit.

    Args:
        name: of the preset.
        given: the fields of the file by their names, checked; those that it lacks are left out.
        workflow: the graph of a `workflow`, as it was read.
        place: of the job in the file, for messages.
    """

    name: str
    given: Mapping[str, Any]
    place: str = "job"
    workflow: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """Which of KINDS it names."""
        return next(kind for kind in KINDS if kind in self.given)

    @property
    def label(self) -> str:
        """How a message calls it."""
        return f"{self.place} ({self.name})"


@dataclass(frozen=True)
class JobsFile:
    """A jobs file: its jobs, and the engine and the servers that it names."""

    jobs: tuple[Job, ...]
    engine: str | None
    servers: tuple[Any, ...]


def load_jobs(path: Path) -> JobsFile:
    """The jobs of a .json or .toml file.

    Raises:
        ValueError: one line for each thing that is wrong in it.
    """
    content = _parsed(path)
    problems = _unknown("the file", content, _TOP)
    jobs = content.get("jobs")
    defaults, servers = content.get("defaults", {}), content.get("servers", [])
    if not isinstance(defaults, dict):
        raise ValueError(f"{path.name}: defaults must be an object of fields")
    if not isinstance(servers, list):
        raise ValueError(f"{path.name}: servers must be a list of addresses")
    if not isinstance(jobs, list) or not jobs:
        raise ValueError(f"{path.name}: jobs must be a list with at least one job")
    problems += _unknown("defaults", defaults, FIELDS)
    made: list[Job] = []
    for number, entry in enumerate(jobs):
        place = f"jobs[{number}]"
        if not isinstance(entry, dict):
            problems.append(f"{place} must be an object, got {entry!r:.60}")
            continue
        job, said = _job(place, {**_usable(defaults, entry), **entry}, path.parent)
        problems += said
        made += [job] if job is not None else []
    problems += _twice(made)
    if problems:
        more = [f"... and {len(problems) - _MOST_SAID} more"] if len(problems) > _MOST_SAID else []
        raise ValueError("\n".join(f"{path.name}: {said}" for said in [*problems[:_MOST_SAID], *more]))
    return JobsFile(tuple(made), content.get("engine"), tuple(servers))


def _parsed(path: Path) -> dict[str, Any]:
    """The file's content as one object."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise ValueError(f"{path}: cannot be read: {reason}") from error
    loads: Callable[[str], Any] = json.loads
    if path.suffix == ".toml":
        if sys.version_info < (3, 11):
            raise ValueError(f"{path.name}: .toml needs Python 3.11 or later; write the jobs as .json")
        import tomllib

        loads = tomllib.loads
    try:
        content = loads(text)
    except (ValueError, RecursionError) as error:
        kind = "TOML" if path.suffix == ".toml" else "JSON"
        raise ValueError(f"{path.name} is not valid {kind}, perhaps not written to its end: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path.name}: must be an object with a list of jobs")
    return content


def _usable(defaults: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    """The defaults without a model where the job names its own."""
    own = any(kind in entry for kind in KINDS)
    return {name: value for name, value in defaults.items() if not (own and name in KINDS)}


def _job(place: str, fields: Mapping[str, Any], folder: Path) -> tuple[Job | None, list[str]]:
    """The job of some fields and what is wrong with them; None where it cannot be made."""
    name = fields.get("name")
    label = f"{place} ({name})" if isinstance(name, str) else place
    given: dict[str, Any] = {}
    problems = _unknown("it", fields, FIELDS)
    for key in fields.keys() & FIELDS.keys():
        try:
            given[key] = checked_field(key, fields[key])
        except BadFieldError as error:
            problems.append(str(error))
    problems = problems or _unfit(given)
    workflow: dict[str, Any] = {}
    if not problems and "workflow" in given:
        try:
            workflow = _workflow(folder / given["workflow"])
        except ValueError as error:
            problems = [f"workflow: {error}"]
    job = None if problems else Job(given["name"], given, place, workflow)
    return job, [f"{label}: {said}" for said in problems]


def _unfit(given: Mapping[str, Any]) -> list[str]:
    """Faults of fields that are good each by itself."""
    kinds = [kind for kind in KINDS if kind in given]
    if len(kinds) != 1:
        return [f"it must name one of {', '.join(KINDS)}" + (f", not {' and '.join(kinds)}" if kinds else "")]
    kind = kinds[0]
    problems = [f"it lacks {key}" for key, facts in FIELDS.items() if kind in facts.needed and key not in given]
    return problems + [f"{key} does not go with {kind}" for key in given if kind not in FIELDS[key].kinds]


def _workflow(path: Path) -> dict[str, Any]:
    """A graph in API form."""
    try:
        graph = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path.name} is not valid JSON: {error}") from error
    if isinstance(graph, dict) and isinstance(graph.get("nodes"), list):
        raise ValueError(f"{path.name} is a workflow as ComfyUI saves it; export it in API form")
    nodes = list(graph.values()) if isinstance(graph, dict) else []
    if not nodes or not all(map(_is_node, nodes)):
        raise ValueError(f"{path.name} is no graph in API form")
    return graph


def _is_node(entry: Any) -> bool:
    return (
        isinstance(entry, dict) and isinstance(entry.get("inputs"), dict) and isinstance(entry.get("class_type"), str)
    )


def _unknown(what: str, given: Mapping[str, Any], known: Any) -> list[str]:
    """A sentence for each key that is not known, with the nearest one."""
    said = []
    for key in given:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            said.append(f"{what} has an unknown field {key!r}" + (f"; did you mean {near[0]}?" if near else ""))
    return said


def _twice(jobs: list[Job]) -> list[str]:
    """Names that are one file on some system."""
    folded = Counter(unicodedata.normalize("NFC", job.name.casefold()) for job in jobs)
    twice = [job for job in jobs if folded[unicodedata.normalize("NFC", job.name.casefold())] > 1]
    return [f"{job.label}: another job has this name" for job in twice]
