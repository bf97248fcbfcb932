#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""mail.py - a hook of `tocsin bot`: tell somebody by mail that a timer fired

    [hook mail]
    run /usr/local/lib/tocsin/mail.py /var/lib/tocsin-bot/sent \
        /usr/sbin/sendmail tocsin@mycert.example night@mycert.example
    time-out 30s

Arguments: a folder of its own, a program that takes a mail as sendmail(8) does,
the sender, the receivers. On standard input is a line of JSON (tocsin(1), bot).

A hook is started at least once for an action, always with the same
TOCSIN_ACTION. So a file in the folder remembers what was sent; and a mail that
was handed over a moment before the machine went down is sent again with the
same Message-ID, by which mail servers and programs know it for the same one.

Mail is read by whoever carries it: TLP comes first, and words of the ticket go
along only as far as CLEAR_TEXT says. Who gets the mail reads the rest at a desk.
"""
import email.message
import hashlib
import json
import os
import subprocess
import sys

CLEAR_TEXT = ("CLEAR", "GREEN")


def one_line(text):
    """What strangers wrote ends no header and turns nothing round."""
    return "".join(c if c.isprintable() else " " for c in text or "")[:200]


def compose(what, name, sender, receivers):
    ticket = what["ticket"]
    label = ticket["allowed"] or ticket["tlp"]
    exercise = ticket["exercise"]
    mark = f"EXERCISE {exercise} " if exercise else ""
    shown = label in CLEAR_TEXT
    subject = one_line(ticket["subject"]) if shown else "read it at the desk"
    lines = [f"TLP:{label}"]
    if exercise:
        lines += [f"This is of the exercise {exercise}. Do nothing in earnest."]
    if shown:
        lines += ["", one_line(what["why"]), "", ticket["from"] + " wrote:",
                  *(ticket["text"] or "").splitlines()[:100]]
    lines += ["", f"tocsin show {ticket['short_id']}", "",
              f"Rule {what['rule']}, due {what['due']}, "
              f"action {what['action']}.", f"TLP:{label}", ""]

    mail = email.message.EmailMessage()
    mail["From"], mail["To"] = sender, ", ".join(receivers)
    mail["Subject"] = f"TLP:{label} {mark}{ticket['short_id']} {subject}"
    mail["Message-ID"] = f"<{name}@{sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday answers
    mail.set_content("\n".join(lines))
    return mail.as_bytes()


def remember(folder, name):
    """On the disk before we say that it was sent."""
    with open(os.path.join(folder, name), "w", encoding="ascii") as file:
        os.fsync(file.fileno())
    at = os.open(folder, os.O_RDONLY)
    os.fsync(at)
    os.close(at)


def main():
    folder, sendmail, sender, *receivers = sys.argv[1:]
    what = json.load(sys.stdin)
    if what["ticket"] is None:
        sys.exit("mail: the ticket is not here now")
    # An action's id may have any printable character: a file's name may not.
    name = hashlib.sha256(os.environ["TOCSIN_ACTION"].encode()).hexdigest()
    if os.path.exists(os.path.join(folder, name)):
        return
    mail = compose(what, name, sender, receivers)
    # Not -t: whom it goes to is for our rules to say, not for a header.
    subprocess.run([sendmail, "-i", "-f", sender, "--", *receivers],
                   input=mail, check=True)
    remember(folder, name)


try:
    main()
except (OSError, subprocess.CalledProcessError) as why:
    sys.exit(f"mail: {why}")
