"""The WhatsApp bridge under the supervisor: its secret, what status says of it, and the operator's command."""

import contextlib
import json
import os
import re
import signal
import stat
import subprocess
import urllib.error
import urllib.request

from support import PATIENCE, Process, ask_control, free_port, program, wait_until


@contextlib.contextmanager
def running(place, folder):
    """`agentlocator run` with the real bridge. Gives (process, status())."""
    place |= {"ENABLE_WA_BAILEYS": "true", "WORKERS": "1"}
    place.setdefault("BAILEYS_PORT", str(free_port()))

    def status():
        return ask_control(folder / "run", "GET", "/status")[1]

    with Process([program("agentlocator"), "run"], env=place) as supervisor:
        supervisor.wait_for(r"event=supervisor_ready")
        # The first time npm installs the packages.
        wait_until(lambda: "whatsapp" in status().get("bridge", {}), "the bridge beats", seconds=120)
        yield supervisor, status


def get(place, path, secret=None):
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    request = urllib.request.Request(f"http://127.0.0.1:{place['BAILEYS_PORT']}{path}", headers=headers)
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return json.load(answer)


def code_of(call):
    try:
        call()
    except urllib.error.HTTPError as refused:
        return refused.code
    return 200


def test_secret_is_made_once_kept_private_and_handed_to_worker_and_bridge(place, folder):
    with running(place, folder) as (supervisor, status):
        file = folder / "data" / "bridge-secret"
        secret = file.read_text().strip()
        assert re.fullmatch("[0-9a-f]{64}", secret)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        pids = [status()["bridge"]["pid"], status()["workers"][0]["pid"]]
        for pid in pids:
            with open(f"/proc/{pid}/environ") as environ:
                assert f"BAILEYS_SECRET={secret}" in environ.read().split("\0")
        assert get(place, "/v1/session", secret)["state"] == "unpaired"
        assert code_of(lambda: get(place, "/v1/session", "0" * 64)) == 401
        assert code_of(lambda: get(place, "/v1/session")) == 401
        assert supervisor.stop() == 0
        assert secret not in supervisor.output
    with running(place, folder):
        assert file.read_text().strip() == secret, "phones and callers outlive a restart, and so does the secret"


def test_unpaired_bridge_is_healthy_and_status_says_what_to_do(place, folder):
    with running(place, folder) as (supervisor, status):
        bridge = status()["bridge"]
        assert bridge["state"] == "serving"
        truths = {name: bridge["whatsapp"][name] for name in ("connected", "paired", "can_send", "state")}
        assert truths == {"connected": False, "paired": False, "can_send": False, "state": "unpaired"}
        assert 0 <= bridge["heartbeat_ms"] < 20_000
        assert status()["problems"] == []
        assert "event=bridge_beat" not in supervisor.output, "beats are read, not logged"
        done = subprocess.run([program("agentlocator"), "status"], env=place, capture_output=True, timeout=PATIENCE)
        assert b"bridge: not linked to a phone" in done.stdout and b"agentlocator whatsapp pair" in done.stdout
        done = subprocess.run(
            [program("agentlocator"), "whatsapp", "status"], env=place, capture_output=True, timeout=PATIENCE
        )
        assert done.returncode == 0, done.stderr
        assert re.match(rb"state +unpaired ", done.stdout)


def test_hung_bridge_is_replaced_and_workers_stay(place, folder):
    with running(place, folder) as (supervisor, status):
        before = status()
        os.kill(before["bridge"]["pid"], signal.SIGSTOP)  # Its port still accepts: only the beats tell.
        supervisor.wait_for(r"event=bridge_hung pid=\d+ silent_ms=\d+", seconds=60)
        wait_until(lambda: status()["bridge"]["pid"] not in (0, before["bridge"]["pid"]), "a new one runs")
        assert [worker["pid"] for worker in status()["workers"]] == [worker["pid"] for worker in before["workers"]]


def test_whatsapp_command_without_a_bridge_says_so(place):
    place |= {"BAILEYS_PORT": str(free_port()), "BAILEYS_SECRET": "x" * 20}
    done = subprocess.run([program("agentlocator"), "whatsapp"], env=place, capture_output=True, timeout=PATIENCE)
    assert done.returncode == 69
    assert b"no bridge answers" in done.stderr
