"""Every crash point in the source is hit in turn under load, in the real binaries, and every stream stays exact.

An order to die is a file in AGENTLOCATOR_CRASH_DIR (common/crash_point.hpp): one file, one death, whoever passes first.
The points are read from the source, so that a new one cannot be forgotten here.
"""

import contextlib
import os
import re
import signal
import time

import pytest
from installation import Installation, disturbed_summary, done_lines, exact
from media_client import SID, MediaClient, media
from support import BIN, ROOT, wait_until

CALLS = 40

# What makes a process pass there, once the order is given.
BY_FRAMES = ["before_receive", "after_receive", "before_keep", "after_keep", "before_send", "after_send", "step_filled",
             "step_committed"]
BY_NEW_CALLS = ["slot_claimed", "before_call_opened", "after_call_opened", "closing_untold", "closing_told",
                "closing_freed", "done_marked"]
BY_A_DEATH = ["adopt_begin", "adopt_half", "adopt_counted", "adopt_told"]
BY_ANOTHER_LAYOUT = ["adopt_unpacked"]  # In test_layouts.py.
BY_LEAVING = ["release_begin", "release_untold", "released"]
BY_A_SLOW_READER = ["between_sends"]
BY_A_DEATH_WITH_BYTES_IN_HAND = ["adopt_kept"]
BY_THE_SUPERVISORS_DEATH = ["hand_back_begun", "hand_back_done"]  # In test_supervisor_crash_points.py.

# Handled this long without harm, a call is no longer suspected of what killed its workers (worker/io/media_peer.cpp).
# Deaths come further apart here: it is not poison that is tested.
INNOCENT_AFTER = 2.2


def test_every_point_of_a_worker_is_hit_below():
    found = set()
    for folder in ("common", "worker"):
        for path in (ROOT / folder).rglob("*.?pp"):
            found.update(re.findall(r"^\s+CRASH_POINT\((\w+)\);", path.read_text(), re.MULTILINE))
    known = (BY_FRAMES + BY_NEW_CALLS + BY_A_DEATH + BY_LEAVING + BY_A_SLOW_READER + BY_A_DEATH_WITH_BYTES_IN_HAND +
             BY_THE_SUPERVISORS_DEATH + BY_ANOTHER_LAYOUT)
    assert len(known) == len(set(known))
    assert found == set(known)


def test_these_programs_have_crash_points():
    assert b"AGENTLOCATOR_CRASH_DIR" in (BIN / "agentlocator-worker").read_bytes(), (
        "these programs were built without crash points: cmake --preset check, or run_tests.sh")


class Orders:
    """An installation whose processes take orders to die."""

    def __init__(self, place, folder, workers=4, **settings):
        self.folder = folder / "crash"
        self.folder.mkdir()
        self.installation = Installation(place, workers, AGENTLOCATOR_CRASH_DIR=str(self.folder), **settings)

    def __enter__(self):
        self.installation.__enter__()
        return self

    def __exit__(self, *details):
        return self.installation.__exit__(*details)

    def give(self, point):
        (self.folder / point).touch()
        return time.monotonic()

    def obeyed(self, point):
        wait_until(lambda: not (self.folder / point).exists(), f"nobody passed {point}")

    def busiest(self):
        return max(self.installation.serving(), key=lambda worker: worker["calls"])["pid"]

    def whole(self):
        self.installation.whole()


@contextlib.contextmanager
def long_calls(orders, seconds):
    with orders.installation.load(seconds, CALLS) as load:
        wait_until(lambda: orders.installation.status()["calls"]["live"] >= CALLS, "all calls live")
        yield load
        assert load.returncode is None, "the load ended before the last point was hit; give it more seconds"
        load.send(signal.SIGTERM)  # All callers hang up.
        disturbed_summary(load)


def no_line_twice(orders):
    lines = done_lines(orders.installation)
    assert len(lines) == len(set(lines))
    return lines


def test_death_anywhere_between_receiving_and_sending(place, folder):
    with Orders(place, folder) as orders:
        with long_calls(orders, seconds=120):
            for point in BY_FRAMES:
                given = orders.give(point)
                orders.obeyed(point)
                orders.whole()
                time.sleep(max(0.0, given + INNOCENT_AFTER - time.monotonic()))
        wait_until(lambda: len(done_lines(orders.installation)) == CALLS, "every call's WS_DONE")
        no_line_twice(orders)
        assert orders.installation.process.output.count("cause=\"signal 9 (SIGKILL)") == len(BY_FRAMES)


def test_death_while_taking_over_while_letting_go_and_twice_in_a_row(place, folder):
    with Orders(place, folder) as orders:
        with long_calls(orders, seconds=120):
            for point in BY_A_DEATH:
                given = orders.give(point)
                os.kill(orders.busiest(), signal.SIGKILL)  # Its calls are adopted; the first adopter dies at the point.
                orders.obeyed(point)
                orders.whole()
                time.sleep(max(0.0, given + INNOCENT_AFTER - time.monotonic()))
            for point in BY_A_DEATH_WITH_BYTES_IN_HAND:
                given = orders.give(point)
                orders.give("after_receive")  # Its bytes lie in the staging area, and nobody has noted them.
                orders.obeyed("after_receive")
                orders.obeyed(point)
                orders.whole()
                time.sleep(max(0.0, given + INNOCENT_AFTER - time.monotonic()))
            for point in BY_LEAVING:
                orders.give(point)
                slot = max(orders.installation.serving(), key=lambda worker: worker["calls"])["slot"]
                orders.installation.command("restart", slot, "--rolling")
                orders.obeyed(point)
                orders.whole()
        wait_until(lambda: len(done_lines(orders.installation)) == CALLS, "every call's WS_DONE")
        no_line_twice(orders)


def test_death_while_calls_begin_and_end(place, folder):
    """The long calls are exact and healthy. A short call may lose its handshake or a callback with the worker that had
    taken its request, but never a frame."""
    with Orders(place, folder) as orders:
        with long_calls(orders, seconds=120), orders.installation.load(0.3, 2000, 40, ("--expect", "none")) as short:
            for point in BY_NEW_CALLS:
                given = orders.give(point)
                orders.obeyed(point)
                orders.whole()
                time.sleep(max(0.0, given + INNOCENT_AFTER - time.monotonic()))
            short.send(signal.SIGTERM)
            _, result = exact(short)
            assert result["calls_healthy"] > result["calls_started"] / 2, result
        no_line_twice(orders)
        wait_until(lambda: orders.installation.status()["calls"]["live"] == 0, "no call is left")
        # One connection was nobody's but the dead worker's: it is counted, and said.
        assert orders.installation.status()["calls"]["lost"] >= 1
        assert "event=calls_lost count=1" in orders.installation.process.output


def payload(number):
    return number.to_bytes(4, "big") * 480


@pytest.mark.parametrize("point", BY_A_SLOW_READER)
def test_death_between_two_sends_to_a_reader_that_does_not_read(place, folder, point):
    """The kernel takes part of an answer; the worker dies with the rest of it committed and unsent."""
    import base64

    with Orders(place, folder, workers=2) as orders:
        with MediaClient(orders.installation.port) as client:
            client.begin()
            orders.give(point)
            sent = 0
            client.socket.settimeout(2)
            with contextlib.suppress(TimeoutError):  # Until both directions are full and the server has stopped reading.
                while sent < 20_000:
                    client.send(media(base64.b64encode(payload(sent)).decode()))
                    sent += 1
            orders.obeyed(point)
            client.socket.settimeout(30)
            assert client.message()["event"] == "clear"
            for number in range(sent):
                message = client.message()
                while message["event"] == "mark":
                    message = client.message()
                assert message["streamSid"] == SID
                assert base64.b64decode(message["media"]["payload"]) == payload(number), number
