"""agentlocator-bridge-launcher with real node and npm: start, install, failure, interruption, signals."""

import json
import os
import pty
import shutil
import signal
import stat
import subprocess
import tarfile
import urllib.request
from pathlib import Path

import pytest

from support import PATIENCE, ROOT, Process, clean_environment, free_port, is_alive, program, wait_until

LAUNCHER = "agentlocator-bridge-launcher"
REAL_BRIDGE = ROOT / "baileys-bridge"
BRIDGE = Path(__file__).parent / "stand_in_bridge"  # Has no packages, so a start costs no installation.
READY = r"^event=bridge_ready address=127\.0\.0\.1 port=(\d+) pid=(\d+) "


@pytest.fixture
def bridge(folder):
    path = folder / "bridge"
    shutil.copytree(BRIDGE, path)
    return path


SECRET = "s3cret-s3cret-s3cret"


def environment(bridge, **more):
    return clean_environment(BRIDGE_DIR=bridge, BAILEYS_PORT=0, BAILEYS_SECRET=SECRET, **more)


def stamp(bridge):
    return bridge / "node_modules" / ".agentlocator-installed"


def executable(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def fake_npm(folder, script):
    """A folder with the real node and an npm of ours, to stand first in PATH. npm beside node wins."""
    tools = folder / "tools"
    tools.mkdir(exist_ok=True)
    if not (tools / "node").exists():
        (tools / "node").symlink_to(shutil.which("node"))
    executable(tools / "npm", f"#!/bin/sh\n{script}\n")
    return f"{tools}:{os.environ['PATH']}"


def make_package(folder, version):
    """A tarball npm can install without a network."""
    source = folder / f"package-{version}" / "package"
    source.mkdir(parents=True)
    (source / "package.json").write_text(json.dumps({"name": "leftpad", "version": version, "main": "i.js"}))
    (source / "i.js").write_text(f"module.exports = '{version}';")
    with tarfile.open(folder / "bridge" / f"leftpad-{version}.tgz", "w:gz") as archive:
        archive.add(source, "package")


def depend_on(bridge, version):
    """The bridge gets a dependency and prints its version when it is ready."""
    package = json.loads((BRIDGE / "package.json").read_text())
    package["dependencies"] = {"leftpad": f"file:leftpad-{version}.tgz"}
    (bridge / "package.json").write_text(json.dumps(package))
    (bridge / "package-lock.json").unlink(missing_ok=True)
    subprocess.run(["npm", "install", "--package-lock-only", "--silent"], cwd=bridge, check=True, timeout=120)
    first = "import leftpad from 'leftpad';\nconsole.log(`event=package version=${leftpad}`);\n"
    (bridge / "index.js").write_text(first + (BRIDGE / "index.js").read_text())


def start_and_stop(bridge, **more):
    with Process([program(LAUNCHER)], env=environment(bridge, **more)) as launched:
        launched.wait_for(READY)
        assert launched.stop() == 0
        return launched.output


def test_installs_the_real_bridge_and_becomes_it(folder):
    """From a fresh checkout: npm ci with the lock file and .npmrc as committed, then node with the launcher's pid."""
    bridge = folder / "bridge"
    ignore = shutil.ignore_patterns("node_modules", ".node_modules.previous", "test")
    shutil.copytree(REAL_BRIDGE, bridge, ignore=ignore)
    data = folder / "data"
    with Process([program(LAUNCHER)], env=environment(bridge, AGENTLOCATOR_DATA_DIR=data)) as launched:
        port, pid = launched.wait_for(READY, seconds=180).groups()  # After npm.
        assert int(pid) == launched.pid, "node must have the launcher's pid: signals and exit codes are its own"
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=PATIENCE) as answer:
            health = json.load(answer)
        assert [health[name] for name in ("ok", "connected", "paired", "can_send")] == [True, False, False, False]
        process = Path(f"/proc/{launched.pid}")
        assert os.readlink(process / "cwd") == str(bridge)
        assert SECRET.encode() not in (process / "cmdline").read_bytes()
        given = dict(entry.split("=", 1) for entry in (process / "environ").read_text().split("\0") if entry)
        assert given["TZ"] == "UTC" and given["BAILEYS_SECRET"] == SECRET and given["BAILEYS_PORT"] == "0"
        assert launched.stop() == 0
    assert not (bridge / "node_modules" / "sharp").exists(), "20 MB of native code nobody needs: see .npmrc"
    assert stat.S_IMODE((data / "whatsapp" / "bridge.db").stat().st_mode) == 0o600


def test_every_package_is_pinned_by_hash_and_comes_from_the_registry():
    packages = json.loads((REAL_BRIDGE / "package-lock.json").read_text())["packages"]
    named = {name: package for name, package in packages.items() if name}
    assert named["node_modules/@whiskeysockets/baileys"]["version"] == "7.0.0-rc14"
    for name, package in named.items():
        assert package["integrity"].startswith("sha512-"), name
        assert not package.get("resolved", "").startswith("git"), name


def test_inherits_no_descriptor(bridge):
    read_end, write_end = os.pipe()
    os.set_inheritable(write_end, True)
    try:
        with Process([program(LAUNCHER)], env=environment(bridge), pass_fds=[write_end]) as launched:
            launched.wait_for(READY)
            ours = os.readlink(f"/proc/self/fd/{write_end}")
            theirs = [os.readlink(entry) for entry in Path(f"/proc/{launched.pid}/fd").iterdir() if entry.exists()]
            assert ours not in theirs
    finally:
        os.close(read_end)
        os.close(write_end)


def test_installs_once_per_lock_file(bridge, folder):
    make_package(folder, "1.0.0")
    make_package(folder, "2.0.0")
    depend_on(bridge, "1.0.0")
    first = start_and_stop(bridge)
    assert "event=bridge_install_finished" in first and "npm: added 1 package" in first
    assert "event=package version=1.0.0" in first
    assert "bridge_install" not in start_and_stop(bridge), "an unchanged lock file is not installed again"
    depend_on(bridge, "2.0.0")
    changed = start_and_stop(bridge)
    assert 'reason="package-lock.json or Node changed"' in changed
    assert "event=package version=2.0.0" in changed
    assert not (bridge / ".node_modules.previous").exists()


def test_failed_install_starts_with_the_packages_of_before(bridge, folder):
    make_package(folder, "1.0.0")
    make_package(folder, "2.0.0")
    depend_on(bridge, "1.0.0")
    start_and_stop(bridge)
    depend_on(bridge, "2.0.0")
    path = fake_npm(folder, "rm -rf node_modules; mkdir node_modules; echo no route to registry >&2; exit 7")
    output = start_and_stop(bridge, PATH=path)
    assert "npm: no route to registry" in output
    assert "npm ended with exit code 7; starting with the packages installed before" in output
    assert "event=package version=1.0.0" in output
    assert "event=package version=2.0.0" in start_and_stop(bridge), "the next start tries again"


def test_failed_install_with_nothing_to_fall_back_on(bridge, folder):
    path = fake_npm(folder, "exit 1")
    with Process([program(LAUNCHER)], env=environment(bridge, PATH=path)) as launched:
        assert launched.wait() == 75
        assert "event=bridge_not_started cause=" in launched.output and "npm ended with exit code 1" in launched.output
        assert "remedy=" in launched.output
    assert not stamp(bridge).exists()


def test_npm_that_hangs_is_ended_with_all_it_started(bridge, folder):
    path = fake_npm(folder, "trap '' TERM; sleep 1000 & echo child=$!; wait; sleep 1000")
    hurry = environment(bridge, PATH=path, BRIDGE_INSTALL_TIMEOUT_MS=200)
    with Process([program(LAUNCHER)], env=hurry) as launched:
        child = int(launched.wait_for(r"^npm: child=(\d+)").group(1))
        assert launched.wait() == 75
        assert "npm took longer than its deadline" in launched.output
        wait_until(lambda: not is_alive(child), "what npm started is gone")


def test_sigterm_during_npm_ends_its_group_and_keeps_the_old_packages(bridge, folder):
    start_and_stop(bridge)
    old_stamp = stamp(bridge).read_text()
    lock = bridge / "package-lock.json"
    lock.write_text(lock.read_text() + "\n")
    path = fake_npm(folder, "rm -rf node_modules; mkdir node_modules; sleep 1000 & echo child=$!; wait")
    with Process([program(LAUNCHER)], env=environment(bridge, PATH=path)) as launched:
        child = int(launched.wait_for(r"^npm: child=(\d+)").group(1))
        assert launched.stop() == 0
        assert "bridge_not_started" not in launched.output
        wait_until(lambda: not is_alive(child), "what npm started is gone")
    assert stamp(bridge).read_text() == old_stamp
    assert not (bridge / ".node_modules.previous").exists()


def test_sigkill_during_npm_is_recovered_at_the_next_start(bridge, folder):
    make_package(folder, "1.0.0")
    make_package(folder, "2.0.0")
    depend_on(bridge, "1.0.0")
    start_and_stop(bridge)
    depend_on(bridge, "2.0.0")
    path = fake_npm(folder, "mkdir node_modules; touch node_modules/half; echo npm=$$; exec sleep 1000")
    with Process([program(LAUNCHER)], env=environment(bridge, PATH=path)) as launched:
        npm = int(launched.wait_for(r"^npm: npm=(\d+)").group(1))
        launched.send(signal.SIGKILL)
        launched.wait()
        wait_until(lambda: not is_alive(npm), "npm does not outlive the launcher")
    assert (bridge / ".node_modules.previous").exists()
    # No network at the next start: what was whole before the interruption serves.
    offline = start_and_stop(bridge, PATH=fake_npm(folder, "exit 1"))
    assert "event=bridge_install_recovered" in offline and "event=package version=1.0.0" in offline
    assert "event=package version=2.0.0" in start_and_stop(bridge)


def test_two_launchers_in_one_folder_install_one_after_the_other(bridge, folder):
    go = folder / "go"
    script = f"echo run >> {folder}/runs; while [ ! -e {go} ]; do sleep 0.05; done"
    environment_of_both = environment(bridge, PATH=fake_npm(folder, script))
    with Process([program(LAUNCHER)], env=environment_of_both) as first:
        wait_until((folder / "runs").exists, "the first runs npm")
        with Process([program(LAUNCHER)], env=environment_of_both) as second:
            second.wait_for("^event=bridge_install_waiting")
            go.touch()
            first.wait_for(READY)
            second.wait_for(READY)
    assert (folder / "runs").read_text() == "run\n"


@pytest.mark.parametrize("missing", ["index.js", "package.json", "package-lock.json"])
def test_missing_file_is_named(bridge, missing):
    (bridge / missing).unlink()
    with Process([program(LAUNCHER)], env=environment(bridge)) as launched:
        assert launched.wait() == 78
        assert launched.output.count("\n") == 1
        assert f"has no {missing}" in launched.output and "remedy=" in launched.output


def test_missing_folder_is_named(folder):
    with Process([program(LAUNCHER)], env=environment(folder / "nowhere")) as launched:
        assert launched.wait() == 78
        assert f"BRIDGE_DIR={folder}/nowhere is no folder" in launched.output


def test_bridge_beside_the_installation_is_found_from_any_folder(bridge, folder):
    installed = folder / "opt" / "bin" / LAUNCHER
    installed.parent.mkdir(parents=True)
    shutil.copy2(program(LAUNCHER), installed)
    bridge.rename(folder / "opt" / "baileys-bridge")
    given = environment("")
    with Process([installed], env=given, cwd="/") as launched:
        launched.wait_for(READY)
        assert launched.stop() == 0


def test_old_node_is_named_with_its_version(bridge, folder):
    installed = folder / "opt" / "bin" / LAUNCHER
    installed.parent.mkdir(parents=True)
    shutil.copy2(program(LAUNCHER), installed)
    executable(folder / "old" / "node", "#!/bin/sh\necho v18.20.4\n")
    # Usual places such as /usr/bin are looked at as well and have a good one here, so this one must be passed over.
    with Process([installed], env=environment(bridge, PATH=f"{folder}/old:{os.environ['PATH']}")) as launched:
        launched.wait_for(READY)
        assert launched.stop() == 0
        assert f"node={folder}/old/node" not in launched.output


def test_check_changes_nothing(bridge):
    with Process([program(LAUNCHER), "--check"], env=environment(bridge)) as launched:
        assert launched.wait() == 0
        assert f"event=bridge_checked folder={bridge} " in launched.output
        assert "install_needed=true" in launched.output
    assert not (bridge / "node_modules").exists()


def test_unknown_argument_is_usage(bridge):
    with Process([program(LAUNCHER), "--nonsense"], env=environment(bridge)) as launched:
        assert launched.wait() == 64


def test_exit_code_is_nodes_own(bridge):
    with Process([program(LAUNCHER)], env=environment(bridge)) as first:
        port = first.wait_for(READY).group(1)
        with Process([program(LAUNCHER)], env=environment(bridge) | {"BAILEYS_PORT": port}) as second:
            assert second.wait() == 75
            assert "event=bridge_port_taken" in second.output


def test_control_c_in_the_terminal_does_not_reach_the_bridge(bridge, folder):
    """F-44: the old bridge logged WhatsApp out on SIGINT. Node gives SIGINT its default meaning at start, whatever we
    ignored, so that the process group is what protects it. Here the launcher is started as a careless script would:
    in the terminal's foreground group."""
    (bridge / "index.js").write_text(
        "import fs from 'node:fs';\n"
        f"process.on('SIGINT', () => {{ fs.writeFileSync('{folder}/logged-out', ''); process.exit(1); }});\n"
        f"fs.writeFileSync('{folder}/bridge.pid.new', String(process.pid));\n"
        f"fs.renameSync('{folder}/bridge.pid.new', '{folder}/bridge.pid');\n"
        "setInterval(() => {}, 1000);\n"
    )
    script = f"{program(LAUNCHER)} & trap 'touch {folder}/interrupted' INT; while :; do wait; sleep 0.05; done"
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve("/bin/bash", ["bash", "-c", script], environment(bridge))
    bridge_pid = None
    try:
        wait_until((folder / "bridge.pid").exists, "the bridge runs")
        bridge_pid = int((folder / "bridge.pid").read_text())
        os.write(terminal, b"\x03")
        wait_until((folder / "interrupted").exists, "the shell in the foreground got Ctrl-C")
        assert is_alive(bridge_pid)
        assert not (folder / "logged-out").exists()
        # It still reacts, so it was not merely slow to log out.
        os.kill(bridge_pid, signal.SIGINT)
        wait_until((folder / "logged-out").exists, "a SIGINT sent to it directly is seen")
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)
        if bridge_pid and is_alive(bridge_pid):
            os.kill(bridge_pid, signal.SIGKILL)
