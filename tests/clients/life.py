"""What both clients' stories share: where the daemon is, what a rich document is, how answers are judged.

A story ends with an exit code other than 0 and a sentence as soon as something is not as a client of Kazoo
expects it.
"""

import copy
import json
import os
import subprocess

import requests

BASE_URL = os.environ["CONVENED_TEST_URL"]
API_KEY = os.environ["CONVENED_TEST_KEY"]
ACCOUNT = os.environ["CONVENED_TEST_ACCOUNT"]
PROGRAM = os.environ["CONVENED_TEST_PROGRAM"]
CONFIG = os.environ["CONVENED_TEST_CONFIG"]

# Far beyond what any step takes, in seconds.
PATIENCE = 40

# What the daemon adds to a document when it shows one of which nothing runs.
SHOWN = {"id", "_read_only"}

DOCUMENT = {
    "name": "Board — Größe, 会議",
    "owner_id": "0123456789abcdef0123456789abcdef",
    "conference_numbers": ["4910", "4911"],
    "member": {"numbers": ["4920"], "pins": ["1234", "5678"], "join_muted": False, "join_deaf": True},
    "moderator": {"numbers": ["4930"], "pins": ["999000"], "join_muted": True, "join_deaf": False},
    "play_entry_tone": "tone_stream://v=-7;%(100,0,941.0,1477.0)",
    "play_exit_tone": False,
    "play_name": True,
    "play_welcome": False,
    "max_participants": 40,
    "require_moderator": True,
    "wait_for_moderator": False,
    "language": "de-de",
    "flags": ["a", "b"],
    "ui_metadata": {
        "origin": "callflows",
        "version": "4.3",
        "nested": {"deep": [{"er": None}, [1, -2.5, True, ""]], "empty": {}, "none": []},
        "beyond_2_to_the_53": 9007199254740993,
        "beyond_2_to_the_64": 18446744073709551617,
    },
}


def document(**changes):
    """A rich document, with changes."""
    return {**copy.deepcopy(DOCUMENT), **changes}


def equal(found, wanted, what):
    """Compared as JSON: to Python 1 is True, and the order of keys is nothing."""
    found, wanted = (json.dumps(value, ensure_ascii=False) for value in (found, wanted))
    if found != wanted:
        raise SystemExit(f"{what}: found {found}, wanted {wanted}")


def same(found, wanted, what):
    """Every key that was sent is there with its value; what was not sent is known to be added."""
    for key, value in wanted.items():
        if key not in found:
            raise SystemExit(f"{what}: {key} is missing in {found!r}")
        equal(found[key], value, f"{what}: {key}")
    equal(sorted(set(found) - set(wanted) - SHOWN), [], f"{what}: keys that nobody sent")


def fails(kind, what, call, *arguments):
    """The exception, which is of that very kind."""
    try:
        answer = call(*arguments)
    except Exception as error:  # noqa: BLE001: whatever else it is, is told
        if type(error) is kind:
            return error
        raise SystemExit(f"{what}: {type(error).__name__}: {error}, wanted {kind.__name__}") from error
    raise SystemExit(f"{what}: it did not fail with {kind.__name__}: {answer!r}")


def names_field(errors, field, keyword, what):
    """Field errors say what is wrong with that field, and nothing else."""
    equal(sorted(errors), [field], f"{what}: the fields that are wrong")
    equal(sorted(errors[field]), [keyword], f"{what}: what is wrong with {field}")
    if not errors[field][keyword]["message"]:
        raise SystemExit(f"{what}: nothing is said of {field}")
    return errors[field][keyword]


def envelope(answer, what):
    """What holds for every answer that is no error; its data."""
    equal(answer["status"], "success", f"{what}: status")
    for key in ("request_id", "auth_token"):
        if not isinstance(answer[key], str) or not answer[key]:
            raise SystemExit(f"{what}: {key} is {answer[key]!r}")
    return answer["data"]


def convened(*arguments):
    """Runs a command of the program; what it prints."""
    command = [PROGRAM, *arguments, "--config", CONFIG]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=PATIENCE).stdout


def revoke_all_tokens(token):
    """Revokes every token of the account, and sees that the daemon refuses this one at once."""
    lines = [line.split() for line in convened("token", "list", "--account", ACCOUNT).splitlines()]
    revoked = [words[0] for words in lines if words[1] == ACCOUNT and "revoked" not in words]
    if not revoked:
        raise SystemExit(f"there is no token to revoke: {lines!r}")
    for identity in revoked:
        convened("token", "revoke", identity)
    address, headers = f"{BASE_URL}/accounts/{ACCOUNT}/conferences", {"X-Auth-Token": token}
    if requests.get(address, headers=headers, timeout=PATIENCE).status_code != 401:
        raise SystemExit("a revoked token stays good")
