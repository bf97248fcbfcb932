#!/bin/sh
# SPDX-License-Identifier: ISC
#
# What is older than it is to be kept goes: text, body and attachment, from both
# brokers, when everybody has it and not before; the proof that it was there
# stays.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"

fed_two
fed_stop sg
fed_stop my
for broker in sg my; do
	sed -i 's/^#keep = .*/keep.personal-data = 1s/' "$(conf $broker)"
	ok "$broker is to keep a label for a second" \
		grep -q '^keep.personal-data' "$(conf $broker)"
done
fed_start sg my

head -c 20000 /dev/urandom >"$fed/attached"
kept=$(post singcert-desk1 mycert@my --tlp GREEN --subject 'kept' \
	--label incident-data)
gone=$(post singcert-desk1 mycert@my --tlp GREEN --subject 'gone' \
	--label personal-data --attach "$fed/attached")

# A copy holds nothing of what is erased, so it is what is looked into.
holds() # BROKER LABEL
{
	rm -rf "$fed/copy"
	tocsind backup --config "$(conf "$1")" "$fed/copy" >/dev/null &&
		grep -qa "^label $2" "$fed/copy/log.mdb"
}
gone_from() # BROKER
{
	! holds "$1" personal-data
}
arrived()
{
	holds my personal-data
}
ok 'both tickets arrive abroad' wait_until 20 arrived
ok 'as long as nobody has fetched them there both are kept' \
	eval '! wait_until 8 gone_from my'
ok 'a member fetches them' wait_until 20 shows mycert-night "$gone" gone
ok 'so does their sender' wait_until 20 shows singcert-desk1 "$gone" gone
fetched()
{
	at mycert-night inbox >/dev/null && at singcert-desk1 inbox >/dev/null
	gone_from "$1"
}
ok 'then the one goes from there' wait_until 30 fetched my
ok 'and from where it was posted' wait_until 30 fetched sg
ok 'the other one stays' holds my incident-data
ok 'here too' holds sg incident-data
for broker in sg my; do
	ok "the store of $broker is clean" \
		tocsind verify --config "$(conf $broker)"
done
is "$(tocsind verify --config "$(conf my)" | sed -n 's/.* \([0-9]*\) parts.*/\1/p')" \
	0 'the attachment is gone with it'
ok 'whoever has it still reads it' shows mycert-night "$gone" gone

fed_device mycert@my day
fed_trust mycert-day
must at mycert-night keys publish --card "$fed/devices/mycert-day" >/dev/null
ok 'a device that is new gets the one' \
	wait_until 20 eval 'at mycert-day inbox --json | grep -q "$kept"'
is "$(at mycert-day inbox --json | grep -c "$gone")" 0 'and not the other'
done_testing
