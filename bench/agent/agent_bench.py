#!/usr/bin/python3
"""Many AI calls at once against fakes of services with realistic delays: what we ourselves add to an answer, whether each
frame comes in time, whether any call is stuck. Run by hand, with a release build, nothing else running:

    cmake --preset release && cmake --build --preset release
    /usr/bin/python3 bench/agent/agent_bench.py --calls 200 --seconds 120
    /usr/bin/python3 bench/agent/agent_bench.py --calls 500 --seconds 600

Each caller asks a question of 1.5 s every 12 s and hears an answer of two sentences, 4 s. Our own share is told by the
workers: from the frame that ended the question to the first frame of the answer, minus the time in which a service had
work of ours in hand. Pacing is told by the callers, who play what they get as Twilio does (supervisor/call/pacing.hpp): a
frame is late by how long after the moment it was due in that buffer it came, which is when a hole is heard. A call is
stuck when its caller hears nothing for two questions in a row, or when it is left over after he hung up.

Progress goes to stderr. Ends by itself, with 1 when a goal was missed; SIGINT and SIGTERM clean up, too.
"""

import argparse
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
import wave
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration"))
from provider_farm import make_authority  # noqa: E402
from support import free_port, installation_environment, wait_until  # noqa: E402
from test_voice import talk  # noqa: E402

QUESTION_S, CYCLE_S = 1.5, 12.0
SILENCE_MAX_S = 2 * CYCLE_S  # One answer missing is 20 s.
PROGRESS_S = 15
LATE_P99_MAX_MS, OWN_P50_MAX, OWN_P99_MAX = 5, "0.002", "0.01"
TICKS = os.sysconf("SC_CLK_TCK")


def linear(byte):
    """G.711 mu-law to 16 bits."""
    byte = ~byte & 0xFF
    value = ((byte & 15) << 3) + 132 << (byte >> 4 & 7)
    return (132 - value) if byte & 0x80 else (value - 132)


def write_caller(path, seconds):
    import base64
    question = b"".join(linear(byte).to_bytes(2, "little", signed=True)
                        for frame in talk(QUESTION_S) for byte in base64.b64decode(frame))
    pause = b"\0\0" * int(8000 * (CYCLE_S - QUESTION_S))
    lead = b"\0\0" * int(8000 * 4)  # The greeting.
    with wave.open(str(path), "wb") as out:
        out.setparams((1, 2, 8000, 0, "NONE", ""))
        out.writeframes(lead + (question + pause) * max(1, int((seconds - 4) / CYCLE_S)))


def cpu_seconds(pids):
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


class Bench:
    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.bin = Path(options.bin).resolve()
        ca = make_authority(folder)
        self.services = subprocess.Popen(
            ["node", str(Path(__file__).parent / "services.mjs"), f"{folder}/server.pem", f"{folder}/server.key", "0"],
            stdout=subprocess.PIPE, text=True)
        port = json.loads(self.services.stdout.readline())["port"]
        self.port = free_port()
        self.environment = {
            **installation_environment(folder), "PORT": str(self.port), "WS_MODE": "AI", "WORKERS": str(options.workers),
            "AGENT_LANGUAGE": "en-US", "SSL_CERT_FILE": str(ca), "SILENCE_PROMPT_MS": "120000",
            "OPENAI_API_KEY": "sk-bench", "OPENAI_BASE_URL": f"https://127.0.0.1:{port}/v1",
            "DEEPGRAM_API_KEY": "dg-bench", "DEEPGRAM_BASE_URL": f"https://127.0.0.1:{port}",
            "ELEVENLABS_API_KEY": "xi-bench", "ELEVENLABS_BASE_URL": f"https://127.0.0.1:{port}",
            "ELEVENLABS_VOICE_ID": "bench", "VOICE_STT_CHAIN": "deepgram", "VOICE_LLM_CHAIN": "openai",
            "VOICE_TTS_CHAIN": "elevenlabs"}
        self.callers = None
        self.log = open(folder / "log", "w")
        self.supervisor = subprocess.Popen([self.bin / "agentlocator", "run"], env=self.environment, stdout=self.log,
                                           stderr=subprocess.STDOUT)

    def __enter__(self):
        try:
            wait_until(lambda: len(self.workers()) == self.options.workers,
                       lambda: "the workers do not start:\n" + (self.folder / "log").read_text()[-3000:])
        except AssertionError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.callers is not None and self.callers.poll() is None:
            self.callers.kill()
            self.callers.wait(10)
        self.supervisor.send_signal(signal.SIGTERM)
        self.supervisor.wait(60)
        self.services.send_signal(signal.SIGTERM)
        self.services.wait(10)
        self.log.close()

    def workers(self):
        done = subprocess.run([self.bin / "agentlocator", "status", "--json"], env=self.environment, capture_output=True,
                              text=True)
        status = json.loads(done.stdout) if done.stdout.startswith("{") else {"workers": []}
        return [worker["pid"] for worker in status["workers"] if worker["state"] == "serving"]

    def metrics(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=30) as answer:
            page = answer.read().decode()
        return {name: float(value) for name, value in re.findall(r"^(agentlocator_\S+) (\S+)$", page, re.M)}

    def call(self):
        write_caller(self.folder / "caller.wav", self.options.seconds)
        rate = self.options.calls / min(CYCLE_S, self.options.seconds / 4)  # So that questions are spread evenly.
        with open(self.folder / "callers.json", "w") as out:
            self.callers = subprocess.Popen(
                [self.bin / "agentlocator-call", "--url", f"http://127.0.0.1:{self.port}",
                 "--calls", str(self.options.calls), "--rate", f"{rate:.1f}", "--wav", str(self.folder / "caller.wav"),
                 "--seconds", str(self.options.seconds), "--silence-max", str(SILENCE_MAX_S), "--json", "--quiet",
                 "--expect", "none"], env=self.environment, stdout=out)
        began = time.monotonic()
        longest = self.options.calls / rate + self.options.seconds + 60  # Beginning, speaking, and the end of calls.
        while True:
            try:
                self.callers.wait(PROGRESS_S)
                break
            except subprocess.TimeoutExpired:
                passed = time.monotonic() - began
                assert passed < longest, f"the callers do not end, {passed:.0f} s after they began"
                self.tell(passed)
        text = (self.folder / "callers.json").read_text()
        assert text.startswith("{"), f"the callers ended with {self.callers.returncode}: {text}"
        return json.loads(text)

    def tell(self, passed):
        metrics = self.metrics()
        print(f"{passed:5.0f} s  {metrics['agentlocator_calls']:.0f} calls, {metrics['agentlocator_turns_total']:.0f} turns "
              f"answered, {metrics['agentlocator_turns_failed_total']:.0f} failed", file=sys.stderr, flush=True)


def share_below(metrics, stage, bound):
    """Of the answers, the share whose `stage` was ready within `bound` seconds (a bound of the histogram)."""
    count = metrics[f'agentlocator_turn_seconds_count{{stage="{stage}"}}']
    return metrics[f'agentlocator_turn_seconds_bucket{{stage="{stage}",le="{bound}"}}'] / count if count else 0


def percentile(metrics, stage, share):
    """The smallest bound that holds so many."""
    series = [(float(bound), value) for key, value in metrics.items()
              for bound in re.findall(rf'agentlocator_turn_seconds_bucket{{stage="{stage}",le="([0-9.]+)"}}', key)]
    count = metrics[f'agentlocator_turn_seconds_count{{stage="{stage}"}}']
    return next((f"{bound * 1000:g} ms" for bound, value in sorted(series) if value >= share * count), "over 10 s")


def report(options, load, metrics, left, cpu, services, log):
    """Prints the table; returns the goals that were missed."""
    cycles = max(1, int((options.seconds - 4) / CYCLE_S))
    turns = metrics["agentlocator_turns_total"]
    # The log's figures hold everything: also what the fakes' timers and TLS on their side were late.
    whole = sorted(int(sent) - int(end) for end, sent in
                   re.findall(r"event=turn_answered .*?end_of_turn_ms=(\d+) .*?sent_ms=(\d+)", log))
    nominal = 120 + 300 + 2 * 20 + 130  # Transcript, first word, two more to the first clause, first sound.
    print(f"calls              {options.calls}, {load['calls_at_once_max']} at once, {load['calls_healthy']} healthy, "
          f"{load['calls_lost']} lost, {options.seconds:g} s each")
    print(f"stuck              {load['calls_stuck']} silent for over {SILENCE_MAX_S:g} s (longest silence "
          f"{load['pacing']['silence_max_ms'] / 1000:.1f} s); left over {left[0]:.0f} calls, {left[1]:.0f} conversations")
    print(f"turns answered     {turns:.0f} of {options.calls * cycles}; failed {metrics['agentlocator_turns_failed_total']:.0f}, "
          f"interrupted {metrics['agentlocator_turns_interrupted_total']:.0f}")
    print(f"our own share      p50 <= {percentile(metrics, 'own', 0.5)}, p99 <= {percentile(metrics, 'own', 0.99)}; "
          f"{100 * share_below(metrics, 'own', '0.002'):.1f} % within 2 ms, "
          f"{100 * share_below(metrics, 'own', '0.01'):.1f} % within 10 ms")
    if whole:
        print(f"end of turn to first audio, all in   p50 {statistics.median(whole):g} ms, "
              f"p99 {whole[int(0.99 * (len(whole) - 1))]} ms, of which the fakes' delays {nominal} ms "
              f"(their timers late by p50 {services['late_p50_ms']}, p99 {services['late_p99_ms']} ms each)")
    frames = load["media_received"]
    late, lead = load["pacing"]["late_ms"], load["pacing"]["lead_ms"]
    print(f"frames late by     p50 {late['p50']:g}, p99 {late['p99']:g}, p99.9 {late['p999']:g}, max {late['max']:g} ms, of "
          f"{late['count']} frames ({frames} media); {load['underruns']} holes heard")
    print(f"ahead by           at least {lead['min']} ms a second into an answer, p1 {lead['p1']}, p50 {lead['p50']}, "
          f"never more than {lead['max']} ms")
    share = {name: 100 * seconds / load["generator"]["wall_ms"] * 1000
             for name, seconds in [*cpu.items(), ("callers", load["generator"]["cpu_ms"] / 1000)]}
    print(f"CPU of one core    workers {share['workers']:.0f} %, callers {share['callers']:.0f} %, fakes "
          f"{share['services']:.0f} %; the callers' clock late by at most {load['generator']['clock_late_max_ms']:.1f} ms")
    print(f"violations         {load['violations'] or 'none'} {load['first_reason']}")
    goals = {f"frames late by p99 {LATE_P99_MAX_MS} ms at most": late["p99"] <= LATE_P99_MAX_MS,
             "no hole": load["underruns"] == 0,
             "no stuck call": load["calls_stuck"] == 0 and left == (0, 0),
             "every call healthy": load["calls_healthy"] == options.calls,
             "our own share: p50 2 ms, p99 10 ms at most": share_below(metrics, "own", OWN_P50_MAX) >= 0.5
             and share_below(metrics, "own", OWN_P99_MAX) >= 0.99}
    return [name for name, reached in goals.items() if not reached]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--bin", default=str(ROOT / "build" / "release" / "bin"))
    parser.add_argument("--keep", action="store_true", help="keep the folder with the log")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
    folder = Path(tempfile.mkdtemp(prefix="al-bench-", dir="/tmp"))
    try:
        with Bench(options, folder) as bench:
            pids = bench.workers()
            groups = {"workers": pids, "services": [bench.services.pid]}
            before = {name: cpu_seconds(group) for name, group in groups.items()}
            load = bench.call()
            cpu = {name: cpu_seconds(group) - before[name] for name, group in groups.items()}
            deadline = time.monotonic() + 15
            while True:
                metrics = bench.metrics()
                conversations = sum(value for name, value in metrics.items()
                                    if name.startswith("agentlocator_worker_conversations"))
                left = metrics["agentlocator_calls"], conversations
                if left == (0, 0) or time.monotonic() > deadline:
                    break
                time.sleep(0.2)
        services = json.loads(bench.services.stdout.readline())
        missed = report(options, load, metrics, left, cpu, services, (folder / "log").read_text())
        print(f"goals missed       {'; '.join(missed) or 'none'}")
        return 1 if missed else 0
    finally:
        if options.keep:
            print(f"folder             {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
