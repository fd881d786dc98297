"""`agentlocator chat`: the conversation by keyboard, without keys or network."""
import os
import subprocess

import pytest
from support import BIN


@pytest.fixture(name="chat")
def chat_with_empty_settings(tmp_path):
    (tmp_path / "empty.env").touch()
    return lambda lines, language: run_chat(lines, language, tmp_path / "empty.env")


def run_chat(lines, language, settings):
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    environment.update(AGENT_LANGUAGE=language, AGENTLOCATOR_ENV_FILE=str(settings))
    return subprocess.run([f"{BIN}/agentlocator-chat"], input="\n".join(lines) + "\n", env=environment,
                          capture_output=True, text=True, timeout=30, check=False)


def test_english_words_and_keys_take_a_lead(chat):
    done = chat(["buy", "flat", "haifa", "three and a half", "2300#", "052-1234567", "Dana", "yes"], "en-US")
    assert done.returncode == 0, done.stderr
    assert "3 and a half, noted." in done.stdout
    assert "the price: 2,300,000 shekels. your number: 052-123-4567. your name: Dana." in done.stdout
    assert "[the agent hangs up: lead_taken]" in done.stdout


def test_hebrew_keys_take_a_lead(chat):
    done = chat(["1", "1", "3", "4*#", "2300#", "0521234567#", "דנה", "1"], "he-IL")
    assert done.returncode == 0, done.stderr
    assert "[the agent hangs up: lead_taken]" in done.stdout


def test_end_of_input_ends_the_chat(chat):
    done = chat([], "en-US")
    assert done.returncode == 0
    assert "Hello, this is Leah" in done.stdout
