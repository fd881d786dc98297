"""An installation whose bridge is linked to a WhatsApp of our own: real Baileys, real encryption, a fake server."""

import contextlib
import json
import os
import shutil
import subprocess
import urllib.error
import urllib.request

from support import PATIENCE, ROOT, Process, clean_environment, free_port, is_alive, program, wait_until

BRIDGE = ROOT / "baileys-bridge"
TOKEN = "test-admin-token"
SLOW = 240.0  # Only a failure takes that long: what is waited for starts Node, several times, beside other tests.
# Crashes are tried, not patience: on a slow machine the bridge's own time-outs must not decide.
PATIENT = {
    "timing": {"keepAliveMs": 60_000, "connectMs": 90_000, "queryMs": 90_000},
    "policy": {"backoffMs": 20, "backoffMsMax": 200, "replacedRetryMs": 100, "slowRetryMs": 200, "stableMs": 60_000},
    "pump": {"relayMs": 90_000, "ackMs": 60_000},
}


def install_bridge_packages():
    if not (BRIDGE / "node_modules" / ".package-lock.json").exists():
        subprocess.run(["npm", "ci", "--omit=dev", "--no-audit", "--no-fund"], cwd=BRIDGE, check=True,
                       capture_output=True, timeout=300)


class World:
    """The WhatsApp server and its people, in a process of their own."""

    def __enter__(self):
        install_bridge_packages()
        self.child = subprocess.Popen(
            ["node", str(ROOT / "tests/node/whatsapp_world.mjs")], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, env=clean_environment(), start_new_session=True,
        )
        self.where = json.loads(self.child.stdout.readline())
        return self

    def __exit__(self, *details):
        self.child.kill()
        self.child.wait()
        self.child.stdin.close()
        self.child.stdout.close()

    def do(self, what, **details):
        self.child.stdin.write(json.dumps({"do": what, **details}) + "\n")
        self.child.stdin.flush()
        return json.loads(self.child.stdout.readline())

    def bridge_folder(self, folder):
        """A bridge that differs from the real one in whom it trusts and where it connects to."""
        path = folder / "bridge"
        shutil.copytree(ROOT / "tests/integration/stand_in_bridge", path)
        fake = {**self.where, **PATIENT}
        (path / "index.js").write_text(
            f"process.env.FAKE_WHATSAPP = {json.dumps(json.dumps(fake))};\n"
            f"await import({json.dumps(str(BRIDGE / 'test/fake_whatsapp/trust.js'))});\n"
            f"await import({json.dumps(str(BRIDGE / 'index.js'))});\n"
        )
        return path


class Linked:
    """`agentlocator run` with that bridge. Its parts may be killed at any time."""

    def __init__(self, world, place, folder, **settings):
        self.world = world
        self.data = folder / "data"
        self.database = None  # Its PostgreSQL; else it has a file.
        self.environment = {
            **place,
            "ENABLE_WA_BAILEYS": "true",
            "BRIDGE_DIR": str(world.bridge_folder(folder)),
            "BAILEYS_PORT": str(free_port()),
            "BAILEYS_SENDS_PER_MINUTE": "1000000",
            "BAILEYS_CHAT_SENDS_PER_MINUTE": "1000000",
            "ADMIN_TOKEN": TOKEN,
            "AGENT_LANGUAGE": "en-US",
            "WORKERS": "2",
            "CRASH_LIMIT": "1000",
            **settings,
        }
        self.port = int(place["PORT"])
        self.supervisor = None
        self.before = contextlib.ExitStack()  # Supervisors that were killed; what they left is adopted.

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *details):
        left = self.pids()  # Asked while there is somebody to ask.
        self.before.close()
        for pid in left.values():  # Adopted ones are not in the group of the last supervisor.
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)

    def start(self):
        self.supervisor = self.before.enter_context(Process([program("agentlocator"), "run"], env=self.environment))
        self.supervisor.wait_for(r"event=supervisor_ready", seconds=SLOW)

    def pids(self):
        """{"supervisor": pid, "worker1": pid, ..., "bridge": pid} of those that live."""
        done = subprocess.run([program("agentlocator"), "status", "--json"], env=self.environment,
                              capture_output=True, text=True, timeout=SLOW)
        if not done.stdout.startswith("{"):
            return {}
        status = json.loads(done.stdout)
        pids = {"supervisor": self.supervisor.pid, "bridge": status["bridge"]["pid"]}
        pids |= {f"worker{i}": worker["pid"] for i, worker in enumerate(status["workers"])}
        return {name: pid for name, pid in pids.items() if pid and is_alive(pid)}

    def ask(self, path, body=None, method=None):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {TOKEN}"},
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.status, json.loads(answer.read() or "null")
        except urllib.error.HTTPError as refused:
            return refused.code, json.loads(refused.read() or "null")
        except OSError:  # It is being killed or started.
            return 0, None

    def ask_bridge(self, path, secret):
        request = urllib.request.Request(f"http://127.0.0.1:{self.environment['BAILEYS_PORT']}{path}",
                                         headers={"Authorization": f"Bearer {secret}"})
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return json.load(answer)
        except OSError as fault:
            return str(fault)

    def link(self):
        """Pairs by /api, as a page would."""
        wait_until(lambda: self.ask("/api/whatsapp/pair", {"method": "qr"})[0] == 202, self.explain, SLOW, 0.2)
        qr = wait_until(lambda: self.qr(), self.explain, SLOW, 0.2)
        self.world.do("scan", qr=qr["qr"])
        wait_until(self.can_send, self.explain, SLOW, 0.2)
        return qr

    def qr(self):
        status, body = self.ask("/api/whatsapp/qr")
        return body if status == 200 else None

    def can_send(self):
        status, body = self.ask("/api/whatsapp/status")
        return status == 200 and body["baileys"]["canSend"]

    def explain(self):
        return f"{self.ask('/api/whatsapp/status')}\n{self.supervisor.output[-4000:]}"
