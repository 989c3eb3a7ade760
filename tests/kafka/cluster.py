"""Three real brokers that replicate to each other, for tests of leader changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

from tests.kafka.administered import Administered
from tests.kafka.broker import KafkaBroker, new_cluster_id

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_PROPERTIES: Final[Mapping[str, str]] = {
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.replication.factor": "3",
    "min.insync.replicas": "1",
    "replica.lag.time.max.ms": "2000",
    "controller.quorum.election.timeout.ms": "500",
    "controller.quorum.fetch.timeout.ms": "1500",
    # Leaders stay where a test has put them.
    "auto.leader.rebalance.enable": "false",
}


class _OneOfSeveral(KafkaBroker):
    """A broker that forms a quorum with others."""

    def __init__(self, folder: Path, number: int, cluster_id: str) -> None:
        super().__init__(folder, {**_PROPERTIES, "node.id": str(number)}, heap_mb=256)
        self.voters = ""
        self._cluster_id = cluster_id

    def _format_options(self) -> list[str]:
        return ["-t", self._cluster_id]

    def _quorum(self) -> dict[str, str]:
        return {"controller.quorum.voters": self.voters}


class KafkaCluster(Administered):
    """Three brokers, numbered from 1, that are their own controllers.

    A `with` block starts and ends them.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        cluster_id = new_cluster_id()
        self.brokers = {
            number: _OneOfSeveral(folder / f"broker-{number}", number, cluster_id)
            for number in (1, 2, 3)
        }
        for broker in self.brokers.values():
            broker.voters = ",".join(
                f"{number}@{one.controller}" for number, one in self.brokers.items()
            )

    @property
    def bootstrap(self) -> str:
        """The value of `bootstrap.servers` for clients."""
        return ",".join(broker.bootstrap for broker in self.brokers.values())

    def kill(self, number: int) -> None:
        """Kill one broker like a power cut."""
        self.forget_administrator()
        self.brokers[number].kill()

    def start(self, number: int) -> None:
        """Start one broker again; returns when it accepts requests."""
        self.brokers[number].start()

    def __enter__(self) -> Self:
        for broker in self.brokers.values():
            broker.launch()
        for broker in self.brokers.values():
            broker.await_ready()
        return self

    def __exit__(self, *_: object) -> None:
        # A controller that shuts down cleanly waits for the others, the last one forever.
        for broker in self.brokers.values():
            broker.kill()
