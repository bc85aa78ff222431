"""A saved workflow (the page's JSON) as a graph for `/prompt`, with the host's own node descriptions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .graphs import Graph, node

# What people have on disk -> what the tests have.
TINY = {
    "v1-5-pruned-emaonly-fp16.safetensors": "tiny_sd3.safetensors",
    "sd3.5_medium_incl_clips_t5xxlfp8scaled.safetensors": "tiny_sd3.safetensors",
    "sd_xl_base_1.0.safetensors": "tiny_sd15.safetensors",
    "your_style_xl.safetensors": "tiny_sd15_lora.safetensors",
    "flux1-dev.safetensors": "tiny_sd3_unet.safetensors",
    "qwen_image_fp8_e4m3fn.safetensors": "tiny_sd3_unet.safetensors",
    "ae.safetensors": "tiny_sd3_vae.safetensors",
    "qwen_image_vae.safetensors": "tiny_sd3_vae.safetensors",
    "wan2.1_t2v_1.3B_fp16.safetensors": "tiny_wan.safetensors",
    "wan2.2_t2v_high_noise_14B_fp8_scaled.safetensors": "tiny_wan.safetensors",
    "wan2.2_t2v_low_noise_14B_fp8_scaled.safetensors": "tiny_wan.safetensors",
    "wan_2.1_vae.safetensors": "tiny_wan_vae.safetensors",
    "clip_vision_vit_l_14.safetensors": "tiny_clip_vision.safetensors",
    "clip_l.safetensors": "tiny_clip_l.safetensors",
    "umt5_xxl_fp8_e4m3fn_scaled.safetensors": "tiny_clip_l.safetensors",
    "qwen_2.5_vl_7b_fp8_scaled.safetensors": "tiny_clip_l.safetensors",
}
WIDGETS = {"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"}
ONLY_ON_THE_PAGE = {"MarkdownNote", "Note", "Reroute"}


def to_graph(workflow: dict[str, Any], describe: Callable[[str], dict[str, Any]]) -> Graph:
    """The graph that the page would post.

    Args:
        describe: node id -> the host's description, as ComfyServer.object_info gives it.
    Raises:
        AssertionError: a node is missing, an input is unknown, or the widget values do not fit the node.
    """
    sources = {link[0]: [str(link[1]), link[2]] for link in workflow["links"]}
    graph: Graph = {}
    for item in workflow["nodes"]:
        if item["type"] in ONLY_ON_THE_PAGE:
            continue
        known = describe(item["type"])
        assert known, f"the host has no node {item['type']}"
        declared = known["input"].get("required", {}) | known["input"].get("optional", {})
        inputs: dict[str, Any] = {}
        for slot in item["inputs"]:
            assert slot["name"] in declared, f"{item['type']} has no input {slot['name']}"
            if slot["link"] is not None:
                inputs[slot["name"]] = sources[slot["link"]]
        values = list(item["widgets_values"])
        for name, (kind, *options) in declared.items():
            if isinstance(kind, list) or kind in WIDGETS:
                # A graph saved before an optional input was added holds no value for it: the page gives it the default.
                later = not values and name in known["input"].get("optional", {}) and "default" in options[0]
                inputs[name] = options[0]["default"] if later else values.pop(0)
                # The page adds a second widget to every seed.
                # And a button to every input that files can be uploaded to.
                extra = options[0] if options else {}
                if name in ("seed", "noise_seed") or extra.get("control_after_generate") or extra.get("image_upload"):
                    values.pop(0)
        assert not values, f"{item['type']} has {len(values)} widget values too many"
        outputs = [output["type"] for output in item["outputs"]]
        # Newer hosts append outputs to old nodes.
        assert known["output"][: len(outputs)] == outputs, f"{item['type']}: outputs {outputs}, not {known['output']}"
        graph[str(item["id"])] = node(item["type"], **inputs)
    return graph
