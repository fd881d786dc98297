"""A call survives the process that carries it (promises P3 and P4): the real supervisor, real workers, numbered frames.

The load is `agentlocator call --unique`: every frame has an id, so a loss, a repeat, a change or a wrong order shows.
"""

import os
import random
import signal
import socket
import time

import pytest
from installation import Installation, done_lines, summary
from media_client import MediaClient, media
from support import is_alive, wait_until

CALLS = 40
SEED = int(os.environ.get("AGENTLOCATOR_SEED", "1"))


def test_live_calls_spread_evenly(place):
    with Installation(place) as installation, installation.load(seconds=4, calls=100) as load:
        carried = wait_until(lambda: (lambda c: c if sum(c) == 100 else None)(
            [worker["calls"] for worker in installation.serving()]), "100 live calls")
        assert min(carried) >= 20 and max(carried) <= 30, carried
        summary(load)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT], ids=["kill", "segv", "abort"])
def test_calls_survive_the_death_of_their_workers(place, number):
    chance = random.Random(SEED)
    with Installation(place) as installation, installation.load(seconds=8) as load:
        wait_until(lambda: installation.status()["calls"]["live"] == CALLS, "all calls live")
        kills = 0
        end = time.monotonic() + 6
        while time.monotonic() < end:
            alive = [worker["pid"] for worker in installation.serving()]
            if len(alive) > 1:
                os.kill(chance.choice(alive), number)
                kills += 1
            time.sleep(chance.uniform(0.1, 0.4))
        result = summary(load)
        assert kills >= 5
        assert result["calls_healthy"] == CALLS
        wait_until(lambda: len(done_lines(installation)) == CALLS, lambda: f"{len(done_lines(installation))} WS_DONE")
        assert len(set(done_lines(installation))) == CALLS


def test_the_only_worker_dies_and_its_replacement_goes_on(place):
    with Installation(place, workers=1) as installation, installation.load(seconds=6, calls=10) as load:
        wait_until(lambda: installation.status()["calls"]["live"] == 10, "all calls live")
        for _ in range(3):
            (worker,) = wait_until(installation.serving, "a worker serves")
            os.kill(worker["pid"], signal.SIGKILL)
            wait_until(lambda: [w for w in installation.serving() if w["pid"] != worker["pid"]], "a new worker")
        summary(load)


def test_a_hung_worker_is_found_and_its_calls_go_on(place):
    with Installation(place, HANG_TIMEOUT_MS="1000") as installation, installation.load(seconds=8) as load:
        wait_until(lambda: installation.status()["calls"]["live"] == CALLS, "all calls live")
        victim = installation.serving()[0]["pid"]
        os.kill(victim, signal.SIGSTOP)
        wait_until(lambda: not is_alive(victim), "the hung worker is killed")
        summary(load)


def test_a_caller_who_hangs_up_while_nobody_carries_him_ends_like_any_other(place):
    """His FIN lies in the kernel when the worker dies; the kernel counts it as a byte."""
    with Installation(place, workers=1, HANG_TIMEOUT_MS="60000") as installation, \
            MediaClient(installation.port) as client:
        client.begin()
        client.send(media())
        while client.message()["event"] != "media":
            pass
        (worker,) = installation.serving()
        os.kill(worker["pid"], signal.SIGSTOP)
        client.send(media())
        client.socket.shutdown(socket.SHUT_WR)
        os.kill(worker["pid"], signal.SIGKILL)
        installation.process.wait_for(r"WS_DONE sid=\S+ rx=2 ")
        assert installation.status()["calls"]["lost"] == 0
        assert "adoption_failed" not in installation.process.output


def test_a_rolling_restart_moves_every_call(place):
    with Installation(place) as installation, installation.load(seconds=8) as load:
        wait_until(lambda: installation.status()["calls"]["live"] == CALLS, "all calls live")
        before = {worker["pid"] for worker in installation.serving()}
        installation.command("restart", "all", "--rolling")
        wait_until(lambda: len(installation.serving()) == 4 and
                   not before & {worker["pid"] for worker in installation.serving()}, "four new workers")
        assert installation.status()["calls"]["live"] == CALLS
        summary(load)


def test_scaling_down_moves_calls_and_up_takes_new_ones(place):
    with Installation(place) as installation, installation.load(seconds=8) as load:
        wait_until(lambda: installation.status()["calls"]["live"] == CALLS, "all calls live")
        installation.command("scale", "2")
        wait_until(lambda: len(installation.status()["workers"]) == 2, "two workers left")
        installation.command("scale", "4")
        wait_until(lambda: len(installation.serving()) == 4, "four workers again")
        summary(load)


def test_nothing_leaks_over_many_take_overs(place):
    with Installation(place) as installation:
        supervisor = installation.status()["pid"]

        def descriptors():
            return len(os.listdir(f"/proc/{supervisor}/fd"))

        with installation.load(seconds=1, calls=5) as load:
            summary(load)
        wait_until(lambda: installation.status()["calls"]["live"] == 0, "no calls")
        before = descriptors()
        with installation.load(seconds=6) as load:
            wait_until(lambda: installation.status()["calls"]["live"] == CALLS, "all calls live")
            for _ in range(10):
                alive = [worker["pid"] for worker in installation.serving()]
                os.kill(random.choice(alive), signal.SIGKILL)
                time.sleep(0.2)
            summary(load)
        wait_until(lambda: installation.status()["calls"]["live"] == 0 and len(installation.serving()) == 4, "quiet")
        wait_until(lambda: descriptors() <= before, lambda: f"{descriptors()} descriptors, {before} before")
