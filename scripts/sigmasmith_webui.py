"""Mounts this folder as the package `sigmasmith` and hands the WebUI its script. See webui/."""

import importlib
import importlib.util
import sys
from pathlib import Path

PACKAGE = "sigmasmith"
ROOT = Path(__file__).resolve().parents[1]


def mount() -> None:
    """Make the folder importable under its package name; a reload of the interface reads the files anew."""
    for name in [name for name in sys.modules if name == PACKAGE or name.startswith(PACKAGE + ".")]:
        del sys.modules[name]
    spec = importlib.util.spec_from_file_location(PACKAGE, ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    module = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = module
    spec.loader.exec_module(module)


if importlib.util.find_spec("modules.sd_schedulers") is None:
    print("Sigmasmith: this WebUI is too old, it has no list of schedulers (modules/sd_schedulers.py); not loaded.")
else:
    mount()
    SigmasmithScript = importlib.import_module(PACKAGE + ".webui.extension").load()
