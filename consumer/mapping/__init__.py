"""Change event to encoded object change.

Connector schema, field rules, value conversion, key and version.
"""
