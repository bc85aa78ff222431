"""The accordion in txt2img and img2img. Gradio 3.41 and 4.40 from one source: common arguments and gr.update alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import gradio as gr
from gradio.context import Context

from .. import infotext, samplers
from ..tickets import COMPARISON, FIT, SEEDS, new_ticket
from . import actions, library, tabs
from .inputs import DEFAULTS, FIELDS, HOST_SLICING, LATER, NOISE_LEVEL

# The host's components whose values decide what will run, by the end of their element id.
WATCHED = ("steps", "sampling", "scheduler", "cfg_scale", "width", "height", "denoising_strength")
# Those that a fit sets.
SET_BY_FIT = ("sampling", "scheduler", "steps")
# Scripts of the page (javascript/sigmasmith.js); a hidden button is what they press.
_PRESS_GENERATE = "() => gradioApp().getElementById('{tab}_generate').click()"
_ENDED = "(...values) => [window.sigmasmith.endedTask('{tab}'), ...values.slice(1)]"
_SURE = "(preset, dark, search) => [preset, confirm(`Delete the preset ${preset} for good?`), search]"
_DARK = "(...values) => [document.body.classList.contains('dark'), ...values.slice(1)]"


class Panel:
    """The panel of one tab.

    Args:
        tab: "txt2img" or "img2img".
    """

    def __init__(self, tab: str) -> None:
        self.tab = tab
        self.host: dict[str, Any] = {}
        self.parts: dict[str, Any] = {}

    def note_component(self, elem_id: str, component: Any) -> None:
        """Note one of the host's components; with the last of them the page is complete and events can be bound."""
        prefix = f"{self.tab}_"
        if elem_id.startswith(prefix) and elem_id.removeprefix(prefix) in WATCHED:
            self.host[elem_id.removeprefix(prefix)] = component
        if elem_id == f"html_log_{self.tab}" and self.parts:
            self._bind()

    def build(self, elem_id: Callable[[str], str]) -> list[Any]:
        """Create the components; returns those whose values the host passes to the hooks, in the order of FIELDS."""
        parts = self.parts
        with gr.Accordion("Sigmasmith", open=False, elem_id=elem_id("panel")):
            self._hidden(elem_id)
            with gr.Row():
                parts["preset"] = gr.Dropdown(
                    label="Preset",
                    choices=actions.choices(),
                    value=DEFAULTS["preset"],
                    elem_id=elem_id("preset"),
                    info="For the schedule types Sigmasmith Optimal and Sigmasmith Adaptive.",
                )
                parts["denoise"] = gr.Radio(
                    label="Denoising strength",
                    choices=[HOST_SLICING, NOISE_LEVEL],
                    value=HOST_SLICING,
                    elem_id=elem_id("denoise"),
                    info="Below 1: cut the list as for every schedule, or start at that share of noise.",
                )
            parts["message"] = gr.HTML(elem_id=elem_id("message"))
            parts["will_run"] = gr.HTML(elem_id=elem_id("will_run"))
            parts["last_run"] = gr.HTML(elem_id=elem_id("last_run"))
            with gr.Tabs(elem_id=elem_id("tabs")):
                with gr.Tab("Fit", elem_id=elem_id("fit_tab")):
                    tabs.fit_tab(parts, elem_id, self.tab)
                with gr.Tab("Compare", elem_id=elem_id("compare_tab")):
                    tabs.compare_tab(parts, elem_id)
                with gr.Tab("Seeds", elem_id=elem_id("seeds_tab")):
                    tabs.seeds_tab(parts, elem_id)
                with gr.Tab("Library", elem_id=elem_id("library_tab")) as parts["library_tab"]:
                    tabs.library_tab(parts, elem_id)
                    self._bind_files()
                with gr.Tab("Samplers", elem_id=elem_id("samplers_tab")):
                    tabs.samplers_tab(parts, elem_id)
        controls = [parts[name] for name in (*FIELDS, *(option.key for option in samplers.options()), *LATER)]
        for control in controls:
            control.do_not_save_to_config = True
        return controls

    def _hidden(self, elem_id: Callable[[str], str]) -> None:
        """Parts that the page's script presses or fills. Gradio 4 omits invisible ones: these are hidden by style."""
        parts = self.parts
        parts["dark"] = gr.Checkbox(visible=False, value=False)
        for name in ("pasted", "task", "fit"):
            parts[name] = gr.Textbox(visible=False, value="", label=name)
        parts["ended"] = gr.Button("ended", elem_id=elem_id("ended"), elem_classes=["sigmasmith-pressed-by-script"])

    def _bind_files(self) -> None:
        parts, quiet = self.parts, {"show_progress": False, "queue": False}
        chosen = [parts["dark"], parts["preset"], parts["code"]]
        parts["show"].click(library.inspected, _js=_DARK, inputs=chosen, outputs=[parts["inspected"]], **quiet)
        parts["export"].click(
            library.exported,
            inputs=chosen[1:],
            outputs=[parts["exported"], parts["download"], parts["message"]],
            **quiet,
        )
        parts["pasted"].change(actions.refreshed, inputs=[parts["pasted"]], outputs=[parts["preset"]], **quiet)
        imported = [parts["preset"], parts["message"]]
        list_anew = {"fn": library.listed, "inputs": [parts["search"]], "outputs": [parts["list"]]}
        parts["search"].submit(**list_anew, **quiet)
        parts["refresh"].click(actions.refreshed, inputs=[parts["preset"]], outputs=[parts["preset"]], **quiet).then(
            **list_anew, **quiet
        )
        parts["save_code"].click(library.save_code, inputs=[parts["code"]], outputs=imported, **quiet).then(
            **list_anew, **quiet
        )
        parts["upload"].upload(library.save_file, inputs=[parts["upload"]], outputs=imported, **quiet).then(
            **list_anew, **quiet
        )
        changed = [*imported, parts["list"]]
        parts["rename"].click(
            library.renamed, inputs=[parts["preset"], parts["new_name"], parts["search"]], outputs=changed, **quiet
        )
        parts["delete"].click(
            library.deleted,
            inputs=[parts["preset"], parts["dark"], parts["search"]],
            outputs=changed,
            _js=_SURE,
            **quiet,
        )
        parts["library_tab"].select(**list_anew, **quiet)

    def _bind(self) -> None:
        """Bind what needs the host's components."""
        parts, quiet = self.parts, {"show_progress": False, "queue": False}
        for button, job in (("fit_button", FIT), ("compare_button", COMPARISON), ("seeds_button", SEEDS)):
            parts[button].click(partial(new_ticket, job), inputs=[], outputs=[parts["fit"]], **quiet).then(
                fn=None, inputs=[], outputs=[], _js=_PRESS_GENERATE.format(tab=self.tab)
            )
        fields = [parts[name] for name in actions.COST_FIELDS]
        for component in fields:
            component.change(actions.cost, inputs=fields, outputs=[parts["cost"]], **quiet)
        # The page's description was made when the host started; presets may be newer.
        loaded = Context.root_block.load(
            actions.refreshed, inputs=[parts["preset"]], outputs=[parts["preset"]], **quiet
        )
        watched = [name for name in WATCHED if self._decides(name)]
        if any(name not in self.host for name in watched):
            return  # a host with other components: no forecast, and values to set by hand after a fit
        set_by_fit = [self.host[name] for name in SET_BY_FIT]
        ended = parts["ended"].click(
            actions.ended,
            inputs=[parts["task"], parts["preset"], *set_by_fit],
            outputs=[parts["last_run"], parts["preset"], parts["denoise"], *set_by_fit],
            _js=_ENDED.format(tab=self.tab),
            **quiet,
        )
        own = [parts[name] for name in ("dark", "preset", "code", "denoise")]
        decide = [self.host[name] for name in watched]
        forecast = {"fn": actions.will_run, "inputs": own + decide, "outputs": [parts["will_run"]], "_js": _DARK}
        for component in own[1:] + decide:
            event = component.release if isinstance(component, gr.Slider) else component.change
            event(**forecast, **quiet)
        for earlier in (loaded, ended):
            earlier.then(**forecast, **quiet)

    def _decides(self, name: str) -> bool:
        """Whether a component of the host decides what the first pass runs; txt2img's strength is the hires pass's."""
        return name != "denoising_strength" or self.tab == "img2img"

    def paste_fields(self) -> list[tuple[Any, Any]]:
        """Component and what a pasted infotext sets it to."""
        parts = self.parts
        return [
            (parts["preset"], actions.pasted_preset),
            (parts["code"], actions.pasted_code),
            (parts["denoise"], actions.pasted_denoise),
            (parts["message"], actions.pasted_message),
            # Behind the dropdown's own value, its entries: a preset may be newer than the page.
            (parts["pasted"], actions.pasted_preset),
            *((parts[option.key], option.infotext) for option in samplers.options()),
            (parts["guidance"], infotext.GUIDANCE),
        ]
