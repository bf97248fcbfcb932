#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The whole way back: what was sent after the last backup to two nations, of
# which one was away, comes back from the other with its attachment, and goes on
# to the one that never got it. Then the disk takes some of that, and it comes
# back again.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"

fed_begin
fed_authorities aa bb cc
for nation in sg my th; do
	fed_broker $nation
	fed_member "$nation"cert@$nation desk1
done
fed_roster
fed_install sg my th
fed_start sg my th
fed_publish sgcert-desk1 mycert-desk1 thcert-desk1
for nation in my th; do
	must wait_until 20 knows sgcert-desk1 "$nation"cert@$nation
	must wait_until 20 knows "$nation"cert-desk1 sgcert@sg
done

run() # COMMAND [OPERAND...]: of the broker sg
{
	run_command=$1
	shift
	tocsind "$run_command" --config "$(conf sg)" "$@"
}

# ---- what the backup has not got ----

fed_stop th
ok 'a backup is taken' run backup "$fed/backup"
head -c 150000 /dev/urandom >"$fed/image"
id=$(post sgcert-desk1 mycert@my --to thcert@th --tlp GREEN \
	--subject 'for two nations' --attach "$fed/image")
ok 'a ticket comes to the nation that is there' \
	wait_until 20 shows mycert-desk1 "$id" 'for two nations'
mkdir "$fed/at-my" "$fed/at-th" "$fed/at-sg"
ok 'so does what is attached' \
	wait_until 20 at mycert-desk1 save "$id" image -o "$fed/at-my"
fed_stop sg
ok 'the backup is restored' run restore "$fed/backup"
is "$(run verify | sed -n 's/.* \([0-9]*\) parts.*/\1/p')" 0 \
	'it has no attachment'

# ---- back, and on ----

fed_start sg
pulled()
{
	grep -q "event=restore-pulled.*peer=$1.*parts=$2 .*reason=ok" \
		"$fed/sg/log"
}
ok 'the ticket comes back with its attachment' wait_until 30 pulled my 1
is "$(run verify | sed -n 's/.* \([0-9]*\) parts.*/\1/p')" 1 \
	'which is whole here'
fed_start th
ok 'the nation that was away gets the ticket' \
	wait_until 60 shows thcert-desk1 "$id" 'for two nations'
ok 'and what is attached' \
	wait_until 30 at thcert-desk1 save "$id" image -o "$fed/at-th"
ok 'as it was' cmp "$fed/image" "$fed/at-th/image"

# ---- harmed, and back ----

fed_stop sg
perl -0777 -i -pe 's/age-encryption.org\/v1/age-encryption.org\/v2/g' \
	"$fed/sg/store/log.mdb"
ok 'entries are damaged, and the part' eval 'run verify >"$fed/told"
	grep -q "the entry is damaged" "$fed/told" &&
	grep -q "a range of a part is damaged" "$fed/told"'
fed_start sg
clean()
{
	at sgcert-desk1 inbox >/dev/null 2>&1
	at sgcert-desk1 save "$id" image -o "$fed/at-sg" >/dev/null 2>&1
	run verify
}
ok 'all of it comes back' wait_until 60 clean
rm -rf "$fed/at-sg"
mkdir "$fed/at-sg"
ok 'the sender fetches it' \
	wait_until 20 at sgcert-desk1 save "$id" image -o "$fed/at-sg"
ok 'as it was' cmp "$fed/image" "$fed/at-sg/image"

# ---- cut ----

fed_stop sg
truncate -s 8192 "$fed/sg/store/log.mdb"
refuses 'is cut.*restore' 'a store that is cut is not run' run run
ok 'the backup is restored again' run restore "$fed/backup"
fed_start sg
ok 'and what came after it is back' \
	wait_until 30 eval 'run verify | grep -q " 1 parts"'
ok 'the sender reads it there' \
	wait_until 20 shows sgcert-desk1 "$id" 'for two nations'
last=$(post sgcert-desk1 mycert@my --to thcert@th --tlp GREEN --subject last)
for nation in my th; do
	ok "all goes on with $nation" \
		wait_until 30 shows "$nation"cert-desk1 "$last" last
	is "$(at "$nation"cert-desk1 inbox --json | json id | sort | uniq -d)" \
		'' 'nothing is there twice'
done
ok 'nobody is barred' eval '! run status | grep -q barred'
done_testing
