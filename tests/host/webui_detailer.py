"""An extension for the tests: a detailer, which repaints the middle of every image as ADetailer repaints faces.

Args of its script in the HTTP API: on; whether our script's hooks run in its own generations, which in ADetailer they
do by a setting alone (such a one does not know ADetailer's switch for other scripts either); a schedule type and a
sampler of its own, "" for those of the image.
"""

from copy import copy

import gradio as gr
from modules import processing, scripts
from PIL import Image

STRENGTH = 0.4


class DetailerScript(scripts.Script):
    def title(self):
        return "Detailer"

    def show(self, is_img2img):
        return scripts.AlwaysVisible

    def ui(self, is_img2img):
        labels = ("Repaint the middle", "Run the hooks of others")
        return [*(gr.Checkbox(False, label=label) for label in labels), gr.Textbox(""), gr.Textbox("")]

    def postprocess_image(self, p, pp, on, hooks, scheduler, sampler, *args):
        if not on or (getattr(p, "_ad_disabled", False) and not hooks):
            return
        if p.batch_index == 0:  # other scripts put back what they changed in the model
            p.scripts.postprocess(copy(p), processing.Processed(p, [], p.seed, ""))
        pp.image = self._repainted(p, pp.image, hooks, scheduler or p.scheduler, sampler or p.sampler_name)
        if p.batch_index == p.batch_size - 1:  # and change it again for the next batch
            again = copy(p)
            p.scripts.before_process(again)
            p.scripts.process(again)

    def _repainted(self, p, image, hooks, scheduler, sampler):
        width, height = image.size
        mask = Image.new("L", image.size)
        mask.paste(255, (width // 4, height // 4, 3 * width // 4, 3 * height // 4))
        inner = processing.StableDiffusionProcessingImg2Img(
            sd_model=p.sd_model,
            init_images=[image.convert("RGB")],
            mask=mask,
            mask_blur=4,
            inpainting_fill=1,
            inpaint_full_res=True,
            inpaint_full_res_padding=32,
            denoising_strength=STRENGTH,
            prompt=p.prompt,
            negative_prompt=p.negative_prompt,
            seed=p.all_seeds[p.iteration * p.batch_size + p.batch_index],
            sampler_name=sampler,
            scheduler=scheduler,
            steps=p.steps,
            cfg_scale=p.cfg_scale,
            width=p.width,
            height=p.height,
            batch_size=1,
            n_iter=1,
            extra_generation_params=dict(p.extra_generation_params),
            do_not_save_samples=True,
            do_not_save_grid=True,
        )
        inner._ad_disabled = True
        runner = copy(p.scripts)
        runner.alwayson_scripts = [one for one in runner.alwayson_scripts if hooks and one.title() == "Sigmasmith"]
        inner.scripts, inner.script_args = runner, copy(p.script_args)  # the host sets those up that are there now
        try:
            return processing.process_images(inner).images[0]
        finally:
            inner.close()
