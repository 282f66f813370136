"""The shape of the house: which rooms there are, how large, under which names."""

import ast
import importlib.metadata

from domain.errors import InterchangeError
from tests.architecture.repository import (
    ROOMS,
    modules,
    name_of,
    naming,
    statements,
    text,
    tracked_files,
    tree,
)
from tests.architecture.repository import ROOT as REPOSITORY

TOP_LEVEL_PYTHON = {*ROOMS, "tests", "benchmarks"}
TOP_LEVEL_OTHERS = {
    ".ci",
    ".dockerignore",
    ".gitignore",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "Dockerfile",
    "Makefile",
    "README.md",
    "SECURITY.md",
    "deploy",
    "docker-compose.yml",
    "docs",
    "package-lock.json",
    "package.json",
    "pyproject.toml",
    "requirements",
}
NAMES_THAT_SAY_NOTHING = {
    "utils",
    "util",
    "helpers",
    "helper",
    "managers",
    "manager",
    "services",
    "common",
    "misc",
}
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70


def test_the_top_level_holds_only_what_has_a_place_there() -> None:
    found = {path.relative_to(REPOSITORY).parts[0] for path in tracked_files()}

    assert found <= TOP_LEVEL_PYTHON | TOP_LEVEL_OTHERS


def test_every_name_says_what_is_inside() -> None:
    empty = [
        name_of(path)
        for path in modules(*TOP_LEVEL_PYTHON)
        if NAMES_THAT_SAY_NOTHING & {*path.relative_to(REPOSITORY).parts[:-1], path.stem}
    ]

    assert not empty


def test_no_file_is_longer_than_a_sitting() -> None:
    long = {
        name_of(path): lines
        for path in modules(*TOP_LEVEL_PYTHON)
        if (lines := len(text(path).splitlines())) > FILE_LINES_MAX
    }

    assert not long


def test_no_function_is_longer_than_a_screen() -> None:
    long = {
        f"{name_of(path)}:{node.lineno} {node.name}": lines
        for path in modules(*TOP_LEVEL_PYTHON)
        if "migrations/versions" not in name_of(path)  # one table after the other, never edited again
        if text(path).count("\n") > FUNCTION_LINES_MAX
        for node in statements(path)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES_MAX
    }

    assert not long


def test_no_dependency_brings_a_package_of_our_names() -> None:
    ours = {"interchange"}
    distributions = importlib.metadata.packages_distributions()
    for room in ROOMS:
        owners = set(distributions.get(room, []))
        assert owners <= ours, f"{room} is also shipped by {owners - ours}"


def test_error_codes_are_unique_unless_inherited() -> None:
    codes: dict[str, type[InterchangeError]] = {}
    pending = [InterchangeError]
    while pending:
        error = pending.pop()
        pending.extend(error.__subclasses__())
        if "code" in vars(error):
            assert error.code not in codes, f"{error.__name__} and {codes[error.code].__name__}: {error.code}"
            codes[error.code] = error
        assert error.code.replace("_", "").isalpha() and error.code.islower()


def test_nothing_unfinished_is_shipped() -> None:
    unfinished = [
        f"{name_of(path)}:{number}"
        for path in modules("domain", "application", "adapters", "entrypoints")
        for number, line in enumerate(text(path).splitlines(), 1)
        if any(mark in line for mark in ("TODO", "FIXME", "XXX", "raise NotImplementedError"))
    ]

    assert not unfinished


def test_no_wait_forgets_that_it_was_cancelled() -> None:
    """As `asyncio.wait_for` does before Python 3.12 when what it waits for is done at the same moment; within
    `asyncio.timeout` nothing is forgotten."""
    forgetful = [
        f"{name_of(path)}:{node.lineno}"
        for path in naming(["wait_for"], "domain", "application", "adapters", "entrypoints")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute | ast.Name)
        and ast.unparse(node) in {"wait_for", "asyncio.wait_for"}
    ]

    assert not forgetful
