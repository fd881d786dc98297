"""A thousand callers who hang up at a random moment: before they are heard, while they speak, while a service works for
them, while they listen. Nothing of them is left."""

import os
import random
import re
import socket
import struct
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

from installation import Installation
from media_client import CLOSE, STOP, MediaClient, frame, media
from provider_farm import Farm
from support import wait_until
from test_conversation import Telephone
from test_voice import line_noise, talk

CALLS = 1000
CALLERS = 32  # At once.


def metric(port, name):
    """The sum over all workers."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        page = answer.read().decode()
    return sum(float(value) for value in re.findall(rf"^{name}(?:{{.*}})? (\S+)$", page, re.M))


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


class Callers:
    """A caller's whole question is sent at once: the worker hears by samples, not by its clock."""

    def __init__(self, port, seed):
        self.port, self.seed = port, seed
        self.frames = [frame(media(one)) for one in line_noise(15) + talk(0.5) + line_noise(30)]

    def call(self, number):
        chance = random.Random(self.seed * 1_000_003 + number)
        with MediaClient(self.port) as client:
            if chance.random() < 0.05:
                return  # Nothing but an open stream.
            client.begin(call=f"CA{number:032}", parameters={"from": "+972501234567"})
            frames = self.frames if chance.random() < 0.7 else self.frames[:chance.randrange(len(self.frames))]
            client.socket.sendall(b"".join(frames))
            time.sleep(chance.random() * 0.4)  # The moment: anywhere up to the end of the answer.
            way = chance.randrange(4)
            if way == 0:
                client.send(STOP)
            elif way == 1:
                client.send(struct.pack(">H", 1000), opcode=CLOSE)
            elif way == 2:
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # A reset.

    def make(self, numbers):
        with ThreadPoolExecutor(CALLERS) as pool:
            for one in [pool.submit(self.call, number) for number in numbers]:
                one.result()


def test_callers_who_hang_up_at_random_moments_leave_nothing_behind(place):
    seed = random.SystemRandom().randrange(1 << 30)
    print(f"seed {seed}")
    with Farm() as farm, Installation(place, workers=1, **{
            "WS_MODE": "AI", "SSL_CERT_FILE": farm.ca, "OPENAI_API_KEY": "sk-test-churn", "OPENAI_TTS_MODEL": "tts-1",
            "VOICE_STT_CHAIN": "openai", "VOICE_LLM_CHAIN": "openai", "VOICE_TTS_CHAIN": "openai",
            "OPENAI_BASE_URL": farm.url("fine", "/v1"),
            "AI_GREETING_HE": "none",      # Over a greeting a caller would have to speak longer.
            "HANG_TIMEOUT_MS": "60000"}) as installation:  # Seconds of sound arrive at once: no hang, only work.
        port = installation.port
        callers = Callers(port, seed)

        def nothing_left():
            return metric(port, "agentlocator_calls") == 0 and metric(port, "agentlocator_worker_conversations") == 0

        def at_rest(calls):
            callers.make(calls)
            wait_until(nothing_left, lambda: installation.process.output[-4000:], interval=0.1)
            # Connections of clients, and those to services that were given up, close a moment later.
            (pid,) = [worker["pid"] for worker in installation.serving()]
            return pid, descriptors(pid)

        pid, before = at_rest(range(CALLS // 5))
        assert metric(port, "agentlocator_turns_total") > 0, "nobody stayed for an answer"
        callers.make(range(CALLS // 5, CALLS))
        wait_until(nothing_left, lambda: installation.process.output[-4000:], interval=0.1)
        # Some more than before may be warm connections to the services; a leak would be one a call.
        wait_until(lambda: descriptors(pid) < before + 40, lambda: f"{descriptors(pid)} descriptors, {before} before",
                   interval=0.1)
        assert [worker["pid"] for worker in installation.serving()] == [pid], "a worker died"
        # And it talks as ever.
        with MediaClient(port) as client:
            client.begin(call="CA" + "9" * 32)
            phone = Telephone(client)
            phone.say(line_noise(50))
            phone.say(talk(0.9))
            assert phone.listen(whole=True)
        assert installation.process.stop() == 0
        assert "Sanitizer" not in installation.process.output
