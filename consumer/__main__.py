"""Run the command with `python -m consumer`, the same as `datacloud-consumer`."""

from consumer.cli import main

main()
