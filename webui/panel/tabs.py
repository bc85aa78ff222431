"""The tabs of the panel. Gradio 3.41 and 4.40 from one source: common arguments alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from .. import samplers
from ..fit_inputs import PILOT_EFFORT
from ..guidance import HELP
from ..host.samplers import samplers_with_schedules
from ..host.schedules import schedule_labels
from ..seed_inputs import LESS, MEASURES, MORE
from . import actions
from .inputs import DEFAULTS

Parts = dict[str, Any]
ElemId = Callable[[str], str]

EFFORTS = ["quick", "fast", "balanced", "thorough", PILOT_EFFORT]
_ABOUT_FIT = {
    "txt2img": "Fits the schedule with which this checkpoint, with this prompt, CFG scale, size and sampling method, "
    "makes the best image in few steps. Progress, preview and Interrupt are those of Generate.",
    "img2img": "Fits the schedule for changing images at this denoising strength, with this checkpoint, prompt, CFG "
    "scale, size and sampling method. Progress, preview and Interrupt are those of Generate.",
}
_ABOUT_COMPARE = (
    "Runs schedule types on the same start noises, measures how far each ends from a converged reference, and says "
    "which is surely better and where there is no difference. Pictures of one seed: the reference, then the best."
)

_ABOUT_SEEDS = (
    "Drafts many seeds from the page's on in a few steps of its schedule type, scores the pictures, and runs the best "
    "in full: ordinary images of this page. A fitted schedule ranks seeds better."
)


def fit_tab(parts: Parts, elem_id: ElemId, tab: str) -> None:
    """The inputs of a fit."""
    gr.HTML(f"<p>{_ABOUT_FIT[tab]}</p>")
    with gr.Row():
        parts["steps"] = gr.Textbox(
            label="Steps",
            value=DEFAULTS["steps"],
            elem_id=elem_id("steps"),
            info="One count, such as 10, or several, such as 5, 8, 10, 20.",
        )
        parts["noises"] = gr.Slider(
            label="Noises",
            value=DEFAULTS["noises"],
            minimum=4,
            maximum=16,
            step=1,
            elem_id=elem_id("noises"),
            info="Images the fit is made on; more hold better for other seeds.",
        )
    with gr.Row():
        parts["effort"] = gr.Dropdown(
            label="Effort",
            choices=EFFORTS,
            value=DEFAULTS["effort"],
            elem_id=elem_id("effort"),
            info="pilot: one fine run, for Sigmasmith Adaptive; a minute where a fit takes several.",
        )
        parts["minutes"] = gr.Number(
            label="Minutes at most (0: no limit)", value=DEFAULTS["minutes"], elem_id=elem_id("minutes")
        )
    with gr.Row():
        parts["name"] = gr.Textbox(
            label="Name of the preset",
            value=DEFAULTS["name"],
            elem_id=elem_id("name"),
            placeholder="empty: checkpoint and sampler",
        )
        parts["replace"] = gr.Checkbox(label="Replace a preset of this name", value=False, elem_id=elem_id("replace"))
    parts["prompts"] = gr.Textbox(
        label="Further prompts, one a line",
        value="",
        lines=2,
        elem_id=elem_id("prompts"),
        info="The noises take the page's prompt and these in turn; the schedule then holds better for others.",
    )
    parts["choose"] = gr.Checkbox(
        label="Choose the sampling method too",
        info="Fits for the page's and for those of DPM++ 2M, Res Multistep, IPNDM and DEIS that are here, and takes "
        "the best.",
        value=False,
        elem_id=elem_id("choose"),
    )
    parts["cost"] = gr.HTML(actions.cost(*(DEFAULTS[name] for name in actions.COST_FIELDS)))
    parts["fit_button"] = gr.Button("Fit now", variant="primary", elem_id=elem_id("fit_now"))


def compare_tab(parts: Parts, elem_id: ElemId) -> None:
    """The inputs of a comparison."""
    gr.HTML(f"<p>{_ABOUT_COMPARE}</p>")
    with gr.Row():
        parts["compared_schedules"] = gr.Dropdown(
            label="Schedule types",
            choices=schedule_labels(),
            value=actions.known_schedules(DEFAULTS["compared_schedules"]),
            multiselect=True,
            elem_id=elem_id("compared_schedules"),
            info="Ours run the preset chosen above.",
        )
        parts["compared_samplers"] = gr.Dropdown(
            label="Further sampling methods",
            choices=samplers_with_schedules(),
            value=[],
            multiselect=True,
            elem_id=elem_id("compared_samplers"),
            info="Beside the one of the page.",
        )
    with gr.Row():
        parts["compared_steps"] = gr.Textbox(
            label="Steps", value=DEFAULTS["compared_steps"], elem_id=elem_id("compared_steps"), info="Such as 6, 10."
        )
        parts["seeds"] = gr.Slider(
            label="Seeds",
            value=DEFAULTS["seeds"],
            minimum=2,
            maximum=16,
            step=1,
            elem_id=elem_id("seeds"),
            info="More tell smaller differences from chance.",
        )
    parts["compare_button"] = gr.Button("Compare now", variant="primary", elem_id=elem_id("compare_now"))


def seeds_tab(parts: Parts, elem_id: ElemId) -> None:
    """The inputs of a search over seeds."""
    gr.HTML(f"<p>{_ABOUT_SEEDS}</p>")
    with gr.Row():
        parts["measure"] = gr.Dropdown(
            label="Measure", choices=list(MEASURES), value=DEFAULTS["measure"], elem_id=elem_id("measure")
        )
        parts["wanted"] = gr.Radio(
            label="Wanted", choices=[MORE, LESS], value=DEFAULTS["wanted"], elem_id=elem_id("wanted")
        )
    with gr.Row():
        parts["budget"] = gr.Slider(
            label="Budget in images",
            value=DEFAULTS["budget"],
            minimum=2,
            maximum=16,
            step=1,
            elem_id=elem_id("budget"),
            info="As many model calls as these images take.",
        )
        parts["draft_steps"] = gr.Slider(
            label="Steps of a draft",
            value=DEFAULTS["draft_steps"],
            minimum=1,
            maximum=12,
            step=1,
            elem_id=elem_id("draft_steps"),
            info="All drafts are one batch.",
        )
    parts["seeds_button"] = gr.Button("Search now", variant="primary", elem_id=elem_id("seeds_now"))


def library_tab(parts: Parts, elem_id: ElemId) -> None:
    """The presets that are there, and what can be done with the chosen one."""
    with gr.Row():
        parts["search"] = gr.Textbox(
            label="Search",
            value="",
            elem_id=elem_id("search"),
            placeholder="words, then Enter",
        )
        parts["refresh"] = gr.Button("Refresh list", elem_id=elem_id("refresh"))
    parts["list"] = gr.HTML(elem_id=elem_id("list"))
    with gr.Row():
        parts["show"] = gr.Button("Inspect", elem_id=elem_id("show"))
        parts["export"] = gr.Button("Export", elem_id=elem_id("export"))
        parts["delete"] = gr.Button("Delete", variant="stop", elem_id=elem_id("delete"))
    with gr.Row():
        parts["new_name"] = gr.Textbox(label="New name", value="", elem_id=elem_id("new_name"))
        parts["rename"] = gr.Button("Rename the chosen preset", elem_id=elem_id("rename"))
    parts["inspected"] = gr.HTML(elem_id=elem_id("inspected"))
    parts["exported"] = gr.Textbox(
        label="Share code of the chosen preset", interactive=False, visible=False, elem_id=elem_id("exported")
    )
    parts["download"] = gr.File(label="Preset file", interactive=False, visible=False, elem_id=elem_id("download"))
    parts["code"] = gr.Textbox(
        label="Share code",
        value="",
        lines=2,
        elem_id=elem_id("code"),
        placeholder="sigmasmith1:...",
        info="Used where the preset is 'Share code below'.",
    )
    parts["save_code"] = gr.Button("Save the share code as a preset", elem_id=elem_id("save_code"))
    parts["upload"] = gr.File(
        label="Import a preset file", file_count="single", type="binary", elem_id=elem_id("upload")
    )


def samplers_tab(parts: Parts, elem_id: ElemId) -> None:
    """The guidance over sigma, and the options of our samplers."""
    parts["guidance"] = gr.Textbox(
        label="Guidance over sigma",
        value=DEFAULTS["guidance"],
        elem_id=elem_id("guidance"),
        placeholder=HELP,
        info="For every sampling method, and for fits: where the CFG scale holds or how it runs. Empty: everywhere.",
    )
    for option in samplers.options():
        parts[option.key] = _input(option, elem_id(option.key))
    gr.HTML(actions.own_tables(), elem_id=elem_id("own_tables"))


def _input(option: samplers.Option, elem_id: str) -> Any:
    shared = {"label": option.label, "info": option.help, "value": option.default, "elem_id": elem_id}
    if option.choices:
        return gr.Dropdown(choices=list(option.choices), **shared)
    if isinstance(option.default, str):
        return gr.Textbox(**shared)
    return gr.Slider(minimum=option.minimum, maximum=option.maximum, step=option.step, **shared)
