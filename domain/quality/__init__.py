"""How good answers are: what kind of task they were for, what checks find in them, what is learned of it."""
