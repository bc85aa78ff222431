"""Which server can make which job: what it has of the nodes and files that the job's graph names."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from .graph import Graph
from .jobs import Job
from .server import ServerClient


@dataclass(eq=False)
class PlacedJob:
    """A job with the servers that can make it.

    Args:
        group: equal for jobs that run on the same loaded model.
        graphs: address of a server -> the graph as that server spells its files; one that failed to make it is out.
        problem: why it failed on the last one that did.
    """

    job: Job
    graph: Graph
    group: str
    graphs: dict[str, Graph] = field(default_factory=dict)
    problem: str = ""


def check_servers(servers: Sequence[ServerClient]) -> None:
    """ValueError with a line for each server that cannot be used."""
    with ThreadPoolExecutor(len(servers)) as pool:
        problems = [said for said in pool.map(ServerClient.about, servers) if said]
    if problems:
        raise ValueError("\n".join(problems))


def place(jobs: Iterable[PlacedJob], servers: Sequence[ServerClient]) -> None:
    """Fill in the graphs of every job.

    Raises:
        ValueError: a line for each job that no server can make, with what the nearest one lacks.
    """
    jobs = list(jobs)
    kinds = sorted({entry["class_type"] for job in jobs for entry in job.graph.values()})
    with ThreadPoolExecutor(16) as pool:
        asked = [(server, kind) for server in servers for kind in kinds]
        told = list(pool.map(lambda pair: pair[0].node_info(pair[1]), asked))
    known = {(server.address, kind): info for (server, kind), info in zip(asked, told)}
    problems: list[str] = []
    for job in jobs:
        lacking: list[list[str]] = []
        for server in servers:
            graph, missing = _spelled(job.graph, {kind: known[server.address, kind] for kind in kinds})
            if missing:
                lacking.append([f"{said} on {server.address}" for said in missing])
            else:
                job.graphs[server.address] = graph
        if not job.graphs:
            problems.append(f"{job.job.label}: {'; '.join(min(lacking, key=len))}")
    if problems:
        raise ValueError("\n".join(problems))


def _spelled(graph: Graph, known: Mapping[str, Mapping[str, Any]]) -> tuple[Graph, list[str]]:
    """(the graph with files spelled as a server lists them, what the server lacks)."""
    spelled, missing = copy.deepcopy(graph), []
    for entry in spelled.values():
        info = known[entry["class_type"]]
        if not info:
            missing.append(f"there is no node {entry['class_type']}")
            continue
        declared = info.get("input", {})
        missing += [
            f"{entry['class_type']} lacks its input {name}"
            for name in declared.get("required", {})
            if name not in entry["inputs"]
        ]
        specifications = {**declared.get("required", {}), **declared.get("optional", {})}
        for name, value in entry["inputs"].items():
            if isinstance(value, list) or name not in specifications:
                continue  # a link, or an input that the node makes while it runs
            entry["inputs"][name], said = _checked(name, value, specifications[name])
            missing += said
    return spelled, missing


def _checked(name: str, value: Any, specification: Any) -> tuple[Any, list[str]]:
    """(a value as the server spells it, what is wrong with it) by the server's description of the input."""
    kind, *rest = specification if isinstance(specification, (list, tuple)) and specification else [None]
    limits = rest[0] if rest and isinstance(rest[0], dict) else {}
    options = kind if isinstance(kind, list) else limits.get("options") if kind == "COMBO" else None
    if isinstance(options, list) and isinstance(value, str):
        same = [option for option in options if isinstance(option, str) and _plain(option) == _plain(value)]
        if same or limits.get("image_upload"):
            return (same[0] if same else value), []
        near = difflib.get_close_matches(value, [str(option) for option in options], n=1, cutoff=0.4)
        return value, [f"{name}: there is no {value}" + (f" (nearest: {near[0]})" if near else "")]
    if kind in ("INT", "FLOAT") and isinstance(value, (int, float)) and not isinstance(value, bool):
        low, high = limits.get("min", value), limits.get("max", value)
        if not low <= value <= high:
            return value, [f"{name}: {value:g} is not from {low:g} to {high:g}"]
    return value, []


def _plain(name: str) -> str:
    """A file's name as it is called on every system."""
    return name.replace("\\", "/")
