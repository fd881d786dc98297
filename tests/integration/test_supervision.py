"""The supervisor with real processes: what happens to children that crash, hang, flood, hide or refuse to end.

The children are `test-child` (tests/support/test_child.cpp), which misbehaves as a script file says.
"""

import contextlib
import json
import os
import re
import resource
import shutil
import signal
import socket
import stat
import subprocess
import time
import urllib.request

import pytest

from support import BIN, PATIENCE, Process, ask_control, free_port, is_alive, program, wait_until


class Supervised(Process):
    """`agentlocator run` with test children, in the installation that `place` describes."""

    def __init__(self, place, folder, script="", flags=(), wait=True, wrap=(), env=None, **options):
        self.folder = folder
        self.port = int(place["PORT"])
        self.script(script)
        environment = dict(place)
        environment.setdefault("AGENTLOCATOR_WORKER_PROGRAM", program("test-child"))
        environment.setdefault("AGENTLOCATOR_TEST_SCRIPT", str(folder / "script"))
        environment.setdefault("WORKERS", "2")
        environment.setdefault("DRAIN_TIMEOUT_MS", "2000")
        environment.setdefault("TERM_TIMEOUT_MS", "500")
        environment.update({name: str(value) for name, value in (env or {}).items()})
        super().__init__([*wrap, program("agentlocator"), "run", *flags], env=environment, **options)
        if wait:
            try:
                self.wait_for(r"event=supervisor_ready")
                self.wait_for(r"event=worker_ready", count=int(environment["WORKERS"]))
            except BaseException:
                self.__exit__(AssertionError, None, None)
                raise

    def script(self, text, slot=None):
        """What children do from their next start on; of one slot or of all."""
        name = "script" if slot is None else f"script.{slot}"
        draft = self.folder / "draft"
        draft.write_text(text)
        draft.rename(self.folder / name)

    def ask(self, method, path, body=None, timeout=PATIENCE):
        return ask_control(self.folder / "run", method, path, body, timeout)

    def status(self):
        code, document = self.ask("GET", "/status")
        assert code == 200, document
        return document

    def worker(self, slot):
        found = [w for w in self.status()["workers"] if w["slot"] == str(slot) and w["role"] == "current"]
        return found[0] if found else None

    def wait_worker(self, slot, condition, what):
        return wait_until(lambda: (lambda w: w if w and condition(w) else None)(self.worker(slot)), what)

    def wait_serving(self, slot, not_pid=0):
        return self.wait_worker(
            slot, lambda w: w["state"] == "serving" and w["pid"] != not_pid, f"worker {slot} is not serving again"
        )

    def version(self, timeout=5):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/version", timeout=timeout) as answer:
            return json.load(answer)


def problem(status, code):
    found = [p for p in status["problems"] if p["code"] == code]
    return found[0] if found else None


def test_killed_worker_is_replaced_and_its_end_is_told(place, folder):
    with Supervised(place, folder, "say=hello-from-child") as supervisor:
        other = supervisor.worker(2)["pid"]
        pid = supervisor.worker(1)["pid"]
        os.kill(pid, signal.SIGKILL)
        worker = supervisor.wait_serving(1, not_pid=pid)
        assert worker["restarts"] == 1
        end = worker["last_exit"]
        assert end["signal"] == 9 and end["cause"] == "signal 9 (SIGKILL)" and end["code"] is None
        assert "hello-from-child" in end["log"]
        assert supervisor.worker(2)["pid"] == other
        assert supervisor.version()["instance"] == supervisor.status()["instance"]


def test_crash_loop_is_held_and_restart_releases_it(place, folder):
    with Supervised(place, folder) as supervisor:
        supervisor.script("say=broken-build exit=3", slot=1)
        os.kill(supervisor.worker(1)["pid"], signal.SIGKILL)
        supervisor.wait_worker(1, lambda w: w["state"] == "held", "worker 1 is not held")
        assert len(re.findall(r"event=child_started child=worker-1", supervisor.output)) <= 8
        status = supervisor.status()
        assert status["state"] == "degraded"
        held = problem(status, "slot_held")
        assert "exit code 3" in held["cause"] and "broken-build" in held["cause"]
        assert held["remedy"] == "agentlocator restart 1"
        assert supervisor.worker(2)["state"] == "serving"
        supervisor.script("", slot=1)
        code, answer = supervisor.ask("POST", "/restart", {"target": "1"})
        assert code == 200 and answer["ok"]
        supervisor.wait_serving(1)
        wait_until(lambda: supervisor.status()["state"] == "running", "not running again")
        assert problem(supervisor.status(), "slot_held") is None


def test_call_server_that_cannot_be_kept_running_ends_with_69(place, folder):
    with Supervised(place, folder, "exit=3", wait=False) as supervisor:
        assert supervisor.wait() == 69
        assert supervisor.output.count("event=child_started") <= 16
        assert "event=call_server_lost" in supervisor.output


def test_wrong_settings_of_a_worker_are_not_retried(place, folder):
    with Supervised(place, folder, "exit=78", wait=False) as supervisor:
        assert supervisor.wait() == 69
        assert supervisor.output.count("event=child_started") == 2
        assert "wrong settings" in supervisor.output


def test_missing_worker_program_is_named(place, folder):
    place["AGENTLOCATOR_WORKER_PROGRAM"] = str(folder / "nothing")
    with Supervised(place, folder, wait=False) as supervisor:
        assert supervisor.wait() == 69
        assert "could not be executed: No such file or directory" in supervisor.output


def test_stopped_worker_is_found_hung_and_replaced(place, folder):
    with Supervised(place, folder, env={"HANG_TIMEOUT_MS": 500}) as supervisor:
        pid = supervisor.worker(1)["pid"]
        os.kill(pid, signal.SIGSTOP)
        worker = supervisor.wait_serving(1, not_pid=pid)
        assert worker["last_exit"]["cause"].startswith("hung: no heartbeat")
        assert not is_alive(pid)


def test_worker_that_never_beats_is_found_hung(place, folder):
    with Supervised(place, folder, env={"HANG_TIMEOUT_MS": 500}) as supervisor:
        supervisor.script("no_heartbeat", slot=1)
        first = supervisor.worker(1)["pid"]
        os.kill(first, signal.SIGKILL)
        supervisor.wait_for(r"event=worker_hung child=worker-1")
        supervisor.script("", slot=1)
        supervisor.wait_serving(1)


def test_worker_that_is_never_ready_is_replaced(place, folder):
    with Supervised(place, folder, env={"AGENTLOCATOR_START_TIMEOUT_MS": 300}) as supervisor:
        supervisor.script("silent", slot=1)
        os.kill(supervisor.worker(1)["pid"], signal.SIGKILL)
        supervisor.wait_for(r'event=child_exited child=worker-1 .*cause="not ready in time')
        supervisor.script("", slot=1)
        supervisor.wait_serving(1)


def test_stop_ends_a_child_that_ignores_everything(place, folder):
    with Supervised(place, folder, "ignore_term", env={"DRAIN_TIMEOUT_MS": 300}) as supervisor:
        pids = [worker["pid"] for worker in supervisor.status()["workers"]]
        begun = time.monotonic()
        assert supervisor.stop() == 0
        assert time.monotonic() - begun < 5
        assert not any(is_alive(pid) for pid in pids)
        assert supervisor.output.count("killed by us") == 2


def test_second_sigterm_shortens_the_drain(place, folder):
    with Supervised(place, folder, "ignore_term", env={"DRAIN_TIMEOUT_MS": 600_000, "TERM_TIMEOUT_MS": 600_000}) as s:
        pids = [worker["pid"] for worker in s.status()["workers"]]
        for wanted in ("drain", "terminate", "kill"):
            s.send(signal.SIGTERM)
            s.wait_for(f"event=child_signalled child=worker-2 pid=\\d+ action={wanted}")
        assert s.wait() == 0
        assert not any(is_alive(pid) for pid in pids)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stop_leaves_nothing_behind(place, folder, number):
    with Supervised(place, folder, "daemon child") as supervisor:
        pids = [worker["pid"] for worker in supervisor.status()["workers"]]
        left = []

        def grandchildren():
            left[:] = [int(pid) for pid in re.findall(r"left pid=(\d+)", supervisor.output)]
            return len(left) == 2

        wait_until(grandchildren, "the children left no process")
        assert all(is_alive(pid) for pid in left)
        supervisor.send(number)
        assert supervisor.wait() == 0
        assert not any(is_alive(pid) for pid in pids + left)
        assert os.listdir(folder / "run") == []


def test_crash_takes_its_own_leftovers_along_and_no_others(place, folder):
    with Supervised(place, folder, "daemon") as supervisor:
        wait_until(lambda: supervisor.output.count("left pid=") == 2, "no process was left")
        left = {slot: int(re.search(rf"\[worker-{slot}\] left pid=(\d+)", supervisor.output)[1]) for slot in (1, 2)}
        supervisor.script("")
        os.kill(supervisor.worker(1)["pid"], signal.SIGKILL)
        wait_until(lambda: not is_alive(left[1]), "the leftover of worker 1 lives")
        supervisor.wait_serving(1)
        assert is_alive(left[2])
        assert supervisor.stop() == 0 and not is_alive(left[2])


def test_child_that_writes_without_pause_starves_nobody(place, folder):
    with Supervised(place, folder) as supervisor:
        for script in ("flood", "flood_raw"):
            supervisor.script(script, slot=1)
            pid = supervisor.worker(1)["pid"]
            # A flooding child neither beats nor answers: make the hang verdict a matter of the other test.
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: supervisor.worker(1)["pid"] not in (0, pid), "worker 1 did not start")
            delays = []
            for _ in range(20):
                begun = time.monotonic()
                assert supervisor.worker(2)["state"] == "serving"
                delays.append(time.monotonic() - begun)
            assert max(delays) < 2, delays
            other = supervisor.worker(2)["pid"]
            os.kill(other, signal.SIGKILL)
            supervisor.wait_serving(2, not_pid=other)
        log = folder / "data" / "logs" / "worker-1.log"
        assert log.stat().st_size > 0


def test_console_nobody_reads_stops_neither_files_nor_control(place, folder):
    read_end, write_end = os.pipe()
    environment = dict(
        place,
        AGENTLOCATOR_WORKER_PROGRAM=program("test-child"),
        AGENTLOCATOR_TEST_SCRIPT=str(folder / "script"),
        HANG_TIMEOUT_MS="600000",
        TERM_TIMEOUT_MS="500",
        DRAIN_TIMEOUT_MS="500",
        WORKERS="1",
    )
    (folder / "script").write_text("flood")
    child = subprocess.Popen([program("agentlocator"), "run"], env=environment, stdout=write_end, start_new_session=True)
    os.close(write_end)
    try:
        log = folder / "data" / "logs" / "worker-1.log"

        def size():
            return sum(path.stat().st_size for path in log.parent.glob("worker-1*")) if log.parent.is_dir() else 0

        wait_until(lambda: size() > 5_000_000, "the log file does not grow")
        code, _ = ask_control(folder / "run", "GET", "/status", timeout=5)
        assert code == 200
        child.send_signal(signal.SIGTERM)
        assert child.wait(PATIENCE) == 0
    finally:
        child.kill()
        child.wait()
        os.close(read_end)


def test_stalled_supervisor_does_not_block_a_child(place, folder):
    with Supervised(place, folder, env={"WORKERS": 1, "HANG_TIMEOUT_MS": 1000}) as supervisor:
        pid = supervisor.worker(1)["pid"]
        supervisor.send(signal.SIGSTOP)
        # Three pipes full: a child that had to wait for its reader would never answer.
        supervisor.script("count=60000")
        begun = time.monotonic()
        assert supervisor.version()["pid"] == pid
        while time.monotonic() - begun < 2.5:
            assert supervisor.version()["pid"] == pid
            time.sleep(0.1)
        supervisor.send(signal.SIGCONT)
        supervisor.wait_for("event=heartbeats_skipped")
        assert supervisor.worker(1)["pid"] == pid, "the stall of the supervisor was blamed on the worker"


def test_lines_beyond_a_full_pipe_are_dropped_not_waited_for(place, folder):
    with Supervised(place, folder, env={"WORKERS": 1}) as supervisor:
        pid = supervisor.worker(1)["pid"]
        supervisor.script("count=200000")
        os.kill(pid, signal.SIGKILL)
        supervisor.wait_for(r"^\[worker-1\] line 100$")
        supervisor.send(signal.SIGSTOP)
        try:
            answered = wait_until(lambda: (lambda v: v if v["pid"] != pid else None)(supervisor.version()), "no answer")
            assert answered["slot"] == "1"
        finally:
            supervisor.send(signal.SIGCONT)
        supervisor.wait_serving(1, not_pid=pid)


def test_what_cannot_hand_back_is_ended_and_the_bridge_goes_on(place, folder):
    """Test children do not look for the next supervisor: to it they hang, and their seats are filled anew."""
    place["ENABLE_WA_BAILEYS"] = "true"
    place["AGENTLOCATOR_BRIDGE_PROGRAM"] = program("test-child")
    with Supervised(place, folder) as first:
        wait_until(lambda: first.status()["bridge"]["state"] == "serving", "the bridge is not serving")
        status = first.status()
        first.send(signal.SIGKILL)
        first.wait()
        with Supervised(place, folder) as second:
            assert second.status()["bridge"]["pid"] == status["bridge"]["pid"]
            assert second.version()["instance"] == second.status()["instance"]
            assert not any(is_alive(worker["pid"]) for worker in status["workers"])
            assert second.output.count("event=worker_not_adopted") <= 2


def test_crashing_bridge_touches_no_worker_and_69_holds_it_with_its_message(place, folder):
    place["ENABLE_WA_BAILEYS"] = "true"
    place["AGENTLOCATOR_BRIDGE_PROGRAM"] = program("test-child")
    with Supervised(place, folder) as supervisor:
        wait_until(lambda: supervisor.status()["bridge"]["state"] == "serving", "the bridge is not serving")
        before = [worker["pid"] for worker in supervisor.status()["workers"]]
        bridge = supervisor.status()["bridge"]["pid"]
        os.kill(bridge, signal.SIGKILL)
        wait_until(lambda: supervisor.status()["bridge"]["pid"] not in (0, bridge), "the bridge was not restarted")
        supervisor.script("say=node-is-missing exit=69", slot="bridge")
        with contextlib.suppress(ProcessLookupError):  # It may have read the new script already, and be gone.
            os.kill(supervisor.status()["bridge"]["pid"], signal.SIGKILL)
        wait_until(lambda: supervisor.status()["bridge"]["state"] == "held", "the bridge is not held")
        status = supervisor.status()
        assert "node-is-missing" in problem(status, "bridge_held")["cause"]
        assert status["state"] == "running"
        assert [worker["pid"] for worker in status["workers"]] == before


def test_child_gets_exactly_the_listed_descriptors_and_environment(place, folder):
    place["NOTIFY_SOCKET"] = str(folder / "nobody")
    place["WATCHDOG_USEC"] = "30000000"
    extra = os.open("/dev/null", os.O_RDONLY)
    try:
        with Supervised(place, folder, "fds environment", pass_fds=[extra]) as supervisor:
            line = supervisor.wait_for(r"^\[worker-1\] fds: (.*)$")[1]
            descriptors = dict(part.split("=", 1) for part in re.findall(r"\d+=\S+", line))
            assert sorted(descriptors) == ["0", "1", "2", "3", "4", "5", "6"], line
            assert descriptors["0"] == "/dev/null"
            assert descriptors["1"] == descriptors["2"] and descriptors["1"].startswith("pipe:")
            assert descriptors["3"].startswith("socket:") and descriptors["4"].startswith("socket:")
            assert "agentlocator-calls" in descriptors["5"]
            assert descriptors["6"] == descriptors["1"], "the read end of its own output"
            worker = supervisor.wait_serving(1)
            given = dict(re.findall(r"^\[worker-1\] env: (\w+)=(.*)$", supervisor.output, re.M))
            assert given["LISTEN_PID"] == str(worker["pid"])
            assert given["LISTEN_FDS"] == "3" and given["LISTEN_FDNAMES"] == "http:control:slab"
            assert given["AGENTLOCATOR_SLOT"] == "1" and given["WS_MODE"] == "AI"
            assert given["AGENTLOCATOR_INSTANCE"] == supervisor.status()["instance"]
            assert given["AGENTLOCATOR_TAG"].endswith("/" + given["AGENTLOCATOR_INSTANCE"])
            assert not {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} & set(given)
            signals = dict(re.findall(r"^(Sig\w+|NSpgid):\s+(\S+)", open(f"/proc/{worker['pid']}/status").read(), re.M))
            assert int(signals["SigBlk"], 16) == 0, "signals stay blocked in the child"
            assert int(signals["SigIgn"], 16) & (1 << (signal.SIGPIPE - 1)) == 0, "SIGPIPE stays ignored in the child"
            assert os.getpgid(worker["pid"]) == worker["pid"]
    finally:
        os.close(extra)


def test_records_of_children_match_what_runs(place, folder):
    with Supervised(place, folder) as supervisor:
        def matches():
            records = json.loads((folder / "run" / "children.json").read_text())
            running = {(w["slot"], w["pid"]) for w in supervisor.status()["workers"]}
            return {(c["slot"], c["pid"]) for c in records["children"]} == running and records

        records = wait_until(matches, "children.json does not match")
        assert records["supervisor"]["pid"] == supervisor.pid
        assert stat.S_IMODE((folder / "run" / "children.json").stat().st_mode) == 0o600
        pid = supervisor.worker(1)["pid"]
        os.kill(pid, signal.SIGKILL)
        supervisor.wait_serving(1, not_pid=pid)
        wait_until(matches, "children.json was not renewed")


def test_as_pid_1_orphans_are_reaped_and_a_stop_ends_the_namespace(place, folder):
    if os.geteuid() != 0:
        pytest.skip("needs root for a pid namespace")
    with Supervised(place, folder, wrap=["unshare", "-pf", "--mount-proc", "--kill-child"]) as supervisor:
        assert supervisor.status()["pid"] == 1
        inside = wait_until(lambda: subprocess.run(["pgrep", "-P", str(supervisor.pid)], capture_output=True, text=True)
                            .stdout.split(), "unshare has no child")[0]
        orphan = f"nsenter -t {inside} -p -m sh -c 'setsid sh -c \"sleep 0.2 & exit\" & exit'"
        subprocess.run(orphan, shell=True, check=True)

        def zombies():
            listing = subprocess.run(["nsenter", "-t", inside, "-p", "-m", "ps", "-eo", "stat"], capture_output=True,
                                     text=True).stdout
            return [line for line in listing.split() if line.startswith("Z")]

        time.sleep(0.4)  # The orphan must have ended before the question means anything.
        wait_until(lambda: not zombies(), "zombies stay")
        os.kill(int(inside), signal.SIGTERM)
        assert supervisor.wait() == 0


def test_descriptor_limit_is_survived_and_told(place, folder):
    # Enough for what runs, not for eight more workers.
    limit = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
    with Supervised(place, folder, preexec_fn=limit) as supervisor:
        code, _ = supervisor.ask("POST", "/scale", {"workers": 10})
        assert code == 200
        supervisor.wait_for("event=spawn_failed")
        assert supervisor.status()["state"] == "degraded"
        wait_until(lambda: problem(supervisor.status(), "spawn_failed"), "the limit is not named")
        assert supervisor.ask("POST", "/scale", {"workers": 2})[0] == 200
        wait_until(lambda: supervisor.status()["state"] == "running", "did not recover")
        pid = supervisor.worker(1)["pid"]
        os.kill(pid, signal.SIGKILL)
        supervisor.wait_serving(1, not_pid=pid)


def test_full_disk_costs_log_lines_and_nothing_else(place, folder):
    if os.geteuid() != 0:
        pytest.skip("needs root for a small file system")
    disk = folder / "data"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], check=True)
    try:
        with Supervised(place, folder) as supervisor:
            (disk / "ballast").write_bytes(b"")
            with contextlib.suppress(OSError), open(disk / "ballast", "wb", buffering=0) as ballast:
                for _ in range(64):
                    ballast.write(b"x" * 4096)
            supervisor.script("count=3000", slot=1)
            pid = supervisor.worker(1)["pid"]
            os.kill(pid, signal.SIGKILL)
            supervisor.wait_serving(1, not_pid=pid)
            told = wait_until(lambda: problem(supervisor.status(), "log_failed"), "the full disk is not reported")
            assert "No space left" in told["cause"]
            assert supervisor.worker(1)["log_dropped"] > 0
            (disk / "ballast").unlink()
            pid = supervisor.worker(2)["pid"]
            os.kill(pid, signal.SIGKILL)
            supervisor.wait_serving(2, not_pid=pid)
            wait_until(lambda: problem(supervisor.status(), "log_failed") is None, "the problem stays")
    finally:
        subprocess.run(["umount", str(disk)], check=True)


class NotifySocket:
    def __init__(self, address):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.settimeout(PATIENCE)
        self.seen = []

    def wait_for(self, assignment):
        while not any(assignment in message.split("\n") for message in self.seen):
            self.seen.append(self.socket.recv(4096).decode())

    def close(self):
        self.socket.close()


@pytest.mark.parametrize("abstract", [False, True])
def test_service_manager_hears_ready_watchdog_reloading_and_stopping(place, folder, abstract):
    name = f"al-test-{os.getpid()}" if abstract else str(folder / "notify")
    manager = NotifySocket("\0" + name if abstract else name)
    try:
        place["NOTIFY_SOCKET"] = "@" + name if abstract else name
        place["WATCHDOG_USEC"] = "400000"
        with Supervised(place, folder) as supervisor:
            manager.wait_for("READY=1")
            ready_at = len(manager.seen)
            for _ in range(3):
                manager.seen.clear()
                begun = time.monotonic()
                manager.wait_for("WATCHDOG=1")
                assert time.monotonic() - begun < 0.4, "later than the watchdog's patience"
            assert ready_at >= 1
            manager.seen.clear()
            supervisor.send(signal.SIGHUP)
            manager.wait_for("READY=1")
            reloading = next(m for m in manager.seen if "RELOADING=1" in m)
            assert re.search(r"^MONOTONIC_USEC=\d+$", reloading, re.M)
            supervisor.send(signal.SIGTERM)
            manager.wait_for("STOPPING=1")
            assert supervisor.wait() == 0
    finally:
        manager.close()


def test_watchdog_of_another_process_is_not_fed(place, folder):
    manager = NotifySocket(str(folder / "notify"))
    try:
        place.update(NOTIFY_SOCKET=str(folder / "notify"), WATCHDOG_USEC="200000", WATCHDOG_PID="1")
        with Supervised(place, folder) as supervisor:
            manager.wait_for("READY=1")
            assert supervisor.stop() == 0
            manager.wait_for("STOPPING=1")
            assert not any("WATCHDOG=1" in message for message in manager.seen)
    finally:
        manager.close()


def test_socket_of_the_service_manager_is_used(place, folder):
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    port = listener.getsockname()[1]
    place["PORT"] = str(free_port())
    # exec keeps the pid, so the shell can say whose descriptors these are.
    script = f'exec 3<&{listener.fileno()}; LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=web exec "$@"'
    with Supervised(place, folder, wrap=["bash", "-c", script, "bash"], pass_fds=[listener.fileno()]) as supervisor:
        listener.close()
        supervisor.port = port
        assert supervisor.status()["port"]["port"] == port
        assert supervisor.version()["instance"] == supervisor.status()["instance"]


def test_enforced_ai_names_the_variable_to_delete(place, folder):
    place["WS_MODE"] = "ECHO"
    with Supervised(place, folder, "environment", flags=["--enforce-ai"]) as supervisor:
        assert re.search(r"WS_MODE=ECHO \(environment\) was overridden to AI.*delete the variable WS_MODE",
                         supervisor.output)
        supervisor.wait_for(r"^\[worker-1\] env: WS_MODE=AI$")
        mode = supervisor.status()["mode"]
        assert mode["mode"] == "AI" and mode["source"] == "enforced"
        code, answer = supervisor.ask("POST", "/mode", {"mode": "ECHO"})
        assert code == 409 and "--for" in answer["remedy"]


def test_mode_set_for_a_while_returns_by_itself(place, folder):
    with Supervised(place, folder) as supervisor:
        code, _ = supervisor.ask("POST", "/mode", {"mode": "echo", "for_seconds": 1})
        assert code == 200
        status = supervisor.status()
        assert status["mode"]["mode"] == "ECHO" and status["mode"]["until"].endswith("Z")
        assert problem(status, "mode_not_ai")
        wait_until(lambda: supervisor.status()["mode"]["mode"] == "AI", "the mode stays")
        assert problem(supervisor.status(), "mode_not_ai") is None


def test_mode_set_on_purpose_is_shown(place, folder):
    place["WS_MODE"] = "sink"
    with Supervised(place, folder) as supervisor:
        assert supervisor.status()["mode"] == {"mode": "SINK", "source": "environment", "until": None}


def test_rolling_restart_always_has_a_serving_worker(place, folder):
    with Supervised(place, folder) as supervisor:
        before = {worker["pid"] for worker in supervisor.status()["workers"]}
        assert supervisor.ask("POST", "/restart", {"target": "all", "rolling": True})[0] == 200
        while True:
            assert supervisor.version(), "nobody answered during a rolling restart"
            workers = supervisor.status()["workers"]
            assert sum(worker["state"] == "serving" for worker in workers) >= 2
            if len(workers) == 2 and not before & {worker["pid"] for worker in workers}:
                break
        assert supervisor.status()["state"] == "running"


def test_rolling_restart_to_a_broken_build_keeps_the_old_workers(place, folder):
    with Supervised(place, folder) as supervisor:
        before = {worker["pid"] for worker in supervisor.status()["workers"]}
        supervisor.script("exit=3")
        assert supervisor.ask("POST", "/restart", {"target": "all", "rolling": True})[0] == 200
        wait_until(lambda: problem(supervisor.status(), "rolling_aborted"), "the rolling restart goes on")
        assert {worker["pid"] for worker in supervisor.status()["workers"]} == before


def test_scale_up_and_down(place, folder):
    with Supervised(place, folder) as supervisor:
        assert supervisor.ask("POST", "/scale", {"workers": 4})[0] == 200
        supervisor.wait_serving(4)
        assert supervisor.ask("POST", "/scale", {"workers": 1})[0] == 200
        wait_until(lambda: [w["slot"] for w in supervisor.status()["workers"]] == ["1"], "workers stay")
        assert supervisor.ask("POST", "/scale", {"workers": 0})[0] == 400


def test_second_start_is_refused_and_names_the_first(place, folder):
    with Supervised(place, folder) as first:
        with Supervised(place, folder, wait=False) as second:
            assert second.wait() == 75
            assert str(first.pid) in second.output
        assert first.version()["instance"] == first.status()["instance"]


def test_wrong_settings_are_all_told_before_anything_starts(place, folder):
    place.update(PORT="abc", WS_MODE="FOO")
    place_port = dict(place, PORT=str(free_port()))
    with Process([program("agentlocator"), "run"], env=place) as process:
        assert process.wait() == 78
        assert "PORT" in process.output and "AI, ECHO, SINK" in process.output
    assert not (folder / "run").exists()
    del place_port


def test_reload_with_wrong_settings_keeps_the_old_ones(place, folder):
    settings = folder / "settings"
    settings.write_text("CRASH_LIMIT=7\n")
    place["AGENTLOCATOR_ENV_FILE"] = str(settings)
    with Supervised(place, folder) as supervisor:
        settings.write_text("CRASH_LIMIT=many\n")
        code, answer = supervisor.ask("POST", "/reload", {})
        assert code == 400 and "CRASH_LIMIT" in answer["error"]
        assert problem(supervisor.status(), "reload_refused")
        before = {worker["pid"] for worker in supervisor.status()["workers"]}
        settings.write_text("CRASH_LIMIT=9\nWORKERS=3\n")
        assert supervisor.ask("POST", "/reload", {})[0] == 200
        wait_until(lambda: not before & {w["pid"] for w in supervisor.status()["workers"]}, "old workers stay")
        assert problem(supervisor.status(), "reload_refused") is None
        code, config = supervisor.ask("GET", "/config")
        assert next(row for row in config["settings"] if row["name"] == "CRASH_LIMIT")["value"] == "9"


def test_logs_are_given_and_followed(place, folder):
    with Supervised(place, folder, "say=first-words") as supervisor:
        code, text = supervisor.ask("GET", "/logs?target=1&lines=5")
        assert code == 200 and "first-words" in text
        assert supervisor.ask("GET", "/logs?target=nonsense")[0] == 400
        assert supervisor.ask("GET", "/logs?target=99")[0] == 404
        follower = socket.socket(socket.AF_UNIX)
        follower.connect(str(folder / "run" / "control.sock"))
        follower.settimeout(PATIENCE)
        follower.sendall(b"GET /logs?target=1&lines=0&follow=1 HTTP/1.1\r\nHost: x\r\n\r\n")
        seen = b""
        supervisor.script("say=later-words", slot=1)
        os.kill(supervisor.worker(1)["pid"], signal.SIGKILL)
        while b"later-words" not in seen:
            data = follower.recv(4096)
            assert data, seen
            seen += data
        follower.close()
        assert supervisor.status()["state"] in ("running", "degraded")


def test_follower_that_does_not_read_costs_bounded_memory(place, folder):
    with Supervised(place, folder, env={"HANG_TIMEOUT_MS": 600_000, "WORKERS": 2}) as supervisor:
        follower = socket.socket(socket.AF_UNIX)
        follower.connect(str(folder / "run" / "control.sock"))
        follower.sendall(b"GET /logs?follow=1 HTTP/1.1\r\nHost: x\r\n\r\n")
        supervisor.script("flood", slot=1)
        os.kill(supervisor.worker(1)["pid"], signal.SIGKILL)
        log = folder / "data" / "logs"
        wait_until(lambda: sum(p.stat().st_size for p in log.glob("worker-1*")) > 8_000_000, "no flood")
        resident = int(re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{supervisor.pid}/status").read())[1])
        assert resident < 64 * 1024 or "asan" in str(BIN) or "tsan" in str(BIN)
        follower.settimeout(PATIENCE)
        seen = b""
        while b"too slow" not in seen:
            seen = seen[-100:] + follower.recv(1 << 16)
        follower.close()


def test_control_socket_is_private_and_bounded(place, folder):
    with Supervised(place, folder) as supervisor:
        path = folder / "run" / "control.sock"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        for method, target, body, wanted in [
            ("GET", "/nothing", None, 404),
            ("GET", "/stop", None, 405),
            ("POST", "/restart", {"target": "9"}, 404),
            ("POST", "/restart", {}, 400),
            ("POST", "/mode", {"mode": "LOUD"}, 400),
            ("POST", "/scale", {"workers": "x" * 70_000}, 413),
        ]:
            code, answer = supervisor.ask(method, target, body)
            assert code == wanted, (target, answer)
            assert answer["ok"] is False and answer["remedy"]
        garbage = socket.socket(socket.AF_UNIX)
        garbage.connect(str(path))
        garbage.sendall(b"\x00\xff nonsense\r\n\r\n")
        assert garbage.recv(100).startswith(b"HTTP/1.1 400")
        garbage.close()
        # Idle clients fill their places and no more; the operator gets in again when they are thrown out.
        idle = []
        for _ in range(40):
            client = socket.socket(socket.AF_UNIX)
            client.connect(str(path))
            idle.append(client)
        for client in idle:
            client.close()

        def answers():
            with contextlib.suppress(OSError):
                return supervisor.status()["state"] == "running"

        wait_until(answers, "the control socket stays full")


def test_control_socket_refuses_another_user(place, folder):
    if os.geteuid() != 0:
        pytest.skip("needs root to become another user")
    with Supervised(place, folder) as supervisor:
        # Open the path on purpose: what is tested is the check of the peer, not the folder's mode.
        for path in (folder, folder / "run"):
            path.chmod(0o755)
        (folder / "run" / "control.sock").chmod(0o666)
        ask = ("import socket; s = socket.socket(socket.AF_UNIX); s.connect('%s'); "
               "s.sendall(b'GET /status HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n'); print(len(s.recv(100)))"
               % (folder / "run" / "control.sock"))
        result = subprocess.run(["/usr/bin/python3", "-c", ask], user=65534, capture_output=True, text=True)
        assert result.stdout.strip() in ("0", "") and "status" not in result.stdout
        assert supervisor.status()["state"] == "running"


def test_stop_by_command(place, folder):
    with Supervised(place, folder) as supervisor:
        assert supervisor.ask("POST", "/stop", {})[0] == 200
        assert supervisor.wait() == 0
        assert not (folder / "run" / "control.sock").exists()
        assert shutil.which("true")  # The test's own tools are untouched.
