"""Build hook of both distributions: one version, from `src/ecart/__init__.py`.

It fills in `version`, and the requirements that name the other distribution: `{version}` in the
`dependencies` and `optional-dependencies` of `[tool.hatch.metadata.hooks.custom]`. A source
distribution carries the result in its PKG-INFO, and hatchling reads it from there.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_HOME = Path(__file__).resolve().parent / "src" / "ecart" / "__init__.py"


class VersionHook(MetadataHookInterface):  # type: ignore[misc]  # hatchling has no types
    """Sets the dynamic fields of a `pyproject.toml`."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Adds the version and the requirements to the metadata."""
        found = re.search(r'^__version__ = "(.+)"$', _HOME.read_text(), re.MULTILINE)
        assert found is not None
        version = found[1]
        metadata["version"] = version
        for field in ("dependencies", "optional-dependencies"):
            if field in self.config:
                metadata[field] = _filled(self.config[field], version)


def _filled(requirements: Any, version: str) -> Any:
    if isinstance(requirements, dict):
        return {name: _filled(value, version) for name, value in requirements.items()}
    return [line.replace("{version}", version) for line in requirements]
