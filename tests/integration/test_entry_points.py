"""The ways AgentLocator is started where it is deployed: Procfile, .replit, systemd unit and socket, as those would."""

import http.client
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import threading
import time
import tomllib

import pytest

from support import BIN, PATIENCE, ROOT, Process, clean_environment, free_port, is_alive, is_listening, wait_until

UNIT = ROOT / "deploy" / "agentlocator.service"
SOCKET = ROOT / "deploy" / "agentlocator.socket"
PROGRAMS = ("agentlocator", "agentlocator-worker", "agentlocator-bridge-launcher")

# The stop of an idle system: no calls to wait for.
STOPPED = 0


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    """A checkout with the programs under test built in it, so that start_all.sh has nothing to build."""
    root = tmp_path_factory.mktemp("installation") / "AgentLocator"
    ignored = shutil.ignore_patterns("build*", ".git", "node_modules", ".node_modules.previous", "__pycache__", "data")
    shutil.copytree(ROOT, root, ignore=ignored)
    programs = root / "build" / "release" / "bin"
    programs.mkdir(parents=True)
    for name in PROGRAMS:
        shutil.copy2(BIN / name, programs / name)
    stamp = subprocess.run(
        ["bash", "-c", 'root=$1; program=test; . "$root/scripts/setup.sh"; source_hash', "bash", root],
        check=True, capture_output=True, timeout=PATIENCE,
    )
    (root / "build" / "release" / ".built-from").write_bytes(stamp.stdout)
    return root


@pytest.fixture
def platform(place, folder):
    """What a platform gives: PORT, no terminal, and a WS_MODE forgotten in its secrets. The rest keeps tests apart."""
    return place | {"WS_MODE": "ECHO", "ENABLE_WA_BAILEYS": "true", "BAILEYS_PORT": str(free_port()), "WORKERS": "2"}


def get(port, path, address="127.0.0.1"):
    connection = http.client.HTTPConnection(address, port, timeout=PATIENCE)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def is_healthy(port):
    try:
        return get(port, "/healthz")[0] == 200
    except OSError:
        return False


def children_of(pid):
    """Its direct children, by number."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(child) for child in file.read().split()]


def check_deployed(process, port, open_to_all):
    """Healthy, in AI mode whatever leaked in, with a line that names the variable, and gone as a whole at SIGTERM."""
    wait_until(lambda: is_healthy(port) or process.returncode is not None, lambda: process.output)
    assert process.returncode is None, process.output
    assert is_listening(port, "127.0.0.2") == open_to_all
    process.wait_for(r"^(?=.*WS_MODE)(?=.*ECHO)(?=.*\bAI\b).*(delete|remove|unset)")
    assert re.search(r'"(ws_)?mode":\s*"AI"', get(port, "/version")[1]), get(port, "/version")
    process.wait_for(r"event=bridge_ready ", seconds=180)  # npm installs its packages first.
    children = children_of(process.pid)
    assert len(children) >= 3  # Two workers and the bridge.
    assert process.stop() == STOPPED, process.output
    wait_until(lambda: not any(is_alive(child) for child in children), "nothing outlives the stop")
    assert not is_listening(port)


def procfile_command(root):
    name, _, command = (root / "Procfile").read_text().strip().partition(": ")
    assert name == "web"
    return ["bash", "-c", f"exec {command}"]


def replit_commands(root):
    document = tomllib.loads((root / ".replit").read_text())
    return {"run": document["run"], "build": document["deployment"]["build"], "deployment": document["deployment"]["run"]}


def test_procfile_as_a_platform_runs_it(installation, platform):
    with Process(procfile_command(installation), env=platform, cwd=installation) as started:
        check_deployed(started, int(platform["PORT"]), open_to_all=True)


@pytest.mark.parametrize("which", ["run", "deployment"])
def test_replit_commands(installation, platform, which):
    command = replit_commands(installation)[which]
    with Process(command, env=platform, cwd=installation) as started:
        check_deployed(started, int(platform["PORT"]), open_to_all=True)


def test_replit_build_builds_and_ends(installation, platform):
    with Process(replit_commands(installation)["build"], env=platform, cwd=installation) as started:
        assert started.wait() == 0
    assert not is_listening(int(platform["PORT"]))


def unit_section(path, section):
    """Key to values of one section, in order: a key may repeat, and backslashes at the end continue a line."""
    values, current = {}, ""
    for line in path.read_text().replace("\\\n", " ").splitlines():
        line = line.strip()
        if line.startswith("["):
            current = line.strip("[]")
        elif line and not line.startswith(("#", ";")) and current == section:
            key, _, value = line.partition("=")
            values.setdefault(key, []).append(value)
    return values


class FakeSystemd:
    """What systemd gives a service of type notify, and what it hears from it."""

    def __init__(self, installation, folder, place):
        service = unit_section(UNIT, "Service")
        self.argv = shlex.split(service["ExecStart"][-1].replace("/opt/agentlocator", str(installation)))
        (folder / "run").mkdir(mode=0o700)
        (folder / "state").mkdir(mode=0o700)
        specifiers = {"%t/agentlocator": str(folder / "run"), "%S/agentlocator": str(folder / "state")}
        self.environment = place
        for setting in service["Environment"]:
            name, _, value = setting.partition("=")
            for specifier, path in specifiers.items():
                value = value.replace(specifier, path)
            self.environment[name] = value
        self.environment["NOTIFY_SOCKET"] = str(folder / "notify")
        self.environment["WATCHDOG_USEC"] = "400000"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.socket.bind(self.environment["NOTIFY_SOCKET"])
        self.messages = []
        self.senders = set()
        # Read as it comes, as systemd does: the queue of the kernel is short, and what does not fit is not said again.
        threading.Thread(target=self._listen, daemon=True).start()

    def start(self):
        # WATCHDOG_PID must be the pid of the program, which only the program's predecessor in the same process knows.
        return Process(["bash", "-c", 'WATCHDOG_PID=$$ exec "$@"', "bash", *self.argv], env=self.environment)

    def _listen(self):
        while True:
            data, control, _, _ = self.socket.recvmsg(65536, 1024)
            if not data:
                return
            self.senders.update(int.from_bytes(credentials[:4], "little") for _, _, credentials in control)
            self.messages += data.decode().splitlines()

    def close(self):
        self.socket.shutdown(socket.SHUT_RD)

    def hear(self, text, count=1, since=0):
        """Waits until `text` was said `count` times."""
        wait_until(lambda: sum(text in message for message in self.messages[since:]) >= count,
                   lambda: f"{text} was not said {count} times: {self.messages}")

    def is_silent(self, seconds):
        said = len(self.messages)
        time.sleep(seconds)
        return len(self.messages) == said


@pytest.fixture
def fake_systemd(installation, folder, platform):
    fake = FakeSystemd(installation, folder, platform)
    yield fake
    fake.close()


def test_unit_with_a_fake_systemd(fake_systemd, platform):
    port = int(platform["PORT"])
    with fake_systemd.start() as started:
        fake_systemd.hear("READY=1")
        assert is_healthy(port), "ready is said when a request is answered, not before"
        fake_systemd.hear("WATCHDOG=1", count=3)
        fake_systemd.hear("STATUS=")
        check_deployed(started, port, open_to_all=False)
        fake_systemd.hear("STOPPING=1")
        assert fake_systemd.senders == {started.pid}, "NotifyAccess=main: only the main process may speak"


def test_unit_of_a_frozen_supervisor_goes_silent(fake_systemd, platform):
    """The watchdog's whole point: what speaks is the main loop, not a helper thread that would go on."""
    with fake_systemd.start() as started:
        fake_systemd.hear("READY=1")
        fake_systemd.hear("WATCHDOG=1", count=2)
        started.send(signal.SIGSTOP)
        wait_until(lambda: fake_systemd.is_silent(1.0), "it goes on")  # Two and a half watchdog periods.
        said = len(fake_systemd.messages)
        started.send(signal.SIGCONT)
        fake_systemd.hear("WATCHDOG=1", since=said)
        assert started.stop() == STOPPED


def test_socket_unit_hands_over_the_port(installation, folder, platform):
    """systemd-socket-activate is systemd's own stand-in for a socket unit: it opens the port, waits for the first
    connection, and runs the program with the open socket."""
    listen = unit_section(SOCKET, "Socket")
    port = free_port()
    address = listen["ListenStream"][0].replace(":5000", f":{port}")
    command = shlex.split(unit_section(UNIT, "Service")["ExecStart"][-1].replace("/opt/agentlocator", str(installation)))
    passed = [f"--setenv={name}={value}" for name, value in platform.items()]
    activate = ["systemd-socket-activate", f"--listen={address}", f"--fdname={listen['FileDescriptorName'][0]}", *passed]
    with Process([*activate, *command], env=platform | {"PORT": str(free_port())}) as started:
        wait_until(lambda: is_listening(port), lambda: started.output)
        # The first connection was the one that started it; it and all others are answered, on systemd's port.
        wait_until(lambda: is_healthy(port), lambda: started.output)
        assert started.stop() == STOPPED, started.output


def installed_unit(path, installation, folder):
    text = path.read_text().replace("/opt/agentlocator", str(installation))
    copy = folder / path.name
    copy.write_text(text)
    return copy


def test_units_verify_without_a_word(installation, folder):
    units = [installed_unit(path, installation, folder) for path in (UNIT, SOCKET)]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_unit_is_hardened(installation, folder, capsys):
    unit = installed_unit(UNIT, installation, folder)
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--no-pager", "--threshold=20", unit],
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )
    with capsys.disabled():
        print(done.stdout.strip().splitlines()[-1])
    assert done.returncode == 0, done.stdout


def test_every_entry_point_enforces_ai_mode():
    commands = [procfile_command(ROOT)[-1], unit_section(UNIT, "Service")["ExecStart"][-1]]
    replit = replit_commands(ROOT)
    commands += [shlex.join(replit["run"]), shlex.join(replit["deployment"])]
    for command in commands:
        assert "--enforce-ai" in command.split(), command
        assert "--bind" in command.split(), command


def test_replit_port_is_the_default_port():
    document = tomllib.loads((ROOT / ".replit").read_text())
    assert [(entry["localPort"], entry["externalPort"]) for entry in document["ports"]] == [(5000, 80)]
