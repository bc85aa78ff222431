"""Bundled weights: one safetensors file per network, with its training settings in the metadata key `demo`."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from ...schedules.presets.file import replace_file
from .network import Architecture, Classifier, Denoiser, EpsDenoiser, FlowDenoiser

FOLDER = Path(__file__).parent
METADATA_KEY = "demo"
DEMO_NAMES = ("digits_eps", "digits_flow", "glyphs_eps", "glyphs_flow")


@dataclass(frozen=True)
class DemoModel:
    """A trained denoiser and what a sampler has to know about it.

    Args:
        denoiser: `denoiser(x, sigma, labels=(B,), cfg=1.0) -> denoised`; float32 weights without gradients.
        shape: `(C, H, W)` of one image; pixels are in [-1, 1].
        sigma_min, sigma_max: ends of the sigma table, noise std in the model's space.
        flow: True where x = (1 - sigma) * clean + sigma * noise; else x = clean + sigma * noise.
        classes: labels run from 0 to classes - 1; `classes` itself is the null class.
        settings: the metadata of the file: data set, kind, seed, iterations, architecture, loss.
    """

    name: str
    denoiser: Denoiser
    shape: tuple[int, int, int]
    sigma_min: float
    sigma_max: float
    flow: bool
    classes: int
    settings: dict[str, Any]


def load_demo(name: str, *, device: torch.device | str = "cpu") -> DemoModel:
    """One of the bundled denoisers.

    Raises:
        ValueError: no such model.
    """
    if name not in DEMO_NAMES:
        raise ValueError(f"demo model {name!r} is unknown; there are {', '.join(DEMO_NAMES)}")
    denoiser, settings = read_network(FOLDER / f"{name}.safetensors")
    denoiser.to(device)
    arch = denoiser.arch
    return DemoModel(
        name=name,
        denoiser=denoiser,
        shape=(arch.channels, arch.size, arch.size),
        sigma_min=denoiser.sigma_min,
        sigma_max=denoiser.sigma_max,
        flow=denoiser.flow,
        classes=arch.classes,
        settings=settings,
    )


def load_classifier(data: str, *, device: torch.device | str = "cpu") -> Classifier:
    """The bundled classifier of a data set: `classifier(images) -> (logits, features)`."""
    path = FOLDER / f"{data}_classifier.safetensors"
    if not path.is_file():
        raise ValueError(
            f"no classifier for data set {data!r}; there are {', '.join(p.stem for p in FOLDER.glob('*_classifier.*'))}"
        )
    classifier, _ = read_network(path)
    return classifier.to(device)


def build_network(settings: dict[str, Any]) -> Any:
    """The untrained network that `settings` describe: kind `eps`, `flow` or `classifier`, and its numbers."""
    arch = Architecture(**settings["architecture"])
    match settings["kind"]:
        case "eps":
            return EpsDenoiser(arch, settings["sigma_data"])
        case "flow":
            return FlowDenoiser(arch)
        case "classifier":
            return Classifier(arch)
        case kind:
            raise ValueError(f"kind {kind!r} is unknown; it must be eps, flow or classifier")


def read_network(path: Path) -> tuple[Any, dict[str, Any]]:
    """The network in a file, in float32, in evaluation mode, without gradients; and the file's settings."""
    state, settings = read_state(path)
    network = build_network(settings)
    network.load_state_dict(state)
    return network.eval().requires_grad_(False), settings


def read_state(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The float16 weights in a file, and its settings."""
    blob = path.read_bytes()
    header = json.loads(blob[8 : 8 + int.from_bytes(blob[:8], "little")])
    return safetensors.torch.load(blob), json.loads(header["__metadata__"][METADATA_KEY])


def write_network(path: Path, state: dict[str, Tensor], settings: dict[str, Any]) -> None:
    """Write float16 weights and canonical JSON; a reader sees the old file or the whole new one."""
    tensors = {key: value.detach().half().contiguous() for key, value in state.items()}
    metadata = {METADATA_KEY: json.dumps(settings, sort_keys=True, separators=(",", ":"))}
    replace_file(path, safetensors.torch.save(tensors, metadata=metadata))


def describe(arch: Architecture) -> dict[str, int]:
    """The architecture as plain numbers for the metadata."""
    return dataclasses.asdict(arch)


def count_parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())
