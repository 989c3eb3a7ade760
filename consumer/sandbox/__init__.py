"""The doubles we ship: a Data Cloud tenant, an embedded broker, a manual clock, sample records."""
