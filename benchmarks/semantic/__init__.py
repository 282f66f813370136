"""Verified reuse measured, and its prior learned, on question pairs that stay outside of the repository."""
