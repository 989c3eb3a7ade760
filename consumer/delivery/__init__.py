"""Batch to settled: request, verdict, backoff, rate, isolation, and the lanes that run them."""
