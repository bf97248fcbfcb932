#!/bin/sh
# SPDX-License-Identifier: ISC
#
# A second device of a member joins by its card: it reads what came before it,
# answers in its own name, and each desk sees what the other does.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"

fed_two
id=$(post singcert-desk1 mycert@my --tlp AMBER --subject 'Before you came')
wait_until 20 listed mycert-night "$id" || bail 'it does not arrive'

fed_device mycert@my day
fed_trust mycert-day
at mycert-day inbox --json >"$fed/inbox" 2>"$fed/said"
is "$(cat "$fed/inbox")" '' 'a device that nobody announced gets nothing'
ok 'and is told why' has "$fed/said" not-enrolled
ok 'the first device announces the second' \
	at mycert-night keys publish --card "$fed/devices/mycert-day"
cp "$fed/homes/mycert-night/keys/recipient.txt" \
	"$fed/homes/mycert-day/keys/"
ok 'it reads a ticket from before its time' \
	wait_until 20 shows mycert-day "$id" 'Before you came'
ok 'and answers it' at mycert-day ack "$id" --accept -m 'Day shift has it.'
ok 'the sender sees which device did' \
	wait_until 20 stands singcert-desk1 "$id" mycert@my accepted
ok 'by its name' has "$fed/status" 'mycert@my/day'
ok 'the night desk sees the answer of the day' \
	wait_until 20 shows mycert-night "$id" 'Day shift has it.'

ok 'a reader is announced' fed_device mycert@my screen --role reader
must at mycert-night keys publish --card "$fed/devices/mycert-screen" \
	>/dev/null
cp "$fed/homes/mycert-night/keys/recipient.txt" \
	"$fed/homes/mycert-screen/keys/"
fed_trust mycert-screen
ok 'it reads' wait_until 20 shows mycert-screen "$id" 'Before you came'
refuses 'kind-not-allowed' 'and may not write' \
	at mycert-screen post --to singcert@sg --tlp GREEN --subject 'No'

ok 'the day desk is taken off' at mycert-night keys publish --remove day
at mycert-day post --to singcert@sg --tlp GREEN --subject 'Still here?' \
	--json >"$fed/posted" 2>"$fed/said"
is "$(json state <"$fed/posted")" queued 'what it writes stays in its outbox'
ok 'and it is told why' has "$fed/said" not-enrolled
before=$(counter my requests)
sleep 1
after=$(counter my requests)
ok 'it does not trouble the broker over and over' \
	[ $((after - before)) -lt 40 ]
done_testing
