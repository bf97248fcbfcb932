#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""ours.py - tell our desks which addresses in a ticket are in our networks

    ours.py MEMBER NETWORK...
    ours.py mycert@my 203.0.113.0/24 2001:db8::/32

(`tocsin inbox --own` lists such tickets; this says which hosts, where they are
read.) A program that stays, with two others beside it, connected by pipes:

    tocsin watch --json --commit    an event a line; waits for our commit
    tocsin do --json                a request a line, an answer a line

It keeps nothing. An event is committed when all that it asks for has been
answered, and what is asked carries a key (`once`). So any of the three may be
killed at any moment: the event comes again, the same is asked under the same
key, and is done once. The pipes are the only queue: while `do` is at work
nothing is read from `watch`, which stops when its pipe is full.
"""
import ipaddress
import json
import re
import signal
import subprocess
import sys
import time

WORD = re.compile(r"[0-9A-Fa-f:.]{3,45}(?:/[0-9]{1,3}(?![0-9]))?")
MOST = 50  # addresses in one note
SILENCE = 120  # seconds; heartbeats come more often, so something hangs
# Reasons that pass by themselves; with all others asking again is of no use.
PASSING = ("busy", "unavailable", "timeout", "no-space", "quota", "internal")


class Gone(Exception):
    """The other program has ended or hangs."""


def hangs(*_):
    raise Gone("nothing was heard for too long")


class Child:
    def __init__(self, *words):
        self.name = words[0]
        self.process = subprocess.Popen(
            ("tocsin", *words), encoding="utf-8",
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def put(self, what):
        try:
            self.process.stdin.write(json.dumps(what) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError as why:
            raise Gone(f"{self.name}: {why}") from why

    def get(self):
        signal.alarm(SILENCE)
        line = self.process.stdout.readline()
        signal.alarm(0)
        if not line.endswith("\n"):  # the end, or half a line
            raise Gone(f"{self.name} has ended")
        return json.loads(line)

    def end(self):
        self.process.kill()  # it loses nothing by that
        self.process.communicate()
        return self.process.returncode


def found(event, networks):
    text = re.sub(r"\\(u[0-9a-f]{4}|.)", " ", json.dumps(event["content"]))
    for word in WORD.findall(text.replace("[.]", ".")):
        word = word.strip(".")
        if "." in word:
            word = word.partition(":")[0]  # a port
        elif word[-2:] != "::":
            word = word.rstrip(":")
        try:
            address = ipaddress.ip_network(word, strict=False)
        except ValueError:
            continue
        if any(address.version == own.version and address.overlaps(own)
               for own in networks):
            yield str(address).removesuffix("/32").removesuffix("/128")


def requests(event, member, networks):
    hits = sorted(set(found(event, networks)))[:MOST]
    if hits and not event["from"].startswith(member + "/"):
        # To our own desks alone, with the label of the ticket.
        yield {"do": "note", "id": event["id"], "to": [member],
               "once": "ours/" + event["id"],
               "text": "In our networks: " + ", ".join(hits)}


def handle(event, do, member, networks):
    for n, request in enumerate(requests(event, member, networks)):
        do.put({**request, "tag": n})
        answer = do.get()
        if answer["tag"] != n:
            raise Gone("do answers something else")
        if not answer["ok"]:
            print(f"ours: {event['short_id']}: {answer['text']} "
                  f"[{answer['reason']}]", file=sys.stderr)
            if answer["reason"] in PASSING:
                raise Gone("to be asked again")


def serve(watch, do, member, networks):
    while True:
        event = watch.get()
        if "number" not in event:  # a heartbeat
            continue
        if event["content"]:  # else it was not opened
            handle(event, do, member, networks)
        watch.put({"commit": event["number"]})
        yield  # one more is done


def main():
    member, networks = sys.argv[1], [*map(ipaddress.ip_network, sys.argv[2:])]
    signal.signal(signal.SIGALRM, hangs)
    rest = 1
    while True:
        watch = Child("watch", "--json", "--commit", "--reader", "ours",
                      "--heartbeat", "30")
        do = Child("do", "--json")
        try:
            for _ in serve(watch, do, member, networks):
                rest = 1
        except (Gone, ValueError) as why:
            print(f"ours: {why}; once more in {rest} s", file=sys.stderr)
        if 2 in (watch.end(), do.end()):
            return 2  # called wrongly: that doesn't pass
        time.sleep(rest)
        rest = min(2 * rest, 60)


sys.exit(main())
