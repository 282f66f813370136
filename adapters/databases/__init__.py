"""Databases as integrations: one connector over engines, an engine per wire."""
