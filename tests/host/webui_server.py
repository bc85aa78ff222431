"""A real WebUI in a subprocess, driven over its HTTP API with the standard library.

Example::

    host, reason = find_webui("FORGE")  # None where there is none; reason says how to get one
    with WebuiServer(host, base, pack=repo_root) as server:
        reply = server.txt2img(sampler_name="Euler", scheduler="Sigmasmith Optimal")
"""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any

from .locate import HostError, clean_environment
from .webui_hosts import Webui

GENERATOR = Path(__file__).with_name("tiny_webui_checkpoint.py")
PROBE = Path(__file__).with_name("webui_probe.py")
FLAGS = [
    "--skip-prepare-environment",
    "--skip-version-check",
    "--skip-python-version-check",
    "--api",
    "--server-name",
    "127.0.0.1",
]
# Previews without a download; the rest as it comes.
CONFIG = {
    "show_progress_type": "Approx cheap",
    "live_previews_enable": True,
    "samples_save": False,
    "return_grid": False,
    # Forge writes these over the page's own.
    **{
        f"sd_{tab}_{name}": value
        for tab in ("t2i", "i2i")
        for name, value in (("width", 64), ("height", 64), ("cfg", 5))
    },
}
# The page begins with images as small as those of the API below.
SMALL = (("Width", 64), ("Height", 64), ("CFG Scale", 5))
PAGE = {f"{tab}/{name}/value": value for tab in ("txt2img", "img2img") for name, value in SMALL} | {
    f"customscript/sampler.py/{tab}/Sampling steps/value": 5 for tab in ("txt2img", "img2img")
}
BODY: dict[str, Any] = {"prompt": "a cat", "width": 64, "height": 64, "steps": 5, "seed": 1, "cfg_scale": 5}


class Reply:
    """An answer of /sdapi/v1/txt2img or img2img."""

    def __init__(self, status: int, body: Any) -> None:
        self.status, self.body = status, body

    @property
    def info(self) -> dict[str, Any]:
        assert self.status == 200, self.body
        return json.loads(self.body["info"])

    @property
    def infotext(self) -> str:
        return self.info["infotexts"][0]

    @property
    def images(self) -> list[str]:
        assert self.status == 200, self.body
        return self.body["images"]


class WebuiServer:
    """A running host with this repository as an extension, a tiny checkpoint and a probe extension.

    Args:
        base: folder for everything the host writes; models/ and extensions/ are made in it.
        pack: root of this repository.
        probes: script files, each of an extension for the tests.
    """

    def __init__(
        self,
        host: Webui,
        base: Path,
        pack: Path,
        config: dict[str, Any] | None = None,
        probes: tuple[Path, ...] = (PROBE,),
    ) -> None:
        self.host, self.base, self.pack, self._probes = host, base, pack, probes
        self.presets = base / "models" / "sigmasmith"
        self.probe_file = base / "probe.json"
        self._config = CONFIG | dict(host.kind.config) | (config or {})
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.port = found.getsockname()[1]

    def __enter__(self) -> WebuiServer:
        self._prepare()
        kind = self.host.kind
        flags = [*kind.flags, "--port", str(self.port), "--data-dir", str(self.base)]
        flags += [kind.models, str(self.base / "models")]
        for allowed in (self.host.path, self.pack, self.base):
            flags += ["--gradio-allowed-path", str(allowed.resolve())]  # gradio compares paths without links
        environment = clean_environment() | {"SIGMASMITH_PROBE": str(self.probe_file)}
        with open(self.base / "log.txt", "wb") as log:
            self._process = subprocess.Popen(
                [str(self.host.python), "launch.py", *FLAGS, *flags],
                cwd=self.host.path,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            self._wait(900.0)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def log(self) -> str:
        return re.sub(r"\x1b\[[0-9;]*m", "", (self.base / "log.txt").read_text(encoding="utf-8", errors="replace"))

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.url + path, timeout=60) as answer:
            return json.load(answer)

    def post(self, path: str, body: Any, timeout: float = 1800.0) -> Reply:
        data = json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return Reply(answer.status, json.load(answer))
        except urllib.error.HTTPError as error:
            return Reply(error.code, error.read().decode(errors="replace"))

    def txt2img(self, panel: list[Any] | None = None, **body: Any) -> Reply:
        """Generate; `panel` are the first of our script's arguments."""
        return self.post("/sdapi/v1/txt2img", self._body(panel, body))

    def img2img(self, image: str, panel: list[Any] | None = None, **body: Any) -> Reply:
        return self.post("/sdapi/v1/img2img", self._body(panel, {"init_images": [image]} | body))

    def probed(self) -> list[list[float]]:
        """The sigmas that the probe sampler was given, one list per pass since the last call."""
        if not self.probe_file.is_file():
            return []
        lines = self.probe_file.read_text().splitlines()
        self.probe_file.unlink()
        return [[float.fromhex(value) for value in json.loads(line)] for line in lines]

    def _body(self, panel: list[Any] | None, body: dict[str, Any]) -> dict[str, Any]:
        scripts = {} if panel is None else {"alwayson_scripts": {"sigmasmith": {"args": panel}}}
        # Forge's hires pass asks for it, the others do not mind.
        return BODY | {"hr_additional_modules": ["Use same choices"]} | scripts | body

    def _prepare(self) -> None:
        models = self.base / "models" / "Stable-diffusion"
        models.mkdir(parents=True, exist_ok=True)
        checkpoint = models / "tiny.safetensors"
        if not checkpoint.exists():
            command = [sys.executable, str(GENERATOR), str(checkpoint)]
            done = subprocess.run(
                command, env=clean_environment(), capture_output=True, text=True, check=False, timeout=900
            )
            if done.returncode:
                raise HostError(f"{GENERATOR.name} failed:\n{done.stderr[-2000:]}")
        self.host.kind.prepare(checkpoint)
        (self.base / "tmp").mkdir(exist_ok=True)  # Neo writes the page's pictures there and does not make it
        extensions = self.base / "extensions"
        for probe in self._probes:
            scripts = extensions / probe.stem / "scripts"
            scripts.mkdir(parents=True, exist_ok=True)
            (scripts / probe.name).write_text(probe.read_text(encoding="utf-8"), encoding="utf-8")
        if not (extensions / "sigmasmith").exists():
            (extensions / "sigmasmith").symlink_to(self.pack)
        (self.base / "config.json").write_text(json.dumps(self._config), encoding="utf-8")
        (self.base / "ui-config.json").write_text(json.dumps(PAGE), encoding="utf-8")

    def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert self._process is not None
            if self._process.poll() is not None:
                raise HostError(f"{self.host.name} ended with {self._process.returncode}:\n{self.log()[-3000:]}")
            # Routes answer before the defaults of the scripts are known; this line is the last of the start.
            if "Startup time" in self.log():
                return
            time.sleep(0.5)
        raise HostError(f"{self.host.name} was not up after {seconds:.0f} s:\n{self.log()[-3000:]}")

    def _stop(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None
