#!/bin/sh
# SPDX-License-Identifier: ISC
#
# What a third party says of a folder of proofs, or of a ticket carried by hand:
# it has no home and no network. Whatever is altered in it is found.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"

fed_two
us=singcert-desk1
them=mycert-night

echo secret >"$fed/secret.txt"
id=$(post $us mycert@my --tlp AMBER --subject 'C2 in a ministry' \
	--attach "$fed/secret.txt")
wait_until 20 listed $them "$id" || bail 'it does not arrive'
must at $them ack "$id" --refuse CannotProcess -m 'Only by a court.' >/dev/null
wait_until 20 stands $us "$id" mycert@my refused || bail 'no answer arrives'
must at $us recall "$id" --attachment secret.txt >/dev/null
must at $us close "$id" --resolution abandoned >/dev/null
erased()
{
	at $them inbox >/dev/null
	at $us status "$id" >"$fed/status" && grep -q 'night *erased' "$fed/status"
}
wait_until 30 erased || bail 'nobody erases it'
must at $us status "$id" --proof "$fed/proof" >"$fed/status"

digits=$(fingerprint "$fed/rosters/1")
nobody() # ARGUMENT...: a machine without a home
{
	TOCSIN_HOME=$fed/nowhere tocsin "$@"
}

# ---- as it is ----

nobody verify "$fed/proof" --fingerprint "$digits" >"$fed/said"
is $? 0 'a folder of proofs is good, without a home' || cat "$fed/said" >&2
ok 'the digits to compare are shown' has "$fed/said" "$digits"
ok 'what brokers did is proved' \
	grep -q '^  proved .*mycert@my delivered .* receipt-' "$fed/said"
ok 'who wrote what when is, and what it says is sealed' \
	grep -q '^  sealed .*mycert@my refused .* message-' "$fed/said"
ok 'that it was closed is' grep -q ' ticket closed .*abandoned' "$fed/said"
is "$(grep -c 'NOT' "$fed/said")" 0 'nothing is not so'
nobody verify "$fed/proof" --json >"$fed/said"
ok 'a program gets an object for each' \
	grep -q '"kind":"receipt",.*"good":true,"proved":true' "$fed/said"
refuses 'another fingerprint' 'of another federation it is worth nothing' \
	nobody verify "$fed/proof" --fingerprint "$(echo "$digits" | tr 0-9 1-90)"

# ---- one answer is disclosed ----

answer=$(awk '/ refused / && $4 ~ /^message-/ { print $4; exit }' \
	"$fed/proof/status.txt")
said=$(at $us show "$id" --no-receipt --json | grep '"answer": *"refused"' |
	json id)
at $us status "$id" --proof "$fed/open" --disclose "$said" >"$fed/status" \
	2>"$fed/err"
is $? 0 'what one answer says is disclosed'
ok 'how far its label lets it go is said' has "$fed/err" 'TLP:AMBER'
ok 'one key is in the folder' [ -s "$fed/open/disclosed-${answer#message-}" ]
is "$(find "$fed/open" -name 'disclosed-*' | wc -l | tr -d ' ')" 1 'and no other'
nobody verify "$fed/open" >"$fed/said"
ok 'now it is proved that it was refused, and why' \
	grep -q '^  proved .*mycert@my refused .*CannotProcess' "$fed/said"
ok 'and who wrote that' grep -q \
	'disclosed .*mycert@my/night .*disclosed: refused: CannotProcess' "$fed/said"
refuses 'no message of this ticket' 'a message of another ticket is not' \
	at $us status "$id" --proof "$fed/open" \
	--disclose "$(post $us mycert@my --tlp RED --subject other)"
called_wrongly 'for --proof' 'without a folder there is nothing to put it into' \
	at $us status "$id" --disclose "$said"
red=$(post $us mycert@my --tlp RED --subject 'for your eyes')
wait_until 20 listed $them "$red" || bail 'it does not arrive'
refuses 'TLP:RED: only singcert@sg' 'what is for named eyes, only its author shows' \
	at $them status "$red" --proof "$fed/red" --disclose "$red"

# ---- altered ----

# Each file, with one byte turned, in a copy of the folder.
cp -r "$fed/open" "$fed/bad"
missed=
for file in "$fed/open"/*-*; do
	name=${file##*/}
	alter "$file" "$fed/bad/$name"
	! nobody verify "$fed/bad" >"$fed/said" 2>&1 || missed="$missed $name"
	cp "$file" "$fed/bad/$name"
done
ok 'there were enough' [ "$(find "$fed/open" -name '*-*' | wc -l)" -gt 10 ]
is "$missed" '' 'one byte turned in any file is found'
nobody verify "$fed/bad" >/dev/null
is $? 0 'and none remained'

# What status.txt claims beyond what is signed.
claims() # SED-EXPRESSION
{
	sed "$1" "$fed/open/status.txt" >"$fed/bad/status.txt"
	! cmp -s "$fed/open/status.txt" "$fed/bad/status.txt" &&
		! nobody verify "$fed/bad" >"$fed/said" 2>&1 &&
		grep -q '^  NOT SO' "$fed/said"
}
ok 'another time is not so' claims '/ delivered /s/ 20[0-9-]*T/ 2001-01-01T/'
ok 'another member' claims 's/^mycert@my delivered/lacert@la delivered/'
ok 'a word that the receipt has not' claims 's/ relayed / delivered /'
ok 'an answer that was not given' claims 's/ refused / accepted /'
ok 'another reason' claims 's/CannotProcess/Other/'
ok 'another author' claims 's/mycert@my\/night: Cann/mycert@my\/day: Cann/'
ok 'another ticket' claims '1{
	s/ticket B/ticket C/
	t
	s/ticket ./ticket B/
}'
ok 'a file that is not there' claims 's/message-0*[0-9a-f]/message-x/'
cp "$fed/open/status.txt" "$fed/bad/"
other=$(find "$fed/open" -name 'disclosed-*')
head -c 16 /dev/urandom | base64 >"$fed/bad/${other##*/}"
ok 'a key of another body' eval '! nobody verify "$fed/bad" >/dev/null 2>&1'
cp "$other" "$fed/bad/"
rm "$fed"/bad/roster-*
refuses 'no roster' 'without a roster nothing can be said' \
	nobody verify "$fed/bad"

# ---- carried by hand ----

must at $us export "$id" --as bundle -o "$fed/case.tocsin"
nobody verify "$fed/case.tocsin" --fingerprint "$digits" >"$fed/said"
is $? 0 'a bundle is good, too'
ok 'with who wrote its messages' grep -q '[1-9] of [1-9] messages are good' \
	"$fed/said"
alter "$fed/case.tocsin" "$fed/bad.tocsin"
ok 'unless a byte of it was turned' eval \
	'! nobody verify "$fed/bad.tocsin" >/dev/null 2>&1'
refuses 'neither a bundle nor a folder' 'another file is none' \
	nobody verify "$fed/secret.txt"
refuses 'No such file' 'nor one that is not there' nobody verify "$fed/none"
done_testing
