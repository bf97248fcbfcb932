#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""syslog.py - a line in the system's log for each message (RFC 5424)

    tocsin watch --reader syslog --attempts 1000000 \
        --exec docs/examples/bots/syslog.py [SOCKET]

A handler of `tocsin watch --exec`: it gets one message as JSON on standard
input, writes one line to the socket (/dev/log), and ends with 0. Anything else
means "not yet", and the same message comes again, with TOCSIN_ATTEMPT above 1.

So a message is logged at least once. One that may be a repeat has `attempt` in
its line; who counts lines drops those whose `message` was seen before.

SOCKET must take RFC 5424: of syslog-ng, a unix-dgram() with
flags(syslog-protocol); of rsyslog, an imuxsock of its own with
UseSpecialParser="off".

The log is read by more people than the ticket: TLP comes first, the subject
goes along as far as LOGGED says, and the text never.
"""
import datetime
import json
import os
import socket
import sys

# Labels whose subject and sender may stand in a log that our organisation
# alone reads. Of a narrower one the log says that there is something to read.
LOGGED = ("CLEAR", "GREEN", "AMBER", "AMBER+STRICT")

FACILITY = 16  # local0
SEVERITY = {"flash": 1, "immediate": 2, "priority": 4, "routine": 5}
ENTERPRISE = 32473  # the number for examples (RFC 5612); take your own
LONGEST = 2048  # bytes of a line, which every receiver should take
TITLE = 300  # characters of a subject


def title(text):
    """A subject as printable ASCII: what a stranger wrote ends no line."""
    text = text or ""
    cut = text[:TITLE] + ("..." if len(text) > TITLE else "")
    return json.dumps(cut)  # "...", with controls and the rest as \u00XX


def value(text):
    """What may stand between the quotes of a PARAM-VALUE (6.3.3)."""
    for special in '\\"]':
        text = text.replace(special, "\\" + special)
    return text


def line(message, attempt, now, host):
    # `tlp` is what the author said; `allowed` what he lets us use by now.
    label = message["allowed"] or message["tlp"]
    data = {
        "tlp": label,
        "id": message["thread"],
        "message": message["id"],
        "precedence": message["precedence"],
    }
    words = f"TLP:{label} "
    if message["exercise"]:
        data["exercise"] = message["exercise"]
        words += f"EXERCISE {message['exercise']} "
    words += f"{message['short_id']} {message['kind']}"
    if label in LOGGED:
        data["from"] = message["from"]
        words += f" from {message['from']}: {title(message['subject'])}"
    if attempt > 1:
        data["attempt"] = str(attempt)
    params = "".join(f' {name}="{value(of)}"' for name, of in data.items())
    priority = FACILITY * 8 + SEVERITY.get(message["precedence"], 5)
    return (
        f"<{priority}>1 {now:%Y-%m-%dT%H:%M:%SZ} {host} tocsin {os.getpid()} "
        f"{message['kind']} [ticket@{ENTERPRISE}{params}] {words}"
    ).encode("ascii", "backslashreplace")[:LONGEST]


def main():
    message = json.load(sys.stdin)
    attempt = int(os.environ.get("TOCSIN_ATTEMPT", "1"))
    now = datetime.datetime.now(datetime.timezone.utc)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.connect(sys.argv[1] if len(sys.argv) > 1 else "/dev/log")
        # Waits while the log's queue is full: later messages wait here too.
        log.send(line(message, attempt, now, socket.gethostname()[:255]))


try:
    main()
except OSError as why:
    sys.exit(f"syslog: {why}")
