"""What is out of the ordinary, for the time of the week it happened at."""
