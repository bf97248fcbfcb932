#!/bin/sh
# SPDX-License-Identifier: ISC
#
# What others may fill of a disk: a peer's attachments end at its quota and its
# sender is told so; tickets without still pass; a member of ours waits for the
# next day; and a restart of the broker forgets none of it.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"

fed_begin
fed_authorities aa bb cc
fed_broker sg
fed_broker my
fed_member singcert@sg desk1
fed_member mycert@my night
fed_roster
fed_install sg my
printf '[peer sg]\nquota = 400k\n[limits]\nmember-day = 256k\n' >>"$(conf my)"
fed_start sg my
fed_publish singcert-desk1 mycert-night
wait_until 20 knows singcert-desk1 mycert@my || bail 'no keys of mycert@my'
wait_until 20 knows mycert-night singcert@sg || bail 'no keys of singcert@sg'

head -c 150000 /dev/urandom >"$fed/large"
send() # OPTION...
{
	post singcert-desk1 mycert@my --tlp GREEN --subject 'To fill a disk' "$@"
}
first=$(send --attach "$fed/large")
ok 'a ticket with an attachment is taken abroad' \
	wait_until 20 stands_at_least singcert-desk1 "$first" mycert@my \
	'relayed|delivered'
second=$(send --attach "$fed/large")
ok 'one more than its share is refused' \
	wait_until 20 stands singcert-desk1 "$second" mycert@my refused
ok 'and its sender is told why' has "$fed/status" '"quota"'
at singcert-desk1 why "$second" >"$fed/why" 2>&1
ok 'in words, too' grep -q 'over the quota' "$fed/why"
third=$(send)
ok 'a ticket without is still taken' \
	wait_until 20 stands_at_least singcert-desk1 "$third" mycert@my \
	'relayed|delivered'

kept()
{
	tocsind status --json --config "$(conf my)" >"$fed/my.json"
	json kept_bytes <"$fed/my.json"
}
before=$(kept)
ok 'the operator sees how much is kept' [ "$before" -gt 150000 ]
ok 'of how much' has "$fed/my.json" '"quota":409600'
tocsind status --config "$(conf my)" >"$fed/my.text"
ok 'in words, too' grep -q 'peer sg .*keeps .* KiB of 400 KiB from it' \
	"$fed/my.text"
ok 'and that something was refused' [ "$(counter my quota_refused)" -ge 1 ]

mine=$(post mycert-night singcert@sg --tlp GREEN --subject 'A large one' \
	--attach "$fed/large")
is "$(json state <"$fed/posted")" posted 'a member here posts its share'
post mycert-night singcert@sg --tlp GREEN --subject 'Another one' \
	--attach "$fed/large" >/dev/null 2>"$fed/said"
is "$(json state <"$fed/posted")" queued 'what is more waits in its outbox'
ok 'and it is told why' has "$fed/said" '[quota]'

fed_stop my
wait_until 10 port_free "$(fed_port my)" || bail 'the door stays'
fed_start my
keeps()
{
	[ "$(kept)" -ge "$before" ] 2>/dev/null
}
ok 'a restart forgets nothing' wait_until 20 keeps
ok 'nor what was posted' at mycert-night show "$mine" --no-receipt
ok 'tocsind verify has nothing to say' \
	tocsind verify --config "$(conf my)"
done_testing
