#!/bin/sh
# SPDX-License-Identifier: ISC
#
# What is wrong is said in a sentence with its reason, status 1, and nothing is
# sent, kept or lost by it.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"

fed_begin
fed_authorities aa bb cc
fed_broker sg
fed_member singcert@sg desk1
# Enrolled, but it has never published keys.
fed_broker my
fed_member mycert@my night
fed_roster
fed_install sg
sed -i 's/^#* *part-max *=.*/part-max = 1m/' "$(conf sg)"
fed_start sg
fed_publish singcert-desk1

report() # OPTION...
{
	at singcert-desk1 post --to singcert@sg --tlp GREEN --subject 'S' "$@"
}

ok 'what is right is taken' report
refuses 'nocert@zz.*not-enrolled' 'a member that is not in the roster' \
	report --to nocert@zz
refuses 'mycert@my.*keys-expired' 'a member without current keys' \
	report --to mycert@my
refuses 'no such file|not-found' 'a file that is not there' \
	report --attach "$fed/nothing"
head -c 2000000 /dev/urandom >"$fed/large"
refuses 'too-large' 'an attachment over the limit' \
	report --attach "$fed/large"

# Called wrongly: status 2.
called_wrongly 'AMBER' 'a TLP that there is not' \
	at singcert-desk1 post --to singcert@sg --tlp AMBRE --subject S
called_wrongly 'no default' 'no TLP' \
	at singcert-desk1 post --to singcert@sg --subject S
called_wrongly 'c2-server' 'a class of RSIT that there is not' \
	report --class malicious-code:c2-sever
called_wrongly 'flash' 'a precedence that there is not' \
	report --precedence flahs
called_wrongly 'inbox' 'a command that there is not' \
	at singcert-desk1 inbxo
is "$(at singcert-desk1 inbox --json | json state | tr '\n' ' ')" \
	'posted ' \
	'of all that, only what was right is kept'
refuses 'not-found' 'a ticket that there is not' \
	at singcert-desk1 show 0000-0000-0000

# Keys.
key=$fed/homes/singcert-desk1/keys/device.key
chmod 0644 "$key"
refuses 'permissions' 'a key file that others may read' report
chmod 0600 "$key"
ok 'and no longer, when they may not' report
printf 'correct horse\n' >"$fed/pass"
printf 'battery staple\n' >"$fed/wrong"
chmod 0600 "$fed/pass" "$fed/wrong"
TOCSIN_HOME=$fed/homes/locked tocsin init --federation $federation \
	--member singcert@sg --device locked --join --passphrase \
	--passphrase-file "$fed/pass" --broker "tcp://127.0.0.1:$(fed_port sg)" \
	>"$fed/devices/locked" 2>"$fed/said"
is $? 0 'a home with a passphrase'
at singcert-desk1 keys publish --card "$fed/devices/locked" >/dev/null
cp "$fed/homes/singcert-desk1/keys/recipient.txt" "$fed/homes/locked/keys/"
ok 'takes a roster' at locked trust "$fed/rosters/1" \
	--fingerprint "$(fingerprint "$fed/rosters/1")"
refuses 'passphrase' 'with a wrong passphrase it does not open' \
	at locked inbox --passphrase-file "$fed/wrong"
ok 'with the right one it does' \
	at locked inbox --passphrase-file "$fed/pass"

# Rosters.
sed 's/^threshold 2/threshold 3/' "$fed/rosters/1" >"$fed/bad"
fed_home singcert@sg other --join >"$fed/devices/other"
refuses 'bad-signature' 'an altered roster' at singcert-other trust "$fed/bad" \
	--fingerprint "$(fingerprint "$fed/bad")"
refuses 'fingerprint.*bad-signature' 'another fingerprint' \
	at singcert-other trust "$fed/rosters/1" \
	--fingerprint "$(fingerprint "$fed/bad")"
tocsin roster new --from "$fed/rosters/1" >"$fed/one"
tocsin roster sign --key "$fed/aa.key" "$fed/one"
refuses 'bad-signature' 'a roster that one authority of two signed' \
	tocsind roster install --config "$(conf sg)" "$fed/one"

# One that expires while we look.
expires=$(date -u -d '+4 seconds' +%Y-%m-%dT%H:%M:%SZ)
sed -n "s/^expires .*/expires $expires/;/^\$/q;p" "$fed/one" >"$fed/short"
for auth in aa bb; do
	must tocsin roster sign --key "$fed/$auth.key" "$fed/short"
done
ok 'a roster that soon expires is taken' \
	tocsind roster install --config "$(conf sg)" "$fed/short"
ok 'and reaches the desk' at singcert-desk1 inbox
expired()
{
	! report --wait 1 >"$fed/refused.out" 2>"$fed/refused.err" &&
		grep -q 'roster-expired' "$fed/refused.err"
}
ok 'after its time nothing is sent' wait_until 20 expired
ok 'what is there can be read' at singcert-desk1 inbox
done_testing
