"""What records that the tenant refuses cost: requests and throughput, in virtual time.

`python -m bench.poison` prints the table of `bench/README.md`. The daemon is whole; tenant, log
and clock are doubles.
"""

from __future__ import annotations

import logging

import structlog

from tests.simulation.trouble import POISON, carry

RECORDS = 240_000
WAYS = {"names them": POISON, "does not help": f"test status=500; {POISON}"}
"""What the tenant's validation call does about the records at fault."""


def main() -> None:
    """Print the table."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    clean = carry(RECORDS)
    print("| refused | validation | letters | requests for each | throughput |")
    print("|---|---|---|---|---|")
    print(f"| none | | 0 | | {RECORDS / clean.duration_s:,.0f} records/s |")
    for name, every in (("1 in 3,000", 3_000), ("1 in 1,000", 1_000), ("1 in 100", 100)):
        for way, faults in WAYS.items():
            poisoned = carry(RECORDS, every, faults=faults)
            each = (poisoned.requests - clean.requests) / poisoned.letters
            share = clean.duration_s / poisoned.duration_s
            print(f"| {name} | {way} | {poisoned.letters:,} | {each:.1f} | {share:.0%} |")


if __name__ == "__main__":
    main()
