#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""rt.py - a ticket in Request Tracker for each ticket of others, and after it

    tocsin watch --reader rt --apply --attempts 1000000 \
        --exec docs/examples/bots/rt.py URL QUEUE TOKENFILE MEMBER

URL is RT's, like https://rt.mycert.example; RT's REST 2.0 is below it (in RT
from 5.0 on, an extension of 4.4). TOKENFILE has an authentication token of a
user who may create, see, comment and modify tickets in QUEUE, see comments, and
see its custom fields. MEMBER is our own, like mycert@my: RT's number is told to
our own desks and to nobody else.

What is said afterwards in a ticket that RT has, by others and by our own desks,
becomes a comment there, which RT sends to no requestor. Where our part or the
ticket is closed, RT's is resolved; reopened, it is open; accepted by us, it is
open if it was new.

A handler of `tocsin watch --exec --apply`: what it prints is done in one change
with the step to the next message, so the number is noted once. What it does in
RT cannot be part of that change. So before it opens a ticket it looks for one
that has the id of ours: in the custom field `tocsin`, or, if the queue has no
such field, in the subject. A comment has the id of its message in its subject,
and is looked for as well; the status is set before it. So what has its comment
is done, also if somebody has changed the status by hand since. A handler that
is killed when RT has made either, and before anybody here knows of it, is
started again and finds it.

(One gap stays: it is killed, and RT is still at work on what it had asked for
when the next one looks. RT takes no key that would close it.)
"""
import base64
import http.client
import json
import subprocess
import sys
import urllib.parse
import urllib.request

# What may be shown to everybody who uses this RT, if that is our organisation
# alone. Of a narrower label RT gets the id, and no word of the ticket.
SHOWN = ("CLEAR", "GREEN", "AMBER", "AMBER+STRICT")
OPENS = ("report", "request", "query", "escalate", "share")  # kinds
FIELD = "tocsin"  # the custom field, "Enter one value"
SECONDS = 20
PAGE = 100  # RT gives no more at a time
NOBODYS = ("received", "opened")  # answers that say nothing yet
NEW, OPEN, DONE = "new", "open", "resolved"  # of the queue's lifecycle
ENDS = (DONE, "rejected", "deleted")


class Stay(urllib.request.HTTPRedirectHandler):
    """A redirection would take the token to another host."""

    def redirect_request(self, *_):
        return None


class RT:
    def __init__(self, url, token):
        parts = urllib.parse.urlsplit(url)
        if parts.scheme != "https" and parts.hostname != "127.0.0.1":
            sys.exit(f"rt: {url} would show the token to the network: https")
        self.base = url.rstrip("/") + "/REST/2.0/"
        self.head = {"Authorization": "token " + token}
        self.opener = urllib.request.build_opener(
            Stay, urllib.request.ProxyHandler({}))

    def ask(self, path, what=None, method=None):
        head, data = dict(self.head), None
        if what is not None:
            head["Content-Type"] = "application/json"
            data = json.dumps(what).encode()
        request = urllib.request.Request(
            self.base + path, data, head, method=method)
        with self.opener.open(request, timeout=SECONDS) as answer:
            return json.load(answer)

    def find(self, queue, message):
        """The number of the ticket that has our id, or None."""
        query = (f"Queue = '{queue}' AND "
                 f"('CF.{{{FIELD}}}' = '{message['thread']}' OR "
                 f"Subject LIKE '{short(message)}')")
        query = urllib.parse.urlencode({"query": query, "orderby": "id"})
        items = self.ask("tickets?" + query)["items"]
        return min((int(item["id"]) for item in items), default=None)

    def make(self, queue, message):
        subject, text = words(message)
        if message["id"] != message["thread"]:  # it follows as a comment
            text = f"tocsin show {short(message)}\n"
        made = self.ask("ticket", {
            "Queue": queue, "Subject": subject,
            "Content": text, "ContentType": "text/plain",
            "CustomFields": {FIELD: message["thread"]}})
        return int(made["id"])

    def has_comment(self, number, message):
        page, more = 0, True
        while more:
            page += 1
            got = self.ask(f"ticket/{number}/attachments?fields=Subject"
                           f"&per_page={PAGE}&page={page}")
            if any(message["id"] in (item.get("Subject") or "")
                   for item in got["items"]):
                return True
            more = page * got["per_page"] < got["total"]
        return False

    def comment(self, number, message, trouble):
        _, text = words(message)
        self.ask(f"ticket/{number}/comment", {
            "Subject": f"tocsin {message['id']}",
            "Content": text + trouble, "ContentType": "text/plain"})

    def set_status(self, number, wanted, before):
        """Where before(status) holds; what RT said, if it did not."""
        if not before(self.ask(f"ticket/{number}")["Status"]):
            return ""
        said = self.ask(f"ticket/{number}", {"Status": wanted}, "PUT")
        if self.ask(f"ticket/{number}")["Status"] == wanted:
            return ""
        return f"RT did not make it {wanted}: {' '.join(map(str, said))}\n"


def short(message):
    """The short id of the ticket that the message is of: 12 times 5 bits."""
    bits = int.from_bytes(base64.b64decode(message["thread"])[:8], "big") >> 4
    letters = "0123456789abcdefghjkmnpqrstvwxyz"
    word = "".join(letters[bits >> at & 31] for at in range(55, -5, -5))
    return f"{word[:4]}-{word[4:8]}-{word[8:]}"


def line(text):
    return "".join(c if c.isprintable() else " " for c in text[:200])


def what(message):
    """" (ack: refused, not-authorized)", of what is more than words."""
    said = [message[name] for name in ("answer", "reason", "resolution")
            if message[name]]
    if message["kind"] in ("update", *OPENS[:3]):
        return ""
    return f" ({message['kind']}{': ' if said else ''}{line(', '.join(said))})"


def words(message):
    label = message["allowed"] or message["tlp"]
    mark = f"EXERCISE {message['exercise']} " if message["exercise"] else ""
    subject = "read it at the desk"
    text = subject + "\n\n"
    if label in SHOWN:
        subject = line(message["subject"] or "")
        text = f"{message['from']} writes{what(message)}:\n\n"
        text += f"{message['text'] or ''}\n\n"
        text += "".join(f"attached: {line(part['name'])}\n"
                        for part in message["attachments"])
    return (f"TLP:{label} {mark}{subject} [{short(message)}]",
            f"TLP:{label}\n{mark}\n{text}"
            f"tocsin show {short(message)}\nTLP:{label}\n")


def is_done(message, member):
    """The ticket is closed, or our part of it, as far as is known now."""
    out = subprocess.run(["tocsin", "status", message["thread"], "--json"],
                         check=True, stdout=subprocess.PIPE).stdout
    places = [json.loads(place) for place in out.splitlines()]
    return any(place["closed"] or
               (place["member"] == member and place["rung"] == "closed")
               for place in places)


def follow(rt, number, message, member):
    """One comment for a message, and the status before it."""
    if rt.has_comment(number, message):
        return
    ours, trouble = message["from"].startswith(member + "/"), ""
    if message["kind"] in ("close", "reopen"):
        if is_done(message, member):
            trouble = rt.set_status(number, DONE, lambda s: s not in ENDS)
        else:
            trouble = rt.set_status(number, OPEN, lambda s: s == DONE)
    elif ours and message["answer"] in ("accepted", "in-progress"):
        trouble = rt.set_status(number, OPEN, lambda s: s == NEW)
    elif message["kind"] == "recall":
        trouble = "What it recalls was taken back: erase it here.\n"
    rt.comment(number, message, trouble)


def says_something(message):
    return message["kind"] != "update" and message["answer"] not in NOBODYS \
        or message["text"] or message["attachments"]


def main():
    url, queue, token, member = sys.argv[1:]
    message = json.load(sys.stdin)
    ours = message["from"].startswith(member + "/")
    opens = message["kind"] in OPENS and not ours
    first = message["id"] == message["thread"]
    if not opens and (first or not says_something(message)):
        return
    with open(token, encoding="ascii") as file:
        rt = RT(url, file.readline().strip())
    number = rt.find(queue, message)
    if not number and opens:
        number = rt.make(queue, message)
    if number and not first:
        follow(rt, number, message, member)
    if opens:
        print(json.dumps({"do": "note", "to": [member],
                          "text": f"RT #{number}",
                          "once": "rt/" + message["thread"]}))


try:
    main()
except (OSError, http.client.HTTPException, ValueError, KeyError,
        subprocess.CalledProcessError) as why:
    sys.exit(f"rt: {type(why).__name__}: {why}")
