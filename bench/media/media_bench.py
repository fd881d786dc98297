#!/usr/bin/python3
"""What a frame costs: our worker against the bare epoll floor, one core for the server and one for the load.

    cmake --preset release && cmake --build --preset release --target agentlocator-worker && make -C bench/tools
    /usr/bin/python3 bench/media/media_bench.py

Prints a table; takes some minutes. Compare ratios within one run: absolute times drift from machine to machine. Root
gives server and load real-time priority, so that other programs on the machine disturb less.
"""

import argparse
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / "bench" / "tools"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def pinned(core, command):
    priority = ["chrt", "-r", "1"] if os.geteuid() == 0 else []
    return [*priority, "taskset", "-c", str(core), *map(str, command)]


class Server:
    def __init__(self, name, options):
        self.port = free_port()
        environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
        if name == "floor":
            command = [TOOLS / "floor_echo", "--port", self.port, "--mode", "raw"]
        elif name == "floor-tick":  # What our design costs with nothing around it.
            command = [TOOLS / "floor_echo", "--port", self.port, "--mode", "full", "--coalesce-us", "2000"]
        else:
            mode, _, tick = name.partition("-")
            environment |= {"WS_MODE": mode.upper(), "HTTP_CONNECTIONS_MAX": "8000"}
            if tick:
                environment["MEDIA_TICK_US"] = tick
            command = [options.bin / "agentlocator-worker", "--port", self.port]
        self.process = subprocess.Popen(pinned(0, command), env=environment, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while socket.socket().connect_ex(("127.0.0.1", self.port)) != 0:
            assert time.monotonic() < deadline, f"{name} does not listen"
            time.sleep(0.02)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def measure(name, calls, options):
    """One fresh server, one load: microseconds of CPU an echo, p99 in ms, kB of memory a call, faults."""
    mode = "sink" if name.startswith("sink") else "echo"
    with Server(name, options) as server:
        command = [TOOLS / "callload", "--url", f"ws://127.0.0.1:{server.port}/ws/twilio-media", "--calls", calls,
                   "--seconds", options.seconds, "--warmup", 1, "--unique", "--mode", mode, "--server-pid",
                   server.process.pid, "--json", "--quiet"]
        done = subprocess.run(pinned(1, command), capture_output=True, text=True, timeout=300)
        return json.loads(done.stdout.strip().splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=Path, default=ROOT / "build" / "release" / "bin")
    parser.add_argument("--calls", type=int, nargs="+", default=[100, 500, 3000])
    parser.add_argument("--servers", nargs="+", default=["floor", "floor-tick", "echo", "echo-0", "sink"])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--raw", action="store_true", help="print every result as it comes, as JSON")
    options = parser.parse_args()
    results = {}
    for calls in options.calls:
        for _ in range(options.repeats):
            for name in options.servers:  # In turn, so that a slow minute hits all alike.
                result = measure(name, calls, options)
                if options.raw:
                    print(name, calls, json.dumps(result), flush=True)
                results.setdefault((calls, name), []).append(result)
    report(options, results)


def report(options, results):
    def median(rows, *path):
        values = []
        for row in rows:
            for key in path:
                row = row[key]
            values.append(row)
        return statistics.median(values)

    print(f"{'calls':>6} {'server':<8} {'us CPU':>8} {'x floor':>8} {'p99 ms':>8} {'RSS kB/call':>12} {'faults':>7}  load limited")
    for (calls, name), rows in results.items():
        cost = [row["server"]["cpu_us_per_echo"] for row in rows]
        floor = [row["server"]["cpu_us_per_echo"] for row in results.get((calls, "floor"), [])]
        ratio = statistics.median(c / f for c, f in zip(cost, floor)) if floor else float("nan")
        faults = sum(row[key] for row in rows for key in ("failed", "ended_early", "lost", "dup", "corrupt", "reordered"))
        limited = sum(row["generator"]["limited"] for row in rows)
        p99 = median(rows, "latency_us", "p99") / 1000 if not name.startswith("sink") else float("nan")
        print(f"{calls:>6} {name:<8} {statistics.median(cost):>8.2f} {ratio:>8.2f} {p99:>8.2f} "
              f"{median(rows, 'server', 'rss_kb_per_call'):>12.1f} {faults:>7}  {limited} of {len(rows)}")


if __name__ == "__main__":
    main()
