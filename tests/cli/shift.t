#!/bin/sh
# The passphrase once a shift, and keys that end soon.
set -u
. "${TOP:=$(pwd)}/tests/lib/federation.sh"
fed_begin
fed_authorities aa bb cc
fed_broker sg
printf 'correct horse\n' >"$fed/pass"
printf 'wrong\n' >"$fed/wrong"
chmod 600 "$fed/pass" "$fed/wrong"
fed_member singcert@sg desk1
fed_roster
TOCSIN_HOME=$fed/locked
TOCSIN_PASSPHRASE_FILE=$fed/pass
export TOCSIN_HOME TOCSIN_PASSPHRASE_FILE
must tocsin init --federation $federation --passphrase --member singcert@sg \
	--device desk2 --join --broker tcp://127.0.0.1:1 >/dev/null
must tocsin trust "$fed/rosters/1" \
	--fingerprint "$(fingerprint "$fed/rosters/1")" >/dev/null
unset TOCSIN_PASSPHRASE_FILE

# Nobody to ask: a session without a terminal.
alone()
{
	setsid -w tocsin "$@" </dev/null
}

refuses 'no terminal to ask on' 'a home with a passphrase asks for it' \
	alone inbox --offline
CREDENTIALS_DIRECTORY=$fed/credentials
export CREDENTIALS_DIRECTORY
mkdir "$CREDENTIALS_DIRECTORY"
refuses 'no terminal to ask on' 'also where a service has other credentials' \
	alone inbox --offline
cp "$fed/pass" "$CREDENTIALS_DIRECTORY/tocsin.passphrase"
ok 'a service has it as a credential' alone inbox --offline
unset CREDENTIALS_DIRECTORY

refuses 'passphrase' 'a wrong one does not unlock' \
	alone unlock --passphrase-file "$fed/wrong"
called_wrongly 'at most 7 days' 'a shift has an end' \
	alone unlock --for 8d --passphrase-file "$fed/pass"
if alone unlock --for 1h --passphrase-file "$fed/pass" 2>"$fed/said"; then
	ok 'it says for how long' has "$fed/said" 'open for 60 minutes'
	ok 'now nothing is asked' alone inbox --offline
	refuses 'passphrase' 'a file that is named is taken before' \
		alone inbox --offline --passphrase-file "$fed/wrong"
	cp -r "$TOCSIN_HOME" "$fed/other"
	refuses 'no terminal to ask on' 'another home is not open' \
		alone inbox --offline --home "$fed/other"
	ok 'lock ends it' alone lock
	refuses 'no terminal to ask on' 'and it is asked for again' \
		alone inbox --offline
	must alone unlock --for 1s --passphrase-file "$fed/pass" 2>/dev/null
	ok 'the kernel ends it in time' wait_until 10 eval \
		'! alone inbox --offline 2>/dev/null'
else
	ok "no keyring here, and that is said: $(cat "$fed/said")" \
		has "$fed/said" 'keeps no keys'
	echo "ok $((tap_n + 1)) - unlock # SKIP no keyring on this machine"
	tap_n=$((tap_n + 1))
fi

# ---- what ends soon ----

TOCSIN_HOME=$fed/homes/singcert-desk1
fed_trust singcert-desk1
warned() # WORDS
{
	tocsin inbox --offline 2>"$fed/warned" >/dev/null
	has "$fed/warned" "$1"
}
tocsin inbox --offline 2>"$fed/warned"
is "$(cat "$fed/warned")" '' 'while all is good for long, inbox says nothing'
for days in 31 30 7 1; do
	fed_roster --days $days
	must tocsin trust "$fed/rosters/$serial" >/dev/null
	case $days in
	31) ok 'nothing 31 days ahead' eval '! warned "the roster"' ;;
	30) ok 'a word at 30' warned ': the roster ends within 30 days' ;;
	7) ok 'louder at 7' warned 'WARNING: the roster ends within 7 days' ;;
	1) ok 'and at 1' warned 'WARNING: the roster ends within a day' ;;
	esac
done
must tocsin keys publish --days 6 --wait 0 >/dev/null 2>&1
ok 'the same for the keys of the team, and what to do' \
	warned "team's keys ends within 6 days; whoever has its root key"

done_testing
