#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Two brokers of one nation: a member with a desk at each is one member, at home
# and abroad, and the nation goes on when either of them is gone.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"

# Each desk of the member shows it, with that text.
on_both() # ID TEXT
{
	shows singcert-desk1 "$1" "$2" && shows singcert-desk2 "$1" "$2"
}

fed_begin
fed_authorities aa bb cc
fed_broker sg
fed_broker sgb --nation sg
fed_broker my
fed_member singcert@sg desk1
fed_member mycert@my night
fed_roster
is "$(grep -c '^broker sgb* sg ' "$roster")" 2 'a nation has two brokers'
fed_install sg sgb my
# What a nation refuses at its border it does not refuse itself.
cat >>"$(conf sgb)" <<'EOS'

[accept]
largest-body = 16k
largest-part = 4k
refuse-labels = health personal-data
EOS
fed_start sg sgb my
fed_device singcert@sg desk2
sed -i "s|^broker .*|broker tcp://$(fed_host sgb):$(fed_port sgb)|" \
	"$fed/homes/singcert-desk2/config"
fed_trust singcert-desk1 singcert-desk2
ok 'a member announces a desk at each' \
	at singcert-desk1 keys publish --card "$fed/devices/singcert-desk2"
cp "$fed/homes/singcert-desk1/keys/recipient.txt" \
	"$fed/homes/singcert-desk2/keys/"
fed_publish mycert-night
ok 'the announcement of one broker comes to the other' \
	wait_until 20 knows singcert-desk2 singcert@sg
wait_until 20 knows singcert-desk1 mycert@my &&
	wait_until 20 knows singcert-desk2 mycert@my &&
	wait_until 20 knows mycert-night singcert@sg ||
	bail 'the keys do not arrive'

spawn_at singcert-desk2 watch --reader screen --json >"$fed/screen"
screen=$pid
id=$(post singcert-desk1 mycert@my --tlp AMBER --precedence flash \
	--subject 'By the first broker')
ok 'what one desk posts comes abroad' \
	wait_until 20 shows mycert-night "$id" 'By the first broker'
ok 'and to the desk at the other broker' \
	wait_until 20 shows singcert-desk2 "$id" 'By the first broker'
ok 'who sees how far it has come' wait_until 20 \
	stands_at_least singcert-desk2 "$id" mycert@my 'delivered|opened'
ok 'the other nation answers' \
	at mycert-night ack "$id" --accept -m 'Understood.'
ok 'which both desks see' wait_until 20 on_both "$id" 'Understood.'
ok 'and where it stands, one' \
	wait_until 20 stands singcert-desk1 "$id" mycert@my accepted
ok 'and the other' \
	wait_until 20 stands singcert-desk2 "$id" mycert@my accepted

head -c 20000 /dev/urandom >"$fed/large"
head -c 40000 /dev/urandom | base64 -w 0 >"$fed/text"
id=$(post singcert-desk1 mycert@my --tlp AMBER --subject 'No border here' \
	--label personal-data --text "$fed/text" --attach "$fed/large")
ok 'what one broker refuses of those abroad it takes of its twin' \
	wait_until 20 shows singcert-desk2 "$id" 'No border here'
mkdir "$fed/out"
ok 'with what is attached' wait_until 20 \
	at singcert-desk2 save "$id" large -o "$fed/out"
is "$(cksum <"$fed/out/large")" "$(cksum <"$fed/large")" 'all of it'

id=$(post mycert-night singcert@sg --tlp AMBER --subject 'From abroad')
ok 'what comes from abroad is at both' wait_until 20 on_both "$id" 'From abroad'
ok 'the desk at the second answers' \
	at singcert-desk2 ack "$id" --accept -m 'Desk two has it.'
ok 'which its sender sees' \
	wait_until 20 stands mycert-night "$id" singcert@sg accepted
ok 'and the desk at the first' \
	wait_until 20 shows singcert-desk1 "$id" 'Desk two has it.'

fed_kill sg
id=$(post singcert-desk2 mycert@my --tlp GREEN --subject 'One broker is gone')
ok 'with one broker gone the other speaks for the nation' \
	wait_until 20 shows mycert-night "$id" 'One broker is gone'
ok 'it is answered' at mycert-night ack "$id" --accept -m 'Heard.'
ok 'and hears that' wait_until 20 shows singcert-desk2 "$id" 'Heard.'
fed_start sg
ok 'the one that comes back is told all of it' \
	wait_until 30 shows singcert-desk1 "$id" 'One broker is gone'
ok 'the answer as well' wait_until 20 shows singcert-desk1 "$id" 'Heard.'

wait_until 20 has "$fed/screen" 'Heard.'
is "$(json id <"$fed/screen" | sort | uniq -d)" '' \
	'two ways into a nation bring nothing twice'
reap TERM "$screen"
for broker in sg sgb; do
	reap TERM "$(fed_pid $broker)"
	ok "the store of $broker is whole" \
		tocsind verify --config "$(conf $broker)"
done
done_testing
