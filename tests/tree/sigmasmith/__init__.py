"""The tree under test as the package `sigmasmith`, whatever else is installed, for tests and the processes they start.

With tests/tree first on the path, `import sigmasmith` runs this file, which puts the root of the repository in its
own place, as the hosts do with a folder of any name.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[3]
_spec = importlib.util.spec_from_file_location(__name__, _ROOT / "__init__.py", submodule_search_locations=[str(_ROOT)])
assert _spec is not None
assert _spec.loader is not None
sys.modules[__name__] = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(sys.modules[__name__])
