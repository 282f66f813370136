"""Upstream MCP servers as integrations."""
