"""Detectors of what is personal or secret in a text."""
