#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The life of a ticket between two nations: asked, worked on, answered, taken
# back, closed and opened again; who stands where, and what proves it.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"

fed_two
us=singcert-desk1
them=mycert-night

printf 'a key that should not be here' >"$fed/secret.txt"
id=$(post $us mycert@my --tlp AMBER --subject 'C2 in a ministry' \
	--attach "$fed/secret.txt")
wait_until 20 listed $them "$id" || bail 'it does not arrive'

# ---- who stands where ----

at $us status "$id" >"$fed/status"
ok 'who has said nothing yet is silent, for how long' \
	grep -q 'mycert@my .*silent for [0-9]' "$fed/status"
ok 'they are at it' at $them ack "$id" --in-progress
ok 'and that is seen' wait_until 20 stands $us "$id" mycert@my in-progress
ok 'they ask something' at $them query "$id" -m 'Since when?' --to singcert@sg
ok 'which asks us' wait_until 20 stands $us "$id" singcert@sg delivered
ok 'and is answered' at $us result "$id" -m 'Since Monday.'
ok 'they see the result' wait_until 20 stands $them "$id" singcert@sg result
at $us status "$id" >"$fed/status"
tr -s '\n ' '  ' <"$fed/status" >"$fed/steps"
ok 'each step is told, with the device' \
	grep -Eq 'relayed \+[0-9]+[smhd].*delivered \+.* in-progress \+[0-9a-z]+ night' \
	"$fed/steps"

# ---- closed, and open again ----

ok 'it is closed' at $us close "$id" --resolution false-positive
ok 'everywhere' wait_until 20 shows $them "$id" false-positive
at $us status "$id" >"$fed/status"
ok 'with who did so, and how it ended' grep -q \
	'closed by singcert@sg/desk1, .*: false-positive' "$fed/status"
ok 'it is opened again' at $us reopen "$id" -m 'It was not.' --ackby 2h
ok 'and they are asked anew' wait_until 20 stands $us "$id" mycert@my delivered
ok 'by a message that comes to them' \
	wait_until 20 shows $them "$id" 'It was not.'
ok 'they answer' at $them ack "$id" --accept
ok 'anew' wait_until 20 stands $us "$id" mycert@my accepted

# ---- taken back ----

verifies() # BROKER
{
	tocsind verify --store "$fed/$1/store"
}

# Their desk says what it did while it runs.
holds() # WORDS
{
	at "$them" inbox >/dev/null 2>&1
	at "$us" status "$id" >"$fed/status" 2>/dev/null &&
		grep -Eq "$1" "$fed/status"
}

refuses 'only singcert@sg' 'nobody takes back what another has sent' \
	at $them recall "$id"
ok 'an attachment is recalled' at $us recall "$id" --attachment secret.txt
ok 'their desk erases it and says so' \
	wait_until 30 holds 'mycert@my/night +erased'
mkdir "$fed/saved"
refuses 'recalled' 'it is not to be had any more' \
	at $them save "$id" secret.txt -o "$fed/saved"
ok 'both brokers have erased it' \
	wait_until 30 holds '  my +erased .*by its broker'
ok 'ours, too' holds '  sg +erased .*by its broker'
ok 'the ticket itself is' shows $them "$id" 'C2 in a ministry'
ok 'the ticket is recalled' at $us recall "$id" -m 'Wrong nation.'
ok 'it is gone there' eval "wait_until 20 shows $them '$id' 'taken it back' &&
	! shows $them '$id' 'C2 in a ministry'"
ok 'and that is confirmed' wait_until 30 holds \
	'recalled; [0-9]+ of [0-9]+ that had it have erased it'
ok 'nobody holds it any more' wait_until 30 eval 'holds "  my +erased" &&
	! grep -q "HOLDS IT" "$fed/status"'
for broker in sg my; do
	ok "$broker says so in its log" grep -q \
		'event=erased-recalled .*from=singcert@sg' "$fed/$broker/log"
	ok "and finds its store in order" verifies $broker
done

# What was not relayed yet when it was taken back is not relayed at all.
fed_kill my
late=$(post $us mycert@my --tlp RED --subject 'Never to be seen')
ok 'what waits for them is recalled' at $us recall "$late"
fed_start my
ok 'they get the recall' wait_until 30 listed $them "$late"
ok 'and not the ticket' eval "! shows $them '$late' 'Never to be seen' &&
	! at $them show '$late' --json | grep -q body"

# ---- proof ----

at $us status "$id" --proof "$fed/proof" >/dev/null
is $? 0 'the status is written with its proofs'
ok 'each line names its file' [ "$(awk '$4 ~ /^(message|receipt)-/ { print $4 }' \
	"$fed/proof/status.txt" | sort -u | while read -r name; do
	[ -s "$fed/proof/$name" ] || echo "no $name"; done | wc -l)" = 0 ]
ok 'receipts among them' grep -q 'delivered .* receipt-' \
	"$fed/proof/status.txt"
at $us status "$id" --proof "$fed/proof" >/dev/null
is $? 0 'written again it is the same'

# The commands of its README, on one of its receipts.
cd "$fed/proof" || exit 1
KEY=$(cat roster-* | awk '$1 == "broker" && $2 == "my" { print $6 }' | tail -1)
receipt=$(awk '/delivered/ && $4 ~ /^receipt-/ { print $4; exit }' status.txt)
sed -n '/^  sed -n/,/^ *-in text$/p' README |
	sed "s/receipt-X/$receipt/" >"$fed/check"
KEY=$KEY sh "$fed/check" >"$fed/said" 2>&1
ok 'a third party checks it with openssl alone' \
	has "$fed/said" 'Signature Verified Successfully'
sed "s/^time 20/time 19/" "$receipt" >receipt-forged
sed "s/$receipt/receipt-forged/" "$fed/check" >"$fed/check.forged"
KEY=$KEY sh "$fed/check.forged" >"$fed/said" 2>&1
ok 'and sees when it was altered' \
	eval '! has "$fed/said" "Signature Verified Successfully"'
done_testing
