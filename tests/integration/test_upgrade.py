"""Another build takes over while calls go on (promise P4): `agentlocator upgrade`, SIGUSR2, and the way back.

"Another build" is a copy of the programs in another folder; the broken ones are broken for real.
"""

import contextlib
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from pathlib import Path

import pytest
from installation import disturbed_summary, folders_of, summary
from support import BIN, Process, is_alive, program, wait_until
from test_supervisor_death import Mortal
from test_takeover import CALLS, SEED

PROGRAMS = ("agentlocator", "agentlocator-worker", "agentlocator-call", "agentlocator-bridge-launcher")


def release(folder, name):
    """A folder with the programs, as an installation would put them beside the old ones."""
    place = folder / name
    place.mkdir()
    for each in PROGRAMS:
        try:
            os.link(BIN / each, place / each)
        except OSError:
            shutil.copy2(BIN / each, place / each)
    return place


def script(path, text):
    """Put into place at once, as an installation should: nobody ever finds half a program."""
    draft = path.with_suffix(".draft")
    draft.write_text("#!/bin/sh\n" + text)
    draft.chmod(0o755)
    draft.rename(path)


class Upgradable(Mortal):
    def __init__(self, place, folder, workers=4, **settings):
        self.releases = {name: release(folder, name) for name in ("first", "second")}
        super().__init__(place, workers, **settings)

    def binary(self):
        return str(self.releases["first"] / "agentlocator")

    def upgrade(self, *arguments, code=0):
        done = subprocess.run([program("agentlocator"), "upgrade", *map(str, arguments)], env=self.environment,
                              capture_output=True, text=True, timeout=90)
        assert done.returncode == code, f"{done.returncode}\n{done.stdout}{done.stderr}\n{self.process.output}"
        return done.stdout + done.stderr

    def folders(self):
        return folders_of(self.serving())

    def folder_of_supervisor(self):
        return Path(os.readlink(f"/proc/{self.process.pid}/exe").replace(" (deleted)", "")).parent.name

    def problem(self, code):
        return next((p for p in self.ask()["problems"] if p["code"] == code), None)


@pytest.fixture
def installation(place, folder):
    with Upgradable(place, folder) as running:
        yield running


def test_an_upgrade_moves_every_call_and_keeps_pid_lock_and_instance(installation, folder):
    with installation.load(seconds=600) as load:
        wait_until(lambda: installation.status()["calls"]["live"] == CALLS, "all calls live")
        before, workers = installation.ask(), installation.pids()
        text = installation.upgrade("--to", installation.releases["second"])
        assert "upgraded to build" in text
        after = installation.ask()
        assert after["pid"] == before["pid"] == installation.process.pid
        assert after["instance"] == before["instance"]
        assert after["calls"]["live"] == CALLS and after["calls"]["lost"] == 0
        assert after["upgrade"]["state"] == "done"
        assert [problem["code"] for problem in after["problems"]] == ["mode_not_ai"]
        assert not workers & installation.pids()
        assert installation.folders() == {"second"} and installation.folder_of_supervisor() == "second"
        with Process([program("agentlocator"), "run"], env=installation.environment) as other:
            assert other.wait() == 75, "the lock was held all the time"
        load.send(signal.SIGTERM)
        assert summary(load)["calls_healthy"] == CALLS


def test_upgrades_in_a_loop_with_killed_workers_lose_nothing(installation):
    chance = random.Random(SEED)
    with installation.load(seconds=600) as load:
        wait_until(lambda: installation.status()["calls"]["live"] == CALLS, "all calls live")
        upgrades, kills = 0, 0
        while upgrades < 3 or (kills < 2 and upgrades < 20):
            installation.upgrade("--no-wait", "--to", installation.releases[("second", "first")[upgrades % 2]])
            upgrades += 1
            while True:
                time.sleep(chance.uniform(0.02, 0.3))
                status = installation.ask()
                if status and status["upgrade"]["state"] in ("done", "failed", "returned"):
                    break
                serving = [w["pid"] for w in (status or {"workers": []})["workers"]
                           if w["state"] == "serving" and w["role"] == "current"]
                if len(serving) > 2 and kills < 3 * upgrades:
                    with contextlib.suppress(ProcessLookupError):  # It left since.
                        os.kill(chance.choice(serving), signal.SIGKILL)
                        kills += 1
            assert status["upgrade"]["state"] == "done", status["upgrade"]
        assert kills >= 2
        load.send(signal.SIGTERM)
        disturbed_summary(load)
        assert installation.ask()["calls"]["lost"] == 0


def test_no_connection_is_refused_during_upgrades(installation):
    failures, answers, stop = [], [], threading.Event()

    def ask():
        while not stop.is_set():
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{installation.port}/healthz", timeout=10) as answer:
                    answers.append(answer.status)
            except OSError as problem:
                failures.append(repr(problem))

    clients = [threading.Thread(target=ask) for _ in range(4)]
    for client in clients:
        client.start()
    try:
        for name in ("second", "first"):
            installation.upgrade("--to", installation.releases[name])
    finally:
        stop.set()
        for client in clients:
            client.join()
    assert failures == [] and len(answers) > 100 and set(answers) == {200}


@pytest.mark.parametrize("broken", ["exit 3", "sleep 60"], ids=["exits", "never-ready"])
def test_a_worker_that_does_not_start_rolls_the_upgrade_back(place, folder, broken):
    with Upgradable(place, folder, AGENTLOCATOR_START_TIMEOUT_MS="700") as installation:
        with installation.load(seconds=600) as load:
            wait_until(lambda: installation.status()["calls"]["live"] == CALLS, "all calls live")
            workers = installation.pids()
            script(installation.releases["second"] / "agentlocator-worker", broken + "\n")
            text = installation.upgrade("--to", installation.releases["second"], code=1)
            assert "rolled back" in text and "did not become ready" in text
            assert installation.pids() == workers, "the old workers serve on"
            assert installation.folder_of_supervisor() == "first"
            assert installation.problem("upgrade_rolled_back")["remedy"]
            assert re.search(r"event=upgrade_rolled_back cause=.*did not become ready", installation.process.output)
            load.send(signal.SIGTERM)
            assert summary(load)["calls_healthy"] == CALLS
        # The next one, repaired, goes through, and the problem goes away.
        (installation.releases["second"] / "agentlocator-worker").unlink()
        shutil.copy2(BIN / "agentlocator-worker", installation.releases["second"] / "agentlocator-worker")
        installation.upgrade("--to", installation.releases["second"])
        assert installation.problem("upgrade_rolled_back") is None and installation.folders() == {"second"}


def test_after_the_way_back_a_killed_worker_is_started_from_the_old_program(installation):
    """The broken programs lie where the good ones were: the file on the disk is not what may be started."""
    first = installation.releases["first"]
    script(first / "agentlocator-worker", "exit 3\n")
    installation.upgrade(code=1)
    victim = min(installation.pids())
    os.kill(victim, signal.SIGKILL)
    workers = installation.whole(without=[victim])["workers"]
    assert {Path(f"/proc/{worker['pid']}/comm").read_text().strip() for worker in workers} == {"agentlocator-wo"}


@pytest.mark.parametrize("text, reason", [
    ("exit 1", "does not say which build it is"),
    ("echo nonsense", "it said: nonsense"),
    ('echo \'{"version":"9","build":"feed","slab_layout":"00ff"}\'', "lays out the shared part of the call slab in another way"),
], ids=["exits", "nonsense", "layout"])
def test_a_program_that_cannot_be_used_changes_nothing(installation, text, reason):
    before, workers = installation.ask(), installation.pids()
    script(installation.releases["second"] / "agentlocator", text + "\n")
    said = installation.upgrade("--to", installation.releases["second"], code=1)
    assert "nothing was changed" in said and reason in said
    assert installation.pids() == workers and installation.ask()["uptime_seconds"] >= before["uptime_seconds"]
    assert installation.problem("upgrade_failed")


def test_a_folder_without_programs_is_named(installation, folder):
    assert str(folder / "nothing") in installation.upgrade("--to", folder / "nothing", code=1)


def test_a_check_that_hangs_is_given_up(installation):
    script(installation.releases["second"] / "agentlocator", "sleep 100\n")
    assert "within 10 s" in installation.upgrade("--to", installation.releases["second"], code=1)


def test_sigusr2_upgrades_to_what_is_on_the_disk_now(installation):
    workers = installation.pids()
    installation.process.send(signal.SIGUSR2)
    installation.process.wait_for("event=upgrade_done")
    assert not workers & installation.pids() and installation.ask()["pid"] == installation.process.pid


def test_what_was_set_by_command_survives(installation):
    installation.command("scale", "3")
    wait_until(lambda: len(installation.status()["workers"]) == 3, "three workers")
    installation.command("mode", "SINK", "--for", "10m")
    until = installation.ask()["mode"]["until"]
    report = json.loads(installation.upgrade("--json", "--to", installation.releases["second"]))
    assert report["state"] == "done" and report["folder"].endswith("second")
    status = installation.ask()
    assert len(status["workers"]) == 3
    assert status["mode"]["mode"] == "SINK" and status["mode"]["until"][:16] == until[:16]
    installation.command("stop")
    assert installation.process.wait() == 0


def test_the_service_manager_is_told_by_the_same_process(place, folder):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(folder / "notify"))
        manager.settimeout(30)
        with Upgradable(place, folder, workers=2, NOTIFY_SOCKET=str(folder / "notify")) as installation:
            def wait_for(assignment):
                while assignment not in (text := manager.recv(4096).decode()).split("\n"):
                    pass
                return text

            wait_for("READY=1")
            installation.upgrade("--no-wait", "--to", installation.releases["second"])
            wait_for("RELOADING=1")
            wait_for("READY=1")
            assert is_alive(installation.process.pid)
            wait_until(lambda: (installation.ask() or {}).get("upgrade", {}).get("state") == "done", "done")


def test_upgrades_leak_nothing(installation):
    def descriptors():
        return len(os.listdir(f"/proc/{installation.process.pid}/fd"))

    installation.upgrade("--to", installation.releases["second"])
    wait_until(lambda: installation.ask()["port"]["ours"], "settled")
    before = descriptors()
    for name in ("first", "second", "first"):
        installation.upgrade("--to", installation.releases[name])
    wait_until(lambda: descriptors() <= before, lambda: f"{descriptors()}, before {before}")


def test_upgrade_and_the_death_of_the_new_supervisor(installation):
    """Killed in the middle of an upgrade: the next one goes on with whatever mixture it finds."""
    with installation.load(seconds=600) as load:
        wait_until(lambda: installation.status()["calls"]["live"] == CALLS, "all calls live")
        for delay in (0.05, 0.15, 0.4):
            installation.upgrade("--no-wait", "--to", installation.releases["second"])
            time.sleep(delay)
            installation.kill()
            installation.start()
            installation.whole()
        load.send(signal.SIGTERM)
        assert summary(load)["calls_healthy"] == CALLS
        assert installation.ask()["calls"]["lost"] == 0
