"""Calls survive the death of the supervisor (promise P4): workers serve on, the next supervisor goes on with them.

The load is `agentlocator call --unique`, as in test_takeover.py: a loss, a repeat, a change or a wrong order shows.
"""

import json
import os
import re
import signal
import time
from pathlib import Path

import pytest
from installation import Installation, disturbed_summary, summary
from media_client import MediaClient, media
from support import Process, free_port, is_alive, is_listening, program, wait_until
from test_takeover import CALLS


class Mortal(Installation):
    """An installation whose supervisor may be killed and started again, with the same environment."""

    def __exit__(self, kind, value, trace):
        for process in reversed(self.processes):
            process.__exit__(kind, value, trace)

    def children(self):
        try:
            records = json.loads((self.run_dir / "children.json").read_text())
        except (OSError, ValueError):
            return set()
        return {child["pid"] for child in records["children"]}

    def kill(self):
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def start(self, limit=None):
        """`limit`: how many descriptors the shell it is started from allows."""
        argv = [self.binary(), "run"]
        if limit is not None:
            argv = ["sh", "-c", f'ulimit -Sn {limit}; exec "$0" run', self.binary()]
        self.process = Process(argv, env=self.environment)
        self.processes.append(self.process)

    def printed(self):
        return "".join(process.output for process in self.processes)


def killed_and_started(installation):
    """The seconds until the new supervisor told of four serving workers."""
    before = installation.pids()
    installation.kill()
    begun = time.monotonic()
    installation.start()
    status = wait_until(lambda: (lambda s: s if s and s["pid"] == installation.process.pid else None)(
        installation.ask()), "the new supervisor does not answer")
    took = time.monotonic() - begun
    assert {worker["pid"] for worker in status["workers"]} == before, installation.process.output
    assert all(worker["state"] == "serving" for worker in status["workers"])
    return took, status


def test_workers_and_calls_are_adopted_and_status_is_true_at_once(place):
    with Mortal(place) as installation, installation.load(seconds=600) as load:
        wait_until(lambda: installation.status()["calls"]["live"] == CALLS, "all calls live")
        old = installation.status()
        took, status = killed_and_started(installation)
        assert status["calls"]["live"] == CALLS and status["calls"]["lost"] == 0
        assert status["instance"] == old["instance"], "the run goes on: so does its instance"
        # A second on a machine that has time; a busy one is judged by its own pace.
        begun = time.monotonic()
        installation.command("version")
        pace = time.monotonic() - begun
        assert took < max(1.0, 30 * pace), f"{took:.3f} s until the first status, {pace:.3f} s for a command"
        # An adopted worker is watched and replaced like any other, and its calls move.
        victim = min(installation.pids())
        os.kill(victim, signal.SIGKILL)
        installation.whole(without=[victim])
        load.send(signal.SIGTERM)
        disturbed_summary(load)
        wait_until(lambda: len(set(re.findall(r"WS_DONE sid=(\S+)", installation.printed()))) == CALLS, "WS_DONE")
        assert len(re.findall(r"WS_DONE sid=", installation.printed())) == CALLS
        assert installation.process.stop() == 0
        assert not any(is_alive(pid) for pid in installation.children())


def test_supervisor_killed_in_a_loop(place):
    with Mortal(place) as installation, installation.load(seconds=600) as load:
        wait_until(lambda: installation.status()["calls"]["live"] == CALLS, "all calls live")
        for _ in range(6):
            killed_and_started(installation)
        load.send(signal.SIGTERM)
        assert summary(load)["calls_healthy"] == CALLS
        assert installation.status()["calls"]["lost"] == 0


def test_calls_that_begin_without_a_supervisor_are_kept_by_the_next(place):
    with Mortal(place) as installation:
        installation.kill()
        with installation.load(seconds=600, calls=20) as load:
            time.sleep(1)  # They begin and talk while nobody supervises.
            installation.start()
            wait_until(lambda: installation.status().get("calls", {}).get("live") == 20, "the calls are known")
            for worker in installation.serving()[:3]:
                os.kill(worker["pid"], signal.SIGKILL)
                time.sleep(0.2)
            load.send(signal.SIGTERM)
            disturbed_summary(load)


def test_a_worker_that_dies_with_its_supervisor_takes_only_its_own_calls(place):
    with Mortal(place, workers=2) as installation:
        clients = []
        for number in range(8):
            client = MediaClient(installation.port)
            client.begin(sid=f"MZ{number:032d}", call=f"CA{number:032d}")
            clients.append(client)
        workers = wait_until(lambda: (lambda w: w if [x["calls"] for x in w] == [4, 4] else None)(
            installation.serving()), "four calls each")
        installation.process.wait_for(r"WS_START sid=MZ\d+", count=8)
        os.kill(installation.process.pid, signal.SIGSTOP)
        os.kill(workers[0]["pid"], signal.SIGKILL)
        wait_until(lambda: not is_alive(workers[0]["pid"]), "the worker is dead")
        installation.kill()
        installation.start()
        status = wait_until(lambda: (lambda s: s if s and len([w for w in s["workers"] if w["state"] == "serving"]) == 2
                                     else None)(installation.ask()), "two workers again")
        assert status["calls"]["live"] == 4 and status["calls"]["lost"] == 4, status["calls"]
        alive = 0
        for number, client in enumerate(clients):
            sid = f"MZ{number:032d}"
            try:
                client.send(media(sid=sid))
                while client.message()["event"] != "media":
                    pass
                alive += 1
            except (EOFError, ConnectionError):
                pass
        assert alive == 4
        for client in clients:
            client.socket.close()
        wait_until(lambda: len(re.findall(r"WS_DONE sid=MZ", installation.printed())) == 8, "WS_DONE of all")
        assert len(set(re.findall(r"WS_DONE sid=(MZ\d+)", installation.printed()))) == 8
        wait_until(lambda: installation.status()["calls"]["live"] == 0, "no call is left")


def test_nothing_said_without_a_reader_is_lost(place):
    with Mortal(place, workers=1) as installation:
        installation.kill()
        with MediaClient(installation.port) as client:
            client.begin()
            client.send(media())
            while client.message()["event"] != "media":
                pass
            installation.start()
            installation.process.wait_for(r"\[worker-1\].*WS_START sid=MZ4+")
            installation.process.wait_for(r"\[worker-1\].*event=supervisor_lost")


def test_a_hung_worker_does_not_hold_up_the_others(place):
    with Mortal(place, workers=2) as installation:
        hung, other = installation.pids()
        installation.kill()
        os.kill(hung, signal.SIGSTOP)
        installation.start()
        status = installation.whole(without=[hung])
        assert other in [worker["pid"] for worker in status["workers"]] and not is_alive(hung)
        assert "event=worker_not_adopted" in installation.process.output


def test_a_worker_stopped_when_its_supervisor_dies_goes_on(place):
    """The kernel sends SIGHUP and SIGCONT to a stopped process group that loses its last parent of the session; the
    first would end its calls. Whoever started the tests may be of the same session, so both are sent here too."""
    with Mortal(place, workers=2) as installation:
        pids = installation.pids()
        stopped = min(pids)
        os.kill(stopped, signal.SIGSTOP)
        wait_until(lambda: Path(f"/proc/{stopped}/stat").read_text().rpartition(")")[2].split()[0] == "T", "stopped")
        installation.kill()
        os.kill(stopped, signal.SIGHUP)
        os.kill(stopped, signal.SIGCONT)
        installation.start()
        wait_until(lambda: installation.pids() == pids, "both are adopted")


def serving_bridge(installation, other_than=0):
    """Its pid, once one serves."""
    def look():
        bridge = installation.status().get("bridge") or {}
        return bridge["pid"] if bridge.get("state") == "serving" and bridge["pid"] != other_than else None

    return wait_until(look, "the bridge serves")


def test_the_bridge_is_adopted(place):
    place = {**place, "ENABLE_WA_BAILEYS": "true", "AGENTLOCATOR_BRIDGE_PROGRAM": program("test-child")}
    with Mortal(place, workers=2) as installation:
        bridge = serving_bridge(installation)
        for _ in range(2):
            installation.kill()
            assert is_alive(bridge)
            installation.start()
            wait_until(lambda: (installation.ask() or {}).get("bridge", {}).get("pid") == bridge, "the same bridge")
        os.kill(bridge, signal.SIGKILL)
        assert serving_bridge(installation, other_than=bridge), "an adopted bridge is watched"
        assert installation.process.stop() == 0


def test_without_a_next_supervisor_everything_ends_after_the_grace(place):
    place = {**place, "ENABLE_WA_BAILEYS": "true", "AGENTLOCATOR_BRIDGE_PROGRAM": program("test-child")}
    with Mortal(place, workers=2, ORPHAN_GRACE_MS="1500") as installation:
        bridge = serving_bridge(installation)
        workers = installation.pids()
        installation.kill()
        time.sleep(0.5)
        assert all(is_alive(pid) for pid in workers | {bridge})
        wait_until(lambda: not any(is_alive(pid) for pid in workers | {bridge}), "they stay")


def test_of_two_that_race_one_adopts(place):
    with Mortal(place) as installation, installation.load(seconds=600) as load:
        wait_until(lambda: installation.status()["calls"]["live"] == CALLS, "all calls live")
        before = installation.pids()
        installation.kill()
        installation.start()
        installation.start()
        racers = installation.processes[-2:]
        loser = wait_until(lambda: next((p for p in racers if p.returncode is not None), None), "both go on")
        assert loser.returncode == 75
        wait_until(lambda: installation.pids() == before, "the workers are adopted")
        load.send(signal.SIGTERM)
        assert summary(load)["calls_healthy"] == CALLS


def test_a_supervisor_that_dies_while_adopting_is_followed_by_another(place):
    with Mortal(place) as installation, installation.load(seconds=600) as load:
        wait_until(lambda: installation.status()["calls"]["live"] == CALLS, "all calls live")
        before = installation.pids()
        installation.kill()
        for delay in (0.005, 0.01, 0.02, 0.03, 0.05, 0.08, 0.12):
            installation.start()
            time.sleep(delay)
            installation.kill()
        installation.start()
        wait_until(lambda: installation.pids() == before, "the workers are adopted")
        load.send(signal.SIGTERM)
        assert summary(load)["calls_healthy"] == CALLS
        assert installation.status()["calls"]["lost"] == 0


def test_what_a_slot_remembers_goes_on(place):
    """Two crashes before and one after the supervisor's death are three: CRASH_LIMIT counts them all."""
    with Mortal(place, workers=2, CRASH_LIMIT="3") as installation:
        def worker_1():
            status = installation.ask()
            return next(worker for worker in status["workers"] if worker["slot"] == "1")

        for _ in range(2):
            before = worker_1()["pid"]
            os.kill(before, signal.SIGKILL)
            wait_until(lambda: (lambda worker: worker["state"] == "serving" and worker["pid"] != before)(worker_1()),
                       "it is replaced")
        installation.kill()
        listed = installation.command("stale")
        assert len(re.findall(r"^adopts .*child \"[12]\" of the dead supervisor", listed, re.M)) == 2, listed
        installation.start()
        wait_until(lambda: (installation.ask() or {}).get("state") == "running", "the next one runs")
        assert worker_1()["restarts"] == 2
        os.kill(worker_1()["pid"], signal.SIGKILL)
        wait_until(lambda: worker_1()["state"] == "held", "it is held")


def test_changed_settings_are_applied_to_what_was_adopted(place):
    with Mortal(place, workers=3) as installation, installation.load(seconds=600, calls=20) as load:
        wait_until(lambda: installation.status()["calls"]["live"] == 20, "all calls live")
        before = installation.pids()
        installation.kill()
        installation.environment["WORKERS"] = "2"
        installation.environment["STREAM_TIMEOUT_MS"] = "20000"
        installation.start()
        installation.whole(2, without=before)
        load.send(signal.SIGTERM)
        assert summary(load)["calls_healthy"] == 20


def test_a_changed_port_is_opened_and_the_old_one_given_up(place):
    with Mortal(place, workers=2) as installation, installation.load(seconds=8, calls=10) as load:
        wait_until(lambda: installation.status()["calls"]["live"] == 10, "all calls live")
        old, new = installation.port, free_port()
        installation.kill()
        installation.environment["PORT"] = str(new)
        installation.start()
        wait_until(lambda: is_listening(new) and not is_listening(old), "the port moves")
        # Twilio's callbacks to the old port find nobody any more; the streams do not notice.
        load.wait(60)
        result = json.loads(load.output[load.output.index("{"):])
        frames = result["frames"]
        assert frames["sent"] == frames["answered"] == 4000 and result["calls_lost"] == 0, result


@pytest.mark.parametrize("times", [8])
def test_nothing_leaks_over_many_supervisors(place, times):
    with Mortal(place, workers=2) as installation:
        def descriptors(pid):
            return len(os.listdir(f"/proc/{pid}/fd"))

        killed_and_started(installation)
        wait_until(lambda: installation.ask()["port"]["ours"], "settled")
        with installation.load(seconds=1, calls=8) as first:
            summary(first)  # Each worker opens its database with its first call's record.
        wait_until(lambda: sum(call["end_reason"] != "" for call in
                               json.loads(installation.command("calls", "--json"))) == 8, "the calls are on record")
        wait_until(lambda: installation.status()["calls"]["live"] == 0, "quiet")
        before = {pid: descriptors(pid) for pid in installation.pids()}
        own = descriptors(installation.process.pid)
        with installation.load(seconds=600, calls=20) as load:
            wait_until(lambda: installation.status()["calls"]["live"] == 20, "all calls live")
            for _ in range(times):
                killed_and_started(installation)
            load.send(signal.SIGTERM)
            summary(load)
        wait_until(lambda: installation.status()["calls"]["live"] == 0, "quiet")
        wait_until(lambda: all(descriptors(pid) <= count for pid, count in before.items()),
                   lambda: f"{before} before, {({pid: descriptors(pid) for pid in before})} now")
        wait_until(lambda: descriptors(installation.process.pid) <= own, lambda: f"{own} before")
