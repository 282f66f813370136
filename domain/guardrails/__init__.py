"""What is checked in what callers send and get, and what a check may say."""
