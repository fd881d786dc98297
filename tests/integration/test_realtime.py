"""VOICE_MODE=realtime with the real programs: one fake service over TLS hears and speaks; when it fails, the call goes on
with recogniser, model and voice."""

import base64
import functools
import json
import os
import signal

import pytest
import support
from media_client import CALL
from provider_farm import Farm
from support import wait_until
from test_conversation_faults import ANSWER, Conversation, question, side_by_side
from test_voice import line_noise, talk

SOUND = 0x55  # What the fake says; the voices of the cascade are silence in this farm.


@pytest.fixture(scope="module")
def farm():
    with Farm() as running:
        yield running


def realtime(farm, folder, name, scenario, **settings):
    url = farm.url(scenario, "/v1/realtime", "wss") if scenario else f"wss://127.0.0.1:{support.free_port()}/v1/realtime"
    return Conversation(farm, folder, name, VOICE_MODE="realtime", OPENAI_REALTIME_URL=url, **settings)


def converse(farm, folder, scenario):
    with realtime(farm, folder, f"rt-{scenario}", scenario) as call:
        assert len(call.phone.heard) == 16_000 and set(call.phone.heard) == {SOUND}  # The greeting, all of it.
        assert call.ask() == 16_000
        assert not call.requests("/audio/speech") and not call.requests("/chat/completions")
        if scenario == "tool":
            call.installation.process.wait_for("event=tool_called .*tool=save_lead")
        call.leave()
        call.installation.process.wait_for("event=conversation_ended .*mind=realtime")

        def written():
            turns = json.loads(call.installation.command("calls", "show", CALL, "--json"))["turns"]
            caller = [turn["text"] for turn in turns if turn["speaker"] == "caller"]
            return caller if len(turns) >= 3 else None

        (text,) = wait_until(written, "the turns are not in the store", interval=0.1)
        # The fake counts what it heard: the utterance, and 300 ms before it.
        assert int(text.split()[-1]) > 0.9 * 8000
        # The caller's own voice never comes back (P2).
        said = {base64.b64decode(frame)[:24] for frame in question()}
        assert not any(bytes(call.phone.heard[i:i + 24]) in said for i in range(0, len(call.phone.heard), 8))


def fall_back(farm, folder, scenario):
    with realtime(farm, folder, f"rt-{scenario}", scenario) as call:  # The greeting was heard, by whomever.
        call.logged("provider_failed", provider="openai-realtime", operation="converse")
        call.logged("realtime_left")
        call.ask()
        wait_until(lambda: call.said()[-1] == ANSWER, call.said)
        call.leave()
        call.installation.process.wait_for("event=conversation_ended .*mind=model")


SCENARIOS = {"fine": converse, "tool": converse, None: fall_back, "auth": fall_back, "die": fall_back,
             "silent": fall_back, "failed": fall_back}


@pytest.fixture(scope="module")
def outcomes(farm):
    with support.private_folder() as folder:
        yield side_by_side({scenario: functools.partial(run, farm, folder, scenario)
                            for scenario, run in SCENARIOS.items()})


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_one_service_hears_and_speaks_and_when_it_fails_recogniser_model_and_voice_do(outcomes, scenario):
    if outcomes[scenario]:
        raise outcomes[scenario]


def test_what_is_missing_for_it_is_said_at_the_start(farm, folder):
    with realtime(farm, folder, "rt-off", "fine", HEBREW_REALTIME_ENABLED="false") as call:
        call.logged("realtime_left_out", cause='"HEBREW_REALTIME_ENABLED=false"')
        call.leave()


def test_a_caller_who_cuts_in_cancels_and_the_service_is_told_what_was_heard(farm, folder):
    with realtime(farm, folder, "rt-barge", "long", AI_GREETING_HE="none") as call:
        phone = call.phone
        phone.say(question())
        assert phone.listen(whole=False)  # It would go on for a minute.
        phone.say(line_noise(60))
        phone.say(talk(1.2, seed=7))
        assert phone.clears == 1
        sent_ms = len(phone.audio()) / 8
        cut = farm.wait_for(lambda line: line["event"] == "truncated")
        assert 0 < cut["ms"] < sent_ms  # Of all that the service made, and of what had been sent ahead of his ear.
        wait_until(lambda: farm.seen("realtime_cancelled"), "the answer was not cancelled")
        phone.say(line_noise(40))
        assert phone.listen(whole=False)
        call.leave()


def test_a_session_near_its_end_is_renewed_between_two_answers(farm, folder):
    """Each is to end after six seconds: the next one is opened in the first pause after five."""
    with realtime(farm, folder, "rt-short", "short") as call:
        assert call.ask() == 16_000
        call.installation.process.wait_for("event=realtime_renewed")
        assert call.ask() == 16_000
        told = [line["item"] for line in farm.seen("realtime_item") if line["item"].get("role") == "assistant"]
        assert told and told[-1]["content"] == [{"type": "output_text", "text": "שלום"}]
        call.leave()
        call.installation.process.wait_for("event=conversation_ended .*mind=realtime")
        assert "event=provider_failed" not in call.installation.process.output


def test_a_take_over_opens_a_session_that_knows_what_was_said(farm, folder):
    with realtime(farm, folder, "rt-move", "fine", workers=2) as call:
        assert call.ask() == 16_000
        sessions = len(farm.seen("realtime_session"))
        (victim,) = [worker["pid"] for worker in call.installation.serving() if worker["calls"] == 1]
        os.kill(victim, signal.SIGKILL)
        assert call.ask() == 16_000
        assert len(farm.seen("realtime_session")) > sessions
        told = [line["item"] for line in farm.seen("realtime_item") if line["item"].get("role") == "assistant"]
        assert told and told[-1]["content"] == [{"type": "output_text", "text": "שלום"}]
        call.leave()
