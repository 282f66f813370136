"""The overspend storm: many callers, several instances, everything that breaks, and a truthful bill."""
