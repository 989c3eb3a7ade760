"""The token dance: assertion, login and exchange without I/O.

And the single-flight provider that runs them.
"""
