"""Objects of the user's own Python files, named module:attribute."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from typing import Any


def load_callable(name: str, option: str) -> Callable[..., Any]:
    """The callable that `module:attribute` names; modules are also looked for in the current folder.

    Raises:
        ValueError: names the option and what is missing. An error inside the module itself passes as it is.
    """
    module_name, separator, path = name.partition(":")
    if not (separator and module_name and path):
        raise ValueError(f"{option} must be module:attribute, got {name!r}")
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # last: a file there must not stand in for an installed package
    try:
        target: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise  # the module is there and lacks one of its own imports
        raise ValueError(
            f"{option}: there is no module {module_name!r}, neither installed nor in the current folder"
        ) from error
    for part in path.split("."):
        if not hasattr(target, part):
            raise ValueError(f"{option}: {module_name} has no attribute {path!r}")
        target = getattr(target, part)
    if not callable(target):
        raise ValueError(f"{option}: {name} is not callable")
    return target
