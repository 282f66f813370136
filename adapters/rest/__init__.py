"""REST APIs as integrations, described by data."""
