"""A worker that hangs when its supervisor dies cannot hand its calls back: the next supervisor takes them out of it.

That needs pidfd_getfd and the right to trace the worker. Where this machine refuses either (a container's seccomp
filter, Yama), these tests prove what is left: the calls are counted as lost, with the reason, and the others are exact.
"""

import functools
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from installation import disturbed_summary
from support import is_alive, is_listening, wait_until
from test_supervisor_death import Mortal

CALLS = 24

# Asks for the standard input of a process that is no descendant of whoever asks: as a supervisor stands to the workers
# of its dead predecessor.
TAKE = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
taken = libc.syscall(438, os.pidfd_open(int(sys.argv[1])), 0, 0)
sys.exit(0 if taken >= 0 else 1)
"""


@functools.cache
def may_take():
    with subprocess.Popen(["sleep", "600"], stdin=subprocess.DEVNULL) as other:
        try:
            return subprocess.run([sys.executable, "-c", TAKE, str(other.pid)], capture_output=True).returncode == 0
        finally:
            other.kill()


class Hanging(Mortal):
    """An installation whose workers can be told to hang (common/crash_point.hpp)."""

    def __init__(self, place, folder, workers=4, **settings):
        self.orders = folder / "crash"
        self.orders.mkdir()
        super().__init__(place, workers, AGENTLOCATOR_CRASH_DIR=str(self.orders), **settings)

    def hang(self, *points):
        for point in points:
            (self.orders / f"{point}.stop").touch()

    def obeyed(self):
        wait_until(lambda: not list(self.orders.iterdir()), lambda: f"nobody passed {os.listdir(self.orders)}")

    def live(self, calls):
        wait_until(lambda: self.status()["calls"]["live"] == calls, "all calls live")


def is_stopped(pid):
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def stop(pid):
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: is_stopped(pid), "it stops")


def hang_up(load, installation, lost):
    """All callers hang up. Streams were exact, but for `lost` of them, which ended early and were connected again."""
    load.send(signal.SIGTERM)
    if lost == 0:
        disturbed_summary(load)
    else:
        load.wait(120)
        frames = json.loads(load.output[load.output.index("{"):])["frames"]
        assert frames["repeated"] == frames["reordered"] == frames["corrupt"] == 0
    wait_until(lambda: installation.ask()["calls"]["live"] == 0, "a call is left in the slab")
    assert installation.ask()["calls"]["lost"] == lost


def test_calls_of_a_worker_that_hangs_go_on(place, folder):
    with Hanging(place, folder) as installation, installation.load(600, CALLS) as load:
        installation.live(CALLS)
        victim = max(installation.serving(), key=lambda worker: worker["calls"])
        installation.kill()
        stop(victim["pid"])
        installation.start()
        status = installation.whole()
        assert not is_alive(victim["pid"]) and victim["calls"] > 0
        told = installation.process.wait_for(r"event=worker_not_adopted slot=\d+ pid=(\d+) cause=(.*)")
        assert int(told[1]) == victim["pid"]
        assert ("go on elsewhere" if may_take() else "ptrace_scope") in told[2]
        assert status["calls"]["lost"] == (0 if may_take() else victim["calls"])
        hang_up(load, installation, status["calls"]["lost"])


@pytest.mark.parametrize("points", [("after_receive", "step_filled", "after_send"),
                                    ("hand_back_begun", "before_keep", "before_send")], ids=["work", "telling"])
def test_wherever_workers_hang_every_byte_is_right(place, folder, points):
    """All but one of them, each at another instruction."""
    with Hanging(place, folder) as installation, installation.load(600, CALLS) as load:
        installation.live(CALLS)
        before = {worker["pid"]: worker["calls"] for worker in installation.serving()}
        installation.kill()
        installation.hang(*points)
        installation.start()
        installation.obeyed()
        status = installation.whole()
        ended = [pid for pid in before if not is_alive(pid)]
        assert len(ended) == 3
        # What a worker told before it hung is kept without its help.
        assert status["calls"]["lost"] == 0 if may_take() else status["calls"]["lost"] > 0
        hang_up(load, installation, status["calls"]["lost"])


def test_the_only_worker_hangs_and_its_replacement_goes_on(place, folder):
    """Nobody is left to hand over the slab and the listening socket: they are taken, too."""
    with Hanging(place, folder, workers=1) as installation, installation.load(600, CALLS) as load:
        installation.live(CALLS)
        (victim,) = installation.pids()
        instance = installation.ask()["instance"]
        installation.kill()
        stop(victim)
        installation.start()
        status = installation.whole()
        assert installation.pids() != {victim} and is_listening(installation.port)
        assert (status["instance"] == instance) == may_take()
        if may_take():
            hang_up(load, installation, lost=0)


def test_where_nothing_may_be_taken_the_calls_are_counted_and_the_reason_is_said(place, folder):
    with Hanging(place, folder, AGENTLOCATOR_NO_PIDFD_GETFD="1") as installation:
        with installation.load(600, CALLS) as load:
            installation.live(CALLS)
            victim = max(installation.serving(), key=lambda worker: worker["calls"])
            installation.kill()
            stop(victim["pid"])
            installation.start()
            assert installation.whole()["calls"]["lost"] == victim["calls"] > 0
            assert re.search(r"event=worker_not_adopted .*its calls end: .*ptrace_scope", installation.process.output)
            hang_up(load, installation, lost=victim["calls"])


def test_more_descriptors_than_a_shell_allows_can_be_handed_back(place, folder):
    """A soft limit is for select(); calls come back before anybody could have raised it."""
    with Hanging(place, folder, workers=2) as installation, installation.load(600, CALLS) as load:
        installation.live(CALLS)
        before = installation.pids()
        installation.kill()
        installation.start(limit=16)
        wait_until(lambda: installation.pids() == before, "both are adopted")
        hang_up(load, installation, lost=0)
