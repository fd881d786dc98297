"""Azure OpenAI, Groq, OpenAI's Realtime and Twilio's REST API: our adapters against their fakes, which the vendors' own
libraries accept (test_provider_sdks.py), with their faults; one terminal event each time and no key in any of them."""

import json

import pytest

import support
from provider_farm import ACCOUNT, AZURE_OPENAI, GROQ, Farm, no_secret, only, probe, text_of

TOOLS = [{"name": "find_slots", "description": "slots", "parameters": {"type": "object", "properties": {}}}]
QUESTION = [{"role": "system", "content": "את נציגה"}, {"role": "user", "content": "שלום"}]
CALL = "CA" + "1" * 32


@pytest.fixture(scope="module")
def farm():
    with Farm() as running:
        yield running


def last_request(farm):
    return farm.seen("request")[-1]


def one_error(run, events, error_class):
    error = only(events, "error")
    assert error["class"] == error_class, error
    assert error["message"]
    assert not [event for event in events if event["event"] in ("done", "terminal_twice", "hung")]
    no_secret(run.output)
    return error


# --- Azure OpenAI and Groq


@pytest.mark.parametrize("provider", ["azure-openai", "groq"])
def test_their_streams_are_read(farm, provider):
    with probe(farm, "fine") as run:
        events = run.ask(do="chat", provider=provider, messages=QUESTION)
    assert text_of(events) == "שלום, באיזו שעה?"
    assert only(events, "done")["finish"] == "stop"


@pytest.mark.parametrize("provider", ["azure-openai", "groq"])
def test_their_tools_are_called(farm, provider):
    with probe(farm, "two-tools") as run:
        events = run.ask(do="chat", provider=provider, messages=QUESTION, tools=TOOLS)
    calls = [event for event in events if event["event"] == "tool"]
    assert [(call["name"], json.loads(call["arguments"])["date"]) for call in calls] == [("find_slots", "x"), ("find_slots", "y")]
    assert len({call["id"] for call in calls}) == 2
    assert only(events, "done")["finish"] == "tool_calls"


def test_azure_is_asked_by_deployment_and_key_header(farm):
    with probe(farm, "fine") as run:
        run.ask(do="chat", provider="azure-openai", messages=QUESTION)
    request = last_request(farm)
    assert request["path"] == "/openai/deployments/chat/chat/completions"
    assert request["headers"]["api-key"] == AZURE_OPENAI and "authorization" not in request["headers"]
    with probe(farm, "fine", OPENAI_API_VERSION="") as run:
        assert text_of(run.ask(do="chat", provider="azure-openai", messages=QUESTION))
    assert last_request(farm)["path"] == "/openai/v1/chat/completions"


def test_groq_is_asked_as_it_wants(farm):
    with probe(farm, "fine") as run:
        run.ask(do="chat", provider="groq", messages=QUESTION, max_tokens=50)
    request = last_request(farm)
    assert request["path"] == "/openai/v1/chat/completions"
    assert request["headers"]["authorization"] == f"Bearer {GROQ}"
    assert json.loads(request["body"])["max_completion_tokens"] == 50


def test_groq_hears(farm, folder):
    sound = folder / "caller.ulaw"
    sound.write_bytes(bytes(i % 251 for i in range(16_000)))
    with probe(farm, "fine") as run:
        assert only(run.ask(do="hear", provider="groq", file=str(sound)), "done")["text"] == "אני רוצה תור"
    with probe(farm, "noise") as run:
        assert only(run.ask(do="hear", provider="groq", file=str(sound)), "done")["text"] == ""
    with probe(farm, "busy") as run:
        error = one_error(run, run.ask(do="hear", provider="groq", file=str(sound)), "rate_limited")
    assert error["retry_after_ms"] == 2000


@pytest.mark.parametrize("scenario, error_class", [
    ("auth", "auth"), ("busy", "rate_limited"), ("broken", "server"), ("bad", "bad_request"), ("proxy", "server"),
    ("late-error", "server"), ("truncated", "protocol"), ("nothing", "server"), ("reset", "network"), ("hang", "timeout"),
])
@pytest.mark.parametrize("provider", ["azure-openai", "groq"])
def test_their_faults_are_one_error(farm, provider, scenario, error_class):
    with probe(farm, scenario) as run:
        deadlines = {"first_token_ms": 400} if scenario == "hang" else {}
        events = run.ask(do="chat", provider=provider, messages=QUESTION, **deadlines)
        error = one_error(run, events, error_class)
    assert error["provider"] == provider
    if scenario in ("auth", "busy", "bad"):
        assert error["remedy"] and error["request_id"] == "req_0001"


def test_what_azure_filters_is_no_fault_of_a_server(farm):
    with probe(farm, "filtered") as run:
        one_error(run, run.ask(do="chat", provider="azure-openai", messages=QUESTION), "content_filter")
    with probe(farm, "cut-by-filter") as run:
        events = run.ask(do="chat", provider="azure-openai", messages=QUESTION)
    assert text_of(events) == "של" and only(events, "done")["finish"] == "content_filter"


# --- Twilio


def test_a_call_is_hung_up_and_transferred(farm):
    twiml = "<Response><Dial>+97233760000</Dial><Say>שלום &amp; תודה</Say></Response>"
    with probe(farm, "fine") as run:
        only(run.ask(do="hangup", call=CALL), "done")
        only(run.ask(do="transfer", call=CALL, twiml=twiml), "done")
    ended, redirected = farm.seen("twilio")[-2:]
    assert ended["resource"] == redirected["resource"] == f"Calls/{CALL}"
    assert ended["form"] == {"Status": "completed"} and redirected["form"] == {"Twiml": twiml}
    assert last_request(farm)["path"] == f"/2010-04-01/Accounts/{ACCOUNT}/Calls/{CALL}.json"


@pytest.mark.parametrize("scenario", ["over", "gone"])
def test_a_call_that_is_over_needs_nothing(farm, scenario):
    with probe(farm, scenario) as run:
        only(run.ask(do="hangup", call=CALL), "done")


@pytest.mark.parametrize("scenario, error_class", [
    ("auth", "auth"), ("busy", "rate_limited"), ("broken", "server"), ("proxy", "server"),
])
def test_twilios_faults_are_one_error(farm, scenario, error_class):
    with probe(farm, scenario) as run:
        error = one_error(run, run.ask(do="transfer", call=CALL, twiml="<Response/>"), error_class)
    assert error["provider"] == "twilio"


def test_twilio_that_cannot_be_reached(farm):
    with probe(farm, "fine", TWILIO_API_BASE_URL=f"https://127.0.0.1:{support.free_port()}") as run:
        one_error(run, run.ask(do="hangup", call=CALL), "network")


# --- Realtime

SPOKEN_TURN = [{"await": "ready"}, {"push": 16000}, {"turn": 1}]


@pytest.mark.parametrize("dialect", ["ga", "beta"])
def test_a_spoken_turn_is_answered_by_sound(farm, dialect):
    with probe(farm, "fine", OPENAI_REALTIME_DIALECT=dialect) as run:
        events = run.ask(do="realtime", instructions="בעברית", steps=[*SPOKEN_TURN, {"await": "user_text"}, {"await": "turn_done"}],
                         history=[{"role": "assistant", "content": "שלום"}, {"role": "user", "content": "כן"}])
    assert only(events, "user_text") == {"event": "user_text", "turn": 1, "text": "שמעתי 16000"}
    assert only(events, "agent_text")["text"] == "שלום"
    assert only(events, "sound")["bytes"] == 16000
    assert not farm.seen("realtime_error")
    session = farm.seen("realtime_session")[-1]["session"]
    assert session["instructions"]
    assert [line["item"]["content"][0]["text"] for line in farm.seen("realtime_item")[-2:]] == ["שלום", "כן"]


def test_nothing_is_sent_before_the_session_is_ready(farm):
    """Sound that came early is kept, not sent as something else."""
    with probe(farm, "fine") as run:
        events = run.ask(do="realtime", steps=[{"push": 1600}, {"turn": 1}, {"await": "user_text"}, {"await": "turn_done"}])
    assert only(events, "user_text")["text"] == "שמעתי 1600"
    assert not farm.seen("realtime_error")


def test_a_tool_is_called_and_its_result_spoken(farm):
    with probe(farm, "tool") as run:
        events = run.ask(do="realtime", tools=TOOLS, steps=[
            *SPOKEN_TURN, {"await": "tool"}, {"await": "turn_done"}, {"result": '{"slots":[]}'}, {"await": "turn_done"}])
    call = only(events, "tool")
    assert call["name"] == "find_slots" and json.loads(call["arguments"]) == {"date": "x"}
    assert only(events, "agent_text")["text"] == "שלום"
    assert not farm.seen("realtime_error")


def test_an_interruption_tells_what_was_heard(farm):
    before = len(farm.seen("truncated"))
    with probe(farm, "long") as run:
        events = run.ask(do="realtime", steps=[
            *SPOKEN_TURN, {"await": "audio"}, {"interrupt_ms": 100}, {"push": 1600}, {"turn": 2}, {"await": "audio"}])
    assert not [event for event in events if event["event"] in ("error", "hung")]
    support.wait_until(lambda: len(farm.seen("truncated")) > before, "it was never told")
    assert farm.seen("truncated")[before]["ms"] == 100
    assert farm.seen("realtime_cancelled")
    assert not farm.seen("realtime_error")


def test_words_are_said_as_given(farm):
    with probe(farm, "fine") as run:
        run.ask(do="realtime", steps=[{"say": "להתראות"}, {"await": "turn_done"}])
    assert "להתראות" in farm.seen("realtime_response")[-1]["instructions"]


@pytest.mark.parametrize("scenario, error_class", [
    ("auth", "auth"), ("busy", "rate_limited"), ("quota", "quota"), ("broken", "server"),
    ("rt-quota", "quota"), ("expired", "lifetime"), ("rt-broken", "server"), ("failed", "server"),
    ("die", "network"), ("close", "network"),
])
def test_every_fault_of_realtime_is_one_error(farm, scenario, error_class):
    with probe(farm, scenario) as run:
        events = run.ask(do="realtime", steps=[*SPOKEN_TURN, {"await": "turn_done"}])
        error = one_error(run, events, error_class)
    assert error["provider"] == "openai-realtime"
    assert error["after_output"] is (scenario == "die")
