"""Per partition and assignment epoch.

The low watermark over what is still open, and when to commit it.
"""
