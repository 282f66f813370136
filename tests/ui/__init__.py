"""The pages of `/ui` in a real browser."""
