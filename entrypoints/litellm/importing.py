"""From the text of a LiteLLM `config.yaml` to a configuration of ours that a server can run on."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from pydantic import ValidationError

from domain.catalog.offering import Catalog
from domain.errors import InvalidRequest
from entrypoints.config.root import Settings
from entrypoints.config.validation import errors_of, path_of, sentence
from entrypoints.config.yaml_document import read_yaml
from entrypoints.litellm.deployments import Deployments
from entrypoints.litellm.draft import Draft
from entrypoints.litellm.remaining import read_remaining
from entrypoints.litellm.report import Report
from entrypoints.litellm.routing import add_aliases, make_routes, read_routing
from entrypoints.provisioning import ProvisioningError, provision

_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_STAND_IN: Final = "https://stands-for-a-variable.invalid/v1"
"""What any variable is read as while the result is tried: good as a key and as an address."""
_ROUTE_PROBLEM: Final = re.compile(r"routes\.(.+)\.targets\[(\d+)\]")


def read_config(text: str, origin: str) -> tuple[Draft, Report]:
    """What the file says, in our words.

    Raises:
        InvalidRequest: it is not a YAML mapping; says where it stops being one.
    """
    document = read_yaml(text.replace("${", "$${"), origin=origin, environ={})
    if document.problems:
        raise InvalidRequest("; ".join(str(problem) for problem in document.problems[:5]), param="config")
    lines = {path: mark.line for path, mark in {**document.values, **document.keys}.items()}
    draft, report = Draft(), Report(lines)
    data = document.data
    Deployments(draft, report, _credentials(data)).read(data.get("model_list"))
    make_routes(draft, read_routing(data, report, draft), report)
    router = data.get("router_settings")
    if isinstance(router, Mapping):
        path = ("router_settings", "model_group_alias")
        add_aliases(draft, router.get("model_group_alias"), path, report)
    read_remaining(data, draft, report)
    if not draft.providers:
        report.attention(("model_list",), "no deployment could be taken; the result has no providers")
    return draft, report


def _credentials(data: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    entries = data.get("credential_list")
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, Mapping) and isinstance(entry.get("credential_values"), Mapping):
            found[str(entry.get("credential_name"))] = entry["credential_values"]
    return found


def variables_of(document: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the variables the result needs, sorted."""
    names: set[str] = set()

    def look(value: Any) -> None:
        if isinstance(value, str):
            names.update(_VARIABLE.findall(value.replace("$${", "")))
        elif isinstance(value, Mapping):
            for inner in value.values():
                look(inner)
        elif isinstance(value, list):
            for inner in value:
                look(inner)

    look(document)
    return tuple(sorted(names))


def make_usable(draft: Draft, report: Report, catalog: Catalog, environ: Mapping[str, str]) -> None:
    """Tries the result as a server would, and takes out what would keep it from starting, telling so."""
    for _ in range(len(draft.providers) + len(draft.routes) + 2):
        problems = _problems(draft.document(), catalog, environ)
        if not problems:
            return
        changed = False
        for problem in problems:
            changed |= _take_out(draft, report, problem)
        if not changed:
            for problem in problems:
                report.attention((), problem)
            return


def _problems(document: Mapping[str, Any], catalog: Catalog, environ: Mapping[str, str]) -> list[str]:
    stand_ins = dict.fromkeys(variables_of(document), _STAND_IN)
    try:
        settings = Settings.model_validate(_filled(document, stand_ins))
        provision(settings, catalog, environ, simulator_url=None)
    except ValidationError as error:
        return [
            f"{'.'.join(str(part) for part in path_of(details))}: {sentence(details, written=None)}"
            for details in errors_of(error)
        ]
    except ProvisioningError as error:
        return list(error.problems)
    return []


def _filled(value: Any, environ: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return _VARIABLE.sub(lambda match: environ.get(match.group(1), ""), value)
    if isinstance(value, Mapping):
        return {name: _filled(inner, environ) for name, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, environ) for inner in value]
    return value


def _take_out(draft: Draft, report: Report, problem: str) -> bool:
    """Whether something was taken out for this problem."""
    route = _ROUTE_PROBLEM.search(problem)
    if route is not None and route[1] in draft.routes:
        targets = draft.routes[route[1]]["targets"]
        if int(route[2]) < len(targets):
            return _without(draft, report, targets[int(route[2])]["target"], problem)
    for name in sorted(draft.providers, key=len, reverse=True):
        if f"providers.{name}." in problem or problem.startswith(f"providers.{name}:"):
            del draft.providers[name]
            report.attention(("model_list",), f"provider {name!r} is left out: {problem}")
            _drop_targets(draft, f"{name}/".__eq__, of_provider=True)
            return True
    for name in sorted(draft.routes, key=len, reverse=True):
        if problem.startswith((f"routes.{name}.", f"routes.{name}:")):
            del draft.routes[name]
            report.attention(("model_list",), f"route {name!r} is left out: {problem}")
            return True
    return False


def _without(draft: Draft, report: Report, target: str, problem: str) -> bool:
    report.attention(("model_list",), f"target {target!r} is left out: {problem}")
    _drop_targets(draft, target.__eq__)
    return True


def _drop_targets(draft: Draft, gone: Callable[[str], bool], *, of_provider: bool = False) -> None:
    def asked(target: str) -> str:
        return target.partition("/")[0] + "/" if of_provider else target

    for name in list(draft.routes):
        kept = [one for one in draft.routes[name]["targets"] if not gone(asked(one["target"]))]
        if kept:
            draft.routes[name]["targets"] = kept
        else:
            del draft.routes[name]
