"""Change event to encoded object change: connector schema, field rules, value conversion, key and version."""
