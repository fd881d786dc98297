import os
import signal
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import support  # noqa: E402

# pytest-xdist's processes ignore SIGINT, and so would every program started from one.
signal.signal(signal.SIGINT, signal.default_int_handler)

kill_any = os.kill


def kill_one(pid, number):
    """A status tells pid 0 for a seat without a process; to kill(2) that is the group of whoever runs the tests."""
    if pid <= 1:
        raise ProcessLookupError(f"pid {pid} is no process of a test")
    kill_any(pid, number)


os.kill = kill_one


def pytest_runtest_logreport(report):
    """Names a failure at once: of a run that is ended by its time nothing else would tell."""
    if report.failed and "PYTEST_XDIST_WORKER" not in os.environ:
        print(f"\n{report.nodeid} failed in {report.when}", file=sys.stderr, flush=True)


@pytest.fixture
def folder():
    """A private folder for one test, with a short path."""
    with support.private_folder() as path:
        yield path
        support.assert_nothing_runs_in(path)


@pytest.fixture
def place(folder):
    return support.installation_environment(folder)
