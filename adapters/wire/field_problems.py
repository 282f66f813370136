"""What pydantic found wrong with a configuration, in words for whoever wrote it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final

from domain.errors import InvalidConfiguration

SHOWN_MAX: Final = 3
MESSAGE_CHARS_MAX: Final = 500
PARAM_CHARS_MAX: Final = 200
FIELD_CHARS_MAX: Final = 64

Place = tuple[int | str, ...]


def invalid(
    errors: Sequence[Mapping[str, Any]],
    known: Iterable[str],
    place_of: Callable[[Place], Iterable[int | str]] = lambda loc: loc,
) -> InvalidConfiguration:
    """The error of `ValidationError.errors(include_input=False, include_url=False)`.

    Values never stand in it: one may be a secret in the wrong place. Tells of the first three fields,
    `param` is the path of the first. `known` are the fields of the top, of which a mistyped one may mean
    another; `place_of` takes out what pydantic puts into a path and nobody wrote, such as the kind of a
    union.
    """
    known = tuple(known)
    paths = [_path(each, place_of) for each in errors]
    said = list(dict.fromkeys(_words(each, path, known) for each, path in zip(errors, paths, strict=True)))
    message = "; ".join(said[:SHOWN_MAX])
    if len(said) > SHOWN_MAX:
        message += f"; and {len(said) - SHOWN_MAX} more"
    return InvalidConfiguration(message[:MESSAGE_CHARS_MAX], param=paths[0][:PARAM_CHARS_MAX] or None)


def _path(error: Mapping[str, Any], place_of: Callable[[Place], Iterable[int | str]]) -> str:
    path = ".".join(str(step) for step in place_of(error["loc"]))
    if error["type"].startswith("union_tag_"):
        path = f"{path}.type".lstrip(".")
    return path


def _words(error: Mapping[str, Any], path: str, known: Sequence[str]) -> str:
    kind = error["type"]
    context = error.get("ctx") or {}
    if kind == "extra_forbidden":
        close = (
            get_close_matches(path[:FIELD_CHARS_MAX], known, n=1) if "." not in path[:FIELD_CHARS_MAX] else []
        )
        return f"{path} is unknown" + (f"; did you mean {close[0]}?" if close else "")
    if kind == "missing":
        return f"{path} is required"
    if kind == "union_tag_invalid":
        return f"{path} must be one of {context.get('expected_tags')}"
    if kind == "union_tag_not_found":
        return f"{path} is required"
    message = str(error["msg"]).removeprefix("Value error, ")
    return f"{path or 'configuration'}: {message}"
