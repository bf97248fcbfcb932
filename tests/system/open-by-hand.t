#!/bin/sh
# SPDX-License-Identifier: ISC
#
# docs/examples/open-ticket.sh opens what crossed a border, with age, openssl,
# tar and the shell, and refuses it with any byte altered.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"

for tool in age openssl tar; do
	command -v $tool >/dev/null || skip_all "there is no $tool here"
done
fed_two
head -c 123457 /dev/urandom >"$fed/image"
id=$(post singcert-desk1 mycert@my --tlp AMBER --subject 'By hand' \
	--attach "$fed/image")
wait_until 20 listed mycert-night "$id" || bail 'it does not arrive'
ok 'a ticket with its attachment is exported' wait_until 20 \
	at mycert-night show "$id" --export "$fed/out"
ok 'and once more, over the same files' \
	at mycert-night show "$id" --export "$fed/out"
echo more >>"$fed/out/body"
called_wrongly 'body is there already' 'but never over another' \
	at mycert-night show "$id" --export "$fed/out"
rm "$fed/out/body"
at mycert-night show "$id" --export "$fed/out" >"$fed/said"
root=$(sed -n 's/^member singcert@sg active //p' "$fed/rosters/1")

by_hand() # NOTE BODY OPTION...
{
	hand_note=$1 hand_body=$2
	shift 2
	"$TOP/docs/examples/open-ticket.sh" -a "$fed/out/keys" -r "$root" "$@" \
		"$hand_note" "$hand_body" \
		"$fed/homes/mycert-night/keys/recipient.txt" \
		>"$fed/hand" 2>"$fed/hand.err"
}

refused_by_hand() # NOTE BODY
{
	! by_hand "$@" && [ ! -s "$fed/hand" ] &&
		grep -q '^open-ticket: ' "$fed/hand.err"
}

ok 'it is opened by hand' by_hand "$fed/out/note" "$fed/out/body" ||
	cat "$fed/hand.err"
ok 'and says what was written' has "$fed/hand" 'By hand'
part=$(echo "$fed"/out/part-*)
ok 'the attachment too' by_hand "$fed/out/note" "$fed/out/body" \
	-p "$part" -s 123457 -o "$fed/image.out"
ok 'which is the same' cmp "$fed/image" "$fed/image.out"

altered() # FILE: at several places, one after another
{
	altered_size=$(wc -c <"$fed/out/$1")
	altered_at=0
	while [ $altered_at -lt "$altered_size" ]; do
		alter "$fed/out/$1" "$fed/altered" $altered_at
		case $1 in
		note) refused_by_hand "$fed/altered" "$fed/out/body" ;;
		body) refused_by_hand "$fed/out/note" "$fed/altered" ;;
		esac || return 1
		altered_at=$((altered_at + altered_size / 12 + 1))
	done
}
ok 'with one byte of the header altered, it is refused' altered note
ok 'and with one of the body' altered body
done_testing
