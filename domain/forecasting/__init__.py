"""What comes next, from what was: weekday profile times level, with intervals from its own past errors."""
