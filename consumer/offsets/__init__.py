"""Per partition and assignment epoch: the low watermark over what is still open, and when to commit it."""
