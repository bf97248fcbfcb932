#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Who belongs changes while all is running: a third nation joins by a new
# roster, a member is suspended and comes back; what authorities did not sign, or
# signed twice for one place, changes nothing. At last a root key is stolen.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"

fed_two
id=$(post singcert-desk1 mycert@my --tlp GREEN --subject 'Before')
wait_until 20 listed mycert-night "$id" || bail 'it does not arrive'

fed_broker la
fed_member lacert@la desk1
fed_roster
fed_install la
fed_start la
fed_install sg
ok 'sg takes the new roster while it runs' knows_roster sg 2
ok 'my gets it by relay' wait_until 20 knows_roster my 2
fed_publish lacert-desk1
ok 'a new member announces its keys' wait_until 30 knows lacert-desk1 lacert@la
ok 'which reach the others' wait_until 30 knows singcert-desk1 lacert@la
ok 'both' wait_until 30 knows mycert-night lacert@la
ok 'and theirs reach it' wait_until 30 knows lacert-desk1 mycert@my
ok 'and it' wait_until 30 knows lacert-desk1 singcert@sg

id=$(post mycert-night lacert@la --tlp GREEN --subject 'Welcome')
ok 'a ticket goes to the new nation' wait_until 20 listed lacert-desk1 "$id"
ok 'an answer comes back' at lacert-desk1 ack "$id" --accept
ok 'and arrives' wait_until 20 stands mycert-night "$id" lacert@la accepted
is "$(at lacert-desk1 inbox --json | grep -c .)" 1 \
	'what was said before it came, it does not get'

# Refused: too few signatures, a gap, another roster for the same place.
tocsin roster new --from "$fed/rosters/2" --suspend mycert@my >"$fed/r3"
tocsin roster sign --key "$fed/cc.key" "$fed/r3"
refuses 'bad-signature' 'one signature is too few' \
	tocsind roster install --config "$(conf sg)" "$fed/r3"
fed_roster --suspend mycert@my
tocsin roster new --from "$fed/rosters/3" --restore mycert@my >"$fed/r4"
for auth in aa cc; do
	tocsin roster sign --key "$fed/$auth.key" "$fed/r4"
done
refuses 'roster-unknown' 'a gap' \
	tocsind roster install --config "$(conf sg)" "$fed/r4"
ok 'its successor is taken' \
	tocsind roster install --config "$(conf sg)" "$fed/rosters/3"
tocsin roster new --from "$fed/rosters/2" --suspend lacert@la >"$fed/fork"
for auth in bb cc; do
	tocsin roster sign --key "$fed/$auth.key" "$fed/fork"
done
refuses 'chain-conflict' 'another one for the same place is not' \
	tocsind roster install --config "$(conf sg)" "$fed/fork"

# The suspended member.
suspended_now()
{
	at mycert-night post --to singcert@sg --tlp GREEN --subject 'Suspended' \
		--json >"$fed/posted" 2>"$fed/said"
	has "$fed/said" suspended && [ "$(json state <"$fed/posted")" = queued ]
}
wait_until 20 knows_roster my 3
ok 'who is suspended is told so, and sends nothing' suspended_now
wait_until 20 eval 'at singcert-desk1 inbox >/dev/null;
	! at singcert-desk1 post --to mycert@my --tlp GREEN --subject S'
refuses 'suspended' 'and is not sent to' \
	at singcert-desk1 post --to mycert@my --tlp GREEN --subject 'To you'
ok 'the others talk on' at lacert-desk1 post --to singcert@sg --tlp GREEN \
	--subject 'Among us'

ok 'restored by the next roster' \
	tocsind roster install --config "$(conf sg)" "$fed/r4"
wait_until 20 knows_roster my 4
sends_again()
{
	again=$(post mycert-night singcert@sg --tlp GREEN --subject 'Here again')
	[ "$(json state <"$fed/posted")" = posted ]
}
ok 'it sends again' wait_until 20 sends_again
ok 'and is heard' wait_until 20 listed singcert-desk1 "$again"

# Its root key is stolen: another one on the roster, from a new home's card.
cp "$fed/r4" "$fed/rosters/4"
serial=4
stolen=$(sed -n 's/^member mycert@my active //p' "$fed/r4")
fed_member mycert@my anew
fed_roster --revoke "$stolen" --reason stolen
ok 'a roster gives a member another root key' \
	tocsind roster install --config "$(conf sg)" "$fed/rosters/5"
ok 'and comes to its broker' wait_until 20 knows_roster my 5
fallen()
{
	! at lacert-desk1 post --to mycert@my --tlp GREEN --subject S
}
wait_until 20 fallen
refuses 'keys-expired' 'nobody seals to what the old key announced' \
	at lacert-desk1 post --to mycert@my --tlp GREEN --subject S
at mycert-night keys publish >"$fed/posted" 2>"$fed/said"
ok 'what it announces now is refused, and its home told so' \
	has "$fed/said" bad-signature
at mycert-night post --to singcert@sg --tlp GREEN --subject 'The thief' \
	--json >"$fed/posted" 2>"$fed/said"
ok 'no device that it announced can send' \
	eval '[ "$(json state <"$fed/posted")" != posted ]'
fed_publish mycert-anew
ok 'the new home announces itself' wait_until 30 knows lacert-desk1 mycert@my
first()
{
	at lacert-desk1 keys show mycert@my --json >"$fed/shown" &&
		[ "$(json serial <"$fed/shown")" = 1 ]
}
ok 'from serial 1 on' wait_until 20 first
back=$(post mycert-anew lacert@la --tlp GREEN --subject 'It is me')
ok 'and is heard' wait_until 20 listed lacert-desk1 "$back"
id=$(post lacert-desk1 mycert@my --tlp GREEN --subject 'Is it you?')
ok 'and written to' wait_until 20 listed mycert-anew "$id"
done_testing
