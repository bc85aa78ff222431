"""The live curve of Auto: what the sampler behind it will run, as far as the page's values tell."""

from __future__ import annotations

from dataclasses import replace

from ...schedules.core.words import Phrase
from ...schedules.family.learned import LEAST_STEPS, MOST_STEPS
from ...schedules.family.schedule import family_schedule
from ...schedules.samplers.fitted import NAME
from ..auto.library import RunFacts, choice_in_words, choice_of, matching
from ..graph import NodeValues, RunningModel
from ..text import USES
from .live_plot import Drawn
from .live_request import LiveRequest, Sources

FIT, NONE = "fit", "none"


def auto_drawn(request: LiveRequest, sources: Sources) -> Drawn:
    """The preset of the library that the run will take, else the family.

    Raises:
        ValueError: nothing is known of the run, or it stays as it is set; says which.
    """
    node, run = request.node, request.run
    if node.text("use") == USES[1]:
        raise ValueError(Phrase("use: the run stays as it is set in the sampler"))
    model = sources.running_model(request.model) if request.model else None
    if run is None or "steps" not in run.values or run.linked & {"steps"}:
        raise ValueError(Phrase("Connect it to a sampler to see what will run"))
    if model is None:
        raise ValueError(Phrase("What will run is known once the model is loaded: queue it once"))
    if run.number("denoise", 1.0) <= 0.9999 or run.number("start_at_step", 0) > 0:
        raise ValueError(
            Phrase("This run starts in the middle of the noise: a preset for that is used where there is one")
        )
    facts = _facts(node, run, model)
    preset = matching(sources.library(), facts, refined=node.text("tune") == FIT)
    choice = None if preset is None else choice_of(preset, facts)
    others = _on_the_model(request.model)
    without = Phrase(
        "Drawn for the model without {nodes}; what is on it is known when it runs.", nodes=", ".join(others)
    )
    hint = without if others else ""
    if preset is None or choice is None:
        return replace(_family(node, facts, model), hint=hint)
    sigmas, sampler = choice
    said = choice_in_words(preset, facts, sampler)
    return Drawn(sigmas, model.identity.sigma_range, said, model=model, hint=hint, preset=preset)


def _facts(node: NodeValues, run: NodeValues, model: RunningModel) -> RunFacts:
    named, cfg = run.text("sampler_name"), run.values.get("cfg")
    wanted = named if node.values.get("keep_sampler") else NAME
    return RunFacts(
        identity=replace(model.identity, patches=""),
        patches="",
        samplers=tuple(dict.fromkeys([wanted, named or wanted])),
        steps=int(run.number("steps", 20)),
        start=model.identity.sigma_max,
        whole=True,
        guidance=float(cfg) if isinstance(cfg, (int, float)) else None,
        latent_shape=None,
    )


def _family(node: NodeValues, facts: RunFacts, model: RunningModel) -> Drawn:
    if facts.samplers[0] != NAME:
        raise ValueError(
            Phrase("There is no preset for {sampler} yet: the next run tunes one", sampler=facts.samplers[0])
        )
    if not LEAST_STEPS <= facts.steps <= MOST_STEPS:
        raise ValueError(
            Phrase(
                "Untuned, {steps} steps stay as they are set: the family is for {least} to {most}",
                steps=facts.steps,
                least=LEAST_STEPS,
                most=MOST_STEPS,
            )
        )
    ends = model.identity.sigma_range
    family = family_schedule(facts.steps, sigma_min=ends.sigma_min, sigma_max=ends.sigma_max, flow=ends.flow)
    later = "" if node.text("tune") == NONE else Phrase("; the first picture tunes it")
    said = Phrase("{steps} steps of the family, for there is no preset yet{later}.", steps=facts.steps, later=later)
    return Drawn(family.sigmas, ends, said, model=model, learned=True)


def _on_the_model(chain: tuple[NodeValues, ...]) -> list[str]:
    """Kinds of nodes behind the loader that may change the weights or what the model returns."""
    behind = [node.kind for node in chain if not any(name in node.values for name in ("ckpt_name", "unet_name"))]
    return list(dict.fromkeys(kind for kind in behind if "ModelSampling" not in kind))
