#!/usr/bin/python3
"""Many AI calls at once against fakes of services with realistic delays: what we ourselves add to an answer, whether any
caller hears a hole, whether any call is left over. Run by hand, with a release build, nothing else running:

    cmake --preset release && cmake --build --preset release
    /usr/bin/python3 bench/agent/agent_bench.py --calls 200 --seconds 120
    /usr/bin/python3 bench/agent/agent_bench.py --calls 500 --seconds 600

Each caller asks a question of 1.5 s every 12 s and hears an answer of two sentences, 4 s. Our own share is told by the
workers: from the frame that ended the question to the first frame of the answer, minus the time in which a service had
work of ours in hand. Holes are told by the callers, who play what they get as Twilio does.
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
        done = subprocess.run(
            [self.bin / "agentlocator-call", "--url", f"http://127.0.0.1:{self.port}", "--calls", str(self.options.calls),
             "--rate", f"{rate:.1f}", "--wav", str(self.folder / "caller.wav"), "--seconds", str(self.options.seconds),
             "--json", "--quiet", "--expect", "none"],
            env=self.environment, capture_output=True, text=True)
        assert done.stdout.startswith("{"), done.stdout + done.stderr
        return json.loads(done.stdout)


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
    cycles = max(1, int((options.seconds - 4) / CYCLE_S))
    turns = metrics["agentlocator_turns_total"]
    # The log's figures hold everything: also what the fakes' timers and TLS on their side were late.
    whole = sorted(int(sent) - int(end) for end, sent in
                   re.findall(r"event=turn_answered .*?end_of_turn_ms=(\d+) .*?sent_ms=(\d+)", log))
    nominal = 120 + 300 + 2 * 20 + 130  # Transcript, first word, two more to the first clause, first sound.
    print(f"calls              {options.calls}, {load['calls_at_once_max']} at once, {load['calls_healthy']} healthy, "
          f"{load['calls_lost']} lost, {options.seconds:g} s each")
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
    print(f"holes heard        {load['underruns']} in {frames} frames; without one every frame is played when it is due")
    print(f"left over          {left[0]:.0f} calls, {left[1]:.0f} conversations")
    print(f"CPU                workers {100 * cpu / load['generator']['wall_ms'] * 1000:.0f} % of one core, "
          f"callers {100 * load['generator']['cpu_ms'] / load['generator']['wall_ms']:.0f} %, their clock late by at most "
          f"{load['generator']['clock_late_max_ms']:.1f} ms")
    print(f"violations         {load['violations'] or 'none'} {load['first_reason']}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--bin", default=str(ROOT / "build" / "release" / "bin"))
    parser.add_argument("--keep", action="store_true", help="keep the folder with the log")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="al-bench-", dir="/tmp"))
    try:
        with Bench(options, folder) as bench:
            pids = bench.workers()
            before = cpu_seconds(pids)
            load = bench.call()
            cpu = cpu_seconds(pids) - before
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
        report(options, load, metrics, left, cpu, services, (folder / "log").read_text())
    finally:
        if options.keep:
            print(f"folder             {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
