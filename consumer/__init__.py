"""Carries Kafka change-data-capture and event topics into Salesforce Data Cloud."""

__version__ = "0.1.0"
