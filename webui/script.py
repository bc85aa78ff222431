"""The script that the host runs with every generation: it leaves the panel's choice where our entries find it."""

from __future__ import annotations

from typing import Any

from . import axes, infotext, samplers, state
from .guidance import parse_guidance
from .host.extension import AlwaysVisibleScript
from .host.guidance import set_guidance
from .host.runs import was_stopped
from .host.tasks import current_task
from .jobs import prepare
from .panel import inputs
from .panel.panel import Panel
from .passes import announced
from .registration import FIT_SAMPLER, LABELS
from .state import Generation

_OWN_KEYS = (*infotext.KEYS, *(option.infotext for option in samplers.options()))


class SigmasmithScript(AlwaysVisibleScript):
    """Our panel in a tab, and the hooks of every generation that it starts."""

    def __init__(self) -> None:
        super().__init__()
        self.panel: Panel | None = None

    def ui(self, is_img2img: bool) -> list[Any]:
        panel = self._panel(is_img2img)
        controls = panel.build(self.elem_id)
        self.infotext_fields = panel.paste_fields()
        self.paste_field_names = list(infotext.KEYS)
        return controls

    def after_component(self, component: Any, **kwargs: Any) -> None:
        elem_id = kwargs.get("elem_id")
        if isinstance(elem_id, str):
            self._panel(self.is_img2img).note_component(elem_id, component)

    def _panel(self, is_img2img: bool) -> Panel:
        if self.panel is None:
            self.panel = Panel("img2img" if is_img2img else "txt2img")
        return self.panel

    def before_process(self, p: Any, *args: Any) -> None:
        if state.is_continued(p):  # its own infotext is that of the image, and so is its choice
            return
        given = inputs.read(args)
        generation = state.begin(axes.choice_of(p, given.choice), p, current_task())
        for key in _OWN_KEYS:  # of an earlier generation: a script that copies p copies its infotext too
            p.extra_generation_params.pop(key, None)
        try:
            parse_guidance(generation.choice.guidance)
            # A generation inside another gets the same inputs; their job is done once.
            job = None if generation.outer else given.request(p.sampler_name, p.scheduler, p.steps)
            generation.job = None if job is None else prepare(p, job)
        except ValueError as error:
            generation.problem = error  # the host goes on after a hook that raises; our sampler then stops it
        if generation.job is not None or generation.problem is not None:
            p.sampler_name = FIT_SAMPLER

    def process_before_every_sampling(self, p: Any, *args: Any, **kwargs: Any) -> None:
        generation = state.generation_of(p)
        if generation is None or not generation.hooked:
            generation = state.begin(axes.choice_of(p, inputs.read(args).choice), p, current_task())
        if generation.current is not None:
            finish(p, generation)
        generation.decoded = False
        now = generation.current = announced(p, kwargs.get("x"))
        p.extra_generation_params.update(samplers.written(now.sampler, generation.choice.options))
        asked = generation.choice.guidance
        if set_guidance(p.sampler.model_wrap_cfg, asked) is not None:
            p.extra_generation_params[infotext.GUIDANCE] = asked
        elif asked.strip():
            generation.say_once(
                f"{now.sampler} is a timestep sampler: the guidance {asked!r} was not used.", warning=True
            )

    def postprocess_batch(self, p: Any, *args: Any, **kwargs: Any) -> None:
        generation = state.generation_of(p)
        if generation is not None:
            finish(p, generation)
            generation.decoded = True

    def postprocess(self, p: Any, processed: Any, *args: Any) -> None:
        generation = state.generation_of(p)
        if generation is not None:
            finish(p, generation)
            state.end(generation)


def finish(p: Any, generation: Generation) -> None:
    """Look back at a pass: a sampler that did not follow the schedule is named, and the image does not claim it."""
    now, generation.current = generation.current, None
    if now is None or now.scheduler is None or generation.job is not None or was_stopped():
        return
    if not now.seen:  # Forge announces its hires pass twice
        return
    label = LABELS[now.scheduler]
    if now.answer is None or now.slicing is None:
        said = f"{now.sampler} did not ask for {label}: it has noise levels of its own."
    elif now.own_levels or not state.not_followed(now.answer.tail(now.slicing), now.seen):
        return
    else:
        said = f"{now.sampler} was given {label} but ran at other noise levels."
        for key in (infotext.HIRES_SIGMAS,) if now.hires else (infotext.PRESET, infotext.SIGMAS, infotext.DENOISE):
            p.extra_generation_params.pop(key, None)
    generation.say_once(said, warning=True)


def note_model_call(params: Any) -> None:
    """The host's callback of every model call: note its noise level, without waiting for the device."""
    under_way = state.current_pass()
    if under_way is None:
        return
    now = under_way[1]
    if now.scheduler is not None and len(now.seen) < state.MAX_SEEN:
        now.seen.append(params.sigma.detach()[:1].clone())
