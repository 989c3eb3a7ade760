"""Schema registry: the schemas that records name, asked for once each."""
