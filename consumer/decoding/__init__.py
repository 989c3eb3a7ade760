"""Bytes to change event: one file per format, compiled once per route."""
