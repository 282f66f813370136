"""Where things are, and where they may be."""
