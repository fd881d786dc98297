"""Conversations of the real programs with services over TLS that fail in every way: the caller always hears a sentence, the
log has one line with cause and remedy, and the call goes on. And a caller who cuts into a long answer.

The calls run side by side: most of their time is waiting for a service that does not answer."""

import functools
import json
import unicodedata
from concurrent.futures import ThreadPoolExecutor

import pytest
import support
from installation import Installation
from media_client import STOP, MediaClient
from provider_farm import Farm
from support import wait_until
from test_conversation import CALLED, CALLER, Telephone
from test_voice import line_noise, talk

APOLOGY = "סליחה, יש תקלה קטנה. אפשר לומר שוב?"
NOT_UNDERSTOOD = "סליחה, לא שמעתי טוב. אפשר לומר שוב?"
MESSAGE_TAKEN = "יש אצלי תקלה, אז אקח את הפרטים ונחזור אליכם."
ANSWER = "שלום, באיזו שעה?"
LONG_ANSWER = 60  # Words of the farm's `long` answer.
SENTENCE_BYTES = 3000  # The shortest that a fake says has half a second.
AT_ONCE = 12  # Calls of a batch; each is a supervisor, a worker and a thread here.


@pytest.fixture(scope="module")
def farm():
    with Farm() as running:
        yield running


@functools.cache
def question():
    return talk(0.9)


def plain(text):
    """Without the vowel marks that our own sentences have."""
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))


class Conversation:
    """One call to an installation of its own, whose services stand in the scenarios named; None: nobody listens there."""

    def __init__(self, farm, folder, name, model="fine", recogniser="fine", voice="fine", workers=1, **settings):
        self.farm, self.key = farm, f"sk-test-{name}"
        self.greets = settings.get("AI_GREETING_HE") != "none"
        folder = folder / name
        folder.mkdir()

        def address(scenario):
            return farm.url(scenario, "/v1") if scenario else f"https://127.0.0.1:{support.free_port()}/v1"

        self.installation = Installation(
            support.installation_environment(folder), workers=workers, **{
                "WS_MODE": "AI", "SSL_CERT_FILE": farm.ca, "OPENAI_API_KEY": self.key, "OPENAI_TTS_MODEL": "tts-1",
                "VOICE_STT_CHAIN": "openai", "VOICE_LLM_CHAIN": "openai", "VOICE_TTS_CHAIN": "openai",
                "OPENAI_BASE_URL": address(model), "OPENAI_STT_BASE_URL": address(recogniser),
                "OPENAI_TTS_BASE_URL": address(voice), "SILENCE_PROMPT_MS": "60000", **settings})

    def __enter__(self):
        self.installation.__enter__()
        return self.dial()

    def dial(self, called=CALLED):
        self.client = MediaClient(self.installation.port)
        self.client.begin(parameters={"from": CALLER, "to": called})
        self.phone = Telephone(self.client)
        if self.greets:
            self.hear()
        else:
            self.phone.say(line_noise(50))  # The detector learns the line.
        return self

    def __exit__(self, *details):
        self.client.close()
        return self.installation.__exit__(*details)

    def hear(self):
        """The next sentence the agent says, to its end: how many bytes of sound. What breaks off at once is none."""
        before = len(self.phone.heard)
        while len(self.phone.heard) - before < SENTENCE_BYTES:
            assert self.phone.listen(whole=True), f"it hung up:\n{self.output()}"
        return len(self.phone.heard) - before

    def ask(self):
        self.phone.say(question())
        return self.hear()

    def requests(self, path):
        """What this call asked of a service, as documents where it asked in JSON."""
        return [json.loads(line["body"]) for line in self.farm.seen("request")
                if line["path"].endswith(path) and line["headers"].get("authorization") == f"Bearer {self.key}"]

    def said(self):
        """The sentences that the voice was asked for."""
        return [plain(request["input"]) for request in self.requests("/audio/speech")]

    def wait_said(self, *expected):
        """Behind the greeting these sentences, first of all that were said."""
        wait_until(lambda: self.said()[1:1 + len(expected)] == list(expected),
                   lambda: f"{self.said()[1:]} and not {expected}:\n{self.output()}")

    def output(self):
        return self.installation.process.output

    def logged(self, event, **fields):
        """The one line of that event: each field begins so, and a remedy is named. What happened may be seen at a service
        before the line is printed."""

        def lines():
            return [line for line in self.output().splitlines() if f"event={event} " in line
                    and all(f" {name}={value}" in line for name, value in fields.items())]

        found = wait_until(lines, lambda: f"no {event} {fields} in\n{self.output()}")
        assert " cause=" in found[0] and " remedy=" in found[0], found[0]
        return found

    def leave(self):
        """The caller hangs up: the conversation was alive until now, and is over."""
        self.client.send(STOP)
        self.installation.process.wait_for("event=conversation_ended .*reason=stop")
        assert self.key not in self.output()


def side_by_side(cases):
    """Runs the cases, functions by name, most of them at once; what each failed with, or None."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        waiting = {name: pool.submit(run) for name, run in cases.items()}
    return {name: one.exception() for name, one in waiting.items()}


# Each fault, and what the log calls it. None: nothing failed, or the model is told what it did wrong.
FAULTS = {
    "model": {"refused": "network", "auth": "auth", "busy": "rate_limited", "broken": "server", "hang": "timeout",
              "hang-mid": "timeout", "garbage": "protocol", "truncated": "protocol", "endless": None, "unknown-tool": None},
    "recogniser": {"refused": "network", "auth": "auth", "broken": "server", "hang": "timeout", "truncated": "protocol"},
    "voice": {"refused": "network", "auth": "auth", "busy": "rate_limited", "zero": "server", "hang": "timeout",
              "page": "protocol", "hang-mid": "timeout", "wav": None},
}
OPERATIONS = {"model": "chat", "recogniser": "transcribe", "voice": "speak"}


def live_through(farm, folder, stage, fault):
    """One call in which a stage fails all the time. The caller asks twice and hangs up."""
    scenario = None if fault == "refused" else fault
    with Conversation(farm, folder, f"{stage}-{fault}", **{stage: scenario}) as call:
        call.ask()
        if stage == "voice":
            judge_voice(call, fault)
        elif fault == "endless":
            wait_until(lambda: 600 < sum(map(len, call.said()[1:])) < 1200, call.said)
            call.logged("answer_cut")
        elif fault == "unknown-tool":
            call.wait_said(NOT_UNDERSTOOD)
            call.logged("tools_stopped")
            # It was told each time that there is no such tool.
            results = [m for m in call.requests("/chat/completions")[-1]["messages"] if m["role"] == "tool"]
            assert results and all(json.loads(result["content"])["ok"] is False for result in results)
        else:
            call.wait_said(APOLOGY)
        if FAULTS[stage][fault]:
            call.logged("provider_failed", provider="openai", operation=OPERATIONS[stage],
                        **{"class": FAULTS[stage][fault]})
        call.ask()
        if stage != "voice" and FAULTS[stage][fault]:  # Twice in a row: no third try at the caller's expense.
            call.wait_said(APOLOGY, MESSAGE_TAKEN)
            wait_until(lambda: len(call.said()) > 3, "the script asks nothing")
            call.installation.process.wait_for("event=script_goes_on")
        call.leave()


def judge_voice(call, fault):
    heard = bytes(call.phone.heard)
    if fault == "wav":
        call.wait_said(ANSWER)
        assert "event=provider_failed" not in call.output()
        assert set(heard) == {0xFF}  # The fake's speech is silence: a header would be a click.
    else:  # The recorded voice, twice by now; silence is no sentence.
        assert len(heard.replace(b"\xff", b"")) > 16_000


@pytest.fixture(scope="module")
def outcomes(farm):
    with support.private_folder() as folder:
        yield side_by_side({
            (stage, fault): functools.partial(live_through, farm, folder, stage, fault)
            for stage, faults in FAULTS.items() for fault in faults})


@pytest.mark.parametrize("stage, fault", [(stage, fault) for stage, faults in FAULTS.items() for fault in faults])
def test_whatever_fails_the_caller_hears_a_sentence_and_the_call_goes_on(outcomes, stage, fault):
    if outcomes[stage, fault]:
        raise outcomes[stage, fault]


def test_a_caller_who_cuts_in_stops_the_voice_and_the_model_is_told_what_was_heard(farm, folder):
    with Conversation(farm, folder, "barge", model="long", voice="long", AI_GREETING_HE="none") as call:
        phone = call.phone
        phone.say(question())
        before = len(phone.heard)
        assert phone.listen(whole=False)  # It has begun, and would go on for a long time.
        phone.say(line_noise(75))
        assert phone.clears == 0
        gone = len(farm.seen("given_up"))
        phone.say(talk(1.2, seed=7))
        assert phone.clears == 1
        heard_ms = (len(phone.heard) - before) / 8
        # The request is aborted, not only ignored: its service sees it go.
        wait_until(lambda: [line for line in farm.seen("given_up")[gone:] if line["path"].endswith("/audio/speech")],
                   "the voice's service never heard that nobody listens", interval=0.05)
        phone.say(line_noise(40))
        wait_until(lambda: len(call.requests("/chat/completions")) > 1 or phone.say(line_noise(5)), "no second question")
        messages = call.requests("/chat/completions")[-1]["messages"]
        told = [message["content"] for message in messages if message["role"] == "assistant"][-1]
        words = plain(told).split()
        whole = call.said()[0].split()
        assert words == whole[:len(words)] and 0 < len(words) < LONG_ANSWER / 2, (told, heard_ms)
        call.leave()
