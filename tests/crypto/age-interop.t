#!/bin/sh
# What we seal, age opens, and what age seals, we open. TOP and B come from
# `make test`.
set -u

tool=$B/tests/tool/agetool
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

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

if ! command -v age >/dev/null; then
	echo '1..0 # SKIP age is not installed'
	exit 0
fi

# Bytes that do not repeat with the chunks.
openssl enc -aes-128-ctr -K 00000000000000000000000000000000 \
    -iv 00000000000000000000000000000000 </dev/zero 2>/dev/null |
    head -c 67108864 >all

i=0
while [ $i -lt 250 ]; do
	i=$((i + 1))
	"$tool" keygen
done >ids
sed -n 's/^# public key: //p' ids >recipients
grep -c '' recipients | grep -qx 250
check $? '250 identities are made'
sed -n '/^AGE-/p' ids | head -n 1 >first
sed -n '/^AGE-/p' ids | tail -n 1 >last

# The last of so many recipients opens; the first is among them too.
ours()
{
	# shellcheck disable=SC2046
	"$tool" "$3" $(tail -n "$2" recipients) <plain >sealed &&
	    age -d -i last sealed >opened && cmp -s plain opened
	check $? "age opens our $1 bytes for $2 ($3)"
}

theirs()
{
	tail -n "$2" recipients >to
	age -R to <plain >sealed && "$tool" "$3" last <sealed >opened &&
	    cmp -s plain opened
	check $? "we open age's $1 bytes for $2 ($3)"
}

for size in 0 1 65535 65536 65537 131072; do
	head -c $size all >plain
	for to in 1 10 250; do
		ours $size $to seal
		theirs $size $to open
	done
	ours $size 1 seal-stream
	theirs $size 1 open-stream
done
mv all plain
ours 67108864 1 seal
theirs 67108864 250 open
ours 67108864 10 seal-stream
theirs 67108864 1 open-stream
rm -f sealed opened

# Keys: age-keygen reads our identities, we read its.
head -c 1000 plain >p && mv p plain
[ "$(age-keygen -y first)" = "$(head -n 1 recipients)" ]
check $? 'age-keygen finds the same recipient for our identity'
age-keygen 2>/dev/null >theirs.id
[ "$("$tool" recipient <theirs.id)" = "$(age-keygen -y theirs.id)" ]
check $? 'and we for its, comments and all'

# Armor.
"$tool" seal "$(tail -n 1 recipients)" <plain | "$tool" armor |
    age -d -i last | cmp -s - plain
check $? 'age opens our armor'
age -a -R to <plain | "$tool" dearmor | "$tool" open last | cmp -s - plain
check $? 'we open its armor'

# age asks the terminal for a passphrase, so script(1) gives it one. The answer
# waits in the terminal until age reads it.
pass='a horse, a battery'
"$tool" seal-pass "$pass" <plain >sealed
printf '%s\n' "$pass" | script -qec 'age -d -o opened sealed' /dev/null >log &&
    cmp -s plain opened
check $? 'age opens our passphrase file'
rm -f sealed
printf '%s\n%s\n' "$pass" "$pass" |
    script -qec 'age -p -o sealed plain' /dev/null >log &&
    "$tool" open-pass "$pass" <sealed | cmp -s - plain
check $? "we open age's passphrase file"
"$tool" open-pass 'another' <sealed >opened 2>log
[ $? = 1 ] && [ ! -s opened ] && grep -qx 'agetool: passphrase' log
check $? 'but not with another passphrase'
"$tool" seal-pass "$pass" <first >first.age
"$tool" seal "$(head -n 1 recipients)" <plain >sealed
printf '%s\n' "$pass" |
    script -qec 'age -d -i first.age -o opened2 sealed' /dev/null >log &&
    cmp -s plain opened2
check $? 'age takes our passphrase file as an identity file'

# What was altered, neither opens.
"$tool" open first <sealed | cmp -s - plain
check $? 'the file is good'
printf 'x' >>sealed
"$tool" open first <sealed >opened 2>log
[ $? = 1 ] && [ ! -s opened ] && grep -qx 'agetool: body-mismatch' log
check $? 'with a byte more it gives nothing, and says body-mismatch'
age -d -i first sealed >/dev/null 2>&1
[ $? = 1 ]
check $? 'age refuses it too'

echo "1..$n"
exit $failed
