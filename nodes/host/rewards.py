"""Rewards that the host or another pack computes: CLIP's likeness of image and text, and the score of any node."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

import nodes

from ...schedules.search.rewards import RewardError, ScoreReward

# The host's module; a type checker finds this pack's folder of the same name.
_HOST: Any = nodes


def clip_reward(clip: Any, clip_vision: Any, text: str) -> ScoreReward:
    """Cosine of the image's and the text's projected CLIP embeddings, times 100.

    Raises:
        ValueError: names the input.
    """
    if not text.strip():
        raise ValueError("text: it is empty; describe what the picture should show")
    if getattr(clip_vision, "model_type", "clip_vision_model") != "clip_vision_model":
        raise ValueError("clip_vision: this one has no text side; load a CLIP vision model such as CLIP-ViT-L or ViT-H")
    wanted = _text_embeddings(clip, text)

    def score(images: Tensor) -> Tensor:
        embedding = clip_vision.encode_image(images)["image_embeds"].float().cpu()
        if embedding.shape[-1] not in wanted:
            raise RewardError(
                f"reward CLIP: the text's embedding has {' or '.join(map(str, wanted))} numbers and the image's "
                f"{embedding.shape[-1]}; load the CLIP and the CLIP Vision of one model (ViT-L with clip_l, ViT-bigG "
                "with clip_g)"
            )
        return 100.0 * functional.cosine_similarity(embedding, wanted[embedding.shape[-1]], dim=-1)

    return ScoreReward(f"CLIP likeness to {text.strip()[:40]!r}", score)


def _text_embeddings(clip: Any, text: str) -> dict[int, Tensor]:
    """width -> (1, width) projected pooled embedding, of every CLIP in the host's text encoder; SDXL has two."""
    tokens = clip.tokenize(text)
    clip.encode_from_tokens(tokens)  # loads the encoder and sets its device
    vectors: dict[int, Tensor] = {}
    for letter in ("l", "g"):
        part = getattr(clip.cond_stage_model, f"clip_{letter}", None)
        if part is not None and letter in tokens:
            pooled = part.encode_token_weights(tokens[letter])[1].float().cpu()
            vectors[pooled.shape[-1]] = pooled
    if not vectors:
        raise ValueError("clip: this text encoder holds no CLIP; load CLIP-L or CLIP-G for the reward")
    return vectors


def node_reward(
    node: str, settings: Mapping[str, str], connected: Mapping[str, Any], image_input: str = "", output: str = ""
) -> ScoreReward:
    """The score output of any installed node, run for every image by itself.

    Args:
        node: its id, or its display name.
        settings: its widgets by name, as text; the others keep their default.
        connected: its links by name.
        image_input, output: names; empty takes the first IMAGE input, and the first output that is a number or text.
    Raises:
        ValueError: names the input.
    """
    kind = _node_class(node)
    inputs = _inputs_of(kind)
    image = image_input or next((name for name, each in inputs.items() if each.type == "IMAGE"), "")
    if image not in inputs:
        raise ValueError(f"image_input: {node} has no input {image or 'of type IMAGE'!r}; it has {', '.join(inputs)}")
    given = {name: each.default for name, each in inputs.items() if each.default is not None} | dict(connected)
    given |= {name: _read(name, text, inputs) for name, text in settings.items()}
    unknown = [name for name in given if name not in inputs]
    if unknown:
        raise ValueError(f"settings: {node} has no input {unknown[0]!r}; it has {', '.join(inputs)}")
    missing = [name for name, each in inputs.items() if each.required and name != image and name not in given]
    if missing:
        raise ValueError(
            f"node: {node} also needs {', '.join(missing)}: type widgets in settings, or connect a link and name it"
        )
    place = _output_place(kind, output)

    def score(images: Tensor) -> list[float]:
        return [_number(_run(kind, given | {image: one[None]})[place]) for one in images]

    return ScoreReward(node, score)


def _node_class(node: str) -> Any:
    known = _HOST.NODE_CLASS_MAPPINGS
    if node in known:
        return known[node]
    titles = {title: name for name, title in _HOST.NODE_DISPLAY_NAME_MAPPINGS.items()}
    if node in titles:
        return known[titles[node]]
    raise ValueError(f"node: {node!r} is not installed; give the id that its pack registers it under")


@dataclass(frozen=True)
class _Input:
    """An input of a node; `default` is None where it must be given, or may be left out."""

    type: str
    required: bool
    default: Any = None


def _inputs_of(kind: Any) -> dict[str, _Input]:
    types = kind.INPUT_TYPES()
    return {
        name: _input_of(spec, section == "required")
        for section in ("required", "optional")
        for name, spec in types.get(section, {}).items()
    }


def _input_of(spec: Any, required: bool) -> _Input:
    options = spec[1] if len(spec) > 1 and isinstance(spec[1], dict) else {}
    choices = spec[0] if isinstance(spec[0], (list, tuple)) else options.get("options")
    first = choices[0] if choices else None
    return _Input("COMBO" if choices else str(spec[0]), required, options.get("default", first) if required else None)


def _read(name: str, text: str, inputs: Mapping[str, _Input]) -> Any:
    """A widget's value from its text."""
    type_ = inputs[name].type if name in inputs else "STRING"
    try:
        if type_ in ("INT", "FLOAT"):
            return int(text) if type_ == "INT" else float(text)
    except ValueError:
        raise ValueError(f"settings: {name} must be a number, got {text!r}") from None
    return text.strip().lower() in ("true", "yes", "on", "1") if type_ == "BOOLEAN" else text


def _output_place(kind: Any, output: str) -> int:
    types = [str(each) for each in kind.RETURN_TYPES]
    names = [str(name) for name in getattr(kind, "RETURN_NAMES", None) or types]
    if output:
        if output not in names:
            raise ValueError(f"output: there is no {output!r}; the node gives {', '.join(names)}")
        return names.index(output)
    for wanted in ("FLOAT", "INT", "NUMBER", "SCORE", "STRING"):
        if wanted in types:
            return types.index(wanted)
    return 0


def _run(kind: Any, given: Mapping[str, Any]) -> Any:
    """The outputs of one execution, of old nodes and new ones."""
    result = getattr(kind if hasattr(kind, "GET_SCHEMA") else kind(), kind.FUNCTION)(**given)
    if inspect.iscoroutine(result):
        result.close()
        raise RewardError(f"reward from a node: {kind.__name__} runs asynchronously and cannot be asked image by image")
    result = getattr(result, "result", result)
    return result["result"] if isinstance(result, dict) else result


def _number(value: Any) -> float:
    """One number from what score nodes give: a number, a list of one, a tensor of one, or text that holds one."""
    while isinstance(value, (list, tuple)) and len(value) == 1:
        value = value[0]
    if isinstance(value, str):
        numbers = re.findall(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?", value)
        if len(numbers) != 1:
            raise RewardError(f"reward from a node: {value[:60]!r} holds {len(numbers)} numbers; one is needed")
        return float(numbers[0])
    if isinstance(value, Tensor) and value.numel() == 1:
        return float(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    try:
        return float(torch.as_tensor(value).reshape(()))
    except (TypeError, ValueError, RuntimeError):
        raise RewardError(f"reward from a node: {str(value)[:60]!r} is not one number") from None
