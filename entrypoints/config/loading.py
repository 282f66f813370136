"""Reads the file, the environment and the flags into one `Settings`, or says everything that is wrong."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from entrypoints.config.environment import (
    CONFIG_VARIABLE,
    FLAGS_VARIABLE,
    EnvironmentData,
    read_environment,
)
from entrypoints.config.problems import ConfigError, ConfigPath, ConfigProblem, path_text
from entrypoints.config.root import Settings
from entrypoints.config.sections import Section
from entrypoints.config.validation import errors_of, path_of, section_at, sentence
from entrypoints.config.warnings import findings
from entrypoints.config.yaml_document import Mark, YamlDocument, read_yaml

DEFAULT_FILE: Final = "interchange.yaml"
MAX_FILE_BYTES: Final = 10 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedSettings:
    """A usable configuration, what to know about it, and where it came from.

    `environ` is kept for what only the catalogue can name: the providers' own key variables. `references` are
    values as they were written with `${…}`, or as the variable that gave them; `lines` is where the file
    declares each key, from 1; `flags` are the keys that the command line gave.
    """

    settings: Settings
    warnings: tuple[ConfigProblem, ...] = ()
    config_file: Path | None = None
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    references: Mapping[ConfigPath, str] = field(default_factory=dict, repr=False)
    lines: Mapping[ConfigPath, int] = field(default_factory=dict, repr=False)
    flags: tuple[str, ...] = ()


def load_settings(
    environ: Mapping[str, str],
    *,
    config_path: Path | str | None = None,
    flags: Mapping[str, Any] | None = None,
) -> LoadedSettings:
    """The configuration of this process.

    The file is `config_path`, else what INTERCHANGE_CONFIG names, else `./interchange.yaml` if present.
    `flags` have the file's shape and win over it; without them, INTERCHANGE_FLAGS is read.

    Raises:
        ConfigError: with every problem that was found.
    """
    file = _find_file(environ, config_path)
    origin = "" if file is None else str(_short(file))
    document = YamlDocument(data={}) if file is None else _read_file(file, origin, environ)
    environment = read_environment(environ)
    overrides = dict(flags) if flags is not None else _flags_from(environ)
    sources = _Sources(origin, document, environment, overrides)
    if document.problems and not document.data:
        raise ConfigError(document.problems)
    merged = _merged(_merged(environment.data, _without_nulls(document.data, ())), overrides)
    problems = list(document.problems)
    try:
        settings = Settings.model_validate(merged)
    except ValidationError as error:
        known = {(problem.path) for problem in problems}
        for details in errors_of(error):
            problem = sources.problem(path_of(details), "", details)
            if problem.path not in known:
                problems.append(problem)
        raise ConfigError(_in_order(problems)) from None
    found = list(findings(settings))
    problems.extend(sources.problem(f.path, f.message) for f in found if f.fatal)
    if problems:
        raise ConfigError(_in_order(problems))
    return LoadedSettings(
        settings=settings,
        warnings=_in_order([sources.problem(f.path, f.message) for f in found]),
        config_file=file,
        environ=dict(environ),
        references={
            **{
                path: f"${{{name}}}"
                for path, name in environment.origins.items()
                if path not in document.values
            },
            **document.references,
        },
        lines={path: mark.line for path, mark in document.keys.items()},
        flags=tuple(path_text(path) for path in _paths(overrides, ())),
    )


def sources_to_find(environ: Mapping[str, str], config_path: Path | str | None) -> dict[str, Any]:
    """What file and environment say about where the server is, whatever else is wrong with them."""
    wanted = ("data_dir", "bootstrap_key_file", "server")
    found = {name: value for name, value in read_environment(environ).data.items() if name in wanted}
    file = _find_file(environ, config_path)
    try:
        written = {} if file is None else _read_file(file, "", environ).data
    except ConfigError:
        written = {}
    return _merged(found, {name: written[name] for name in wanted if written.get(name) is not None})


def _find_file(environ: Mapping[str, str], config_path: Path | str | None) -> Path | None:
    named = str(config_path) if config_path is not None else environ.get(CONFIG_VARIABLE, "").strip()
    if named:
        return Path(named).expanduser().absolute()
    default = Path(DEFAULT_FILE).absolute()
    return default if default.is_file() else None


def _short(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _read_file(file: Path, origin: str, environ: Mapping[str, str]) -> YamlDocument:
    try:
        raw = file.read_bytes()
        if len(raw) > MAX_FILE_BYTES:
            message = f"larger than {MAX_FILE_BYTES} bytes"
        else:
            return read_yaml(raw.decode("utf-8-sig"), origin=origin, environ=environ)
    except FileNotFoundError:
        message = "no such file"
    except UnicodeDecodeError:
        message = "not UTF-8 text"
    except OSError as error:
        message = f"cannot be read: {error.strerror}"
    raise ConfigError((ConfigProblem(origin=origin, path="", message=message),))


def _flags_from(environ: Mapping[str, str]) -> dict[str, Any]:
    text = environ.get(FLAGS_VARIABLE, "").strip()
    if not text:
        return {}
    try:
        flags = json.loads(text)
    except ValueError:
        flags = None
    if not isinstance(flags, dict):
        problem = ConfigProblem(origin="environment", path=FLAGS_VARIABLE, message="must be a JSON object")
        raise ConfigError((problem,))
    return flags


def _without_nulls(data: dict[str, Any], path: ConfigPath) -> dict[str, Any]:
    """A key of a section without a value is a key left out; free names keep their null."""
    section: type[Section] | None = section_at(path)
    fields = {} if section is None else section.model_fields
    kept: dict[str, Any] = {}
    for key, value in data.items():
        if value is None and key in fields:
            continue
        kept[key] = _without_nulls(value, (*path, key)) if isinstance(value, dict) else value
    return kept


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Mappings are joined key by key; anything else is replaced."""
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        result[key] = (
            _merged(below, value) if isinstance(below, dict) and isinstance(value, Mapping) else value
        )
    return result


def _in_order(problems: list[ConfigProblem]) -> tuple[ConfigProblem, ...]:
    return tuple(sorted(problems, key=lambda p: (p.line or 0, p.column or 0)))


class _Sources:
    """Knows for every path which of the three sources said it, and where."""

    def __init__(
        self, origin: str, document: YamlDocument, environment: EnvironmentData, flags: Mapping[str, Any]
    ) -> None:
        self._origin = origin
        self._document = document
        self._environment = environment
        self._flag_paths = frozenset(_paths(flags, ()))

    def problem(self, path: ConfigPath, message: str, details: ErrorDetails | None = None) -> ConfigProblem:
        """A problem at its place; `details` of the validator become the message."""
        path = self._as_written(path)
        variable = self._variable(path)
        if details is not None:
            message = sentence(details, written=self._text_at(path, variable))
        if path and path in self._flag_paths:
            return ConfigProblem(origin="command line", path=path_text(path), message=message)
        if variable is not None:
            return ConfigProblem(origin="environment", path=variable, message=message)
        mark = self._mark(path, at_key=details is not None and details["type"] == "extra_forbidden")
        return ConfigProblem(
            origin=self._origin or "configuration",
            path=path_text(path),
            message=message,
            line=mark.line if mark else None,
            column=mark.column if mark else None,
        )

    def _as_written(self, path: ConfigPath) -> ConfigPath:
        """A bare text that stands for a mapping is where the errors of that mapping stand."""
        return path[:-1] if isinstance(_at(self._document.data, path[:-1]), str) else path

    def _text_at(self, path: ConfigPath, variable: str | None) -> object:
        """What was written in plain sight; None for what came from elsewhere."""
        if variable is not None:
            return _at(self._environment.data, path)
        return None if path in self._document.interpolated else _at(self._document.data, path)

    def _mark(self, path: ConfigPath, *, at_key: bool) -> Mark | None:
        """The value's place, or the nearest enclosing key's when the path itself is not written."""
        if path in self._document.values:
            return (self._document.keys if at_key else self._document.values).get(path)
        for length in range(len(path) - 1, 0, -1):
            outer = path[:length]
            mark = self._document.keys.get(outer) or self._document.values.get(outer)
            if mark is not None:
                return mark
        return None

    def _variable(self, path: ConfigPath) -> str | None:
        if path in self._document.values:
            return None
        return next(
            (name for start, name in self._environment.origins.items() if path[: len(start)] == start), None
        )


def _paths(data: Mapping[str, Any], path: ConfigPath) -> Iterator[ConfigPath]:
    for key, value in data.items():
        inner = (*path, key)
        if isinstance(value, Mapping):
            yield from _paths(value, inner)
        else:
            yield inner


def _at(data: object, path: ConfigPath) -> object:
    """The value at a path; None where there is none."""
    here: Any = data
    for part in path:
        if isinstance(here, dict):
            here = here.get(part)
        elif isinstance(here, list) and isinstance(part, int) and part < len(here):
            here = here[part]
        else:
            return None
    return here
