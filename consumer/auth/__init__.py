"""The token dance: assertion, login and exchange without I/O, and the single-flight provider that runs them."""
