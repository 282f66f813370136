"""Tools of the Responses API said as functions, and calls of those functions said back as what they were.

What the caller runs itself has a counterpart: functions, custom (freeform) tools as functions with one text,
the local shell as a function with a command, and namespaces as a prefix of names. What the provider runs
(search, files, code, images, MCP, computers) has none anywhere else: beside tools of the caller's own it is
left out and named, alone it is refused.
"""

from typing import Any, Final, NamedTuple

import msgspec

from adapters.wire.chat_parts import NO_PARAMETERS
from adapters.wire.pivot_codec import Draft, Json
from adapters.wire.responses_head import RUN_BY_CALLER

LOCAL_SHELL: Final = "local_shell"
NAMESPACE_JOINT: Final = "__"
_CUSTOM_PARAMETERS: Final[Json] = {
    "type": "object",
    "properties": {"input": {"type": "string", "description": "The whole input of the tool, as plain text."}},
    "required": ["input"],
    "additionalProperties": False,
}
_SHELL_PARAMETERS: Final[Json] = {
    "type": "object",
    "properties": {
        "command": {"type": "array", "items": {"type": "string"}, "description": "The command, as argv."},
        "working_directory": {"type": "string"},
        "timeout_ms": {"type": "integer"},
        "env": {"type": "object", "additionalProperties": {"type": "string"}},
    },
    "required": ["command"],
}


class Called(NamedTuple):
    """What the function of a name stands for: `function`, `custom` or `local_shell`, and its own name."""

    kind: str
    name: str
    namespace: str = ""


def functions_of(tools: list[Any], draft: Draft) -> list[Json]:
    """The tools as chat has them; others are noted as dropped.

    Raises UpstreamFailed (CALLER_FAULT) when none of them has a counterpart.
    """
    if tools and not any(tool.get("type") in RUN_BY_CALLER for tool in tools):
        raise draft.refuse(without_counterpart(0, str(tools[0].get("type"))))
    found: list[Json] = []
    for tool in tools:
        if tool.get("type") not in RUN_BY_CALLER:
            draft.drop(f"tools.{tool.get('type')}")
        elif tool["type"] == "namespace":
            found += [_function(inner, tool["name"] + NAMESPACE_JOINT) for inner in tool["tools"]]
        else:
            found.append(_function(tool, ""))
    return found


def without_counterpart(place: int, kind: str) -> str:
    """The sentence that refuses a tool."""
    return (
        f"tools[{place}].type: {kind!r} is run by providers of the Responses API only and has no counterpart "
        f"at the one this goes to; leave it out, or ask for a model of such a provider"
    )


def _function(tool: Json, prefix: str) -> Json:
    kind = tool["type"]
    if kind == LOCAL_SHELL:
        described = "Runs a command on the user's machine and returns its output."
        function: Json = {"name": LOCAL_SHELL, "description": described, "parameters": _SHELL_PARAMETERS}
    else:
        function = {"name": prefix + tool["name"], "description": tool.get("description") or ""}
        if kind == "custom":
            function["description"] = (function["description"] + _grammar(tool.get("format") or {})).strip()
            function["parameters"] = _CUSTOM_PARAMETERS
        else:
            function["parameters"] = tool.get("parameters") or NO_PARAMETERS
            if tool.get("strict"):
                function["strict"] = True
    if not function["description"]:
        del function["description"]
    return {"type": "function", "function": function}


def _grammar(form: Json) -> str:
    if form.get("type") != "grammar":
        return ""
    return f"\n\nThe input has to follow this {form.get('syntax')} grammar:\n{form.get('definition')}"


def choice_of(choice: Any, draft: Draft) -> Any:
    """`tool_choice` as chat has it. Raises UpstreamFailed for a tool without a counterpart."""
    if isinstance(choice, str):
        return choice
    kind = choice.get("type")
    if kind == "allowed_tools":
        allowed = [_named(tool, draft) for tool in choice["tools"]]
        return {"type": kind, kind: {"mode": choice.get("mode") or "auto", "tools": allowed}}
    return _named(choice, draft)


def _named(choice: Json, draft: Draft) -> Json:
    kind = choice.get("type")
    if kind not in RUN_BY_CALLER or kind == "namespace":
        raise draft.refuse(f"tool_choice.type: {kind!r} has no counterpart at this provider")
    name = LOCAL_SHELL if kind == LOCAL_SHELL else function_name(choice)
    return {"type": "function", "function": {"name": name}}


def function_name(item: Json) -> str:
    """The function a tool, a choice or a call of this name and namespace is known by upstream."""
    namespace = item.get("namespace")
    name: str = item["name"]
    return f"{namespace}{NAMESPACE_JOINT}{name}" if namespace else name


def called_names(tools: list[Any]) -> dict[str, Called]:
    """By function name, those tools that are called back as something else than a plain function."""
    found: dict[str, Called] = {}
    for tool in tools:
        match tool.get("type"):
            case "custom":
                found[tool["name"]] = Called("custom", tool["name"])
            case "local_shell":
                found[LOCAL_SHELL] = Called(LOCAL_SHELL, LOCAL_SHELL)
            case "namespace":
                for inner in tool["tools"]:
                    name = tool["name"] + NAMESPACE_JOINT + inner["name"]
                    found[name] = Called(inner.get("type") or "function", inner["name"], tool["name"])
    return found


def arguments_of(item: Json) -> str:
    """A call in the conversation as the arguments of its function, JSON text."""
    match item["type"]:
        case "custom_tool_call":
            return msgspec.json.encode({"input": item["input"]}).decode()
        case "local_shell_call":
            action = item["action"]
            said = {name: action[name] for name in _SHELL_PARAMETERS["properties"] if action.get(name)}
            return msgspec.json.encode(said).decode()
    arguments: str = item.get("arguments") or ""
    return arguments


def custom_input(arguments: str) -> str:
    """The text a custom tool is called with; arguments that are not as agreed are given as they are."""
    found = _object(arguments)
    text = found.get("input") if found is not None else None
    return text if isinstance(text, str) else arguments


def shell_action(arguments: str) -> Json:
    """What the local shell shall do."""
    found = _object(arguments) or {}
    command = found.get("command")
    if isinstance(command, str):
        command = ["bash", "-lc", command]
    action: Json = {"type": "exec", "command": command or [], "env": found.get("env") or {}}
    for name in ("timeout_ms", "working_directory"):
        if found.get(name) is not None:
            action[name] = found[name]
    return action


def _object(arguments: str) -> Json | None:
    try:
        value = msgspec.json.decode(arguments or "{}")
    except (msgspec.DecodeError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
