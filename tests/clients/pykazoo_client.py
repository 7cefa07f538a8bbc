"""The life of a conference document, as pykazoo leads it.

It takes whole envelopes, and its exceptions carry the answer as text only.
"""

import ast
import json

from pykazoo.client import PyKazooClient

from life import ACCOUNT, API_KEY, BASE_URL
from life import document, envelope, equal, fails, names_field, revoke_all_tokens, same

UNKNOWN = "f" * 32


def refusal(error, status, what):
    """The answer that is in the words of an exception."""
    found, body = str(error).split(" Data: ", 1)
    equal(found, f"Error Code: {status}", what)
    answer = json.loads(ast.literal_eval(body))
    equal((answer["status"], answer["error"]), ("error", str(status)), what)
    return answer


def authenticates():
    client = PyKazooClient(BASE_URL)
    for wrong in ("0" * 64, "letmein"):
        error = fails(PermissionError, "a wrong key", client.authentication.api_auth, wrong)
        equal(refusal(error, 401, "a wrong key")["message"], "invalid_credentials", "a wrong key")
    error = fails(PermissionError, "no token", client.conferences.get_conferences, ACCOUNT)
    refusal(error, 401, "no token")
    equal(client.authentication.authenticated, False, "authenticated after a wrong key")
    equal(client.authentication.api_auth(API_KEY)["status"], "success", "an authentication")
    equal(client.authentication.authenticated, True, "authenticated")
    equal(client.authentication.account_id, ACCOUNT, "the account of the key")
    return client


def listed(conferences, what, **filters):
    answer = conferences.get_conferences(ACCOUNT, filters or None)
    return answer, [line["name"] for line in envelope(answer, what)]


def creates(conferences):
    equal(listed(conferences, "the list before all")[1], [], "the list before all")
    made = conferences.create_conference(ACCOUNT, {"data": document()})
    same(envelope(made, "created"), document(), "created")
    read = conferences.get_conference(ACCOUNT, made["data"]["id"])
    same(envelope(read, "read"), document(), "read")
    equal(read["revision"], made["revision"], "the revision that is read")
    line, = envelope(conferences.get_conferences(ACCOUNT), "the list of one")
    for key in ("id", "name", "owner_id"):
        equal(line[key], read["data"][key], f"the list of one: {key}")
    return read["data"]


def filters(conferences):
    """Others beside the first one, by name and by pages; their ids."""
    names = [f"Room {letter}" for letter in "ABCDEF"]
    made = [conferences.create_conference(ACCOUNT, {"data": {"name": name}}) for name in names]
    every = sorted([*names, document()["name"]])
    _, found = listed(conferences, "those of that name", filter_name="Room C")
    equal(found, ["Room C"], "those of that name")
    _, found = listed(conferences, "those of no such name", filter_name="Room")
    equal(found, [], "those of no such name")
    _, found = listed(conferences, "those of the owner", filter_owner_id=document()["owner_id"])
    equal(found, [document()["name"]], "those of the owner")
    answer, found = listed(conferences, "without pages", paginate="false", page_size=2)
    equal((sorted(found), "next_start_key" in answer), (every, False), "without pages")
    equal(pages(conferences), ([3, 3, 1], every), "by pages")
    error = fails(ValueError, "a wrong page size", conferences.get_conferences, ACCOUNT, {"page_size": "x"})
    equal(refusal(error, 400, "a wrong page size")["message"], "invalid_request", "a wrong page size")
    return [answer["data"]["id"] for answer in made]


def pages(conferences):
    """The sizes of all pages, then all names in order."""
    sizes, names, start = [], [], {}
    while start is not None:
        answer, found = listed(conferences, "a page", page_size=3, **start)
        equal(answer["page_size"], len(found), "the size of a page")
        sizes.append(len(found))
        names += found
        start = {"start_key": answer["next_start_key"]} if "next_start_key" in answer else None
    return sizes, sorted(names)


def updates(conferences, read, other):
    identity = read["id"]
    changed = {**read, "name": "Changed", "max_participants": 12}
    changed["ui_metadata"] = {**read["ui_metadata"], "added": [9007199254740995]}
    kept = {key: changed[key] for key in document()}
    answer = conferences.update_conference(ACCOUNT, identity, {"data": changed})
    same(envelope(answer, "updated"), kept, "updated")
    same(conferences.get_conference(ACCOUNT, identity)["data"], kept, "read after the update")
    refused(conferences, identity, kept, other)
    same(conferences.get_conference(ACCOUNT, identity)["data"], kept, "read after what was refused")


def bad_data(what, call, *arguments):
    """The field errors of an answer that refuses data."""
    answer = refusal(fails(ValueError, what, call, *arguments), 400, what)
    equal(answer["message"], "validation_error", what)
    return answer["data"]


def refused(conferences, identity, kept, other):
    for change, field, keyword in [
        ({"name": ""}, "name", "minLength"),
        ({"play_entry_tone": 7}, "play_entry_tone", "type"),
        ({"max_participants": "many"}, "max_participants", "type"),
        ({"member": {"pins": ["1", "12a4"]}}, "member.pins.1", "pattern"),
    ]:
        wrong = {"data": {**kept, **change}}
        errors = bad_data(field, conferences.update_conference, ACCOUNT, identity, wrong)
        names_field(errors, field, keyword, field)
        errors = bad_data(field, conferences.create_conference, ACCOUNT, {"data": change})
        names_field(errors, field, keyword, field)
    wrong = {"data": {"moderator": {"numbers": ["4920"]}}}
    for call, arguments in [
        (conferences.create_conference, (ACCOUNT, wrong)),
        (conferences.update_conference, (ACCOUNT, other, wrong)),
    ]:
        errors = bad_data("a number in use", call, *arguments)
        equal(names_field(errors, "numbers", "unique", "a number in use")["cause"], "4920", "the number")


def authenticates_again(client, identity):
    """This client does not do so by itself. It sends the old token beside its key."""
    token = client.conferences.rest_request.auth_token
    revoke_all_tokens(token)
    error = fails(PermissionError, "a revoked token", client.conferences.get_conference, ACCOUNT, identity)
    equal(refusal(error, 401, "a revoked token")["message"], "invalid_credentials", "a revoked token")
    client.authentication.api_auth(API_KEY)
    equal(client.conferences.get_conference(ACCOUNT, identity)["data"]["name"], "Changed", "read again")


def deletes(conferences, identities):
    calls = (conferences.get_conference, conferences.delete_conference)
    for call in calls:
        error = fails(ValueError, "an unknown one", call, ACCOUNT, UNKNOWN)
        equal(refusal(error, 404, "an unknown one")["message"], "bad_identifier", "an unknown one")
    error = fails(ValueError, "another account", conferences.get_conferences, UNKNOWN)
    refusal(error, 404, "another account")
    for identity in identities:
        answer = conferences.delete_conference(ACCOUNT, identity)
        equal(envelope(answer, "deleted")["id"], identity, "deleted")
        for call in calls:
            refusal(fails(ValueError, "what is deleted", call, ACCOUNT, identity), 404, "what is deleted")
    equal(listed(conferences, "the list after all")[1], [], "the list after all")


def life():
    client = authenticates()
    read = creates(client.conferences)
    others = filters(client.conferences)
    updates(client.conferences, read, others[0])
    authenticates_again(client, read["id"])
    deletes(client.conferences, [read["id"], *others])


life()
