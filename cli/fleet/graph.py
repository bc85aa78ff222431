"""The graph of a job, in the form that ComfyUI's /prompt takes, with one Fit node and nothing that it does not need."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from .jobs import Job

Graph = dict[str, dict[str, Any]]

FIT, FIT_GUIDER, KSAMPLER = "SigmasmithFit", "SigmasmithFitGuider", "KSampler"
# The inputs of a Fit node that fields of a job are, and what they are where neither job nor workflow says.
_INPUTS = {
    "cfg": ("cfg", None),
    "sampler": ("sampler_name", "sigmasmith_multistep"),
    "steps": ("steps", "10"),
    "noises": ("noises", 4),
    "effort": ("effort", "fast"),
    "seed": ("calibration_seed", 0),
    "minutes": ("minutes", 0.0),
    "denoise": ("denoise", 1.0),
}
# Inputs of a KSampler and those of the Fit node that takes its place.
_AS_IN_KSAMPLER = {
    "model": "model",
    "positive": "positive",
    "negative": "negative",
    "latent_image": "latent",
    "cfg": "cfg",
    "sampler_name": "sampler_name",
    "steps": "steps",
    "denoise": "denoise",
}


def graph_of(job: Job, *, refit: bool = False) -> Graph:
    """The graph of a job for a server.

    Raises:
        ValueError: what of the job its workflow cannot take.
    """
    graph = _from_checkpoint(job) if job.kind == "checkpoint" else _from_workflow(job)
    inputs = fit_node(graph)["inputs"]
    for name, (target, default) in _INPUTS.items():
        if name in job.given:
            inputs[target] = job.given[name]
        elif default is not None:
            inputs.setdefault(target, default)
    inputs |= {"name": job.name, "refit": refit}
    if not isinstance(inputs["steps"], (str, list)):
        inputs["steps"] = str(inputs["steps"])
    needed = {*upstream(graph, _fit_id(graph)), _fit_id(graph)}
    return {node: graph[node] for node in graph if node in needed}


def fit_node(graph: Graph) -> dict[str, Any]:
    """The Fit node of a job's graph."""
    return graph[_fit_id(graph)]


def model_files(graph: Graph) -> str:
    """A text that is equal for jobs whose models come from the same loaders: what is slow to change on a server."""
    loaded = upstream(graph, _fit_id(graph), only="model") or upstream(graph, _fit_id(graph), only="guider")
    loaders = [graph[node] for node in loaded if not list(_links(graph[node]))]
    return repr(sorted((loader["class_type"], sorted(map(repr, loader["inputs"].items()))) for loader in loaders))


def upstream(graph: Graph, node: str, only: str | None = None) -> set[str]:
    """The nodes that a node depends on, or that one of its inputs depends on."""
    waiting = [source for name, source in _links(graph[node]) if only in (None, name)]
    seen: set[str] = set()
    while waiting:
        node = waiting.pop()
        if node not in seen and node in graph:
            seen.add(node)
            waiting += [source for _, source in _links(graph[node])]
    return seen


def _links(node: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(input, node that it comes from) of every linked input."""
    for name, value in node["inputs"].items():
        if isinstance(value, list) and len(value) == 2 and isinstance(value[0], str):
            yield name, value[0]


def _fit_id(graph: Graph) -> str:
    return next(node for node, entry in graph.items() if entry["class_type"] in (FIT, FIT_GUIDER))


def _node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


def _from_checkpoint(job: Job) -> Graph:
    """Loader, LoRAs, prompts, an empty latent and the Fit node."""
    graph: Graph = {"load": _node("CheckpointLoaderSimple", ckpt_name=job.given["checkpoint"])}
    model, clip = ["load", 0], ["load", 1]
    for number, (name, strength) in enumerate(job.given.get("loras") or [], 1):
        strengths = {"strength_model": strength, "strength_clip": strength}
        graph[f"lora_{number}"] = _node("LoraLoader", model=model, clip=clip, lora_name=name, **strengths)
        model, clip = [f"lora_{number}", 0], [f"lora_{number}", 1]
    width, height = job.given["size"]
    graph["latent"] = _node("EmptyLatentImage", width=width, height=height, batch_size=1)
    graph["negative"] = _node("CLIPTextEncode", clip=clip, text=job.given.get("negative", ""))
    links: dict[str, Any] = {"model": model, "negative": ["negative", 0], "latent": ["latent", 0]}
    for number, prompt in enumerate(job.given["prompts"], 1):
        name = "positive" if number == 1 else f"positive_{number}"
        graph[name] = _node("CLIPTextEncode", clip=clip, text=prompt)
        links[name] = [name, 0]
    graph["fit"] = _node(FIT, **links)
    return graph


def _from_workflow(job: Job) -> Graph:
    """The workflow with a Fit node, its own or in place of its only KSampler, and what the job says put into it."""
    graph: Graph = copy.deepcopy(dict(job.workflow))
    kinds = [entry["class_type"] for entry in graph.values()]
    fits = kinds.count(FIT) + kinds.count(FIT_GUIDER)
    if fits > 1 or (fits == 0 and kinds.count(KSAMPLER) != 1):
        raise ValueError("workflow: it must have one Sigmasmith Fit node, or none and one KSampler")
    if not fits:
        _fit_for_ksampler(graph, job)
    fit = fit_node(graph)
    if fit["class_type"] == FIT_GUIDER:
        for name in ("loras", "prompts", "negative", "cfg"):
            if name in job.given:
                raise ValueError(f"{name}: the workflow fits on a guider, which has its own; say it there")
    for number, (name, strength) in enumerate(job.given.get("loras") or [], 1):
        # On the model alone: where its text encoder comes from is the workflow's business.
        lora = _node("LoraLoaderModelOnly", model=fit["inputs"]["model"], lora_name=name, strength_model=strength)
        graph[f"fleet_lora_{number}"], fit["inputs"]["model"] = lora, [f"fleet_lora_{number}", 0]
    if "size" in job.given:
        _set_size(graph, *job.given["size"])
    if "negative" in job.given:
        graph[_text_node(graph, "negative")]["inputs"]["text"] = job.given["negative"]
    if "prompts" in job.given:
        _set_prompts(graph, job.given["prompts"])
    return graph


def _fit_for_ksampler(graph: Graph, job: Job) -> None:
    node = next(node for node, entry in graph.items() if entry["class_type"] == KSAMPLER)
    given = graph[node]["inputs"]
    for name in ("cfg", "steps", "denoise"):
        if isinstance(given.get(name), list) and name not in job.given:
            raise ValueError(f"{name}: of the workflow's KSampler it comes from another node; say it in the job")
    graph[node] = _node(FIT, **{target: given[name] for name, target in _AS_IN_KSAMPLER.items() if name in given})


def _set_size(graph: Graph, width: int, height: int) -> None:
    sizes = [
        node
        for node in upstream(graph, _fit_id(graph), only="latent")
        if all(isinstance(graph[node]["inputs"].get(side), int) for side in ("width", "height"))
    ]
    if len(sizes) != 1:
        raise ValueError("size: the latent of the workflow does not come from one node with width and height")
    graph[sizes[0]]["inputs"] |= {"width": width, "height": height}


def _text_node(graph: Graph, name: str) -> str:
    """The node that holds the text of a prompt."""
    nodes = upstream(graph, _fit_id(graph), only=name)
    texts = [node for node in nodes if isinstance(graph[node]["inputs"].get("text"), str)]
    if len(texts) != 1:
        field = "prompts" if name == "positive" else name
        raise ValueError(f"{field}: the {name} prompt of the workflow does not come from one node with a text")
    return texts[0]


def _set_prompts(graph: Graph, prompts: tuple[str, ...]) -> None:
    """The first prompt in its place; each further one on a copy of the nodes from the text to the Fit node."""
    text, inputs = _text_node(graph, "positive"), fit_node(graph)["inputs"]
    nodes = upstream(graph, _fit_id(graph), only="positive")
    way = {node for node in nodes if node == text or text in upstream(graph, node)}
    for number, prompt in enumerate(prompts[1:], 2):
        new = {node: f"fleet_{number}_{node}" for node in way}
        for node in way:
            copied = copy.deepcopy(graph[node])
            for name, source in _links(copied):
                copied["inputs"][name][0] = new.get(source, source)
            graph[new[node]] = copied
        graph[new[text]]["inputs"]["text"] = prompt
        inputs[f"positive_{number}"] = [new[inputs["positive"][0]], inputs["positive"][1]]
    graph[text]["inputs"]["text"] = prompts[0]
