"""What an operator asks for beside the daemon: plans and findings as values, and the doing."""
