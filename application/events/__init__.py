"""Publishing what happened: making events, who wants them, and following them."""
