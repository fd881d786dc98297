#!/usr/bin/python3
"""How fast incoming_call is answered while calls stream, and how soon a start answers /healthz.

    cmake --preset release && cmake --build --preset release && make -C bench/tools
    /usr/bin/python3 bench/media/webhook_bench.py

Starts `agentlocator run` on loopback in a private folder, streams --calls echo calls, and asks for --rate answers a
second on kept-alive connections for --seconds. Latency is from the scheduled moment of a request to the last byte of its
answer, so a server that stalls cannot hide behind a client that waits for it.
"""

import argparse
import os
import selectors
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONNECTIONS = 50
REQUEST_BODY = ("CallSid=CA" + "1" * 32 + "&From=%2B972501234567&To=%2B97233760000&CallStatus=ringing").encode()
REQUEST = (b"POST /webhook/incoming_call HTTP/1.1\r\nHost: voice.example.com\r\nContent-Type: "
           b"application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n" % len(REQUEST_BODY)) + REQUEST_BODY


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def healthy(port):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            return b" 200 " in connection.recv(100)
    except OSError:
        return False


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def ask(port, rate, seconds):
    """Milliseconds of every answer. A connection answers one request at a time; a busy one is passed over."""
    selector = selectors.DefaultSelector()
    free, asked, latencies = [], {}, []
    for _ in range(CONNECTIONS):
        connection = socket.create_connection(("127.0.0.1", port), timeout=5)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(connection, selectors.EVENT_READ)
        free.append(connection)
    began = time.monotonic()
    sent = 0
    while len(latencies) < rate * seconds:
        due = began + sent / rate
        now = time.monotonic()
        assert now < began + 3 * seconds + 5, f"{len(latencies)} answers only"
        if sent < rate * seconds and now >= due and free:
            connection = free.pop(0)
            connection.sendall(REQUEST)
            asked[connection] = due
            sent += 1
            continue
        wait = max(0.0, due - now) if sent < rate * seconds and free else 0.05
        for key, _ in selector.select(wait):
            answer = key.fileobj.recv(65536)
            assert answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b"</Response>"), answer[:200]
            latencies.append((time.monotonic() - asked.pop(key.fileobj)) * 1000)
            free.append(key.fileobj)
    return latencies


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=Path, default=ROOT / "build" / "release" / "bin")
    parser.add_argument("--calls", type=int, default=500)
    parser.add_argument("--rate", type=int, default=500)
    parser.add_argument("--seconds", type=int, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="al-bench-") as folder:
        port = free_port()
        environment = {"PATH": os.environ["PATH"], "HOME": folder, "PORT": str(port), "WS_MODE": "ECHO",
                       "AGENTLOCATOR_LOCK": f"{folder}/lock", "AGENTLOCATOR_RUNTIME_DIR": f"{folder}/run",
                       "AGENTLOCATOR_DATA_DIR": f"{folder}/data", "ENABLE_WA_BAILEYS": "false"}
        began = time.monotonic()
        server = subprocess.Popen([options.bin / "agentlocator", "run"], env=environment, stdout=subprocess.DEVNULL)
        try:
            while not healthy(port):
                assert time.monotonic() < began + 10, "the server does not start"
                time.sleep(0.002)
            print(f"start to first /healthz: {(time.monotonic() - began) * 1000:.0f} ms")
            load = subprocess.Popen([ROOT / "bench/tools/callload", "--url", f"ws://127.0.0.1:{port}/ws/twilio-media",
                                     "--calls", str(options.calls), "--seconds", str(options.seconds + 3), "--unique"],
                                    stdout=subprocess.PIPE, text=True)
            time.sleep(3)
            latencies = ask(port, options.rate, options.seconds)
            print(f"incoming_call, {options.rate}/s with {options.calls} echo calls: " +
                  ", ".join(f"p{share * 100:g} {percentile(latencies, share):.2f} ms" for share in (0.5, 0.9, 0.99, 0.999)))
            print(load.communicate(timeout=60)[0].strip())
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(60)


if __name__ == "__main__":
    main()
