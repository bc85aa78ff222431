"""Sigmasmith Fit Schedule: a schedule for the loaded model, from its inputs or from a guider."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from comfy_api.latest import io, ui
from torch import Tensor

from ..host import folders
from ..host.decoding import decoder_of
from ..host.guiders import cfg_guider
from ..host.input_check import InputCheck
from ..host.samplers import check_fit_sampler
from ..inputs import cfg_input, conditioned_model
from ..pictures.beside import for_page, pictures_of, sheet_of
from ..plot_picture import plot_images
from ..presets.written import preset_fingerprint
from ..schema import CATEGORY, PICTURES, REPORT, advanced, number, schema
from ..text import parse_steps, translatable
from .in_use import in_use_by
from .inputs import (
    before_after_output,
    boundary_input,
    denoise_input,
    frequency_weight_input,
    latent_input,
    method_input,
    outputs,
    settings,
    vae_input,
)
from .loader import loaded_file

if TYPE_CHECKING:
    from .request import FitResult

# Not the words of a newcomer, who should meet Auto: the host puts the shorter id first among equal matches.
SEARCH = ["sigmasmith", "optimal steps", "align your steps", "sigmas", "calibrate"]


def fitted(cls: type[io.ComfyNode], vae: Any = None, **inputs: Any) -> io.NodeOutput:
    """The output of a Fit node.

    Args:
        vae: for the pictures before and after; without one the host's preview decoder makes them.
        inputs: of FitRequest.
    """
    from .work import FitRequest, fit

    graph, node_id = cls.hidden.prompt, cls.hidden.unique_id
    in_use, checkpoint = in_use_by(graph, node_id), loaded_file(graph, node_id)
    result = fit(request := FitRequest(node_id=node_id, in_use=in_use, checkpoint=checkpoint, **inputs))
    return node_output(result, cls, pictures_of(result.beside, decoder_of(request.guider.model_patcher, vae)))


def node_output(result: FitResult, cls: type[io.ComfyNode], pictures: Sequence[Tensor] | None = None) -> io.NodeOutput:
    """A result as the node gives it out and shows it.

    Args:
        pictures: before and after; None for a node that has no such output.
    """
    plot = plot_images(result.plots)
    shown: dict[str, Any] = ui.PreviewImage(plot, cls=cls).as_dict()
    shown |= {"text": (result.report,), REPORT: [translatable(result.table)] if result.table else []}
    given = (result.preset, result.sigmas, plot, result.report)
    if pictures is None:
        return io.NodeOutput(*given, ui=shown)
    shown[PICTURES] = for_page(result.beside, pictures, cls)
    return io.NodeOutput(*given, sheet_of(result.beside, pictures), ui=shown)


def check_typed(
    sampler_name: str | None = None, steps: str | None = None, choose_sampler: bool = False, name: str = ""
) -> None:
    """Raise ValueError, which names the input, where what is typed into a Fit node cannot be."""
    if name.strip():
        folders.checked_path(name)
    if sampler_name is not None:
        check_fit_sampler(sampler_name, choose_sampler)
    if steps is not None:
        parse_steps(steps)


class FitNode(io.ComfyNode):
    """The checks of both Fit nodes that the host asks for before it runs them."""

    validate_inputs = InputCheck(check_typed)

    @classmethod
    def fingerprint_inputs(cls, name: str | None = None, refit: bool | None = None, **_: Any) -> str:
        return preset_fingerprint(name or "", bool(refit))


class SigmasmithFit(FitNode):
    """Fit on model, prompts and guidance, as a KSampler takes them."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        more = [
            io.Conditioning.Input(
                f"positive_{number}",
                optional=True,
                tooltip="A further prompt to fit on. Prompts and noises are paired at random, so that the schedule "
                "also serves prompts that it has not seen.",
            )
            for number in (2, 3, 4)
        ]
        return schema(
            node_id="SigmasmithFit",
            display_name="Sigmasmith Fit Schedule",
            category=CATEGORY,
            description="Finds the noise levels at which this very model, with its LoRAs, guidance and sampler, makes "
            "the best image in few steps, and saves them as a preset. Takes minutes once; using it costs nothing.",
            search_aliases=SEARCH,
            is_output_node=True,
            hidden=[io.Hidden.unique_id, io.Hidden.prompt],
            inputs=[
                *conditioned_model(
                    "The model to fit to, with everything that is on it when you sample.",
                    "A typical prompt of yours.",
                    "Your usual negative prompt.",
                ),
                latent_input(),
                cfg_input("The guidance you will use."),
                *settings(),
                *more,
                io.Model.Input(
                    "model_low",
                    optional=True,
                    tooltip="The second of two models that follow each other in one run, such as the low-noise model "
                    "of Wan 2.2; model is then the high-noise one. The fit runs them as two KSamplers (Advanced) do.",
                ),
                boundary_input(),
                advanced(
                    number(
                        "cfg_low",
                        0.0,
                        (0.0, 100.0, 0.1),
                        "The guidance you will use with model_low. 0: the same as cfg.",
                        round=0.01,
                        optional=True,
                    )
                ),
                denoise_input(),
                method_input(),
                vae_input(),
                frequency_weight_input(),
            ],
            outputs=[*outputs(), before_after_output()],
        )

    @classmethod
    def execute(
        cls,
        model: Any,
        positive: Any,
        negative: Any,
        cfg: float,
        model_low: Any = None,
        cfg_low: float = 0.0,
        **inputs: Any,
    ) -> io.NodeOutput:
        more = tuple(inputs.pop(f"positive_{number}", None) for number in (2, 3, 4))
        guider, low_guider = cfg_guider(model, positive, negative, cfg), None
        if model_low is not None:
            low_guider = cfg_guider(model_low, positive, negative, cfg_low or cfg, "cfg_low")
        return fitted(
            cls,
            guider=guider,
            low_guider=low_guider,
            positives=tuple(prompt for prompt in more if prompt is not None),
            **inputs,
        )


class SigmasmithFitGuider(FitNode):
    """Fit on a guider, as SamplerCustomAdvanced takes it."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="SigmasmithFitGuider",
            display_name="Sigmasmith Fit Schedule (Guider)",
            category=CATEGORY,
            description="Sigmasmith Fit Schedule for workflows with a guider: Flux guidance, dual guidance and others.",
            search_aliases=SEARCH,
            is_output_node=True,
            hidden=[io.Hidden.unique_id, io.Hidden.prompt],
            inputs=[
                io.Guider.Input("guider", tooltip="Model, prompts and guidance to fit to."),
                latent_input(),
                *settings(),
                io.Guider.Input(
                    "guider_low",
                    optional=True,
                    tooltip="The guider of the second of two models that follow each other in one run, such as the "
                    "low-noise model of Wan 2.2; guider is then that of the high-noise one.",
                ),
                boundary_input(),
                denoise_input(),
                method_input(),
                vae_input(),
                frequency_weight_input(),
            ],
            outputs=[*outputs(), before_after_output()],
        )

    @classmethod
    def execute(cls, guider_low: Any = None, **inputs: Any) -> io.NodeOutput:
        return fitted(cls, low_guider=guider_low, low_input="guider_low", **inputs)
