"""Kafka in: the consumer thread, rebalance hand-over, pause and resume, commits."""
