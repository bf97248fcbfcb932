#!/bin/sh
# An authority needs openssl and a shell, nothing of ours: its key, its VKEY and
# its signature line are made here by hand, and tocsin takes the roster. And
# openssl verifies what tocsin signs.
set -u

PATH=${B:?}/tests/tool:$PATH
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1

n=0
is() { # got, want, sentence
	n=$((n + 1))
	if [ "$1" = "$2" ]; then
		echo "ok $n - $3"
	else
		echo "not ok $n - $3"
		echo "# got \"$1\", want \"$2\""
	fi
}

# Raw public key, key id, VKEY and signature line of the key NAME.pem.
raw() { openssl pkey -in "$1.pem" -pubout -outform DER | tail -c 32; }
id() { { printf '%s\n\001' "$2"; raw "$1"; } |
    openssl dgst -sha256 -binary | head -c 4; }
vkey() { # key name
	printf '%s+%s+%s' "$2" "$(id "$1" "$2" | od -An -tx1 | tr -d ' \n')" \
	    "$({ printf '\001'; raw "$1"; } | openssl base64 -A)"
}
line() { # key name text
	openssl pkeyutl -sign -rawin -inkey "$1.pem" -in "$3" -out sig
	printf '\342\200\224 %s %s\n' "$2" \
	    "$({ id "$1" "$2"; cat sig; } | openssl base64 -A)"
}

for k in aa bb cc root; do
	openssl genpkey -algorithm ed25519 -out $k.pem 2>/dev/null
done

cat >one <<EOT
asean.example/roster/v1
serial 1
previous -
issued 2026-11-20T00:00:00Z
expires 2027-02-01T00:00:00Z
threshold 2
authority $(vkey aa aa)
authority $(vkey bb bb)
authority $(vkey cc cc)
member mycert@my active $(vkey root mycert@my)
EOT

{ cat one; echo; line aa aa one; line cc cc one; } >one.note
is "$(notes accept one.note)" ok "a roster that openssl signed twice is taken"
{ cat one; echo; line aa aa one; } >once.note
is "$(notes accept once.note)" bad-signature "one signature is too few"
{ cat one; echo; line aa aa one; line root cc one; } >forged.note
is "$(notes accept forged.note)" bad-signature \
    "a signature by another key does not count for cc"
sed 's/active/suspended/' one.note >altered.note
is "$(notes accept altered.note)" bad-signature "nor one of another text"

previous=$(openssl dgst -sha256 -binary one | openssl base64 -A)
sed "s|^serial 1|serial 2|; s|^previous -|previous $previous|
    s/active/suspended/" one >two
{ cat two; echo; line bb bb two; line cc cc two; } >two.note
is "$(notes accept two.note one.note)" ok \
    "the next one names the SHA-256 of the text before"

# The other way: our line, split with the shell, verified by openssl.
seed=000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
notes sign dd "$seed" one >ours.note
printf '302e020100300506032b657004220420%s' "$seed" |
    perl -ne 'print pack("H*", $_)' |
    openssl pkey -inform DER -out dd.pem
openssl pkey -in dd.pem -pubout -out dd.pub
sed '/^$/,$d' ours.note >ours.text
is "$(cmp ours.text one && echo same)" same "the text stands before the blank line"
tail -n 1 ours.note | sed 's/.* //' | openssl base64 -d -A | tail -c 64 >ours.sig
is "$(openssl pkeyutl -verify -rawin -pubin -inkey dd.pub -sigfile ours.sig \
    -in ours.text 2>&1)" "Signature Verified Successfully" \
    "openssl verifies what tocsin signs"
tr 0 1 <ours.text >bent.text
is "$(openssl pkeyutl -verify -rawin -pubin -inkey dd.pub -sigfile ours.sig \
    -in bent.text 2>&1)" "Signature Verification Failure" \
    "and refuses another text"
is "$(tail -n 1 ours.note)" "$(line dd dd one)" \
    "both make the same line, byte for byte"

echo "1..$n"
