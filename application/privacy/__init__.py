"""Keeping to privacy policies on the way of requests."""
