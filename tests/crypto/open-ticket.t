#!/bin/sh
# docs/examples/open-ticket.sh opens what we seal, with age, openssl and tar,
# and opens nothing that is not exactly so. B and TOP come from `make test`.
set -u

n=0 failed=0
check()
{
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		failed=1
	fi
}

skip_all()
{
	echo "1..0 # SKIP $*"
	exit 0
}

for tool in age openssl tar; do
	command -v $tool >/dev/null || skip_all "there is no $tool here"
done

script=$TOP/docs/examples/open-ticket.sh
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/t"

make_ticket()
{
	"$B/tests/tool/tickettool" "$dir/t" "$1" || exit 1
	vkey=$(cat "$dir/t/device.vkey")
}

# open_it [OPTION...] opens note and body as singcert@sg with the right vkey.
open_it()
{
	(cd "$dir/t" && sh "$script" -k "$vkey" "$@" note body sg.age) \
	    >"$dir/out" 2>"$dir/err"
}

# Refused: status 1, a sentence, and nothing of the content.
refused()
{
	status=$?
	[ $status = 1 ] && [ ! -s "$dir/out" ] &&
	    grep -q "^open-ticket: .*$2" "$dir/err"
	status=$?
	check $status "refused: $1"
	[ $status = 0 ] || sed 's/^/# /' "$dir/err" >&2
}

# flip FILE OFFSET: the lowest bit of one byte, back again the second time.
flip()
{
	byte=$(od -An -tu1 -j "$2" -N 1 "$1" | tr -d ' ')
	if [ $((byte % 2)) = 0 ]; then byte=$((byte + 1)); else
		byte=$((byte - 1)); fi
	printf "$(printf '\\%03o' "$byte")" |
	    dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}

# flips FILE STEP: a byte at each of several places, one at a time.
flips()
{
	size=$(wc -c <"$dir/t/$1")
	at=0 tried=0 passed=0 mute=0
	while [ $at -lt "$size" ]; do
		flip "$dir/t/$1" $at
		open_it && { passed=$((passed + 1)); echo "# at $at" >&2; }
		[ -s "$dir/out" ] && passed=$((passed + 1))
		grep -q '^open-ticket: ' "$dir/err" || mute=$((mute + 1))
		flip "$dir/t/$1" $at
		tried=$((tried + 1))
		at=$((at + $2))
	done
	[ $passed = 0 ]
	check $? "$1 with one byte changed, at $tried places: all refused"
	[ $mute = 0 ]
	check $? 'each with a sentence'
}

make_ticket good
open_it
check $? 'a ticket opens'
grep -q '"subject":"test"' "$dir/out"
check $? 'and its ticket.json is printed'
[ "$(wc -l <"$dir/out")" -eq 1 ]
check $? 'alone'
[ "$(find "$dir/t" | wc -l)" -eq 10 ]
check $? 'nothing is left beside the files'

(cd "$dir/t" && sh "$script" -a keys -r "$(cat root.vkey)" \
    -p part -s 100000 -o got note body my.age) >/dev/null 2>"$dir/err"
check $? "by the member's announcement and root key, with the attachment"
cmp -s "$dir/t/got" "$dir/t/attachment"
check $? 'which is the one that was sealed'
(cd "$dir/t" && sh "$script" -k "$vkey" -p part -s 100000 -o got \
    note body my.age) >"$dir/out" 2>"$dir/err"
[ $? != 0 ]
check $? 'a file that is there is not overwritten'
rm "$dir/t/got"

flips note 17
flips body 397
flip "$dir/t/part" 50000
open_it -p part -o got
refused 'an attachment with one byte changed' 'not a part'
flip "$dir/t/part" 50000

cp "$dir/t/note" "$dir/t/note.good"
printf 'x' >>"$dir/t/note"
open_it
refused 'a note with a byte more' 'not a signed note'
sed '$p' "$dir/t/note.good" >"$dir/t/note"
open_it
refused 'a note with a second signature' 'not a signed note'
cp "$dir/t/note.good" "$dir/t/note"
(cd "$dir/t" && sh "$script" -k "$(cat root.vkey)" note body sg.age) \
    >"$dir/out" 2>"$dir/err"
refused "another's key" 'is signed by'
(cd "$dir/t" && sh "$script" -a keys -r "$vkey" note body sg.age) \
    >"$dir/out" 2>"$dir/err"
refused 'an announcement not signed by the root key' 'is signed by'
flip "$dir/t/keys" 100
(cd "$dir/t" && sh "$script" -a keys -r "$(cat root.vkey)" note body \
    sg.age) >"$dir/out" 2>"$dir/err"
refused 'an announcement with one byte changed' 'keys'
age-keygen -o "$dir/t/sg.age" 2>/dev/null || rm "$dir/t/sg.age"
open_it
refused "another's identity" 'cannot be'

make_ticket two-faces
open_it
refused 'TLP:CLEAR outside, TLP:AMBER inside' 'another header'
make_ticket hidden
open_it
refused 'a reader whom the header hides' 'other recipients'
make_ticket extra
open_it
refused 'a file too many' 'not the files'
make_ticket folder
open_it
refused 'a file that would land elsewhere' 'not the files'

sh "$script" >/dev/null 2>&1
[ $? = 2 ]
check $? 'called wrongly: status 2'
echo "1..$n"
exit $failed
