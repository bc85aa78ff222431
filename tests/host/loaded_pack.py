"""The pack loaded into the host's own process, and what the checks_*.py beside this share. See in_process.py."""

from __future__ import annotations

import atexit
import importlib
import importlib.util
import logging
import runpy
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

COMFYUI, PACK = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
sys.path[:0] = [str(COMFYUI), str(Path(__file__).parent)]
from comfy.cli_args import args  # noqa: E402

args.cpu = True
# As a running host has them: its own utils first, for there is another one in a folder that it puts on the path later.
import utils.extra_config  # noqa: E402, F401, I001
import server  # noqa: E402, F401
import comfy.model_management  # noqa: E402
import comfy.samplers  # noqa: E402
import comfy_api.latest  # noqa: E402, F401  (the host has these two before any pack)
import folder_paths  # noqa: E402
import latent_preview  # noqa: E402, F401
import torch  # noqa: E402
from analytic_models import KINDS, latent, model_of, prompt  # noqa: E402
from torch import Tensor  # noqa: E402

torch.set_grad_enabled(False)
# What checks measure beside what they hold: printed with the results.
FIGURES: dict[str, float | list[float]] = {}
USER = Path(tempfile.mkdtemp(prefix="sigmasmith-host-"))
atexit.register(shutil.rmtree, USER, ignore_errors=True)
folder_paths.models_dir = str(USER / "models")
folder_paths.set_user_directory(str(USER / "user"))


def stock_results() -> dict[str, Any]:
    """What the host computes by itself."""
    found: dict[str, Any] = {}
    for kind in KINDS:
        sampling = model_of(kind).get_model_object("model_sampling")
        for name in ("simple", "karras", "beta", "normal", "sgm_uniform", "kl_optimal", "ddim_uniform"):
            found[f"{kind} {name}"] = comfy.samplers.calculate_sigmas(sampling, name, 7)
        found[f"{kind} image"] = sampled(model_of(kind), "dpmpp_2m", "karras")
    return found


def sampled(model: Any, sampler: str, scheduler: str, steps: int = 6, cfg: float = 3.0, denoise: float = 1.0) -> Tensor:
    """A KSampler run."""
    k = comfy.samplers.KSampler(model, steps, torch.device("cpu"), sampler, scheduler, denoise, model.model_options)
    empty = latent()["samples"]
    noise = torch.randn(empty.shape, generator=torch.Generator().manual_seed(5))
    return k.sample(noise, prompt(0.5), prompt(0.0), cfg, empty, disable_pbar=True, seed=5)


# Before the pack is loaded, and what other packs may hold or have done by then.
BEFORE = stock_results()
HELD = (comfy.samplers.SCHEDULER_NAMES, comfy.samplers.SCHEDULER_HANDLERS, comfy.samplers.KSampler.SAMPLERS)
comfy.samplers.SCHEDULER_HANDLERS["other_pack"] = comfy.samplers.SchedulerHandler(
    lambda sampling, steps: torch.linspace(float(sampling.sigma_max), 0.0, steps + 1)
)
comfy.samplers.SCHEDULER_NAMES.append("other_pack")
comfy.samplers.KSampler.SCHEDULERS = [*comfy.samplers.SCHEDULER_NAMES]  # a pack that rebinds
REBOUND = comfy.samplers.KSampler.SCHEDULERS


def load_pack() -> Any:
    """The pack as the host loads it: under its folder's path as the module name."""
    spec = importlib.util.spec_from_file_location(
        "custom_nodes_Sigmasmith", PACK / "__init__.py", submodule_search_locations=[str(PACK)]
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["custom_nodes_Sigmasmith"] = module
    spec.loader.exec_module(module)
    return module


def part(name: str) -> Any:
    """A module of the loaded pack."""
    return importlib.import_module("custom_nodes_Sigmasmith." + name)


def node_classes() -> list[Any]:
    import asyncio

    async def ask() -> list[Any]:
        extension = await PACK_MODULE.comfy_entrypoint()
        return await extension.get_node_list()

    return asyncio.run(ask())


_start = time.process_time()
PACK_MODULE = load_pack()
CLASSES = node_classes()
_spent = time.process_time() - _start
_processor = runpy.run_path(str(Path(__file__).parents[1] / "processor.py"))
# Of an idle core: what a slow or busy machine adds is not counted.
IMPORT_SECONDS = _spent * _processor["IDLE"] / _processor["least"](_processor["ten_milliseconds"])
NODES = {cls.GET_SCHEMA().node_id: cls for cls in CLASSES}
LOADED = set(sys.modules)


class Messages(logging.Handler):
    """What the pack logged while it is in use, warnings and worse where not told otherwise."""

    def __init__(self, level: int = logging.WARNING) -> None:
        super().__init__(level)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())

    def __enter__(self) -> list[str]:
        log = logging.getLogger("sigmasmith")
        self.before = log.level
        log.addHandler(self)
        log.setLevel(
            min(self.level, log.getEffectiveLevel())
        )  # the host's own, which is another for each set of checks
        return self.texts

    def __exit__(self, *_: Any) -> None:
        log = logging.getLogger("sigmasmith")
        log.removeHandler(self)
        log.setLevel(self.before)


def guider_of(model: Any, positive: float = 0.5, cfg: float = 3.0) -> Any:
    return part("nodes.host.guiders").cfg_guider(model, prompt(positive), prompt(0.0), cfg)


def runs_of(
    model: Any,
    rows: int = 4,
    shape: tuple[int, ...] = (4, 8, 8),
    guider: Any = None,
    positives: tuple[Any, ...] = (),
    prompt_of_row: tuple[int, ...] | None = None,
) -> Any:
    latents = part("nodes.host.latents").latent_rows(model, latent(1, *shape), rows)
    runs = part("nodes.host.runs").GuiderRuns(guider or guider_of(model), latents, 7, positives)
    runs.prompt_of_row = prompt_of_row or runs.prompt_of_row
    return runs


def end_of(
    runs: Any,
    sampler: str = "dpmpp_2m",
    rows: slice | None = None,
    steps: int = 6,
    function: Any = None,
    **options: Any,
) -> Tensor:
    """End states of one run through the run function."""
    function = function or part("nodes.host.samplers").fit_sampler(sampler).function
    ends: list[Tensor] = []

    def capture(*given: Any, **kwargs: Any) -> Tensor:
        ends.append(function(*given, **(kwargs | options)))
        return ends[-1]

    model = runs.guider.model_patcher
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "karras", steps)
    runs(capture, sigmas, rows or slice(0, runs.noise.shape[0]))
    return ends[-1]


def fit_inputs(**changed: Any) -> dict[str, Any]:
    """Inputs of a Fit node, without what it is fitted to."""
    inputs: dict[str, Any] = {
        "sampler_name": "dpmpp_2m",
        "steps": "5",
        "noises": 4,
        "effort": "fast",
        "calibration_seed": 3,
        "minutes": 0.0,
        "name": "in_process",
        "refit": True,
    }
    return inputs | changed


def fitted(model: Any, shape: tuple[int, ...] = (1, 4, 8, 8), low: Any = None, **changed: Any) -> Any:
    fitting = part("nodes.fit.work")
    low_guider = None if low is None else guider_of(low, cfg=changed.pop("low_cfg", 3.0))
    inputs = fit_inputs(**changed)
    request = fitting.FitRequest(guider=guider_of(model), latent=latent(*shape), low_guider=low_guider, **inputs)
    return fitting.fit(request)


def preset_for(model: Any, sampler: str = "dpmpp_2m", counts: tuple[int, ...] = (6, 10)) -> Any:
    """A preset with the host's karras list, fitted to exactly this model, as far as it says."""
    sampling = model.get_model_object("model_sampling")
    return part("schedules.presets.preset").Preset(
        schedules={count: comfy.samplers.calculate_sigmas(sampling, "karras", count) for count in counts},
        sampler=sampler,
        model=part("nodes.host.identity").model_identity(model),
        guidance=3.0,
        latent_shape=(4, 8, 8),
    )


def applied(model: Any, preset: Any) -> Any:
    return part("nodes.host.watch").with_preset(model, preset, None)


def raises(kind: type[BaseException], function: Any, *given: Any, **kwargs: Any) -> str:
    try:
        function(*given, **kwargs)
    except kind as error:
        return str(error)
    raise AssertionError(f"{kind.__name__} was not raised")
