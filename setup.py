"""The packages, found by rule: the root of the repository is `sigmasmith`, and every folder of modules is a part of it.

pyproject.toml holds all the rest; it can find packages below a folder, but not give the root of them a name.
"""

from __future__ import annotations

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py


class BuildModules(build_py):
    """All modules of a package but this file, which lies in the root package's folder."""

    def find_package_modules(self, package: str, package_dir: str) -> list[tuple[str, str, str]]:
        modules = super().find_package_modules(package, package_dir)
        return [entry for entry in modules if entry[:2] != ("sigmasmith", "setup")]


setup(
    package_dir={"sigmasmith": "."},
    packages=["sigmasmith", *(f"sigmasmith.{name}" for name in find_packages(exclude=["tests", "tests.*"]))],
    cmdclass={"build_py": BuildModules},
)
