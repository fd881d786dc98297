"""`agentlocator stale` against real processes: what is old and ours goes, everything else stays (F-1, F-2).

The installation is a private folder in the shape of the original's checkout, with a real gunicorn, node and python.
"""

import itertools
import json
import os
import pwd
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from old_installation import GUNICORN, Installation
from support import free_port, is_alive, is_listening

@pytest.fixture
def installation(folder):
    return Installation(folder)


def children_of(pid):
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return {int(child) for child in path.read_text().split()}


def start_ticks(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


def test_old_servers_go_and_strangers_stay(installation):
    other = installation.folder / "other"
    shutil.copytree(installation.root, other)
    other_port, old_bridge_port, other_bridge_port, main_port = (free_port() for _ in range(4))
    bind = ["-b", f"127.0.0.1:{installation.port}"]
    with (
        installation.start(
            GUNICORN + bind + ["AgentLocator.main:app"], listens=installation.port, WS_MODE="ECHO"
        ) as old,
        installation.start(["node", "index.js"], installation.bridge, old_bridge_port, PORT=old_bridge_port) as bridge,
        installation.start(["/usr/bin/python3", "main.py"], None, main_port, PORT=main_port) as main,
        installation.start(GUNICORN + ["-b", f"127.0.0.1:{other_port}", "main:app"], other, other_port) as stranger,
        installation.start(["node", "index.js"], other / "baileys-bridge", other_bridge_port, PORT=other_bridge_port)
        as other_bridge,
    ):
        expected = {old.pid, bridge.pid, main.pid} | children_of(old.pid)
        found = installation.verdicts()
        assert set(found) == expected
        assert {entry["action"] for entry in found.values()} == {"stop"}
        assert found[old.pid]["reason"] == "old_server"
        assert "gunicorn AgentLocator.main:app" in found[old.pid]["detail"]
        assert "node index.js" in found[bridge.pid]["detail"]
        # Looking ends nobody.
        assert all(is_alive(pid) for pid in expected)

        done = installation.stale("--kill")
        assert f"pid {old.pid} " in done.stderr
        assert not any(is_alive(pid) for pid in expected)
        assert not is_listening(installation.port)
        assert installation.verdicts() == {}
        for survivor in (stranger, other_bridge):
            assert is_alive(survivor.pid)
        assert is_listening(other_port) and is_listening(other_bridge_port)


def test_an_unknown_owner_of_the_port_is_named_and_left(installation):
    with installation.start(
        ["/usr/bin/python3", "-m", "http.server", "--bind", "127.0.0.1", installation.port],
        installation.folder,
        installation.port,
    ) as owner:
        found = installation.verdicts()
        assert found[owner.pid]["action"] == "leave"
        assert found[owner.pid]["reason"] == "port_owner"
        done = installation.stale("--kill", code=75)
        line = next(line for line in done.stderr.splitlines() if f"pid {owner.pid} " in line)
        me = pwd.getpwuid(os.getuid()).pw_name
        for fact in ("http.server", f"user {me}", "since 20", str(installation.folder), "--takeover"):
            assert fact in line
        assert is_alive(owner.pid)

        installation.stale("--kill", "--takeover")
        assert not is_alive(owner.pid)
        assert not is_listening(installation.port)


def test_one_that_ignores_sigterm_is_killed(installation):
    stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); signal.pause()"
    (installation.root / "main.py").write_text(stubborn)
    with installation.start(["/usr/bin/python3", "main.py"]) as deaf, installation.start(
        ["/usr/bin/python3", "AgentLocator/main.py"], PORT=free_port()
    ) as stopped:
        deaf.wait_for("deaf")
        stopped.send(signal.SIGSTOP)
        begin = time.monotonic()
        done = installation.stale("--kill")
        assert "ignored SIGTERM for 1500 ms" in done.stderr
        assert not is_alive(deaf.pid)
        assert not is_alive(stopped.pid)
        assert time.monotonic() - begin < 15


def test_a_launcher_that_restarts_its_server_goes_first(installation):
    (installation.root / "start_all.sh").write_text("while true; do /usr/bin/python3 main.py; done\n")
    with installation.start(["/bin/bash", "start_all.sh"], None, installation.port, PORT=installation.port) as launcher:
        server = children_of(launcher.pid)
        found = installation.verdicts()
        assert set(found) == server | {launcher.pid}
        assert found[launcher.pid]["reason"] == "old_launcher"
        installation.stale("--kill")
        assert not is_alive(launcher.pid)
        assert not is_listening(installation.port)
        assert installation.verdicts() == {}


def test_children_of_a_dead_supervisor_are_known_by_their_records(installation):
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    with (
        installation.start(["/bin/sleep", "300"], "/") as ours,
        installation.start(["/bin/sleep", "300"], "/") as reused,
        installation.start(["/bin/sleep", "300"], "/", AGENTLOCATOR_TAG="agentlocator/dead") as tagged,
        installation.start(["/bin/sleep", "300"], "/", AGENTLOCATOR_TAG="agentlocator/dead2") as other,
    ):
        records = {
            "format": 1,
            "instance": "dead",
            "boot_id": boot_id,
            "supervisor": {"pid": 4194000, "start_ticks": 1},
            "children": [
                {"slot": "1", "pid": ours.pid, "start_ticks": start_ticks(ours.pid)},
                {"slot": "2", "pid": reused.pid, "start_ticks": start_ticks(reused.pid) - 1},
            ],
        }
        path = installation.folder / "run" / "children.json"
        path.write_text(json.dumps({**records, "boot_id": "another boot", "instance": "another"}))
        assert installation.verdicts() == {}
        path.write_text(json.dumps(records)[:-9])
        assert installation.verdicts() == {}
        path.write_text(json.dumps(records))
        found = installation.verdicts()
        assert {pid: entry["reason"] for pid, entry in found.items()} == {
            ours.pid: "recorded_child",
            tagged.pid: "tagged_child",
        }
        installation.stale("--kill")
        assert not is_alive(ours.pid) and not is_alive(tagged.pid)
        assert is_alive(reused.pid) and is_alive(other.pid)


# A shell that waits for the end of its input, under any name and with any arguments: the cheapest look-alike.
WAITING = "read nothing\n"
LOOK_ALIKES = (
    ["gunicorn", "main:app"],
    ["gunicorn", "AgentLocator.main:app"],
    ["python3", "main.py"],
    ["uvicorn", "asgi:app"],
    ["node", "index.js"],
    ["nodejs", "index.js"],
)
FALSE_FRIENDS = (
    ["gunicorn", "shop.main:app"],
    ["python3", "manage.py", "main.py"],
    ["node", "server.js", "index.js"],
    ["vim", "main.py"],
    ["uvicorn", "api:app"],
)


def test_hundreds_of_real_decoys_survive(installation):
    """Same names in other folders, other names in our folders, our very servers of another user: nobody is touched."""
    ours = (installation.root, installation.root / "AgentLocator", installation.bridge)
    names = ("agent2", "agen", "agent.bak", "agent/old", "agent/baileys-bridge/auth", "x/agent", "x/baileys-bridge")
    others = [installation.folder / name for name in names]
    decoys = [(argv, folder, None) for argv, folder in itertools.product(LOOK_ALIKES, others)]
    decoys += [(argv, folder, None) for argv, folder in itertools.product(FALSE_FRIENDS, ours)]
    if os.getuid() == 0:
        nobody = pwd.getpwnam("nobody").pw_uid
        decoys += [(argv, folder, nobody) for argv, folder in itertools.product(LOOK_ALIKES, ours)]
    decoys *= 3
    scripts = {argv[1] for argv in (*LOOK_ALIKES, *FALSE_FRIENDS)}
    for folder in (*ours, *others):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
        for script in scripts:
            (folder / script).write_text(WAITING)
    running = []
    try:
        for argv, folder, user in decoys:
            running.append(
                subprocess.Popen(
                    argv,
                    executable="/bin/dash",
                    cwd=folder,
                    user=user,
                    env={"AGENTLOCATOR_TAG": "agentlocator/somebody"},
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                )
            )
        # One real one in the crowd shows that the crowd was looked at.
        real = subprocess.Popen(["node", "index.js"], executable="/bin/dash", cwd=installation.bridge, stdin=subprocess.PIPE)
        running.append(real)
        assert set(installation.verdicts()) == {real.pid}
        installation.stale("--kill")
        assert real.wait(10) == -signal.SIGTERM
        dead = [(child.args, child.returncode) for child in running[:-1] if child.poll() is not None]
        assert len(decoys) >= 170 and dead == []
    finally:
        for child in running:
            child.stdin.close()
        for child in running:
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
