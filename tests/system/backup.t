#!/bin/sh
# SPDX-License-Identifier: ISC
#
# A backup is taken under load and put back later: what came in between is lost
# here and nowhere else, no number is used twice, and everybody goes on.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"

fed_two

run() # COMMAND [OPERAND...]: of the broker sg
{
	run_command=$1
	shift
	tocsind "$run_command" --config "$(conf sg)" "$@"
}

has_seen() # HOME ID
{
	at "$1" inbox --json | grep -q "$2"
}

# ---- backup ----

spawn storm "$fed/homes/singcert-desk1" mycert@my >"$fed/acked"
storm=$pid
wait_until 20 eval '[ $(grep -c . "$fed/acked") -ge 20 ]'
ok 'a backup is taken while posts come in' run backup "$fed/backup"
ok 'it holds a store that verifies' tocsind verify --store "$fed/backup"
refuses 'there already.*duplicate' 'a backup replaces nothing' \
	run backup "$fed/backup"
refuses 'runs; end it first.*busy' 'a store in use is not restored' \
	run restore "$fed/backup"
refuses 'runs; end it first.*busy' 'or compacted' run compact
kill -TERM "$storm"
wait "$storm"
in_backup=$(tocsind verify --store "$fed/backup" | sed -n 's/ entries.*//p')

# ---- what the backup does not have ----

lost=$(post singcert-desk1 mycert@my --tlp GREEN --subject 'lost here')
ok 'a ticket that comes after the backup arrives' \
	wait_until 20 shows mycert-night "$lost" 'lost here'
from_my=$(post mycert-night singcert@sg --tlp GREEN --subject 'from afar')
ok 'so does one from another nation' \
	wait_until 20 shows singcert-desk1 "$from_my" 'from afar'
fed_stop sg

# ---- an old store, put back by hand ----

mv "$fed/sg/store" "$fed/newer"
cp -rp "$fed/backup" "$fed/sg/store"
refuses 'older, or another.*restore.*chain-conflict' \
	'an old store that was put back by hand is not run' run run
rm -rf "$fed/sg/store"
mv "$fed/newer" "$fed/sg/store"

# ---- restore ----

mkdir "$fed/broken"
head -c 30000 "$fed/backup/log.mdb" >"$fed/broken/log.mdb"
run verify >"$fed/before"
refuses 'damaged; nothing was changed' 'a damaged backup is refused' \
	run restore "$fed/broken"
is "$(run verify)" "$(cat "$fed/before")" 'and nothing was changed'
ok 'a backup is restored' run restore "$fed/backup"
ok 'what was there is kept' tocsind verify --store "$fed/sg/store.before-1"
ok 'what is there now is clean' run verify
is "$(run verify | sed -n 's/ entries.*//p')" "$in_backup" \
	'as many entries as the backup had'
fed_start sg

again=$(post singcert-desk1 mycert@my --tlp GREEN --subject 'after it')
ok 'a ticket posted afterwards crosses the border' \
	wait_until 30 shows mycert-night "$again" 'after it'
back=$(post mycert-night singcert@sg --tlp GREEN --subject 'and back')
ok 'one comes back, past the cursor of a desk that was further' \
	wait_until 30 shows singcert-desk1 "$back" 'and back'
pulled()
{
	grep -q 'event=restore-pulled.*peer=my.*reason=ok' "$fed/sg/log"
}
ok 'what the peer still had was asked for' wait_until 20 pulled
entries=$(run verify | sed -n 's/ entries.*//p')
ok 'and came back' [ "$entries" -gt "$in_backup" ]
fed_device singcert@sg desk2
fed_trust singcert-desk2
must at singcert-desk1 keys publish --card "$fed/devices/singcert-desk2" \
	>/dev/null
ok 'a device that is new sees what was lost: sent from here' \
	wait_until 20 has_seen singcert-desk2 "$lost"
ok 'and from afar' wait_until 20 has_seen singcert-desk2 "$from_my"
is "$(at mycert-night inbox --json | json id | sort | uniq -d)" '' \
	'nobody has anything twice'
ok 'and the store is clean still' run verify

# ---- compact ----

fed_stop sg
run verify >"$fed/before"
size=$(stat -c %s "$fed/sg/store/log.mdb")
ok 'a store is compacted' run compact
is "$(run verify)" "$(cat "$fed/before")" 'with all that it had'
ok 'and is smaller' [ "$(stat -c %s "$fed/sg/store/log.mdb")" -lt "$size" ]
fed_start sg
last=$(post singcert-desk1 mycert@my --tlp GREEN --subject 'at last')
ok 'it goes on' wait_until 30 shows mycert-night "$last" 'at last'
done_testing
