"""The hostile guiders, patches and samplers of the self-test's zoo, through the pack's nodes in the host's own process.

Run by the host's interpreter: hostile_cells.py COMFYUI PACK. Prints one JSON object: `cells`, tool -> name -> what was
said and what is wrong with it, and `log`, tracebacks that the pack left in the log. test_hostile_cells.py judges.

What a tool says is held against runs of the host on a model of its own, made anew, with every image alone.
"""

from __future__ import annotations

import importlib
import json
import logging
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
# First: it puts the host on the path and on the CPU, which must be before anything else of the host is imported.
importlib.import_module("loaded_pack")
import torch  # noqa: E402
from comfy import model_management, samplers  # noqa: E402
from loaded_pack import NODES, PACK_MODULE, fit_inputs, latent, model_of, part, preset_for, prompt  # noqa: E402
from torch import Tensor  # noqa: E402

STEPS, SEED, SIZE = 4, 3, (4, 8, 8)
K_DIFFUSION = samplers.k_diffusion_sampling


def zoo() -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """GUIDERS, PATCHES and SAMPLERS of the self-test's tests."""
    sys.modules.setdefault("sigmasmith", PACK_MODULE)
    package = types.ModuleType("self_test_zoo")
    package.__path__ = [str(Path(__file__).parents[1] / "schedules" / "fitting" / "self_test")]
    sys.modules["self_test_zoo"] = package
    names = ("guiders", "patches", "samplers")
    return tuple(getattr(importlib.import_module(f"self_test_zoo.hostile_{n}"), n.upper()) for n in names)  # pyright: ignore


GUIDERS, PATCHES, SAMPLERS = zoo()


class HostileGuider(samplers.CFGGuider):
    """A guider as node packs have them, around one of the zoo's."""

    def __init__(self, model: Any, combine: Any) -> None:
        super().__init__(model)
        self.combine = combine

    def predict_noise(self, x: Tensor, timestep: Tensor, model_options: Any = None, seed: Any = None) -> Tensor:
        conds = [self.conds["positive"], self.conds["negative"]]
        cond, uncond = samplers.calc_cond_batch(self.inner_model, conds, x, timestep, model_options or {})
        return self.combine(x, timestep, cond, uncond)


@dataclass(frozen=True)
class Cell:
    """One of the zoo: its kind and its name."""

    kind: str
    name: str

    @property
    def sampler(self) -> str:
        """Its name in the host's dropdown; euler for guiders and patches."""
        return f"hostile_{self.name.replace(' ', '_')}" if self.kind == "sampler" else "euler"

    def model(self, *, guided: bool = False) -> Any:
        """A new model with it on it.

        Args:
            guided: put a guider on the model, as a guidance function, for nodes that take no guider.
        """
        model = model_of("eps")
        if self.kind == "patch":
            change = PATCHES[self.name].make()
            model.set_model_sampler_post_cfg_function(lambda a: change(a["denoised"], a["input"], a["sigma"]))
        if self.kind == "guider" and guided:
            combine = GUIDERS[self.name].make()
            model.set_model_sampler_cfg_function(
                lambda a: a["input"] - combine(a["input"], a["sigma"], a["cond_denoised"], a["uncond_denoised"])
            )
        if self.kind == "sampler":
            self._install()
        return model

    def guider(self, model: Any = None) -> Any:
        """A new guider around a new model."""
        model = self.model() if model is None else model
        if self.kind != "guider":
            return part("nodes.host.guiders").cfg_guider(model, prompt(0.5), prompt(0.0), 3.0)
        guider = HostileGuider(model, GUIDERS[self.name].make())
        guider.set_conds(prompt(0.5), prompt(0.0))
        return guider

    def _install(self) -> None:
        """A new sampler of the zoo in the host's registries, as node packs add theirs."""
        function = SAMPLERS[self.name].make()
        code, name = function.__code__, f"sample_{self.sampler}"
        named = types.FunctionType(code, function.__globals__, name, function.__defaults__, function.__closure__)
        setattr(K_DIFFUSION, named.__name__, named)
        if self.sampler not in samplers.KSampler.SAMPLERS:
            samplers.KSampler.SAMPLERS.append(self.sampler)

    def runs(self, rows: int, *, guided: bool = False) -> Any:
        """New runs of its own, to hold against."""
        guider = self.guider(self.model(guided=True)) if not guided else self._plain_guider()
        latents = part("nodes.host.latents").latent_rows(guider.model_patcher, latent(1, *SIZE), rows)
        return part("nodes.host.runs").GuiderRuns(guider, latents, SEED)

    def _plain_guider(self) -> Any:
        return part("nodes.host.guiders").cfg_guider(self.model(guided=True), prompt(0.5), prompt(0.0), 3.0)

    def sampler_for(self, runs: Any) -> Callable[[slice], Any]:
        """rows -> the sampler as a fit runs it, with those rows' noise."""
        function = part("nodes.host.samplers").fit_sampler(self.sampler).function
        levels = part("nodes.host.noise_levels").sigma_range_of(runs.guider.model_patcher)
        on = part("schedules.fitting.self_test.verdict").sampler_on
        return on(self.sampler, function, levels, SIZE, SEED)

    def end_alone(self, sigmas: Tensor, row: int) -> Tensor:
        """End state of one image alone, on a model of its own."""
        runs, ends, rows = self.runs(row + 1), [], slice(row, row + 1)
        sampler = self.sampler_for(runs)(rows)

        def sample(*given: Any, **options: Any) -> Tensor:
            ends.append(sampler(*given, **options))
            return ends[-1]

        runs(sample, sigmas.clone(), rows)
        return ends[0].float().cpu()

    def reference_alone(self, nodes: int, row: int) -> Tensor:
        """End state of the reference for one image alone."""
        runs, teacher = self.runs(row + 1), part("schedules.fitting.teacher.teacher")
        levels = part("schedules.fitting.teacher_levels").teacher_sigmas(nodes, range_of(runs))
        budget, sketch = (
            part("schedules.fitting.budget").Budget(1, 0.0),
            part("schedules.fitting.sketch").Sketch(256, 8),
        )
        return teacher.run_teacher(runs, levels, slice(row, row + 1), sketch, budget).end.float()


CELLS = [
    Cell(kind, name)
    for kind, names in zip(("guider", "patch", "sampler"), (GUIDERS, PATCHES, SAMPLERS))
    for name in names
]


def range_of(runs: Any) -> Any:
    return part("nodes.host.noise_levels").sigma_range_of(runs.guider.model_patcher)


def mean_error(ends: list[Tensor], aims: list[Tensor]) -> float:
    metrics = part("schedules.core.metrics")
    return metrics.geometric_mean(metrics.sample_errors(torch.cat(ends), torch.cat(aims)))


def unlike(told: float, true: float) -> str:
    return "" if abs(told - true) <= 0.05 * true + 2e-3 else f"error {told:.4g} is {true:.4g}"


def execute(node_id: str, **inputs: Any) -> tuple[Any, ...]:
    """The outputs of a node, run as the host runs it: on a locked clone of the class."""
    cls = NODES[node_id].PREPARE_CLASS_CLONE(None)
    valid = cls.validate_inputs(**{k: v for k, v in inputs.items() if k in _VALIDATED}) if node_id in _CHECKS else True
    if valid is not True:
        raise ValueError(valid)
    return cls.execute(**inputs).args


_VALIDATED = ("sampler_name", "steps", "name")
_CHECKS = ("SigmasmithFit", "SigmasmithFitGuider", "SigmasmithAdaptiveSchedule")


def fit(cell: Cell) -> tuple[str, str]:
    """(what the report says, what is wrong with the error that it tells)."""
    inputs = fit_inputs(name=f"fit {cell.kind} {cell.name}", sampler_name=cell.sampler, steps=str(STEPS))
    preset, sigmas, _, report, *_ = execute(
        "SigmasmithFitGuider", guider=cell.guider(), latent=latent(1, *SIZE), **(inputs | {"calibration_seed": SEED})
    )
    if "Nothing was fitted" in report:
        return report, ""
    noises = len(preset.seeds)
    rows = range(noises - part("schedules.fitting.effort").held_out_of(noises), noises)
    noisy = part("nodes.host.samplers").draws_noise(cell.sampler)
    levels = part("schedules.core.sigmas").finish_sigmas(
        part("schedules.fitting.teacher_levels").teacher_sigmas(40, range_of(cell.runs(1)))
    )
    aims = [cell.end_alone(levels, row) if noisy else cell.reference_alone(24, row) for row in rows]
    told = preset.errors[STEPS][preset.origin[STEPS]]
    return report, unlike(told, mean_error([cell.end_alone(sigmas, row) for row in rows], aims))


def compare(cell: Cell) -> tuple[str, str]:
    work = part("nodes.compare.work")
    with captured(work, "compare") as made:
        execute(
            "SigmasmithCompare", model=None, positive=None, negative=None, cfg=1.0, guider=cell.guider(),
            latent=latent(1, *SIZE), schedules="karras", samplers=cell.sampler, steps=str(STEPS), seeds=2,
            first_seed=SEED, reference_steps=16, filename_prefix="cells",
        )  # fmt: skip
    (result,) = made
    (one,) = result.comparison.cells
    notes = "\n".join(result.comparison.notes)
    if one.failed:
        return f"{notes}\nfailed: {one.failed}", ""
    guider = cell.guider()
    sigmas = samplers.calculate_sigmas(guider.model_patcher.get_model_object("model_sampling"), "karras", STEPS)
    alone = torch.cat([cell.end_alone(sigmas, row) for row in (0, 1)])
    far = part("schedules.fitting.self_test.samplers").apart(result.ends[one.sampler, one.schedule, STEPS], alone)
    return notes, "" if "ran alone" in notes and far <= 0.02 else _unlike_told(notes, far, 0.02)


def adaptive(cell: Cell) -> tuple[str, str]:
    inputs = fit_inputs(name=f"adaptive {cell.kind} {cell.name}", sampler_name=cell.sampler, steps=str(STEPS), noises=2)
    for unused in ("effort", "minutes"):
        del inputs[unused]
    inputs |= {"pilot_calls": 12, "check": True, "calibration_seed": SEED}
    preset, sigmas, _, report = execute(
        "SigmasmithAdaptiveSchedule", model=cell.model(guided=True), positive=prompt(0.5), negative=prompt(0.0),
        cfg=3.0, latent=latent(1, *SIZE), **inputs,
    )  # fmt: skip
    if not preset.errors:
        return report, ""
    pilots = []
    for row in (0, 1):
        runs = cell.runs(row + 1, guided=True)
        pilots.append(
            part("schedules.adaptive.pilot").run_pilot(runs, slice(row, row + 1), range_of(runs), 12).end.float()
        )
    told = preset.errors[STEPS][preset.origin[STEPS]]
    return report, unlike(told, mean_error([cell.end_alone(sigmas, row) for row in (0, 1)], pilots))


def apply(cell: Cell) -> tuple[str, str]:
    """Nothing is said: the preset's list runs, bit for bit as the host runs it without the pack, whatever is on it."""
    made = preset_for(cell.model(), cell.sampler, (STEPS,))
    (on,) = execute("SigmasmithApply", model=cell.model(), preset=made)
    asked = samplers.calculate_sigmas(on.get_model_object("model_sampling"), "sigmasmith_optimal", STEPS)

    def image(model: Any) -> Tensor | str:
        try:
            return sampled(cell.guider(model), samplers.sampler_object(cell.sampler), asked.clone())
        except Exception as error:  # the host's own run fails so
            return f"{type(error).__name__}: {error}"

    with_preset, without = image(on), image(cell.model())
    if isinstance(with_preset, str) or isinstance(without, str):
        same = isinstance(without, str) and with_preset == without
    else:
        same = torch.equal(torch.nan_to_num(with_preset), torch.nan_to_num(without))
    same = same and torch.allclose(asked, made.schedules[STEPS], rtol=1e-6)
    return "", "" if same else f"with the preset {str(with_preset)[:80]}, without {str(without)[:80]}"


def sampled(guider: Any, sampler: Any, sigmas: Tensor, rows: int = 2, state: int = 1) -> Tensor:
    """The host's own run from one seed, with the global random numbers in a state."""
    noise = torch.randn(rows, *SIZE, generator=torch.Generator().manual_seed(SEED))
    with part("schedules.fitting.self_test.random_state").random_state(state):
        return guider.sample(noise, torch.zeros_like(noise), sampler, sigmas, disable_pbar=True, seed=SEED)


def variance(cell: Cell) -> tuple[str, str]:
    """(what is told below the node, what is wrong with it), two images with seeds of their own."""
    part("nodes.host.tested")._seen.clear()
    messages, heard = part("nodes.host.messages"), []

    class Watched:
        """Variance around the sampler on a model of its own, and the host's runs with it."""

        def __init__(self, seeds: str) -> None:
            self.guider = cell.guider()
            (self.sampler,) = execute(
                "SigmasmithVariance", sampler=samplers.sampler_object(cell.sampler), eta="", s_noise="1",
                posterior=0.0, clamp="0", s_churn=0.0, s_tmin=0.0, s_tmax=1000.0, restarts="",
                noise="per image, CPU", seeds=seeds,
            )  # fmt: skip
            sampling = self.guider.model_patcher.get_model_object("model_sampling")
            self.sigmas = samplers.calculate_sigmas(sampling, "karras", STEPS)

        def image(self, rows: int, state: int = 1) -> Tensor:
            return sampled(self.guider, self.sampler, self.sigmas.clone(), rows, state)

    inner, messages.show = messages.show, lambda text, node_id: heard.append(text)
    try:
        run = Watched("7, 8")
        try:
            both = run.image(2)
        except Exception as error:  # is it the host's own?
            bare = samplers.sampler_object(cell.sampler)
            said, theirs = type(error).__name__, ""
            try:
                theirs = "" if bool(torch.isfinite(sampled(cell.guider(), bare, run.sigmas)).all()) else "ModelError"
            except Exception as own:
                theirs = type(own).__name__
            return "", "" if said == theirs else f"{said} where the host says {theirs}"
        text = "\n".join(heard)
        again, alone = run.image(2, 2), [Watched("7").image(1), Watched("8").image(1)]
    finally:
        messages.show = inner
    if len(both) != 2 or not bool(torch.isfinite(both).all()):
        return text, ""
    apart = part("schedules.fitting.self_test.samplers").apart
    far = max(apart(again, both), apart(torch.cat(alone), both))
    return text, _unlike_told(text, far, 1e-3)


def _unlike_told(text: str, far: float, least: float) -> str:
    """What is wrong where runs differ by `far` and nothing is told of it, or the other way round."""
    told = any(words in text for words in ("draws", "each time", "others in its batch"))
    # Near the least that is told the one is as right as the other.
    return "" if told is (far > least) or least / 5.0 < far < 5.0 * least else f"told: {told}, but {far:.3g} away"


@contextmanager
def captured(module: Any, name: str) -> Iterator[list[Any]]:
    """What a function of a module returns while it is used."""
    inner, results = getattr(module, name), []

    def watched(*given: Any, **options: Any) -> Any:
        results.append(inner(*given, **options))
        return results[-1]

    setattr(module, name, watched)
    try:
        yield results
    finally:
        setattr(module, name, inner)


class Tracebacks(logging.Handler):
    """What is logged with a traceback by anybody."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info or "Traceback" in record.getMessage():
            self.texts.append(record.getMessage())


TOOLS = {"fit": fit, "apply": apply, "compare": compare, "adaptive": adaptive, "variance": variance}


def main() -> None:
    log = Tracebacks()
    logging.getLogger().addHandler(log)
    logging.getLogger("sigmasmith").addHandler(log)
    cells: dict[str, dict[str, Any]] = {}
    for tool, run in TOOLS.items():
        for cell in CELLS:
            try:
                words, wrong = run(cell)
                refused = ""
            except Exception as error:
                words, wrong, refused = str(error), "", type(error).__name__
            model_management.interrupt_current_processing(False)
            entry = {"words": words, "wrong": wrong, "refused": refused}
            cells.setdefault(tool, {})[f"{cell.kind} {cell.name}"] = entry
    print(json.dumps({"cells": cells, "log": log.texts}))


if __name__ == "__main__":
    main()
