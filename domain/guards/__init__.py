"""What ends an agent that runs away: stops, and the rules that make one by themselves."""
