"""How the daemon says what it is doing: health, metrics, status page, log set-up."""
