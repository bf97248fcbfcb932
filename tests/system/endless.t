#!/bin/sh
# SPDX-License-Identifier: ISC
#
# A broker that was restored asks each peer for what it lacks. One of them lists
# without end what is not there, and gives a byte at a time what it lists; what
# the other one has comes back all the same.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"

fed_begin
fed_authorities aa bb cc
fed_broker ad --url - # the first on the roster; it fetches
fed_broker my
fed_broker sg
for nation in ad my sg; do
	fed_member "$nation"cert@$nation desk1
done
fed_roster
fed_install ad my sg
fed_start ad my sg
fed_publish adcert-desk1 mycert-desk1 sgcert-desk1
must wait_until 20 knows sgcert-desk1 mycert@my
must wait_until 20 knows mycert-desk1 sgcert@sg
must wait_until 20 knows adcert-desk1 sgcert@sg
# From here on its keys are used by something else.
fed_stop ad

run() # COMMAND [OPERAND...]: of the broker sg
{
	run_command=$1
	shift
	tocsind "$run_command" --config "$(conf sg)" "$@"
}

ok 'a backup is taken' run backup "$fed/backup"
id=$(post sgcert-desk1 mycert@my --tlp GREEN --subject 'after the backup')
ok 'a ticket comes to another nation' \
	wait_until 20 shows mycert-desk1 "$id" 'after the backup'
fed_stop my
fed_stop sg
ok 'the backup is restored' run restore "$fed/backup"

fed_start sg
spawn taker "$fed/homes/adcert-desk1" "$fed/ad/keys" "$(fed_port sg)" \
	sgcert@sg "$fed/stands" lists 600000 </dev/null >"$fed/lies" 2>&1
liar=$pid
ok 'who has nothing is asked for a list, and gives one without end' \
	wait_until 30 has "$fed/lies" 'a list is asked for'
fed_start my
pulled()
{
	grep -q 'event=restore-pulled.*peer=my.*taken=[1-9].*reason=ok' \
		"$fed/sg/log"
}
ok 'who has it is asked, too' wait_until 60 pulled
ok 'the other one has not been believed' eval \
	'! grep -q "event=restore-pulled.*peer=ad.*taken=[1-9]" "$fed/sg/log"'
ok 'and is not cut off for it' eval '! gone "$liar"'
reap TERM "$liar"
ok 'the store is well' eval 'fed_stop sg; run verify >"$fed/told"'
done_testing
