#!/usr/bin/env python3
"""Figures of the supervisor; run by hand, on an otherwise idle machine:

    cmake --preset release && cmake --build --preset release
    /usr/bin/python3 bench/supervision/supervision_bench.py --bin build/release/bin [restart start status idle loop seat]

restart  SIGKILL of a minimal child -> first instruction of its successor's main
start    `scale` from 1 to 101: request -> first instruction of the last of 100 children
status   status document and `status --json` with 100 children; resident memory of the supervisor
idle     wake-ups of the supervisor with 100 idle children that beat
loop     spawns of a child that crashes at once, in 60 s
seat     SIGKILL of a real worker -> its seat serving again
"""

import argparse
import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RECORD = struct.Struct("qq")


def quantiles(name, values, unit="ms"):
    values = sorted(values)
    pick = lambda q: values[min(len(values) - 1, int(q * len(values)))]
    print(f"{name}: n={len(values)} p50={pick(0.5):.2f} p90={pick(0.9):.2f} p99={pick(0.99):.2f} "
          f"max={values[-1]:.2f} {unit}", flush=True)


class Control(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)

    def ask(self, method, target, body=None):
        self.request(method, target, None if body is None else json.dumps(body))
        answer = self.getresponse()
        return json.loads(answer.read())


class Supervisor:
    def __init__(self, bin, folder, **env):
        self.bin = bin
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": str(folder), "PORT": str(port), "ENABLE_WA_BAILEYS": "false",
            "AGENTLOCATOR_LOCK": str(folder / "lock"), "AGENTLOCATOR_RUNTIME_DIR": str(folder / "run"),
            "AGENTLOCATOR_DATA_DIR": str(folder / "data"), "WORKERS": "1", "HANG_TIMEOUT_MS": "600000",
            "AGENTLOCATOR_HEALTHY_AFTER_MS": "1", "CRASH_LIMIT": "1000", "CRASH_WINDOW_MS": "1000",
            "DRAIN_TIMEOUT_MS": "0", "TERM_TIMEOUT_MS": "1000", **{k: str(v) for k, v in env.items()},
        }
        self.process = subprocess.Popen([bin / "agentlocator", "run"], env=self.environment,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
        self.control = Control(str(folder / "run" / "control.sock"))
        self.wait(lambda: self.status()["workers"][0]["state"] in ("serving", "held", "waiting"))

    def status(self):
        return self.control.ask("GET", "/status")

    def wait(self, condition, seconds=30):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError, http.client.HTTPException, IndexError):
                if condition():
                    return
            self.control.close()
            time.sleep(0.005)
        sys.exit("the supervisor did not get there")

    def cpu_ms(self):
        return int(Path(f"/proc/{self.process.pid}/schedstat").read_text().split()[0]) / 1e6  # Of the main thread.

    def resident_kb(self):
        return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.process.pid}/status").read_text())[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()


class Fifo:
    def __init__(self, folder):
        self.path = str(folder / "fifo")
        os.mkfifo(self.path)
        self.fd = os.open(self.path, os.O_RDWR)

    def read(self):
        return RECORD.unpack(os.read(self.fd, RECORD.size))

    def drain(self):
        os.set_blocking(self.fd, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.read(self.fd, 1 << 16)
        os.set_blocking(self.fd, True)


def minimal_child(folder):
    path = folder / "minimal"
    subprocess.run(["c++", "-std=c++20", "-O2", "-static", f"-I{ROOT}", "-o", path,
                    ROOT / "bench/supervision/minimal_child.cpp"], check=True)
    return path


def bench_restart(bin, folder, runs=1000):
    fifo = Fifo(folder)
    with Supervisor(bin, folder, AGENTLOCATOR_WORKER_PROGRAM=minimal_child(folder), BENCH_FIFO=fifo.path):
        pid, _ = fifo.read()
        delays = []
        for _ in range(runs):
            time.sleep(0.01)
            begun = time.monotonic_ns()
            os.kill(pid, signal.SIGKILL)
            pid, ran = fifo.read()
            delays.append((ran - begun) / 1e6)
    quantiles("SIGKILL -> successor's main", delays)


def bench_start(bin, folder, runs=10):
    fifo = Fifo(folder)
    with Supervisor(bin, folder, AGENTLOCATOR_WORKER_PROGRAM=minimal_child(folder), BENCH_FIFO=fifo.path) as supervisor:
        times, cpu = [], []
        for _ in range(runs):
            fifo.drain()
            cpu.append(-supervisor.cpu_ms())
            begun = time.monotonic_ns()
            supervisor.control.ask("POST", "/scale", {"workers": 101})
            last = max(fifo.read()[1] for _ in range(100))
            times.append((last - begun) / 1e6)
            cpu[-1] += supervisor.cpu_ms()
            supervisor.control.ask("POST", "/scale", {"workers": 1})
            supervisor.wait(lambda: len(supervisor.status()["workers"]) == 1)
    quantiles("100 children started", times)
    quantiles("  CPU of the supervisor for them", cpu)


def bench_status(bin, folder, runs=1000):
    with Supervisor(bin, folder, AGENTLOCATOR_WORKER_PROGRAM=minimal_child(folder), WORKERS=100) as supervisor:
        supervisor.wait(lambda: all(w["state"] == "serving" for w in supervisor.status()["workers"]))
        print(f"resident memory of the supervisor with 100 children: {supervisor.resident_kb()} kB", flush=True)
        socket_times, command_times = [], []
        for _ in range(runs):
            begun = time.monotonic()
            document = supervisor.status()
            socket_times.append((time.monotonic() - begun) * 1e3)
        assert len(document["workers"]) == 100
        for _ in range(runs // 5):
            begun = time.monotonic()
            subprocess.run([bin / "agentlocator", "status", "--json"], env=supervisor.environment, check=True,
                           stdout=subprocess.DEVNULL)
            command_times.append((time.monotonic() - begun) * 1e3)
        quantiles("status document, 100 children", socket_times)
        quantiles("agentlocator status --json, 100 children", command_times)
        print(f"resident memory after {runs} documents: {supervisor.resident_kb()} kB", flush=True)


def bench_idle(bin, folder, seconds=30):
    (folder / "script").write_text("")
    with Supervisor(bin, folder, AGENTLOCATOR_WORKER_PROGRAM=bin / "test-child", WORKERS=100, HANG_TIMEOUT_MS=2000,
                    AGENTLOCATOR_TEST_SCRIPT=folder / "script") as supervisor:
        supervisor.wait(lambda: all(w["state"] == "serving" for w in supervisor.status()["workers"]))
        time.sleep(3)

        def switches():
            total = 0
            for task in Path(f"/proc/{supervisor.process.pid}/task").iterdir():
                total += int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", (task / "status").read_text(), re.M)[1])
            return total

        def cpu_ticks():
            fields = Path(f"/proc/{supervisor.process.pid}/stat").read_text().rpartition(")")[2].split()
            return int(fields[11]) + int(fields[12])

        before, ticks = switches(), cpu_ticks()
        time.sleep(seconds)
        count = switches() - before
        used = (cpu_ticks() - ticks) / os.sysconf("SC_CLK_TCK")
        print(f"idle with 100 children, hang timeout 2 s: {count} wake-ups in {seconds} s "
              f"({count / seconds:.2f}/s, all threads), {used * 1e3:.0f} ms of CPU", flush=True)


def bench_loop(bin, folder):
    (folder / "script").write_text("exit=1")
    supervisor = subprocess.Popen(
        [bin / "agentlocator", "run"], stdout=subprocess.PIPE, text=True,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "PORT": "5999", "ENABLE_WA_BAILEYS": "false",
             "WORKERS": "1", "AGENTLOCATOR_LOCK": str(folder / "lock"), "AGENTLOCATOR_RUNTIME_DIR": str(folder / "run"),
             "AGENTLOCATOR_DATA_DIR": str(folder / "data"), "AGENTLOCATOR_WORKER_PROGRAM": str(bin / "test-child"),
             "AGENTLOCATOR_TEST_SCRIPT": str(folder / "script")})
    # The only worker is held, so the run ends by itself.
    output, _ = supervisor.communicate(timeout=60)
    print(f"spawns of a child that crashes at once: {output.count('event=child_started')}, "
          f"then held (exit status {supervisor.returncode})", flush=True)


def bench_seat(bin, folder, runs=200):
    with Supervisor(bin, folder, WORKERS=2, HANG_TIMEOUT_MS=2000) as supervisor:
        supervisor.wait(lambda: all(w["state"] == "serving" for w in supervisor.status()["workers"]))
        follower = socket.socket(socket.AF_UNIX)
        follower.connect(supervisor.control.path)
        follower.sendall(b"GET /logs?target=supervisor&lines=0&follow=1 HTTP/1.1\r\nHost: x\r\n\r\n")
        delays = []
        for _ in range(runs):
            pid = next(w["pid"] for w in supervisor.status()["workers"] if w["slot"] == "1")
            time.sleep(0.1)
            begun = time.monotonic()
            os.kill(pid, signal.SIGKILL)
            seen = ""
            while not re.search(r"event=worker_ready child=worker-1", seen):
                seen += follower.recv(1 << 16).decode()
            delays.append((time.monotonic() - begun) * 1e3)
    quantiles("SIGKILL of a real worker -> its seat serving again", delays)


BENCHES = {"restart": bench_restart, "start": bench_start, "status": bench_status, "idle": bench_idle,
           "loop": bench_loop, "seat": bench_seat}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=Path, default=ROOT / "build" / "release" / "bin")
    parser.add_argument("--folder", default="/tmp", help="where runtime files and logs go during the run")
    parser.add_argument("which", nargs="*", metavar="which")
    arguments = parser.parse_args()
    for name in arguments.which or BENCHES:
        folder = Path(tempfile.mkdtemp(prefix="al-bench-", dir=arguments.folder))
        try:
            BENCHES[name](arguments.bin.resolve(), folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
