"""The live curve: what a schedule node will give, from the values on the page, before anything is queued.

Python computes and words everything; the page only draws.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...schedules.core.noise_space import SigmaRange
from ...schedules.core.sigmas import check_steps, steps_before_truncation
from ...schedules.core.words import Phrase, counts_in_words
from ...schedules.hosting.named_curves import CURVE_PARAMETERS, CURVES
from ...schedules.hosting.whole_runs import preset_run
from ...schedules.presets.identity import ModelIdentity
from ...schedules.presets.preset import Preset
from ...schedules.presets.share_code import to_share_code
from ...schedules.search.widths import WidthPlan
from ..edits import derived_name, same_guidance
from ..graph import NodeValues, RunningModel
from ..registration import OPTIMAL
from ..schedule.words import MODES, schedule_info
from ..text import in_words, parse_settings, sentence_of, will_run
from .live_auto import auto_drawn
from .live_plan import PLANS, live_plan, plan_answer
from .live_plot import Drawn, answer
from .live_request import LiveRequest, Sources

MAX_FITTED = 2  # further step counts of a preset that are drawn faintly
_STABLE_DIFFUSION = (0.0291671582, 14.6146412293)
# Nodes that save what they find under their `name`.
_WRITERS = ("SigmasmithFit", "SigmasmithFitGuider", "SigmasmithAdaptiveSchedule")
# The host's ddim runs euler's function.
_SAME_SAMPLER = {"ddim": "euler"}


def live_curve(request: LiveRequest, sources: Sources) -> dict[str, Any]:
    """The answer for one node: plain data for the page.

    Returns:
        `plot`, `cut`, `summary`, `warnings`, `hint`, `aria`; or `problem` alone, a sentence, where there is no curve.
    """
    try:
        if request.node.kind in PLANS:
            return plan_answer(_plan(request, sources))
        return answer(draw(request, sources))
    except ValueError as error:
        return {"problem": sentence_of(error)}


def share_code(request: LiveRequest, sources: Sources) -> str:
    """The text that the page copies: the share code of a node's schedule, or of a search plan its line.

    Raises:
        ValueError: the node has neither; names the input.
    """
    if request.node.kind in PLANS:
        return _plan(request, sources).text()
    return to_share_code(shared_preset(request, sources))


def _plan(request: LiveRequest, sources: Sources) -> WidthPlan:
    return live_plan(request.node, _preset_of(request, sources) if request.preset else None)


def shared_preset(request: LiveRequest, sources: Sources) -> Preset:
    """The preset that a share code of this node holds: its own, or the curve as an exact list.

    Raises:
        ValueError: the node has no schedule; names the input.
    """
    drawn = draw(request, sources)
    if drawn.preset is not None:
        return drawn.preset
    ends = drawn.sigma_range
    model = ModelIdentity(sigma_min=ends.sigma_min, sigma_max=ends.sigma_max, flow=ends.flow)
    if drawn.model is not None:
        known = drawn.model.identity
        model = replace(model, family=known.family, prediction=known.prediction, shift=known.shift)
    return Preset(schedules={len(drawn.run) - 1: drawn.run}, sampler="", model=model, exact=True)


def draw(request: LiveRequest, sources: Sources) -> Drawn:
    """The schedule of a node.

    Raises:
        ValueError: there is none; the sentence names the input.
    """
    kind = request.node.kind
    if kind not in _KINDS:
        raise ValueError(Phrase("{node}: its curve is drawn when it has run", node=kind))
    return _KINDS[kind](request, sources)


def _model(request: LiveRequest, sources: Sources) -> RunningModel | None:
    return sources.running_model(request.model) if request.model else None


def _schedule(request: LiveRequest, sources: Sources) -> Drawn:
    node = request.node
    preset = _preset_of(request, sources)
    steps, denoise = int(node.number("steps", 10)), node.number("denoise", 1.0)
    mode = MODES.get(node.text("mode"), "steps")
    return _of_preset(preset, steps, denoise, mode, None, hint=_linked(node, "steps", "denoise"))


def _of_preset(
    preset: Preset,
    steps: int,
    denoise: float,
    mode: str,
    model: RunningModel | None,
    notes: Sequence[str] = (),
    hint: str = "",
    *,
    by_name: bool = False,
) -> Drawn:
    """A preset at a step count, as Schedule gives it; `by_name` as the dropdown does, which knows no denoise."""
    full = steps_before_truncation(steps, denoise) if mode == "steps" else steps
    cut = full - steps
    if by_name:
        sigmas, said = preset_run(preset, full)
        run = sigmas[cut:]
    else:
        run, said = preset_run(preset, steps, denoise, mode)  # pyright: ignore[reportArgumentType]
        sigmas = preset_run(preset, full)[0] if cut else run
    summary = schedule_info(preset, run, said)
    return Drawn(
        sigmas=sigmas,
        sigma_range=preset.model.sigma_range,
        summary=summary,
        cut=cut,
        partial=denoise <= 0.9999,
        model=model,
        notes=[*preset.differences(None if model is None else model.identity, start_sigma=float(run[0])), *notes],
        hint=hint,
        preset=preset,
    )


def _linked(node: NodeValues, *names: str) -> str:
    """A hint where inputs get their values from links that only a run can follow."""
    linked = [name for name in names if name in node.linked]
    if not linked:
        return ""
    inputs = in_words(linked)
    if len(linked) == 1:
        return Phrase("{inputs} comes through a link; drawn for the default.", inputs=inputs)
    return Phrase("{inputs} come through a link; drawn for the default.", inputs=inputs)


def _preset_of(request: LiveRequest, sources: Sources) -> Preset:
    """The preset that comes through a node's preset input."""
    for node in request.preset:
        if node.kind == "SigmasmithLoadPreset":
            return _loaded(node, sources)
        if node.kind in _WRITERS:
            return _fitted(node, _model(request, sources), sources)
    if request.preset:
        kind = request.preset[-1].kind
        raise ValueError(Phrase("preset: {node} has to run before its preset can be drawn", node=kind))
    raise ValueError(Phrase("preset: connect Sigmasmith Load Preset or Fit Schedule to see the curve"))


def _loaded(node: NodeValues, sources: Sources) -> Preset:
    if node.linked & {"preset", "share_code"}:
        raise ValueError(Phrase("preset: it comes through a link; the curve is drawn when it has run"))
    return sources.load_preset(node.text("preset"), node.text("share_code"))


def _fitted(node: NodeValues, model: RunningModel | None, sources: Sources) -> Preset:
    """The preset that a Fit node has saved.

    Args:
        model: whose file names the preset where nobody types a name.
    """
    name = node.text("name").strip()
    if not name and model is not None:
        name = derived_name([model.identity.checkpoint], node.text("sampler_name"), node.number("denoise", 1.0))
    try:
        return sources.load_preset(name, "")
    except ValueError:
        if name:
            raise ValueError(Phrase("Nothing is fitted under the name {name} yet. Queue it once.", name=name)) from None
        raise ValueError(Phrase("Nothing is fitted yet. Queue it once.")) from None


def _whole_preset(preset: Preset, request: LiveRequest, sources: Sources, notes: Sequence[str] = ()) -> Drawn:
    """A preset at the step count of the run behind it or at its middle one, its other counts drawn faintly."""
    counts = [preset.running(full) for full in preset.schedules]
    wanted = request.run.number("steps", 0) if request.run is not None else 0
    steps = int(wanted) if wanted in counts else counts[(len(counts) - 1) // 2]
    drawn = _of_preset(preset, steps, preset.denoise, "steps", _model(request, sources), notes)
    near = sorted((count for count in counts if count != steps), key=lambda count: abs(count - steps))[:MAX_FITTED]
    whole = {preset.running(full): sigmas for full, sigmas in preset.schedules.items()}
    others = {counts_in_words([count]): whole[count] for count in sorted(near)}
    said = {
        "counts": preset.counts_in_words,
        "made": Phrase(", sampler {sampler}", sampler=preset.sampler) if preset.sampler else "",
        "which": Phrase("; drawn: {counts}", counts=counts_in_words([steps])) if len(counts) > 1 else "",
        "start": f"{float(drawn.sigmas[drawn.cut]):.5g}",
    }
    summary = (
        Phrase("Exact lists for {counts}{made}{which}, from sigma {start} to 0.", **said)
        if preset.exact
        else Phrase("Fitted for {counts}{made}{which}, from sigma {start} to 0.", **said)
    )
    return replace(drawn, others=others, summary=summary)


def _load(request: LiveRequest, sources: Sources) -> Drawn:
    return _whole_preset(_loaded(request.node, sources), request, sources)


def _fit(request: LiveRequest, sources: Sources) -> Drawn:
    node = request.node
    preset = _fitted(node, _model(request, sources), sources)
    notes: list[str] = []
    if not node.linked & {"sampler_name"}:
        notes += preset.differences(sampler=node.text("sampler_name"))
    denoise = node.number("denoise", 1.0)
    if not node.linked & {"denoise"} and abs(preset.denoise - denoise) > 1e-6:
        numbers = {"fitted": f"{preset.denoise:g}", "asked": f"{denoise:g}"}
        notes.append(Phrase("Fitted for denoise {fitted}, this node asks for {asked}.", **numbers))
    return _whole_preset(preset, request, sources, notes)


def _save(request: LiveRequest, sources: Sources) -> Drawn:
    """Nodes that take a preset as it is."""
    return _whole_preset(_preset_of(request, sources), request, sources)


def _apply(request: LiveRequest, sources: Sources) -> Drawn:
    preset, model, run = _preset_of(request, sources), _model(request, sources), request.run
    if model is not None and model.identity.flow != preset.model.flow:
        raise ValueError(" ".join(preset.model.differences(model.identity)[:2]))
    if run is None or "steps" not in run.values:
        drawn = _whole_preset(preset, request, sources)
        return replace(drawn, hint=Phrase("Connect the model to a sampler to see what will run."))
    notes: list[str] = []
    scheduler = run.text("scheduler", OPTIMAL)
    if scheduler != OPTIMAL:
        notes.append(
            Phrase(
                "{node} behind this node uses the scheduler {scheduler}; choose {ours} there.",
                node=run.kind,
                scheduler=scheduler,
                ours=OPTIMAL,
            )
        )
    sampler = run.text("sampler_name")
    cfg = run.values.get("cfg")
    guidance = float(cfg) if isinstance(cfg, (int, float)) else None
    notes += preset.differences(
        sampler=preset.sampler if _SAME_SAMPLER.get(sampler, sampler) == preset.sampler else sampler or None,
        guidance=None if same_guidance(preset.guidance, guidance) else guidance,
    )
    steps, denoise = int(run.number("steps", 20)), run.number("denoise", 1.0)
    hint = _linked(run, "steps", "denoise")
    return _of_preset(preset, steps, denoise, "steps", model, notes, hint, by_name=True)


def _curve(name: str, settings: Mapping[str, float], request: LiveRequest, sources: Sources) -> Drawn:
    node, model = request.node, _model(request, sources)
    ends = model.identity.sigma_range if model is not None else SigmaRange(*_STABLE_DIFFUSION)
    steps = check_steps(int(node.number("steps", 20)))
    full = steps_before_truncation(steps, node.number("denoise", 1.0))
    sigmas = CURVES[name](full, ends.sigma_min, ends.sigma_max, flow=ends.flow, **settings)
    unknown = Phrase("Drawn for Stable Diffusion's noise levels: the model is not known yet.")
    return Drawn(
        sigmas=sigmas,
        sigma_range=ends,
        summary=Phrase("{run}.", run=will_run(sigmas[full - steps :])),
        cut=full - steps,
        partial=full > steps,
        model=model,
        hint=_linked(node, "steps", "denoise") or (unknown if model is None else ""),
        own=name,
    )


def _cosine(request: LiveRequest, sources: Sources) -> Drawn:
    node = request.node
    settings = {"offset": node.number("offset", 0.008), "max_beta": node.number("max_beta", 0.999)}
    return _curve("cosine", settings, request, sources)


def _any_curve(request: LiveRequest, sources: Sources) -> Drawn:
    name = request.node.text("curve", "karras")
    if name not in CURVES:
        raise ValueError(f"curve: there is no curve {name[:40]!r}; known are {', '.join(CURVES)}")
    allowed = {knob.name: (knob.minimum, knob.maximum) for knob in CURVE_PARAMETERS[name]}
    return _curve(name, parse_settings(request.node.text("settings"), allowed, name), request, sources)


_KINDS: dict[str, Callable[[LiveRequest, Sources], Drawn]] = {
    "SigmasmithSchedule": _schedule,
    "SigmasmithLoadPreset": _load,
    "SigmasmithSavePreset": _save,
    "SigmasmithMultistep": _save,
    **dict.fromkeys(_WRITERS, _fit),
    "SigmasmithApply": _apply,
    "SigmasmithAuto": auto_drawn,
    "SigmasmithCosine": _cosine,
    "SigmasmithCurve": _any_curve,
}
