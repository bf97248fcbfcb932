#!/bin/sh
# SPDX-License-Identifier: ISC
#
# open-ticket.sh - open and check a ticket without tocsin
#
# For the day on which nothing of ours runs, and for whoever wants to know that
# the formats are what PROTOCOL.md says. It needs age, openssl 3 and tar, and
# makes the checks of PROTOCOL.md 7.6 and 8.5 that need no roster: the sender's
# signature, the body's hash, its recipients, what is inside, and that inside
# and outside are one. It prints ticket.json only if all of them pass.
#
# Whether the key is the sender's is for you to know: it comes from the roster
# or, for a device, from the member's key announcement.
set -eu
umask 077
LC_ALL=C
export LC_ALL

usage() {
	cat >&2 <<-'END'
	usage: open-ticket.sh -k VKEY [options] NOTE BODY IDENTITY
	       open-ticket.sh -a KEYS -r VKEY [options] NOTE BODY IDENTITY

	NOTE      the signed header      BODY  the age file that belongs to it
	IDENTITY  the recipient's AGE-SECRET-KEY file
	-k VKEY   the signing key of the sender's device
	-a KEYS   the sender's key announcement, which lists its devices, and
	-r VKEY   the root key of the sender's member, from the roster
	-p PART   open this attachment, too
	-s SIZE   its true size, from ticket.json: the rest is padding
	-o FILE   where to put it; must not exist
	END
	exit 2
}

die() {
	echo "open-ticket: $*" >&2
	exit 1
}

# ---- bytes ----

b64() { openssl base64 -A; }
unb64() { openssl base64 -d -A; }
hex() { od -An -v -tx1 | tr -d ' \n'; }
size() { wc -c <"$1" | tr -d ' '; }
hash() { openssl dgst -sha256 -binary "$1" | b64; }

# One field of the line that begins with a word; the first such line.
field() { sed -n "s/^$2 //p" "$1" | sed 1q | cut -d' ' -f"$3"; }

# ---- signed notes ----

# vkey VKEY FILE: the key as FILE.pem, its name and id in $vname and $vid.
vkey() {
	vname=${1%%+*}
	vid=${1#*+}
	vid=${vid%%+*}
	printf %s "${1#*+*+}" | unb64 >"$2.raw" 2>/dev/null || :
	[ "$(size "$2.raw")" = 33 ] && [ "$(head -c 1 "$2.raw" | hex)" = 01 ] ||
		die "this is no Ed25519 vkey: $1"
	want=$({ printf '%s\n' "$vname"; cat "$2.raw"; } |
		openssl dgst -sha256 -binary | head -c 4 | hex)
	[ "$want" = "$vid" ] || die "the vkey's id does not belong to it: $1"
	{
		printf '\060\052\060\005\006\003\053\145\160\003\041\000'
		tail -c 32 "$2.raw"
	} | openssl pkey -pubin -inform DER -out "$2.pem" 2>/dev/null ||
		die "this is no Ed25519 key: $1"
}

# note FILE VKEY OUT: the text as OUT, if the note is exactly that and one
# signature line, and the line is VKEY's.
note() {
	vkey "$2" "$3"
	sed -n '/^$/q;p' "$1" >"$3"
	line=$(sed -n '$p' "$1" | tr -d '\000')
	{ cat "$3"; printf '\n%s\n' "$line"; } | cmp -s - "$1" ||
		die "$1 is not a signed note with one signature"
	! grep -q '[^ -~]' "$3" || die "$1 has a byte that no text may have"
	[ "${line%"${line#????}"}" = "$(printf '\342\200\224 ')" ] ||
		die "$1 has no signature line"
	line=${line#????}
	[ "${line%% *}" = "$vname" ] ||
		die "$1 is signed by ${line%% *}, not by $vname"
	line=${line#* }
	printf %s "$line" | unb64 >"$3.line" 2>/dev/null || :
	[ "$(b64 <"$3.line")" = "$line" ] && [ "$(size "$3.line")" = 68 ] &&
		[ "$(head -c 4 "$3.line" | hex)" = "$vid" ] ||
		die "the signature line of $1 is not one of that key"
	tail -c 64 "$3.line" >"$3.sig"
	openssl pkeyutl -verify -rawin -pubin -inkey "$3.pem" \
		-sigfile "$3.sig" -in "$3" >/dev/null 2>&1 ||
		die "the signature of $1 does not verify: do not trust it"
}

# device_vkey KEYS ROOT: the key of the device that $sender names.
device_vkey() {
	note "$1" "$2" "$tmp/keys"
	[ "$(sed 1q "$tmp/keys")" = "$federation/keys/v1" ] &&
		[ "$(field "$tmp/keys" member 1)" = "${sender%/*}" ] &&
		[ "$vname" = "${sender%/*}" ] ||
		die "$1 is not the announcement of ${sender%/*}"
	late=$(printf '%s\n' "$(field "$tmp/keys" expires 1)" \
		"$(field "$tmp/text" time 1)" | sort | sed -n '$p')
	[ "$late" = "$(field "$tmp/keys" expires 1)" ] ||
		die "$1 was over when the ticket was written"
	sed -n "s/^device ${sender##*/} officer //p
		s/^device ${sender##*/} bot //p" "$tmp/keys" | cut -d' ' -f1
}

# ---- the ticket ----

check_body() {
	[ "$(sed -n '$p' "$tmp/text")" = "body $(size "$1") $(hash "$1")" ] ||
		die "$1 is not the body that was signed"
	sed -n '/^---/q;p' "$1" | grep -a '^-> ' >"$tmp/stanzas" ||
		die "$1 is not an age file"
	! grep -qv '^-> X25519 ' "$tmp/stanzas" &&
		[ "$(wc -l <"$tmp/stanzas")" -eq \
			"$(grep -c '^to ' "$tmp/text")" ] ||
		die "$1 has other recipients than the header names"
}

# Names first: nothing is unpacked that is not expected.
unpack() {
	expect='header ticket.json '
	! grep -q '^part ' "$tmp/text" || expect="${expect}parts.age "
	got=$(tar -tf "$1" 2>/dev/null | tr '\n' ' ') ||
		die "there is no sound archive in the body"
	[ "$got" = "$expect" ] || die "not the files of a ticket: $got"
	! tar -tvf "$1" | grep -qv '^-' || die "not all are plain files"
	mkdir "$tmp/in"
	(cd "$tmp/in" && tar -xof "$1") || die "the archive cannot be unpacked"
}

check_inner() {
	{ cat "$tmp/in/header"; sed -n '$p' "$tmp/text"; } |
		cmp -s - "$tmp/text" ||
		die "the body was sealed for another header: do not trust it"
}

open_part() {
	grep -q "^part $(size "$1") $(hash "$1")\$" "$tmp/text" ||
		die "$1 is not a part of this ticket"
	age -d -i "$tmp/in/parts.age" -o "$tmp/part" "$1" ||
		die "$1 cannot be opened"
	[ "${psize:=$(size "$tmp/part")}" -le "$(size "$tmp/part")" ] ||
		die "$1 is shorter than $psize bytes"
	set -C
	head -c "$psize" "$tmp/part" >"$out"
}

vkey= keys= root= part= psize= out=
while getopts k:a:r:p:s:o: opt; do
	case $opt in
	k) vkey=$OPTARG ;;
	a) keys=$OPTARG ;;
	r) root=$OPTARG ;;
	p) part=$OPTARG ;;
	s) psize=$OPTARG ;;
	o) out=$OPTARG ;;
	*) usage ;;
	esac
done
shift $((OPTIND - 1))
[ $# -eq 3 ] || usage
[ -n "$vkey" ] || { [ -n "$keys" ] && [ -n "$root" ]; } || usage
[ -z "$part" ] || [ -n "$out" ] || usage
case $psize in *[!0-9]*) usage ;; esac
for f in "$1" "$2" "$3"; do
	[ -r "$f" ] || die "$f cannot be read"
done

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM

# Not believed before the signature has been verified below.
sed -n '/^$/q;p' "$1" >"$tmp/text"
federation=$(sed -n '1s,/ticket/v1$,,p' "$tmp/text")
sender=$(field "$tmp/text" from 1)
case $federation in '' | *[!a-z0-9.-]*) die "$1 is not a ticket's header" ;; esac
case $sender in '' | *[!a-z0-9@/-]*) die "$1 names no sender" ;; esac

[ -n "$vkey" ] || vkey=$(device_vkey "$keys" "$root")
[ -n "$vkey" ] || die "$sender is not a device that may write tickets"
note "$1" "$vkey" "$tmp/text"
[ "$vname" = "$sender" ] || die "the key is of $vname, the ticket from $sender"
check_body "$2"
age -d -i "$3" -o "$tmp/plain.tar" "$2" || die "$2 cannot be opened"
unpack "$tmp/plain.tar"
check_inner
[ -z "$part" ] || open_part "$part"

echo "open-ticket: all checks passed; id $(hash "$tmp/text")" >&2
grep -E '^(from|time|kind|precedence|tlp|exercise|to) ' "$tmp/text" >&2
cat "$tmp/in/ticket.json"
