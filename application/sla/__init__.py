"""Watching objectives, judging alerts, and telling of them."""
