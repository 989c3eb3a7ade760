"""Measures the cost of records that the tenant rejects, in requests and throughput.

`python -m bench.poison` prints the table of `bench/README.md`. The daemon is real; tenant, Kafka
and clock are simulated, so the times are virtual.
"""

from __future__ import annotations

import logging

import structlog

from tests.simulation.trouble import POISON, carry

RECORDS = 240_000
VALIDATIONS = {"names them": POISON, "does not help": f"test status=500; {POISON}"}
"""Whether the tenant's validation call names the rejected records."""


def main() -> None:
    """Print the table."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    clean = carry(RECORDS)
    print("| rejected | validation | dead letters | requests per dead letter | throughput |")
    print("|---|---|---|---|---|")
    print(f"| none | | 0 | | {RECORDS / clean.duration_s:,.0f} records/s |")
    for name, every in (("1 in 3,000", 3_000), ("1 in 1,000", 1_000), ("1 in 100", 100)):
        for validation, faults in VALIDATIONS.items():
            poisoned = carry(RECORDS, every, faults=faults)
            dead_letters = poisoned.letters
            each = (poisoned.requests - clean.requests) / dead_letters
            share = clean.duration_s / poisoned.duration_s
            print(f"| {name} | {validation} | {dead_letters:,} | {each:.1f} | {share:.0%} |")


if __name__ == "__main__":
    main()
