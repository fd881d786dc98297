#!/usr/bin/env python3
"""How long POST /api/whatsapp/send takes (the message is on the disk then), and how long until the bridge has it.

A worker alone, SQLite in a fresh folder, and a stand-in for a bridge that is connected: it notes when a message arrives.
Both processes are real; the network is loopback. The API's own limit is 20 requests a second; this asks 10.

    cmake --preset release && cmake --build --preset release
    /usr/bin/python3 bench/whatsapp/send_bench.py [--messages 300] [--bin build/release/bin]
"""

import argparse
import http.client
import json
import multiprocessing
import os
import re
import subprocess
import tempfile
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "bench-admin-token"
SECRET = "bench-bridge-secret"
EVERY_S = 0.1


def stand_in_bridge(ready, arrived):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            if self.path.startswith("/v1/events"):
                time.sleep(1)
                return self.reply(200, {"events": [], "next": 0, "acknowledged": 0})
            self.reply(200, {"can_send": True, "connected": True, "paired": True, "state": "open"})

        def do_POST(self):
            at = time.monotonic()
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            arrived.put((body["text"], at))
            self.reply(202, {"id": self.headers["Idempotency-Key"], "wa_id": body["text"], "state": "queued"})

        def reply(self, status, document):
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    ready.put(server.server_port)
    server.serve_forever()


def percentile(values, part):
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def shown(name, values):
    ms = [1000 * value for value in values]
    parts = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
    print(f"{name:34}" + "  ".join(f"{label} {percentile(ms, part):7.2f}" for label, part in parts.items()) + "  ms")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", type=int, default=300)
    parser.add_argument("--bin", type=Path, default=ROOT / "build/release/bin")
    options = parser.parse_args()
    ready, arrived = multiprocessing.Queue(), multiprocessing.Queue()
    bridge = multiprocessing.Process(target=stand_in_bridge, args=(ready, arrived), daemon=True)
    bridge.start()
    with tempfile.TemporaryDirectory(prefix="al-bench-") as folder:
        environment = {
            "PATH": os.environ["PATH"],
            "AGENTLOCATOR_DATA_DIR": folder,
            "ADMIN_TOKEN": TOKEN,
            "BAILEYS_SECRET": SECRET,
            "BAILEYS_PORT": str(ready.get()),
            "WHATSAPP_PROVIDER": "baileys",
        }
        worker = subprocess.Popen([options.bin / "agentlocator-worker", "--port", "0"], env=environment,
                                  stdout=subprocess.PIPE, text=True)
        try:
            port = None
            while port is None:
                line = worker.stdout.readline()
                assert line, "the worker ended"
                found = re.search(r"worker_ready port=(\d+)", line)
                port = found and int(found.group(1))
            measure(port, options.messages, arrived)
        finally:
            worker.terminate()
            worker.wait()
            bridge.terminate()


def measure(port, messages, arrived):
    connection = http.client.HTTPConnection("127.0.0.1", port)
    asked, answered = {}, {}
    for number in range(messages):
        text = f"message {number}"
        body = json.dumps({"to": f"+97250{number:07}", "message": text})
        asked[text] = time.monotonic()
        connection.request("POST", "/api/whatsapp/send", body, {"Authorization": f"Bearer {TOKEN}"})
        reply = connection.getresponse()
        reply.read()
        answered[text] = time.monotonic()
        assert reply.status == 202, reply.status
        time.sleep(max(0.0, asked[text] + EVERY_S - time.monotonic()))
    reached = dict(arrived.get(timeout=60) for _ in range(messages))
    warm = list(asked)[messages // 10:]  # The first ones open the database.
    shown("send: asked to answered (stored)", [answered[text] - asked[text] for text in warm])
    shown("bridge has it: from the answer", [reached[text] - answered[text] for text in warm])
    shown("bridge has it: from the request", [reached[text] - asked[text] for text in warm])


if __name__ == "__main__":
    main()
