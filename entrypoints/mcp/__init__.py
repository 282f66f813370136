"""The tools of this installation as an MCP server."""
