"""The job-shaped destinations: rows gathered on disk, written as CSV, and sent as one job."""
