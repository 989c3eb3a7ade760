"""Rollouts and scaling as a Deployment and KEDA do them, with processes under load.

The figures are those that the chart renders. No node is needed: stopping a pod is SIGTERM and a
grace period, and a started pod is ready when `/readyz` says so.
"""

from __future__ import annotations

import math
import signal
import subprocess
import time
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.kafka.fleet import OURS, Fleet, Process, await_that
from tests.kafka.judgement import await_the_end, judge, open_when_revoked
from tests.kafka.topics import topic_of
from tests.kafka.traffic import Traffic
from tests.kubernetes import previous
from tests.kubernetes.chart import ROOT, SCENARIOS, manifests, only, rendered

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.kafka.broker import KafkaBroker
    from tests.kubernetes.chart import Manifest

pytestmark = [pytest.mark.kafka, pytest.mark.kubernetes, pytest.mark.timeout(400)]

PER_SECOND = 600
PARTITIONS = 6
BUSY = {"batch_bytes": "20KB", "buffer_bytes": "2MB", "in_flight": "8"}
"""Small bodies and a small buffer, so that there are always unsettled records."""


class Terms(NamedTuple):
    """Settings of the chart for rollouts and scaling."""

    grace_s: int
    min_ready_s: int
    scaling: Manifest

    @property
    def lag_at_most(self) -> int:
        """Records that are written during one termination grace period."""
        return PER_SECOND * self.grace_s

    def next_pods(self, pods: int, lag: int) -> int:
        """Return the number of pods after the next step of KEDA and the HPA, for one topic."""
        per_pod = int(self.scaling["triggers"][0]["metadata"]["lagThreshold"])
        most = min(self.scaling["maxReplicaCount"], PARTITIONS)
        next_pods: int = min(max(math.ceil(lag / per_pod), self.scaling["minReplicaCount"]), most)
        behavior = self.scaling["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
        up, down = (
            max(_pods(policy, pods) for policy in behavior[way]["policies"])
            for way in ("scaleUp", "scaleDown")
        )
        return max(min(next_pods, pods + up), pods - down)


class Pods:
    """Members of one group as the pods of a Deployment, and the highest lag meanwhile."""

    def __init__(self, fleet: Fleet, broker: KafkaBroker, grace_s: int) -> None:
        self.running: list[Process] = []
        self.most_lag = 0
        self._fleet = fleet
        self._broker = broker
        self._grace_s = grace_s
        self._count = 0

    def lag(self) -> int:
        """Return the number of records that are written and not committed."""
        committed = self._broker.committed(self._fleet.group, self._fleet.topic)
        lag = sum(
            end - committed.get(part, 0)
            for part, end in self._broker.end_offsets(self._fleet.topic).items()
        )
        self.most_lag = max(self.most_lag, lag)
        return lag

    def add(self, count: int = 1, program: Sequence[str] = OURS, min_ready_s: int = 0) -> None:
        """Start pods, and wait until they are available and every partition has an owner."""
        started = []
        for _ in range(count):
            self._count += 1
            started.append(self._fleet.member(f"pod-{self._count}", program=program, **BUSY))
        self.running += started
        self._await(
            lambda: all(map(self._fleet.ready, started)) and self._is_dealt(),
            "the new pods are ready",
        )
        ready_since_s = time.monotonic()
        self._await(lambda: time.monotonic() - ready_since_s >= min_ready_s, "they are available")
        assert all(map(self._fleet.ready, started))

    def remove(self, pod: Process) -> None:
        """Stop a pod, which must end well within its grace period."""
        self.running.remove(pod)
        pod.send(signal.SIGTERM)
        self._await_end(pod)
        self._await(self._is_dealt, "others have its partitions")

    def replace(self, pod: Process, min_ready_s: int) -> None:
        """Stop a pod and start another at once; a Deployment does not wait for the end."""
        self.running.remove(pod)
        pod.send(signal.SIGTERM)
        self.add(min_ready_s=min_ready_s)
        self._await_end(pod)

    def _await_end(self, pod: Process) -> None:
        assert 0 == pod.ended(self._grace_s), pod.log.read_text()[-2000:]

    def judge(self, traffic: Traffic) -> None:
        """Check that no record is lost or repeated, and that pods stopped with open records."""
        counts = judge(self._fleet, self._broker, traffic) + open_when_revoked(self._fleet, traffic)
        assert 0 == counts["losses"] == counts["duplicates"]
        assert counts["revokes with records open"] >= 2, (
            "void: no pod was in the middle of anything"
        )

    def _is_dealt(self) -> bool:
        return sum(map(self._fleet.owned, self.running)) == PARTITIONS or not self.running

    def _await(self, condition: Callable[[], bool], what: str) -> None:
        await_that(lambda: self.lag() >= 0 and condition(), what)


@pytest.fixture
def terms(helm: Path) -> Terms:
    """Return the settings of the KEDA example."""
    assert helm.exists()
    found = manifests(rendered(SCENARIOS["keda"]))
    deployment = only(found, "Deployment")["spec"]
    assert {"maxSurge": 0, "maxUnavailable": 1} == deployment["strategy"]["rollingUpdate"]
    grace_s = deployment["template"]["spec"]["terminationGracePeriodSeconds"]
    return Terms(grace_s, deployment["minReadySeconds"], only(found, "ScaledObject")["spec"])


@pytest.fixture(scope="module")
def program_before(tmp_path_factory: pytest.TempPathFactory) -> Sequence[str]:
    """Return the previous version of the daemon."""
    found = previous.write(tmp_path_factory.mktemp("before"), ROOT / "consumer")
    if found is None:
        pytest.skip("no history of the chart here; a full clone has it")
    return ("env", f"PYTHONPATH={found.parent}", *OURS)


def test_a_rolling_update_loses_and_repeats_nothing(
    kafka_broker: KafkaBroker, tmp_path: Path, terms: Terms, program_before: Sequence[str]
) -> None:
    """Three pods of the previous version are replaced one by one, with a low lag."""
    topic = topic_of(kafka_broker, PARTITIONS)
    kafka_broker.create_topic(f"{topic}.dead", 1)
    traffic = Traffic(kafka_broker.bootstrap, topic, PARTITIONS, keys=3_000, seed=7)
    with Fleet(tmp_path, kafka_broker.bootstrap, topic, drain_ms=25_000) as fleet:
        fleet.faults("ingest delay=200ms")
        pods = Pods(fleet, kafka_broker, terms.grace_s)
        with traffic.flowing(PER_SECOND):
            pods.add(3, program_before)
            for pod in list(pods.running):
                pods.replace(pod, terms.min_ready_s)
        await_the_end(fleet, kafka_broker)
        for pod in list(pods.running):
            pods.remove(pod)
        pods.judge(traffic)

        assert pods.most_lag < terms.lag_at_most


def test_scaling_up_and_down_loses_and_repeats_nothing(
    kafka_broker: KafkaBroker, tmp_path: Path, terms: Terms
) -> None:
    """Pods scale from one to six and back by the lag, in the steps of KEDA and the HPA."""
    topic = topic_of(kafka_broker, PARTITIONS)
    kafka_broker.create_topic(f"{topic}.dead", 1)
    traffic = Traffic(kafka_broker.bootstrap, topic, PARTITIONS, keys=8_000, seed=8)
    traffic.write(60_000)
    with Fleet(tmp_path, kafka_broker.bootstrap, topic, drain_ms=25_000) as fleet:
        fleet.faults("ingest delay=500ms")
        pods = Pods(fleet, kafka_broker, terms.grace_s)
        seen = [1]
        with traffic.flowing(PER_SECOND):
            pods.add()
            while (next_pods := terms.next_pods(len(pods.running), pods.lag())) > len(pods.running):
                pods.add(next_pods - len(pods.running))
                seen.append(next_pods)
            assert [1, 3, 6] == seen
            await_that(lambda: terms.next_pods(6, pods.lag()) < 6, "the lag is low")
            pods.most_lag = 0
            while (next_pods := terms.next_pods(len(pods.running), pods.lag())) < len(pods.running):
                pods.remove(pods.running[-1])
                seen.append(next_pods)
            assert [1, 3, 6, 5, 4, 3, 2, 1] == seen
        await_the_end(fleet, kafka_broker)
        pods.remove(pods.running[0])
        pods.judge(traffic)

        assert pods.most_lag < terms.lag_at_most


def test_the_rule_of_steps_is_that_of_the_chart(terms: Terms) -> None:
    """Never above the partitions or below the minimum; up by two pods or 100 %, down by one."""
    assert [3, 4, 6] == [terms.next_pods(pods, 10**9) for pods in (1, 2, 4)]
    assert [1, 1, 5] == [terms.next_pods(pods, 0) for pods in (1, 2, 6)]


def test_the_previous_version_runs(program_before: Sequence[str], tmp_path: Path) -> None:
    """The previous version runs, not the sources of this folder."""
    *python, _, _ = program_before
    asked = [*python, "-c", "import consumer; print(consumer.__file__)"]
    found = subprocess.run(asked, capture_output=True, text=True, cwd=tmp_path, check=True).stdout
    assert not found.startswith(str(ROOT))
    assert found.endswith("before0/consumer/__init__.py\n")


def _pods(policy: Manifest, pods: int) -> int:
    """Return how many pods one policy allows to add or remove at once."""
    return (
        int(policy["value"])
        if policy["type"] == "Pods"
        else math.ceil(pods * policy["value"] / 100)
    )
