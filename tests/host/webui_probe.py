"""An extension for the tests: a sampler "Probe" that writes down the sigmas it is given, and runs Euler on them."""

import json
import os

from modules import sd_samplers, sd_samplers_common, sd_samplers_kdiffusion


def sample_probe(model, x, sigmas, extra_args=None, callback=None, disable=None):
    with open(os.environ["SIGMASMITH_PROBE"], "a") as file:
        file.write(json.dumps([float(sigma).hex() for sigma in sigmas]) + "\n")
    for i in range(len(sigmas) - 1):
        denoised = model(x, sigmas[i] * x.new_ones([x.shape[0]]), **(extra_args or {}))
        if callback is not None:
            callback({"x": x, "i": i, "sigma": sigmas[i], "sigma_hat": sigmas[i], "denoised": denoised})
        x = x + (x - denoised) / sigmas[i] * (sigmas[i + 1] - sigmas[i])
    return x


def add(label, options):
    data = sd_samplers_common.SamplerData(
        label, lambda model: sd_samplers_kdiffusion.KDiffusionSampler(sample_probe, model), [], options
    )
    sd_samplers.all_samplers[:] = [entry for entry in sd_samplers.all_samplers if entry.name != label] + [data]
    sd_samplers.all_samplers_map[label] = data


add("Probe", {})
add("Probe dropping", {"discard_next_to_last_sigma": True})
sd_samplers.set_samplers()
