"""Network providers against a farm of fake services over TLS, each in its vendor's wire format: what they ask, what they
make of the answers, and how they fail (refused, silent, broken, endless), with one terminal event each time."""

import json
import time

import pytest

import support
from provider_farm import CONNECT_TIMEOUT_MS, OPENAI, Farm, Probe, no_secret, only, probe, text_of

TOOLS = [{"name": "find_slots", "description": "slots", "parameters": {"type": "object", "properties": {}}}]
QUESTION = [{"role": "system", "content": "את נציגה"}, {"role": "user", "content": "שלום"}]


@pytest.fixture(scope="module")
def farm():
    with Farm() as running:
        yield running


@pytest.fixture
def sound(folder):
    """Two seconds of a caller."""
    path = folder / "caller.ulaw"
    path.write_bytes(bytes(i % 251 for i in range(16_000)))
    return str(path)


# --- language models


@pytest.mark.parametrize("scenario", ["fine", "split"])
def test_chat_streams_hebrew_whatever_the_chunks(farm, scenario):
    with probe(farm, scenario) as run:
        events = run.ask(do="chat", messages=QUESTION)
    assert text_of(events) == "שלום, באיזו שעה?"
    assert only(events, "done")["finish"] == "stop"


def test_chat_asks_as_the_server_wants(farm):
    with probe(farm, "fine") as run:
        run.ask(do="chat", messages=QUESTION, tools=TOOLS, max_tokens=50)
    request = json.loads(farm.seen("request")[-1]["body"])
    assert request["max_tokens"] == 50 and request["stream"] is True
    assert "reasoning_effort" not in request and "stream_options" not in request
    assert farm.seen("request")[-1]["headers"]["authorization"] == f"Bearer {OPENAI}"


@pytest.mark.parametrize("scenario, name", [("tool", "find_slots"), ("unknown-tool", "no_such_tool")])
def test_tool_calls_arrive_whole_and_once(farm, scenario, name):
    with probe(farm, scenario) as run:
        events = run.ask(do="chat", messages=QUESTION, tools=TOOLS)
    call = only(events, "tool")
    assert call["name"] == name and isinstance(json.loads(call["arguments"]), dict)
    assert only(events, "done")["finish"] == "tool_calls"


@pytest.mark.parametrize("provider", ["anthropic", "gemini"])
def test_other_models_speak_and_call_tools(farm, provider):
    with probe(farm, "fine") as run:
        events = run.ask(do="chat", provider=provider, messages=QUESTION, tools=TOOLS)
    assert text_of(events)
    assert only(events, "tool")["name"] == "find_slots"
    assert only(events, "done")["finish"] == "tool_calls"


@pytest.mark.parametrize("scenario, error_class, after_output", [
    ("auth", "auth", False), ("busy", "rate_limited", False), ("quota", "quota", False), ("broken", "server", False),
    ("page", "protocol", False), ("hang", "timeout", False), ("keep-alive", "timeout", False),
    ("done-only", "server", False), ("nothing", "server", False), ("garbage", "protocol", True),
    ("truncated", "protocol", True), ("late-error", "server", True),
    ("hang-mid", "timeout", None),
    ("reset", "network", True),
])
def test_every_fault_of_a_model_is_one_error_with_its_class(farm, scenario, error_class, after_output):
    with probe(farm, scenario) as run:
        deadlines = {"first_token_ms": 400, "idle_ms": 400} if error_class == "timeout" else {}
        events = run.ask(do="chat", messages=QUESTION, **deadlines)
    error = only(events, "error")
    assert error["class"] == error_class, error
    if after_output is not None:  # On a busy machine the first words may miss a short deadline.
        assert error["after_output"] is after_output, error
    assert error["message"] and error["remedy"]
    assert not [event for event in events if event["event"] in ("done", "terminal_twice", "hung")]
    if scenario == "busy":
        assert error["retry_after_ms"] == 2000 and error["request_id"] == "req_0001"
    no_secret(run.output)


def test_a_model_that_never_stops_is_stopped(farm):
    with probe(farm, "endless") as run:
        before = len(farm.seen("given_up"))
        events = run.ask(do="chat", messages=QUESTION)
        assert only(events, "done")["finish"] == "length"
        support.wait_until(lambda: len(farm.seen("given_up")) > before, "it talks on")


@pytest.mark.parametrize("request_of, path", [
    ({"do": "chat", "messages": QUESTION}, "/v1/chat/completions"),
    ({"do": "speak", "text": "שלום"}, "/v1/audio/speech"),
    ({"do": "hear", "provider": "google"}, "/google.cloud.speech.v1.Speech/StreamingRecognize"),
])
def test_cancelling_resets_the_stream_at_once(farm, sound, request_of, path):
    """The far side hears of it although nothing else is sent or asked for, and the connection is used again."""
    arrived = lambda: [line for line in farm.seen("request") + farm.seen("grpc") if line["path"] == path]
    given_up = lambda: [line for line in farm.seen("given_up") if line["path"] == path]
    with probe(farm, "hang") as run:
        for _ in range(3):
            before, gone = len(arrived()), len(given_up())
            run.begin(**request_of, file=sound, cancel_on_line=True)
            support.wait_until(lambda: len(arrived()) > before, "the request never came")
            events = run.cancel()
            cancelled = only(events, "cancelled")
            assert not [event for event in events if event["event"] in ("done", "error", "text", "audio")]
            support.wait_until(lambda: len(given_up()) > gone, "the far side never heard of it")
            print(f"heard of it after {(given_up()[-1]['at_us'] - cancelled['at_us']) / 1000:.2f} ms")
    used = arrived()[-3:]
    assert len({line["peer"] for line in used}) == 1 and {line["version"] for line in used} == {"2.0"}


def test_cancelling_from_within_the_answer_resets_the_stream(farm):
    with probe(farm, "hang-mid") as run:
        for _ in range(2):
            before = len(farm.seen("given_up"))
            events = run.ask(do="chat", messages=QUESTION, cancel_on_text=True)
            assert not [event for event in events if event["event"] in ("done", "error")]
            support.wait_until(lambda: len(farm.seen("given_up")) > before, "the far side never heard of it")
    first, second = farm.seen("request")[-2:]
    assert first["version"] == "2.0" and first["peer"] == second["peer"]


def test_a_closed_port_is_a_network_error_at_once(farm):
    with probe(farm, "fine", OPENAI_BASE_URL=f"https://127.0.0.1:{support.free_port()}/v1") as run:
        events = run.ask(do="chat", messages=QUESTION)
    assert only(events, "error")["class"] == "network"
    assert events[-1]["took_ms"] < CONNECT_TIMEOUT_MS  # Not by a deadline.


def test_a_certificate_nobody_vouches_for_is_refused(farm):
    with probe(farm, "fine", SSL_CERT_FILE="") as run:
        events = run.ask(do="chat", messages=QUESTION)
    error = only(events, "error")
    assert error["class"] == "auth" and "SSL_CERT_FILE" in error["remedy"]


def test_warming_up_tells_once_of_a_wrong_key(farm):
    with probe(farm, "auth") as run:
        events = run.ask(do="warm", kind="llm")
        assert only(events, "notice")["class"] == "auth"
    no_secret(run.output)


# --- recognition

STT = ["openai", "deepgram", "elevenlabs", "azure", "google"]


@pytest.mark.parametrize("provider", STT)
def test_recognisers_hear_every_byte(farm, sound, provider):
    with probe(farm, "fine") as run:
        events = run.ask(do="hear", provider=provider, file=sound, pace_ms=1)
    text = only(events, "done")["text"]
    assert text == ("אני רוצה תור" if provider == "openai" else "שמעתי 16000")
    if provider in ("deepgram", "elevenlabs", "azure", "google"):
        assert [event for event in events if event["event"] == "partial"]


def test_google_in_one_request(farm, sound):
    with probe(farm, "fine", GOOGLE_STT_STREAMING="false") as run:
        assert only(run.ask(do="hear", provider="google", file=sound), "done")["text"] == "שמעתי 16000"


def test_google_stream_in_any_split(farm, sound):
    with probe(farm, "split") as run:
        assert only(run.ask(do="hear", provider="google", file=sound), "done")["text"] == "שמעתי 16000"


@pytest.mark.parametrize("provider, scenario, error_class", [
    ("openai", "auth", "auth"), ("openai", "truncated", "protocol"), ("openai", "page", "protocol"),
    ("deepgram", "auth", "auth"), ("deepgram", "busy", "rate_limited"), ("deepgram", "close", "network"),
    ("elevenlabs", "ws-quota", "quota"), ("azure", "broken", "server"),
    ("google", "auth", "auth"), ("google", "busy", "rate_limited"), ("google", "broken", "server"),
    ("google", "proxy", "server"), ("google", "unavailable", "server"), ("google", "too-old", "lifetime"),
])
def test_every_fault_of_a_recogniser_is_one_error(farm, sound, provider, scenario, error_class):
    with probe(farm, scenario) as run:
        events = run.ask(do="hear", provider=provider, file=sound, pace_ms=1)
    assert only(events, "error")["class"] == error_class, events
    assert not [event for event in events if event["event"] in ("done", "terminal_twice", "hung")]
    no_secret(run.output)


def test_text_made_up_from_noise_is_dropped(farm, sound):
    with probe(farm, "noise") as run:
        assert only(run.ask(do="hear", provider="openai", file=sound), "done")["text"] == ""


def test_silence_is_an_empty_text(farm, sound):
    with probe(farm, "silence") as run:
        assert only(run.ask(do="hear", provider="azure", file=sound), "done")["text"] == ""


def test_a_recogniser_that_falls_silent_gives_what_it_had(farm, sound):
    with probe(farm, "mute") as run:
        events = run.ask(do="hear", provider="deepgram", file=sound, pace_ms=1)
    assert only(events, "done")["text"] == "אני"


# --- speech

TTS = {"openai": "he", "google": "he", "azure": "he", "elevenlabs": "he", "deepgram": "en"}


@pytest.mark.parametrize("provider", TTS)
def test_synthesisers_give_the_telephones_sound(farm, folder, provider):
    out = folder / "out.ulaw"
    with probe(farm, "fine") as run:
        events = run.ask(do="speak", provider=provider, language=TTS[provider], text="שלום", file=str(out))
    # A second; Google's fake gives 60 ms a letter. OpenAI's is a second of silence at 24 kHz.
    expected = 4 * 480 if provider == "google" else 8000
    assert only(events, "done")["bytes"] == expected
    assert set(out.read_bytes()) == ({0xFF} if provider == "openai" else {0x55})


def test_a_wav_header_is_never_played(farm, folder):
    out = folder / "out.ulaw"
    with probe(farm, "wav") as run:
        run.ask(do="speak", text="שלום", file=str(out))
    assert out.read_bytes() == b"\xff" * 4000


def test_odd_pieces_make_the_same_sound(farm):
    with probe(farm, "odd") as run:
        assert only(run.ask(do="speak", text="שלום"), "done")["bytes"] == 8000


@pytest.mark.parametrize("provider, scenario, error_class", [
    ("openai", "zero", "server"), ("openai", "page", "protocol"), ("openai", "hang", "timeout"),
    ("openai", "hang-mid", "timeout"), ("openai", "endless", "protocol"), ("openai", "auth", "auth"),
    ("google", "zero", "server"), ("google", "truncated", "protocol"), ("elevenlabs", "quota", "quota"),
])
def test_every_fault_of_a_synthesiser_is_one_error(farm, provider, scenario, error_class):
    with probe(farm, scenario) as run:
        deadlines = {"first_audio_ms": 400} if scenario == "hang" else {}
        events = run.ask(do="speak", provider=provider, text="שלום", **deadlines)
    assert only(events, "error")["class"] == error_class, events
    assert not [event for event in events if event["event"] in ("done", "terminal_twice", "hung")]
    no_secret(run.output)


# --- what is not configured


def test_a_missing_key_is_named():
    with Probe() as run:
        for provider, setting in [("openai", "OPENAI_API_KEY"), ("anthropic", "ANTHROPIC_API_KEY"),
                                  ("gemini", "GEMINI_API_KEY"), ("azure-openai", "AZURE_OPENAI_API_KEY"),
                                  ("groq", "GROQ_API_KEY")]:
            assert setting in only(run.ask(do="chat", provider=provider), "not_configured")["why"]
        assert "no provider" in only(run.ask(do="chat", provider="x"), "not_configured")["why"]


def test_a_key_from_a_file_is_used(farm, folder):
    path = folder / "key"
    path.write_text(OPENAI + "\n")
    with probe(farm, "fine", OPENAI_API_KEY="", OPENAI_API_KEY_FILE=path) as run:
        assert text_of(run.ask(do="chat", messages=QUESTION))
    assert farm.seen("request")[-1]["headers"]["authorization"] == f"Bearer {OPENAI}"
