"""The command line against a real supervisor with real workers, on a pipe and on a terminal."""

import fcntl
import json
import os
import pty
import pwd
import re
import select
import shutil
import signal
import struct
import subprocess
import termios
import time
import urllib.request

import pytest

from old_installation import GUNICORN, Installation
from support import Process, free_port, is_alive, is_listening, program, wait_until


@pytest.fixture
def supervisor(place):
    place.update(WORKERS="2", DRAIN_TIMEOUT_MS="2000", TERM_TIMEOUT_MS="1000")
    with Process([program("agentlocator"), "run"], env=place) as process:
        process.wait_for(r"event=worker_ready", count=2)
        process.wait_for(r"event=port_proved")
        yield process


def cli(place, *arguments, code=0, timeout=30):
    done = subprocess.run(
        [program("agentlocator"), *map(str, arguments)], env=place, capture_output=True, text=True, timeout=timeout
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def status(place):
    return json.loads(cli(place, "status", "--json").stdout)


def state_of(place, slot):
    found = [w for w in status(place)["workers"] if w["slot"] == str(slot) and w["role"] == "current"]
    return (found[0]["state"], found[0]["pid"]) if found else (None, 0)


def live_instance(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/version", timeout=5) as answer:
        return json.load(answer)["instance"]


# ---- commands


def test_status_is_a_table_for_people_and_a_document_for_programs(place, supervisor):
    document = status(place)
    assert document["instance"] == live_instance(place["PORT"])
    text = cli(place, "status").stdout
    assert "\x1b" not in text
    assert f"pid {supervisor.pid}\n" in text
    assert f"127.0.0.1:{place['PORT']}  ours" in text
    assert len(re.findall(r"^[12] +serving +\d+ ", text, re.M)) == 2


def test_the_supervisor_is_found_through_its_lock_when_the_runtime_folder_differs(place, supervisor, folder):
    elsewhere = dict(place, AGENTLOCATOR_RUNTIME_DIR=str(folder / "elsewhere"))
    assert status(elsewhere)["pid"] == supervisor.pid


def test_a_fault_in_another_setting_does_not_hide_what_runs(place, supervisor):
    broken = dict(place, PORT="abc", WS_MODE="FOO")
    assert status(broken)["pid"] == supervisor.pid


def test_restart_scale_and_mode_do_what_they_say(place, supervisor):
    _, pid = state_of(place, 1)
    cli(place, "restart", "1")
    wait_until(lambda: state_of(place, 1)[0] == "serving" and state_of(place, 1)[1] != pid, "worker 1 is not replaced")
    cli(place, "scale", "3")
    wait_until(lambda: state_of(place, 3)[0] == "serving", "worker 3 does not come")
    pids = {state_of(place, slot)[1] for slot in (1, 2, 3)}
    cli(place, "restart", "all", "--rolling")
    wait_until(
        lambda: not pids & {w["pid"] for w in status(place)["workers"]} and len(status(place)["workers"]) == 3,
        "workers are not replaced",
    )
    done = cli(place, "mode", "echo", "--for", "10m")
    assert "for 10 min, then back" in done.stdout
    text = cli(place, "status").stdout
    assert re.search(r"^mode   ECHO \(command\) until .*callers hear themselves", text, re.M)
    cli(place, "mode", "AI")
    assert status(place)["mode"]["mode"] == "AI"


def test_refusals_name_the_remedy_and_fail(place, supervisor):
    for arguments in (("restart", "9"), ("restart", "foo"), ("logs", "99")):
        assert "; " in cli(place, *arguments, code=1).stderr
    assert cli(place, "logs", "../x", code=64).stdout == ""


def test_config_and_version_of_what_runs(place, supervisor):
    place["WORKERS"] = "7"  # Only here, not where it runs.
    assert re.search(r"^WORKERS +7 +environment$", cli(place, "config").stdout, re.M)
    assert re.search(r"^WORKERS +2 +environment$", cli(place, "config", "--running").stdout, re.M)
    assert re.search(r"^running: \S+ \(\S+\), instance [0-9a-f]{32}$", cli(place, "version").stdout, re.M)
    assert json.loads(cli(place, "version", "--json").stdout)["running"]["version"]


def test_logs_of_one_of_all_and_as_they_come(place, supervisor):
    assert "event=supervisor_ready" in cli(place, "logs", "supervisor").stdout
    assert cli(place, "logs", "-n", "1", "supervisor").stdout.count("\n") == 1
    everyone = cli(place, "logs", "-n", "1").stdout  # One line of each who said anything.
    assert {line.split("]")[0] for line in everyone.splitlines() if line.startswith("[")} <= {"[worker-1", "[worker-2"}
    assert 1 <= everyone.count("\n") <= 3
    with Process([program("agentlocator"), "logs", "-f", "-n", "0"], env=place) as follower:
        # A follower that is not connected yet misses the line: ask again until one comes through.
        def told():
            cli(place, "mode", "ECHO")
            cli(place, "mode", "AI")
            return "mode" in follower.output

        wait_until(told, lambda: f"no line came: {follower.output!r}")
        follower.send(signal.SIGINT)
        assert follower.wait() == 0


def test_a_follower_ends_when_its_reader_leaves(place, supervisor):
    with Process([program("agentlocator"), "logs", "-f", "-n", "5"], env=place) as follower:
        follower.wait_for("event=")
        supervisor.stop()
        assert follower.wait() == 0


def test_stop_returns_when_all_has_ended(place, supervisor):
    pids = [w["pid"] for w in status(place)["workers"]]
    done = cli(place, "stop")
    assert done.stdout == "stopping\nstopped\n"
    assert not any(is_alive(pid) for pid in (*pids, supervisor.pid))
    assert supervisor.wait() == 0
    assert "no supervisor is running" in cli(place, "stop", code=69).stderr


def test_a_supervisor_that_hangs_is_told_from_one_that_is_gone(place, supervisor):
    supervisor.send(signal.SIGSTOP)
    try:
        begin = time.monotonic()
        done = cli(place, "status", code=69)
        assert "does not answer" in done.stderr
        assert time.monotonic() - begin < 10
    finally:
        supervisor.send(signal.SIGCONT)


def test_a_living_supervisor_and_its_children_are_not_stale(place, supervisor):
    assert json.loads(cli(place, "stale", "--json").stdout) == []
    cli(place, "stale", "--kill", "--takeover")
    assert {w["state"] for w in status(place)["workers"]} == {"serving"}


def as_user(uid, place, *arguments):
    done = subprocess.run(
        [program("agentlocator"), *arguments], env=place, user=uid, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 1, done.stdout
    return done.stderr


def test_another_users_supervisor_is_named_as_such(place, supervisor, folder):
    if os.geteuid() != 0:
        pytest.skip("needs root to become another user")
    folder.chmod(0o755)
    assert f"{folder}/run/control.sock belongs to another user; run this as that user" in as_user(65534, place, "stop")
    assert status(place)["pid"] == supervisor.pid


def test_a_socket_that_another_user_serves_is_not_believed(place, folder):
    if os.geteuid() != 0:
        pytest.skip("needs root to become another user")
    (folder / "run").mkdir()
    for path in (folder, folder / "run"):
        path.chmod(0o777)
    path = folder / "run" / "control.sock"
    serve = f"import socket; s = socket.socket(socket.AF_UNIX); s.bind('{path}'); s.listen(); print('up', flush=True); s.accept()[0].recv(9)"
    with Process(["/usr/bin/python3", "-c", serve], user=65534) as impostor:
        impostor.wait_for("up")
        path.chmod(0o777)
        assert f"{path} is served by another user" in as_user(65533, place, "status")


# ---- a terminal


class Terminal:
    """A command with a terminal of its own, as a person has it."""

    def __init__(self, argv, env, columns, rows=24):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        self.child = subprocess.Popen(
            argv,
            env=dict(env, TERM=env.get("TERM", "xterm-256color")),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        self.text = ""

    def read(self, seconds):
        ready, _, _ = select.select([self.master], [], [], seconds)
        if ready:
            self.text += os.read(self.master, 65536).decode()
        return bool(ready)

    def wait_for(self, pattern, count=1, seconds=30):
        deadline = time.monotonic() + seconds
        while len(re.findall(pattern, self.text)) < count:
            assert time.monotonic() < deadline, self.text
            self.read(0.2)

    def press(self, keys):
        os.write(self.master, keys)

    def wait(self):
        code = self.child.wait(30)
        while self.read(0.1):
            pass
        return code

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()
        os.close(self.master)
        os.close(self.slave)


COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@pytest.mark.parametrize("columns", [60, 120])
def test_status_fits_the_terminal(place, supervisor, columns):
    with Terminal([program("agentlocator"), "status"], place, columns) as terminal:
        assert terminal.wait() == 0
        assert "\x1b[32mserving\x1b[0m" in terminal.text
        lines = COLOUR.sub("", terminal.text).splitlines()
        assert max(map(len, lines)) <= columns
        assert ("LAST EXIT" in terminal.text and "MEMORY" in terminal.text) == (columns == 120)


def test_colour_is_left_out_on_request_and_non_ai_modes_are_red(place, supervisor):
    with Terminal([program("agentlocator"), "status"], dict(place, NO_COLOR="1"), 80) as terminal:
        assert terminal.wait() == 0
        assert "\x1b" not in terminal.text
    cli(place, "mode", "SINK")
    with Terminal([program("agentlocator"), "status"], place, 80) as terminal:
        assert terminal.wait() == 0
        assert "\x1b[1;31mSINK\x1b[0m" in terminal.text


def test_watch_redraws_without_clearing_and_leaves_the_terminal_clean(place, supervisor):
    with Terminal([program("agentlocator"), "status", "--watch"], place, 100, rows=6) as terminal:
        terminal.wait_for(r"\x1b\[H", count=3)
        terminal.press(b"\x03")
        assert terminal.wait() == 0
        assert terminal.text.startswith("\x1b[?1049h\x1b[?25l")
        assert terminal.text.endswith("\x1b[?25h\x1b[?1049l")
        assert "\x1b[2J" not in terminal.text  # Clearing first is what flickers.
        assert "more lines" in terminal.text  # Six rows do not hold it.
        frame = terminal.text.split("\x1b[H")[1]
        assert frame.count("\r\n") == 5
        assert termios.tcgetattr(terminal.slave) == terminal.before


def test_watch_survives_the_end_of_the_supervisor(place, supervisor):
    with Terminal([program("agentlocator"), "status", "--watch"], place, 100) as terminal:
        terminal.wait_for("serving")
        supervisor.stop()
        terminal.wait_for("no supervisor is running")
        terminal.press(b"\x03")
        assert terminal.wait() == 0


# ---- run beside what was there before


@pytest.fixture
def installation(folder):
    return Installation(folder)


def run(installation, *flags):
    environment = dict(installation.environment, WORKERS="2", ENABLE_WA_BAILEYS="false")
    return Process([program("agentlocator"), "run", *flags], env=environment)


def test_run_replaces_the_old_echo_server_and_spares_strangers(installation):
    other = installation.folder / "other"
    shutil.copytree(installation.root, other)
    other_port, bridge_port, main_port = free_port(), free_port(), free_port()
    bind = ["-b", f"127.0.0.1:{installation.port}"]
    with (
        installation.start(
            GUNICORN + bind + ["AgentLocator.main:app"], listens=installation.port, WS_MODE="ECHO"
        ) as old,
        installation.start(["node", "index.js"], installation.bridge, bridge_port, PORT=bridge_port) as bridge,
        installation.start(["/usr/bin/python3", "main.py"], None, main_port, PORT=main_port) as main,
        installation.start(GUNICORN + ["-b", f"127.0.0.1:{other_port}", "main:app"], other, other_port) as stranger,
        installation.start(["node", "index.js"], other / "baileys-bridge", PORT=free_port()) as other_bridge,
    ):
        with urllib.request.urlopen(f"http://127.0.0.1:{installation.port}/", timeout=5) as answer:
            assert answer.read() == b"ECHO"
        with run(installation) as supervisor:
            supervisor.wait_for("event=port_proved")
            assert live_instance(installation.port) == status(installation.environment)["instance"]
            assert not any(is_alive(process.pid) for process in (old, bridge, main))
            assert is_alive(stranger.pid) and is_alive(other_bridge.pid)
            assert is_listening(other_port)
            assert f"pid {old.pid} " in supervisor.output
            assert supervisor.stop() == 0
        assert is_alive(stranger.pid) and is_alive(other_bridge.pid)


def test_run_names_an_unknown_owner_of_the_port_and_leaves_it(installation):
    server = ["/usr/bin/python3", "-m", "http.server", "--bind", "0.0.0.0", installation.port]
    with installation.start(server, installation.folder, installation.port) as owner:
        with run(installation) as supervisor:
            assert supervisor.wait() == 75
            assert f"pid {owner.pid} " in supervisor.output and "http.server" in supervisor.output
        assert is_alive(owner.pid)
        with run(installation, "--takeover") as supervisor:
            supervisor.wait_for("event=port_proved")
            assert not is_alive(owner.pid)


def make_link(path):
    (path.parent / "target").write_text("precious")
    path.symlink_to("target")


def make_second_name(path):
    (path.parent / "target").write_text("{}")
    path.hardlink_to(path.parent / "target")


@pytest.mark.parametrize(
    "make, problem",
    [
        (make_link, "is a symbolic link"),
        (lambda path: path.symlink_to("nothing"), "is a symbolic link"),
        (lambda path: path.mkdir(), "is a folder"),
        (os.mkfifo, "is not a regular file"),
        (make_second_name, "has a second name"),
        (lambda path: path.write_text("#!/bin/sh\nprecious\n"), "holds something that is not a lock record"),
    ],
)
def test_a_hostile_file_in_the_place_of_the_lock_is_refused_unharmed(place, folder, make, problem):
    make(folder / "lock")
    target = folder / "target"
    precious = target.read_text() if target.exists() else None
    with Process([program("agentlocator"), "run"], env=place) as process:
        assert process.wait() != 0
        assert f"lock file {folder}/lock {problem}" in process.output
        assert "remove it, or set AGENTLOCATOR_LOCK" in process.output
    assert precious is None or target.read_text() == precious
    assert not is_listening(int(place["PORT"]))


def test_another_users_file_in_the_place_of_the_lock_is_refused(place, folder):
    path, problem = "/etc/passwd", "may not be opened by this user"
    if os.geteuid() == 0:
        path, problem = folder / "lock", "belongs to user nobody, not to root"
        path.write_text("")
        os.chown(path, pwd.getpwnam("nobody").pw_uid, -1)
    with Process([program("agentlocator"), "run"], env=dict(place, AGENTLOCATOR_LOCK=str(path))) as process:
        assert process.wait() != 0
        assert f"lock file {path} {problem}; remove it, or set AGENTLOCATOR_LOCK" in process.output


@pytest.mark.parametrize("left", ["", "4711\n", '{"pid": 4711', '{"pid":4194000,"start_ticks":1,"boot_id":"x"}'])
def test_a_lock_file_of_the_dead_is_just_taken(place, folder, left):
    (folder / "lock").write_text(left)
    (folder / "lock").chmod(0o644)
    with Process([program("agentlocator"), "run"], env=place) as process:
        process.wait_for("event=supervisor_ready")
        record = json.loads((folder / "lock").read_text())
        assert record["pid"] == process.pid
        assert (folder / "lock").stat().st_mode & 0o777 == 0o600
