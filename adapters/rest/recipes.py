"""Ready-made configurations, as files beside this module: what well-known APIs want, from their own docs."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final

from ruamel.yaml import YAML

from domain.errors import InvalidConfiguration

_FOLDER: Final = "recipes"


@cache
def recipe_names() -> tuple[str, ...]:
    folder = files("adapters.rest").joinpath(_FOLDER)
    return tuple(
        sorted(file.name.removesuffix(".yaml") for file in folder.iterdir() if file.name.endswith(".yaml"))
    )


@cache
def _loaded(name: str) -> Mapping[str, Any]:
    text = files("adapters.rest").joinpath(_FOLDER, f"{name}.yaml").read_text(encoding="utf-8")
    return MappingProxyType(YAML(typ="safe", pure=True).load(text))


def recipe_named(name: str) -> Mapping[str, Any]:
    """Raises InvalidConfiguration."""
    if name not in recipe_names():
        raise InvalidConfiguration(
            f"recipe: there is no {name[:80]!r}; there are {', '.join(recipe_names())}", param="recipe"
        )
    return _loaded(name)
