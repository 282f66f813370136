"""Attacks: each known way in, and the answer it gets."""
