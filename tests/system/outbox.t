#!/bin/sh
# SPDX-License-Identifier: ISC
#
# A post needs no network: it waits in the outbox, says so, and leaves when the
# broker is there.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"

fed_two
fed_stop sg
wait_until 5 port_free "$(fed_port sg)"

head -c 200000 /dev/urandom >"$fed/image"
at singcert-desk1 post --to mycert@my --tlp AMBER --subject 'No line' \
	--attach "$fed/image" --wait 1 --json >"$fed/posted" 2>"$fed/said"
is $? 0 'a post without a broker is done'
ok 'it says that it waits' has "$fed/said" outbox
id=$(json id <"$fed/posted")
is "$(json state <"$fed/posted")" queued 'and JSON says queued'
rm "$fed/image"
at singcert-desk1 inbox --wait 1 >"$fed/inbox" 2>"$fed/said"
is $? 0 'the inbox can be read'
ok 'and shows it as queued' has "$fed/inbox" queued
ok 'show does too' shows singcert-desk1 "$id" queued
ok 'so does status' stands singcert-desk1 "$id" mycert@my queued
second=$(post singcert-desk1 mycert@my --tlp GREEN --subject 'Another' \
	--wait 1 2>"$fed/said")
ok 'an answer waits too' at singcert-desk1 note "$second" -m 'More.' --wait 1

# A process that is killed while it waits for the broker has lost nothing.
spawn_at singcert-desk1 post --to mycert@my --tlp GREEN --subject 'Killed' \
	--wait 60 >"$fed/killed"
ok 'the id of a ticket is told before it is sent' \
	wait_until 10 [ -s "$fed/killed" ]
reap KILL "$pid"

fed_start sg
ok 'when the broker is back, a command that talks to it sends all' \
	wait_until 30 stands_at_least singcert-desk1 "$id" mycert@my \
	'relayed|delivered'
ok 'the third too' wait_until 20 listed mycert-night "$(cat "$fed/killed")"
mkdir "$fed/saved"
ok 'the attachment, whose file is gone, as well' \
	wait_until 20 at mycert-night save "$id" image -o "$fed/saved"
is "$(wc -c <"$fed/saved/image" | tr -d ' ')" 200000 'in full'
ok 'the note arrives' wait_until 20 shows mycert-night "$second" 'More.'
at mycert-night inbox --json >"$fed/inbox"
is "$(count '"No line"' "$fed/inbox")" 1 'each is there once'
is "$(grep -c . "$fed/inbox")" 3 'and there are three'
done_testing
