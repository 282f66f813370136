"""How a tool is called over MCP: `<integration>.<tool>`, at most 128 letters, digits, `.`, `_` and `-`.

Names of tools hold no dot, so the last one divides them.
"""


def mcp_name(integration_id: str, tool_name: str) -> str:
    return f"{integration_id}.{tool_name}"


def parts_of(name: str) -> tuple[str, str]:
    """Integration and tool; both empty for what is no such name."""
    integration_id, dot, tool_name = name.rpartition(".")
    return (integration_id, tool_name) if dot else ("", "")
