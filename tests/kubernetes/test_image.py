"""The Dockerfile keeps its promises, and the image runs as a pod runs it."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from consumer import __version__
from tests.kafka.fleet import Fleet
from tests.kafka.judgement import await_the_end, judge
from tests.kafka.topics import topic_of
from tests.kafka.traffic import Traffic
from tests.kubernetes import image_tree
from tests.kubernetes.chart import ROOT
from tests.kubernetes.dockerfile import offences, pairs, stages
from tests.kubernetes.image_tree import ImageTree

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.kafka.broker import KafkaBroker

pytestmark = pytest.mark.timeout(600)

DOCKERFILE = ROOT / "Dockerfile"
TEXT = DOCKERFILE.read_text(encoding="utf-8")
OUR_PACKAGES = Path("opt/datacloud-consumer/lib/python3.11/site-packages")

needs_hadolint = pytest.mark.skipif(
    not (Path(sys.executable).parent / "hadolint").exists(),
    reason="no hadolint; `make test-kubernetes` installs it (requirements/kubernetes.txt)",
)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> ImageTree:
    """Return the file tree of the last stage."""
    if why := image_tree.cannot():
        pytest.skip(why)
    return ImageTree(DOCKERFILE, tmp_path_factory.mktemp("image"))


def run(image: ImageTree, words: Sequence[str], **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the image."""
    return subprocess.run(
        image.contained(words, environ=environ),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def hadolint(text: str) -> str:
    """Return the findings of hadolint."""
    answer = subprocess.run(
        [Path(sys.executable).parent / "hadolint", "--no-color", "-"],
        input=text, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return answer.stdout + answer.stderr


def test_it_keeps_its_promises() -> None:
    """Digest, stages, numeric user, entry point without a shell, hashes."""
    assert [] == offences(TEXT)


@pytest.mark.parametrize(
    ("there", "planted", "offence"),
    [
        ("@sha256:", ":latest #", "is not named by its digest"),
        ("USER 10001:10001", "USER root", "the user is not a number above 0"),
        ("USER 10001:10001", "USER 0:0", "the user is not a number above 0"),
        (
            'ENTRYPOINT ["datacloud-consumer"]',
            "ENTRYPOINT datacloud-consumer",
            "the entry point is not a list",
        ),
        (
            "--require-hashes --requirement requirements/run.txt",
            "-r requirements/run.txt",
            "installs without hashes",
        ),
        ("COPY consumer consumer", "ADD consumer consumer", "ADD consumer consumer"),
    ],
)
def test_a_broken_promise_is_seen(there: str, planted: str, offence: str) -> None:
    """The check itself fails for each planted fault."""
    assert there in TEXT
    assert any(offence in said for said in offences(TEXT.replace(there, planted)))


def test_labels_have_version_and_base() -> None:
    """The labels have the version of the sources and the base of the first line."""
    (labels,) = stages(TEXT)[-1].all("LABEL")
    found = {
        name.removeprefix("org.opencontainers.image."): text for name, text in pairs(labels).items()
    }
    tag, _, digest = stages(TEXT)[0].base.partition("@")
    assert (__version__, f"docker.io/library/{tag}", digest, "Apache-2.0") == (
        found["version"], found["base.name"], found["base.digest"], found["licenses"],
    )  # fmt: skip


def test_nothing_else_is_sent_to_the_builder() -> None:
    """.dockerignore allows exactly the files that the steps copy."""
    wanted = {
        word
        for stage in stages(TEXT)
        for text in stage.all("COPY")
        if "--from=" not in text
        for word in text.split()[:-1]
    }
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert wanted == {line.removeprefix("!") for line in lines if line.startswith("!")}
    assert "*" in lines


@needs_hadolint
@pytest.mark.kubernetes
def test_hadolint_finds_nothing() -> None:
    """Hadolint finds nothing."""
    assert "" == hadolint(TEXT)


@needs_hadolint
@pytest.mark.kubernetes
def test_hadolint_sees_a_planted_fault() -> None:
    """Hadolint really reads the file."""
    assert "DL3025" in hadolint(TEXT.replace('CMD ["run"]', "CMD run"))


@pytest.mark.kubernetes
def test_it_runs_as_a_user_without_rights(image: ImageTree) -> None:
    """It runs as a numeric user, and has no capabilities and cannot get any."""
    status = run(image, ["cat", "/proc/self/status"]).stdout
    found = dict(line.split(":", 1) for line in status.splitlines())
    assert ["10001"] * 4 == found["Uid"].split()
    assert {"0" * 16} == {found[name].strip() for name in ("CapEff", "CapPrm", "CapBnd", "CapInh")}
    assert "1" == found["NoNewPrivs"].strip()


@pytest.mark.kubernetes
@pytest.mark.parametrize("place", ["/", "/opt/datacloud-consumer", "/usr/local/lib", "/home"])
def test_nothing_can_be_written(image: ImageTree, place: str) -> None:
    """The root file system is read-only, not only owned by another user."""
    answer = run(image, ["touch", f"{place}/planted"])
    assert 0 != answer.returncode
    assert "Read-only file system" in answer.stderr


@pytest.mark.kubernetes
def test_all_of_it_is_compiled(image: ImageTree) -> None:
    """Our code, the libraries and Python itself are compiled, so no start compiles them."""
    packages = image.added / OUR_PACKAGES
    sources = [path for path in packages.rglob("*.py") if "{" not in str(path)]
    assert sources
    assert [] == [path for path in sources if not _compiled(path).exists()]
    assert _compiled(image.added / "usr/local/lib/python3.11/asyncio/base_events.py").exists()


@pytest.mark.kubernetes
@pytest.mark.parametrize("python", ["python", "/usr/local/bin/python"])
def test_no_installer_is_left(image: ImageTree, python: str) -> None:
    """Neither the daemon's environment nor the base has an installer."""
    tools = ("pip", "setuptools", "wheel", "uv", "hatchling", "ensurepip")
    asked = f"import importlib.util as u; print([name for name in {tools} if u.find_spec(name)])"
    assert "[]\n" == run(image, [python, "-c", asked]).stdout
    assert (
        ""
        == run(
            image, ["sh", "-c", "ls /opt/*/bin /usr/local/bin | grep -E '^(pip|uv|hatch|wheel)'"]
        ).stdout
    )


@pytest.mark.kubernetes
def test_it_is_this_version(image: ImageTree) -> None:
    """The installed version is that of these sources, which are not visible in the image."""
    answer = run(image, image.entry_point("--version"))
    assert __version__ in answer.stdout
    where = run(image, ["python", "-c", "import consumer; print(consumer.__file__)"]).stdout
    assert f"/{OUR_PACKAGES}/consumer/__init__.py\n" == where


@pytest.mark.kubernetes
def test_the_demonstration_runs_in_it(image: ImageTree) -> None:
    """Broker, tenant and daemon run with only /tmp writable, and the result is verified."""
    answer = run(image, image.entry_point("demo", "--records", "400"))
    assert 0 == answer.returncode, answer.stdout + answer.stderr


@pytest.mark.kafka
@pytest.mark.kubernetes
def test_the_daemon_runs_in_it_and_ends_well(
    image: ImageTree, kafka_broker: KafkaBroker, tmp_path: Path
) -> None:
    """It runs on a real broker with files mounted as in a pod, and receives SIGTERM itself."""
    topic = topic_of(kafka_broker, 2)
    kafka_broker.create_topic(f"{topic}.dead", 1)
    traffic = Traffic(kafka_broker.bootstrap, topic, 2, keys=500, seed=9)
    traffic.write(3_000)
    with Fleet(tmp_path, kafka_broker.bootstrap, topic) as fleet:
        shutil.chown(tmp_path / "secret.txt", 10001, 10001)
        tmp_path.chmod(0o755)
        place = "/run/pod"
        contained = image.contained(
            image.entry_point()[:1],
            {tmp_path: place},
            {"DATACLOUD_CONSUMER_CONFIG": f"{place}/consumer.yaml"},
        )
        pod = fleet.member("pod", program=contained)
        await_the_end(fleet, kafka_broker)
        pod.send(signal.SIGTERM)
        assert 0 == pod.ended(), pod.log.read_text()[-2000:]
        judge(fleet, kafka_broker, traffic)


def _compiled(path: Path) -> Path:
    return path.parent / "__pycache__" / f"{path.stem}.cpython-311.pyc"
