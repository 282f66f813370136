"""What is kept of prompts and answers, for whom and how long: nothing, unless somebody asked for it."""
