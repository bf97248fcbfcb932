#!/bin/sh
# SPDX-License-Identifier: ISC
#
# What a label lets a recipient do, by the commands: refused, asked for,
# permitted by who wrote it, and checked by who gets it in the end.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"

fed_begin
fed_authorities aa bb cc
for nation in sg my la; do
	fed_broker $nation
	fed_member ${nation}cert@$nation desk1
done
fed_member bankcert@my desk1
fed_roster
fed_install sg my la
fed_start sg my la
fed_publish sgcert-desk1 mycert-desk1 lacert-desk1 bankcert-desk1
for other in sgcert@sg lacert@la bankcert@my; do
	wait_until 20 knows mycert-desk1 $other || bail "no keys of $other"
done
wait_until 20 knows sgcert-desk1 mycert@my || bail 'no keys of mycert@my'
wait_until 20 knows lacert-desk1 mycert@my || bail 'no keys of mycert@my'

# The command that a refusal tells, with what it is about.
told() # HOME COMMAND...
{
	at "$@" 2>"$fed/refusal" >/dev/null
	sed -n 's/.*ask with `tocsin \([^`]*\)`.*/\1/p' "$fed/refusal"
}

id=$(post sgcert-desk1 mycert@my --tlp AMBER --subject 'Beacons' \
	--text /dev/null)
wait_until 20 listed mycert-desk1 "$id" || bail 'it does not arrive'

refuses 'TLP:AMBER: it stays with your organisation and its clients' \
	'another nation is not shown it' at mycert-desk1 share "$id" --to lacert@la
refuses 'of another nation' 'nor as a client' \
	at mycert-desk1 share "$id" --client lacert@la
refuses 'only sgcert@sg, who wrote it' \
	'a team of our nation is not, unless it is a client' \
	at mycert-desk1 share "$id" --to bankcert@my
ok 'as a client it is' at mycert-desk1 share "$id" --client bankcert@my
ok 'and has it' wait_until 20 listed bankcert-desk1 "$id"
at bankcert-desk1 show "$id" >"$fed/shown"
ok 'and sees that it is called one' grep -q 'clients *bankcert@my' "$fed/shown"
refuses 'tocsin ask .* --tlp CLEAR' 'no file is written for the public' \
	at mycert-desk1 export "$id" --as markdown --for public -o "$fed/public"

how=$(told mycert-desk1 share "$id" --to lacert@la)
# shellcheck disable=SC2086
ok 'the command of the refusal asks' at mycert-desk1 $how -m 'They host it.'
asked() # its id, at the desk that is asked
{
	at sgcert-desk1 show "$id" --json >"$fed/asked" &&
		grep '"permission"' "$fed/asked" | json id | tail -n 1 \
			>"$fed/request" && [ -s "$fed/request" ]
}
ok 'who wrote it is asked' wait_until 20 asked
request=$(cat "$fed/request")
at sgcert-desk1 show "$id" >"$fed/shown"
ok 'and told what, and how to answer' eval \
	"has '$fed/shown' 'lacert@la' && has '$fed/shown' 'tocsin permit'"
refuses 'TLP:AMBER' 'without an answer nothing changes' \
	at mycert-desk1 share "$id" --to lacert@la
ok 'it is permitted' at sgcert-desk1 permit "$request"
may() { at mycert-desk1 inbox >/dev/null && at mycert-desk1 share "$id" --to lacert@la; }
ok 'and then shown' wait_until 20 may
ok 'to who was asked for' wait_until 20 listed lacert-desk1 "$id"
at lacert-desk1 show "$id" >"$fed/shown"
ok 'who sees by whose permission' \
	has "$fed/shown" 'with the permission of sgcert@sg, signed'
refuses 'TLP:AMBER' 'and goes no further with it' \
	at lacert-desk1 share "$id" --to bankcert@my

ok 'its author changes the label' \
	at sgcert-desk1 relabel "$id" --tlp RED -m 'They read along.'
narrowed() { at mycert-desk1 inbox >"$fed/inbox" && grep -q 'TLP:RED' "$fed/inbox"; }
ok 'which is what the others see' wait_until 20 narrowed
refuses 'TLP:RED: it is for those that it was sent to' 'and hold to' \
	at mycert-desk1 share "$id" --client bankcert@my --to lacert@la
# Wherever a message of it is shown again, it has the label of now.
at mycert-desk1 watch -n 1 --from-start --reader later >"$fed/watched" 2>&1
ok 'who watches from the start sees it with the label of now' \
	grep -q '^TLP:RED ' "$fed/watched"
at mycert-desk1 status "$id" >"$fed/status"
ok 'and so does who asks who has it' grep -q '^TLP:RED ' "$fed/status"
done_testing
