#!/bin/sh
# Homes, passphrases, authorities, rosters, trust and announcements, without a
# network.
set -u
. "${TOP:=$(pwd)}/tests/lib/federation.sh"
fed_begin
cd "$fed" || exit 1

init() # HOME MEMBER DEVICE OPTION...
{
	init_home=$1 init_member=$2 init_device=$3
	shift 3
	tocsin init --home "$init_home" --federation "$federation" \
		--member "$init_member" --device "$init_device" \
		--broker tcp://127.0.0.1:1 "$@" 2>"$fed/err" </dev/null
}

# STATUS REASON SENTENCE COMMAND...
says()
{
	said_status=$1 said_reason=$2 said=$3
	shift 3
	"$@" >"$fed/out" 2>"$fed/err" </dev/null
	got=$?
	[ $got = "$said_status" ] && grep -q " \[$said_reason\]\$" "$fed/err"
	tap $? "$said" || {
		echo "# status $got, wanted $said_status [$said_reason]: $*" >&2
		sed 's/^/# /' "$fed/err" >&2
	}
}

mode()
{
	stat -c %a "$1"
}

# ---- init ----

umask 0
init my mycert@my night --no-passphrase >my.card
is $? 0 'a home is made'
is "$(sed -n '2s/ mycert@my+.*//p' my.card)" 'member mycert@my' \
	'its card has the member'
is "$(sed -n '3s/ mycert@my.*//p' my.card)" 'device night officer' \
	'and the device'
is "$(mode my/keys)" 700 'the folder of the keys is nobody else'"'"'s'
for key in my/keys/*; do
	is "$(mode "$key")" 600 "nor is ${key##*/}"
done
ok 'that the root key is better kept elsewhere is said' \
	grep -q 'root.key' err
before=$(cat my/keys/device.key)
says 2 usage 'a home is not made over another' init my mycert@my night \
	--no-passphrase
is "$(cat my/keys/device.key)" "$before" 'whose keys stay'
init my2 mycert@my bot --role bot --no-passphrase --join >my2.card
is "$(sed -n '2s/ mycert@my.*//p' my2.card)" 'device bot bot' \
	'a further device has a card of its own'
ok 'and no root key' [ ! -e my2/keys/root.key ]
says 1 passphrase 'without a terminal, a passphrase has to come from a file' \
	setsid -w tocsin init --home my3 --federation "$federation" \
	--member mycert@my --device day --broker tcp://127.0.0.1:1
ok 'and nothing is made' [ ! -e my3/config ]
is "$(init json singcert@sg desk1 --no-passphrase --json | json device)" \
	singcert@sg/desk1 'the card can be had as JSON'

# ---- passphrases: each try takes a second ----

umask 077
printf 'correct horse\n' >right
printf 'wrong horse\n' >wrong
umask 022
tocsin authority new aa.key --name auth-aa --passphrase-file right >aa.vkey
is $? 0 'an authority makes a locked key'
ok 'which is an armored age file' \
	grep -q '^-----BEGIN AGE ENCRYPTED FILE-----$' aa.key
is "$(mode aa.key)" 600 'of mode 0600'
for other in bb cc; do
	tocsin authority new $other.key --name auth-$other --no-passphrase \
		>$other.vkey
done
ok 'a VKEY is one line' [ "$(cat aa.vkey bb.vkey cc.vkey | wc -l)" = 3 ]
says 2 usage 'a key is not made over another' \
	tocsin authority new aa.key --name auth-aa --no-passphrase

# ---- rosters ----

new()
{
	tocsin roster new "$@"
}
three="--authority $(cat aa.vkey) $(cat bb.vkey) $(cat cc.vkey)"
# shellcheck disable=SC2086
{
	says 2 usage 'half of the authorities are not enough' \
		new --federation "$federation" --threshold 1 $three
	says 2 usage 'nor are more than all' \
		new --federation "$federation" --threshold 4 $three
	says 2 usage 'a further device is not put on a roster' \
		new --federation "$federation" --threshold 2 $three --card my2.card
	says 1 not-enrolled 'nor is a card of another federation' \
		new --federation other.example --threshold 2 $three --card my.card
	says 1 malformed 'nor what is no card' \
		new --federation "$federation" --threshold 2 $three --card err
	new --federation "$federation" --threshold 2 $three --card my.card -o r1
}
is $? 0 'a roster is made'
says 2 usage 'not over another' new --from r1 -o r1
says 1 bad-signature 'nobody has signed it' tocsin roster verify r1
says 1 passphrase 'a wrong passphrase signs nothing' \
	tocsin roster sign --key aa.key r1 --passphrase-file wrong
says 1 bad-signature 'so still nobody has' tocsin roster verify r1
TOCSIN_PASSPHRASE_FILE=right tocsin roster sign --key aa.key r1
says 1 bad-signature 'one of two is not enough' tocsin roster verify r1
tocsin roster sign --key bb.key r1 -o r1.signed
says 1 bad-signature 'the file stays as it was with -o' tocsin roster verify r1
ok 'two are enough' tocsin roster verify r1.signed
tocsin roster sign --key bb.key r1.signed 2>err
is "$? $(grep -c signed err)" '0 1' 'to sign twice changes nothing'
is "$(tocsin roster show r1.signed | grep -c '  signed$')" 2 \
	'show tells who has signed'
chmod 0644 bb.key
says 1 permissions 'a key that others can read signs nothing' \
	tocsin roster sign --key bb.key r1
chmod 0600 bb.key
sed 's/^threshold 2/threshold 3/' r1.signed >r1.bent
says 1 bad-signature 'a changed roster is refused' tocsin roster verify r1.bent
head -c 100 r1.signed >r1.cut
says 1 malformed 'and so is a cut one' tocsin roster verify r1.cut
says 1 malformed 'and a card' tocsin roster show my.card

# ---- the next roster ----

init sg singcert@sg desk1 --no-passphrase >sg.card
new --from r1.signed --card sg.card --suspend mycert@my -o r2
is $? 0 'a next roster is made of the first'
is "$(tocsin roster show r2 --json | json serial)" 2 'its serial follows'
for key in bb cc; do
	tocsin roster sign --key $key.key r2
done
ok 'it may follow the first' tocsin roster verify r2 --previous r1.signed
says 2 usage 'the first may not follow it' \
	tocsin roster verify r1.signed --previous r2
ok 'the member is suspended' \
	sh -c 'tocsin roster show r2 | grep -q "mycert@my *SUSPENDED"'
new --from r2 --restore mycert@my --remove singcert@sg -o r3
is "$(tocsin roster show r3 | grep -c '^  member')" 1 'a member is removed'
ok 'and one restored' \
	sh -c 'tocsin roster show r3 | grep -q "mycert@my *active"'
says 1 not-enrolled 'what is not there is not removed' \
	new --from r2 --remove nobody@xx
says 1 malformed 'a key in use is not revoked' \
	new --from r2 --revoke "$(cat cc.vkey)"
new --from r2 --revoke "$(cat cc.vkey)" --remove auth-cc --threshold 2 \
	--reason key-compromise -o r3b
is $? 0 'it is when it is removed at once'
ok 'with the reason' \
	sh -c 'tocsin roster show r3b | grep -q "auth-cc .* key-compromise"'

# ---- trust ----

print=$(fingerprint r1.signed)
trust()
{
	tocsin trust --home my "$@"
}
says 1 bad-signature 'a wrong fingerprint is refused' \
	trust r1.signed --fingerprint "$(echo "$print" | tr 0-9 1-90)"
says 1 bad-signature 'and one that is a digit short' \
	trust r1.signed --fingerprint "${print%?}"
says 2 usage 'and none' trust r1.signed
says 1 roster-unknown 'trust does not begin with a later roster' \
	trust r2 --fingerprint "$(fingerprint r2)"
says 1 bad-signature 'nor with one that too few signed' \
	trust r1 --fingerprint "$(fingerprint r1)"
says 1 roster-unknown 'nor did any of that begin it' \
	tocsin keys show --home my --offline
echo "$print" | tr -d ' ' | tocsin trust --home my r1.signed >out 2>err
is $? 0 'what the user types is taken, spaces or not'
ok 'the fingerprint is shown to compare' grep -q "$(echo "$print" | cut -c 1-35)" err
trust r1.signed >out
is "$?" 0 'the same once more changes nothing'
new --from r1.signed --days 7 -o r2x
says 1 bad-signature 'a next roster that nobody signed is refused' trust r2x
says 1 roster-unknown 'and one after a gap' trust r3
trust r2 >out
is $? 0 'a next one needs no fingerprint'
says 1 bad-signature 'an older one that is not ours is not known' trust r1.bent
tocsin roster sign --key bb.key r2x
tocsin roster sign --key cc.key r2x
cp -R my forked
says 1 chain-conflict 'two rosters for one place are an alarm' \
	tocsin trust --home forked r2x
tocsin keys show --home forked --offline >out 2>err
ok 'and every command warns of it from then on' \
	grep -q 'WARNING.*two rosters.*chain-conflict' err
tocsin roster show --home forked --json 2>err |
	sed -n 's/^{"conflict":"roster","serial":2,"note":"\(.*\)"}$/\1/p' >out
printf '%b' "$(cat out)" >conflict
ok 'the other text is kept, signatures and all' cmp conflict r2x
init other mycert@my night --no-passphrase >/dev/null
sed -i 's/^federation .*/federation other.example/' other/config
says 1 roster-unknown 'nor is it trusted by a home of another' \
	tocsin trust --home other r1.signed --fingerprint "$print"

# ---- announcements ----

publish()
{
	tocsin keys publish --wait 0 "$@"
}
says 1 suspended 'a suspended member announces nothing' publish --home my
tocsin trust --home sg r1.signed r2 --fingerprint "$print" >out
is "$(wc -l <out)" 2 'two rosters are taken at once'
publish --home sg --json >out 2>err
is "$? $(json serial <out) $(json sent <out)" '0 1 false' \
	'a member announces itself; it waits for the broker'
ok 'which is said' grep -q 'not at the broker' err
is "$(mode sg/keys/recipient.txt)" 600 'its identities are nobody else'"'"'s'
if command -v age-keygen >/dev/null; then
	ok 'and age can read them' age-keygen -y sg/keys/recipient.txt
fi
now=$(date -u +%Y-%m)
ok 'this month has an epoch' \
	sh -c "tocsin keys show --home sg --offline singcert@sg | grep -q $now"
cp sg/keys/recipient.txt was
publish --home sg >out 2>&1
is "$(tocsin keys show --home sg --offline singcert@sg --json | json serial)" 2 \
	'a second announcement follows the first'
ok 'and keeps the keys of the months' cmp sg/keys/recipient.txt was
says 1 not-enrolled 'the card of a stranger is not announced' \
	publish --home sg --card my2.card
says 1 not-found 'nor is a device removed that is not there' \
	publish --home sg --remove night
init sg2 singcert@sg desk2 --join --no-passphrase >sg2.card
publish --home sg --card sg2.card >out 2>&1
is "$(tocsin keys show --home sg --offline singcert@sg | grep -c '  device')" 2 \
	'the card of a further device is'
mkdir stick
mv sg/keys/root.key stick/
says 1 not-found 'without the root key nothing is' publish --home sg
publish --home sg --root stick/root.key --remove desk2 >out 2>&1
is "$? $(tocsin keys show --home sg --offline singcert@sg | grep -c '  device')" \
	'0 1' 'it may lie elsewhere, and a device may go'
epochs()
{
	tocsin keys show --home sg --offline singcert@sg --json |
		grep -Eo '"epoch": ?"[^"]*"' | cut -d'"' -f4
}
is "$(epochs | grep -c -- '^....-..-')" 0 'an epoch is called by its month'
publish --home sg --root stick/root.key --new-epochs >out 2>&1
is "$? $(epochs | grep -cv -- '^....-..-2$')" '0 0' \
	'after a theft all epochs are made anew'
ok 'beginning with this month' sh -c "echo '$(epochs)' | grep -q '^$now-2'"
ok 'and the old keys stay for old tickets' \
	grep -q "^# epoch $now\$" sg/keys/recipient.txt
fresh=$(epochs)
publish --home sg --root stick/root.key >out 2>&1
is "$(epochs)" "$fresh" 'the next announcement does not bring them back'
publish --home sg --root stick/root.key --new-epochs >out 2>&1
is "$? $(epochs | grep -cv -- '^....-..-3$')" '0 0' 'a second theft is no other'
says 1 not-enrolled 'the root key of another member is refused' \
	publish --home sg --root my/keys/root.key
says 1 keys-expired 'a member that has announced nothing is told of' \
	tocsin keys show --home sg --offline mycert@my

# ---- key files that are not as they should be ----

mv sg/keys/device.key kept
says 1 not-found 'a home without its key says which file is missing' \
	tocsin inbox --home sg --offline
ok 'by its name' grep -q 'keys/device.key is missing' err
mv kept sg/keys/device.key
chmod 0640 sg/keys/device.key
says 1 permissions 'a device key that the group can read is not used' \
	tocsin inbox --home sg --offline
chmod 0600 sg/keys/device.key
mv sg/keys/device.key sg/keys/away
says 1 not-found 'nor is one that is not there' \
	tocsin inbox --home sg --offline
ln -s away sg/keys/device.key
says 1 permissions 'nor one behind a link' tocsin inbox --home sg --offline
rm sg/keys/device.key
mv sg/keys/away sg/keys/device.key
ok 'and then it is again' tocsin inbox --home sg --offline

done_testing
