#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The broker's program, as its operator meets it: made once, told clearly what
# is wrong, given its rosters whether it runs or not, ended and started again.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"

fed_begin
fed_authorities aa bb cc
fed_broker sg
fed_member singcert@sg desk1
fed_roster
conf=$(conf sg) state=$fed/sg log=$fed/sg/log
print=$(fingerprint "$fed/rosters/1")

status() # NAME: a member of the broker's status
{
	tocsind status --config "$conf" --json | json "$1"
}
status_is() # NAME VALUE
{
	[ "$(status "$1")" = "$2" ]
}
logged() # EVENT...: all of the words in one line of the log
{
	logged_lines=$(cat "$log")
	for logged_word in "$@"; do
		logged_lines=$(echo "$logged_lines" | grep -e "$logged_word") ||
			return 1
	done
}
run_sg()
{
	spawn tocsind run --config "$conf" 2>>"$log"
	sg=$pid
}
install_sg()
{
	tocsind roster install --config "$conf" "$@" </dev/null
}
called_wrongly() # WORDS SENTENCE COMMAND...: status 2
{
	wrong_words=$1 wrong_said=$2
	shift 2
	"$@" >"$fed/wrong" 2>&1
	is "$?, $(grep -ce "$wrong_words" "$fed/wrong")" '2, 1' "$wrong_said"
}

# ---- help ----

called_wrongly 'usage: tocsind command' 'without a command it says which' tocsind
called_wrongly 'no command rum.*usage' 'or that there is no such' tocsind rum
called_wrongly 'unknown option.*usage' 'or no such option' tocsind run --fast
called_wrongly 'without its value' 'or that its value is missing' \
	tocsind run --config
called_wrongly 'usage: tocsind roster install' 'a file is needed' \
	tocsind roster install --config "$conf"
tocsind help | sed -n 's/^  \([a-z][a-z ]*[a-z]\)  .*/\1/p' >"$fed/commands"
while read -r words; do
	# shellcheck disable=SC2086
	ok "tocsind $words --help" tocsind $words --help
done <"$fed/commands"
ok '--version names what it is made of' eval \
	'tocsind --version | grep -q "^libsodium [0-9]"'
called_wrongly 'by hand' 'nobody else starts the door' tocsind door

# ---- init ----

is "$(stat -c %a "$state" "$state/keys" "$state/keys/sign.key" | tr '\n' ' ')" \
	'700 700 600 ' 'state and keys are nobody else'\''s'
before=$(cat "$state"/keys/* "$conf" | cksum)
refuses 'exists.*duplicate' 'init replaces nothing' \
	tocsind init --federation $federation --nation sg \
	--listen 127.0.0.1:7401 --state "$state"
mv "$conf" "$fed/aside"
refuses 'keys exists.*duplicate' 'no keys either' \
	tocsind init --federation $federation --nation sg \
	--listen 127.0.0.1:7401 --state "$state"
mv "$fed/aside" "$conf"
is "$(cat "$state"/keys/* "$conf" | cksum)" "$before" 'all is as before'
called_wrongly 'no address to dial' 'others must be able to dial it' \
	tocsind init --federation $federation --nation sg --state "$fed/x"
called_wrongly 'not a nation' 'a name has a form' tocsind init \
	--federation $federation --nation SG --state "$fed/x" --url -
called_wrongly 'are needed' 'and is needed' tocsind init --state "$fed/x"
ok 'nothing was made by these' [ ! -e "$fed/x" ]
ok 'a relative path will do' eval 'cd "$fed" && tocsind init --federation \
	$federation --nation sg --url - --state rel >/dev/null &&
	grep -q "^state = $fed/rel$" rel/tocsind.conf'

# ---- the card, once more ----

is "$(tocsind card --config "$conf")" "$(cat "$fed/listed/sg")" \
	'card prints what init printed'
sed 's,^url = .*,url = tcp://moved.example:7401,' "$conf" >"$fed/moved.conf"
is "$(tocsind card --config "$fed/moved.conf" |
	grep -o ' tcp://moved.example:7401' | wc -l)" 2 \
	'of a broker that moves, with the new address'
mv "$state/keys/sign.key" "$fed/aside"
refuses 'sign.key.*not-found' 'and none without a key' \
	tocsind card --config "$conf"
mv "$fed/aside" "$state/keys/sign.key"

# ---- configuration ----

wrong_config() # SED-SCRIPT WORDS SENTENCE
{
	sed "$1" "$conf" >"$fed/wrong.conf"
	refuses "$2" "$3" tocsind check --config "$fed/wrong.conf"
}
line=$(grep -n '^#contexts' "$conf" | cut -d: -f1)
wrong_config 's/^#contexts/contxts/' \
	"wrong.conf:$line: .*\"contxts\".*nearest is contexts.*malformed" \
	'a misspelt key is told with its line and the right one'
wrong_config 's/^#contexts = .*/contexts = many/' "wrong.conf:$line: .*a number" \
	'so is a value that it cannot have'
wrong_config '/^federation/d' 'federation is missing' 'and what is missing'
refuses 'nowhere.*not-found' 'a file that is not there' \
	tocsind check --config "$fed/nowhere"

# ---- check ----

ok 'check finds nothing wrong' tocsind check --config "$conf"
problem() # WORDS SENTENCE
{
	tocsind check --config "$conf" >"$fed/checked" 2>&1
	is "$?, $(grep -c "^problem: .*$1" "$fed/checked")" '1, 1' "$2"
}
chmod 644 "$state/keys/log.key"
problem 'log.key.*permissions' 'check: a key that others can read'
refuses 'log.key.*permissions' 'with which it does not run' \
	tocsind run --config "$conf"
chmod 600 "$state/keys/log.key"
chmod 755 "$state"
problem 'mode 0700' 'check: a folder that others can enter'
refuses 'permissions' 'with which it does not run' tocsind run --config "$conf"
chmod 700 "$state"
chmod 666 "$conf"
problem 'others than its owner' 'check: a configuration that others can write'
chmod 644 "$conf"

# ---- the first roster, while it runs ----

called_wrongly 'give --fingerprint' 'a first roster needs a fingerprint' \
	install_sg "$fed/rosters/1"
refuses 'unavailable' 'status, when it does not run' \
	tocsind status --config "$conf"
run_sg
ok 'without a roster it waits' wait_until 20 status_is ready false
ok 'and says so' logged waiting-for-roster
called_wrongly 'give --fingerprint' 'the fingerprint is asked for here too' \
	install_sg "$fed/rosters/1"
refuses 'bad-signature' 'another fingerprint' install_sg "$fed/rosters/1" \
	--fingerprint "$(echo "$print" | tr 0123456789 1234567890)"
refuses 'not a roster|malformed' 'what is no roster' install_sg "$conf"
sed 's/^serial 1/serial 2/' "$fed/rosters/1" >"$fed/forged"
refuses 'malformed|bad-signature|roster-unknown' 'an altered one' \
	install_sg "$fed/forged" --fingerprint "$print"
ok 'still none' status_is ready false
ok 'the first roster is taken' \
	install_sg "$fed/rosters/1" --fingerprint "$print"
ok 'and then it is ready' status_is ready true
ok 'which is logged with the time it took' logged event=ready ms=
is "$(status roster)" 1 'under roster 1'
ok 'the same again is no error' install_sg "$fed/rosters/1"
fed_publish singcert-desk1
ok 'and it serves' wait_until 20 at singcert-desk1 inbox

noted() # WORDS: check finds no problem, and notes that
{
	tocsind check --config "$conf" >"$fed/checked" 2>&1 &&
		grep -q "^note: .*$1" "$fed/checked"
}
ok 'check says that it runs, and under which roster' \
	noted 'broker runs, with roster 1'
mv "$state/admin.sock" "$fed/aside"
problem 'another process has it open' \
	'check: a store that is in use, and no broker that answers'
mv "$fed/aside" "$state/admin.sock"

# ---- one at a time ----

refuses 'another process.*busy' 'a second one on the same store' \
	tocsind run --config "$conf"
sed "s/^name = .*/name = other/; s|^state = .*|state = $fed/other|" \
	"$conf" >"$fed/other.conf"
tocsind init --federation $federation --nation sg --name other \
	--listen "127.0.0.1:$(fed_port sg)" --state "$fed/other" >/dev/null
refuses 'in use.*unavailable' 'another one on the same port' \
	tocsind run --config "$fed/other/tocsind.conf"
ok 'the first does not mind' status_is ready true

# ---- rosters while it runs, and while it does not ----

fed_broker my
fed_roster
fed_broker la
fed_roster
refuses 'roster 3 does not follow.*roster-unknown' 'a gap' \
	install_sg "$fed/rosters/3"
ok 'several, in their order, those that it has too' \
	install_sg "$fed/rosters/1" "$fed/rosters/2" "$fed/rosters/3"
is "$(status roster)" 3 'it runs under the last'
peers()
{
	tocsind status --config "$conf" | grep -c '^peer'
}
is "$(peers)" 2 'with two peers more'

kill -TERM "$sg"
ended=$(now_ms)
wait "$sg"
is $? 0 'SIGTERM ends it'
ok 'within two seconds' [ $(($(now_ms) - ended)) -lt 2500 ]
ok 'in order' logged event=stopped
ok 'its socket is gone' [ ! -e "$state/admin.sock" ]

fed_roster --suspend singcert@sg
ok 'a roster is taken while it does not run' install_sg "$fed/rosters/4"
refuses 'roster-unknown' 'not one of another federation' eval \
	'sed "s/asean/other/" "$fed/rosters/4" >"$fed/foreign" &&
	tocsind roster install --config "$conf" "$fed/foreign"'
ok 'check finds nothing wrong' tocsind check --config "$conf"

# Root looks at another user's broker as that user would.
chmod 711 "$fed"
chown -R nobody: "$state" 2>/dev/null
if [ "$(stat -c %U "$state")" = nobody ] &&
	runuser -u nobody -- test -r "$state/keys/sign.key" 2>/dev/null; then
	ok 'check by root: the broker is another user'\''s' \
		tocsind check --config "$conf"
	roots()
	{
		find "$state/store" -user root
	}
	mv "$state/store" "$fed/store.aside"
	install_sg "$fed"/rosters/* --fingerprint "$print" >"$fed/told" 2>&1
	is "$(roots)" '' 'what root installs is the other user'\''s'
	rm -r "$state/store" "$state/head"
	mv "$fed/store.aside" "$state/store"
	must tocsind backup --config "$conf" "$fed/by-root" >/dev/null
	must tocsind restore --config "$conf" "$fed/by-root" >/dev/null
	is "$(roots)" '' 'so is what root restores'
	must tocsind compact --config "$conf" >/dev/null
	is "$(roots)" '' 'and what root compacts'
	rm -r "$state/store"
	mv "$state/store.before-1" "$state/store"
	chown root: "$state/keys/sign.key"
	problem 'sign.key.*permissions' 'a key that is not its own'
else
	ok 'check by root # SKIP needs root, and a folder that all may enter' :
fi
chown -R "$(id -u):$(id -g)" "$state"

cp "$conf" "$fed/aside"
printf '[peer my]\nrate = 2mbit\n[peer mi]\nrate = 2mbit\n' >>"$conf"
ok 'check notes a peer that no roster lists' noted '\[peer mi\].*no broker'
ok 'and not one that it does' eval '! noted "\[peer my\]"'
mv "$fed/aside" "$conf"
mv "$state/keys" "$state/keys.own"
cp -rp "$fed/my/keys" "$state/keys"
sed -i 's/^name my/name sg/' "$state"/keys/*
problem 'keys are not those' 'check: keys that the roster does not list'
rm -r "$state/keys"
mv "$state/keys.own" "$state/keys"

# ---- ends that nobody asked for ----

run_sg
ok 'it starts again' wait_until 20 status_is roster 4
reap KILL "$sg"
wait_until 5 port_free "$(fed_port sg)"
run_sg
ok 'after SIGKILL too' wait_until 20 status_is roster 4
is "$(status roster_listed)" true 'as the broker that it was'

door()
{
	sed 's/ .*//' "/proc/$sg/task/$sg/children"
}
killed=$(door)
kill -KILL "$killed"
new_door()
{
	[ -n "$(door)" ] && [ "$(door)" != "$killed" ]
}
ok 'a door that dies is replaced' wait_until 10 new_door
ok 'which is logged' logged event=door-ended signal=9
ok 'and clients come in again' wait_until 20 at singcert-desk1 inbox

sed -i 's/^#log = info/log = debug/' "$conf"
kill -HUP "$sg"
ok 'SIGHUP reads the level of the log again' wait_until 5 logged event=log-level

# What others on this machine learn.
is "$(stat -c %a "$state/admin.sock" "$state/run" | tr '\n' ' ')" '600 700 ' \
	'the sockets are nobody else'\''s'
ok 'no core is written' grep -Eq '^Max core file size +0 +0 ' "/proc/$sg/limits"
ok 'it gains no privileges' grep -q '^NoNewPrivs:	1' "/proc/$sg/status"
ok 'it says whether it is fenced off from the files of others' \
	grep -Eq 'event=(landlock abi=[0-9]+|no-landlock)$' "$state/log"
ok 'and a fence that was to be stands' \
	[ "$(grep -c 'event=no-landlock error=' "$state/log")" = 0 ]
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	is "$(setpriv --reuid 65534 --clear-groups \
		cat "/proc/$sg/environ" 2>&1 >/dev/null | grep -c denied)" 1 \
		'nobody else looks into it'
fi
kill -INT "$sg"
wait "$sg"
is $? 0 'SIGINT ends it too'

# A supervisor is told when it is ready.
spawn perl -MIO::Socket::UNIX -e '$| = 1;
	my $s = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $ARGV[0]);
	print "bound\n"; $s->recv(my $got, 64); print "$got\n"' \
	"$fed/notify" >"$fed/notified"
wait_until 5 [ -s "$fed/notified" ]
NOTIFY_SOCKET=$fed/notify
export NOTIFY_SOCKET
run_sg
unset NOTIFY_SOCKET
ok 'a supervisor is told' wait_until 20 grep -q READY=1 "$fed/notified"
reap TERM "$sg"
done_testing
