"""Mapping tests: records and their expected outcomes, in files beside the configuration.

How this works

    shop.test.yaml ──► files ──► MappingTest: a record + the expected outcomes
                         │ keys        │
                         ▼             ▼
                  faults, exit 78    runner ──► the routes of the configuration map the record
                                       │                        │
                                       │                  actual outcomes
                                       ▼                        │
                                  differences  ◄────────────────┤
                                  coverage     ◄────────────────┘

    keys      which keys a test file may have, and how each value is read
    files     reads the tests and checks them against the objects of the configuration
    runner    maps each record and compares the outcomes
    coverage  fields and outcomes of a route that no test covers

Words: an *outcome* is one of upsert, delete, filtered, dead_letter. A record may have several: one
for each route, and one for each change of a route. A *difference* is one value that is not the
expected one, with the place in the test file where the expected one is written.

Only members that a test writes are compared. The exception is `record`, which is the whole row: a
field that it lacks is a difference.

What may never happen: a test depends on the clock, on another test or on the network. The present
is the test's own `timestamp`; without one no time is in the future. The versions of earlier tests
are forgotten before each record.
"""
