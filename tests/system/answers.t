#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Answers are lost at every hop, from desk to broker, from broker to broker and
# from broker to desk: what was asked is done, and is asked again under the same
# id. Between brokers published frames are lost too. Each ticket arrives once all
# the same, and so does each answer to it. N tickets.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"

tickets=${N:-12}
most=9 # of the answers of a connection, the one to lose

fed_begin
fed_authorities aa bb cc
for nation in sg my; do
	eval "front_$nation=\$(free_port)" # for peers
	fed_broker $nation
	spawn loser "$(fed_front $nation)" "$(fed_port $nation)" $most \
		"$fed/lost.peer.$nation"
	eval "front_$nation=\$(free_port)" # for homes
	spawn loser "$(fed_front $nation)" "$(fed_port $nation)" $most \
		"$fed/lost.home.$nation"
done
fed_member singcert@sg desk1
fed_member mycert@my night
fed_roster
fed_install sg my
fed_start sg my
publish() # HOME
{
	fed_trust "$1"
	wait_until 60 at "$1" keys publish || bail "$1 cannot announce"
}
publish singcert-desk1
publish mycert-night
meet()
{
	at singcert-desk1 keys show mycert@my && at mycert-night keys show singcert@sg
}
wait_until 60 meet || bail 'no keys'

cat >"$fed/answer" <<'EOF'
#!/bin/sh
[ "$TOCSIN_KIND" = report ] && echo '{"do":"ack","answer":"accepted"}'
exit 0
EOF
chmod +x "$fed/answer"
spawn_at mycert-night watch --reader bot --apply --exec "$fed/answer" \
	>"$fed/bot" 2>"$fed/bot.err"
spawn_at mycert-night watch --reader all --json >"$fed/there"
spawn_at singcert-desk1 watch --reader all --json >"$fed/back"

n=0
while [ $n -lt "$tickets" ]; do
	n=$((n + 1))
	post singcert-desk1 mycert@my --tlp GREEN --subject "No. $n" \
		2>/dev/null || bail 'a ticket is refused'
done | sort >"$fed/posted"
is "$(grep -c . "$fed/posted")" "$tickets" 'all are in the outbox or posted'

came() # FILE KIND
{
	grep '"kind": *"'"$2"'"' "$1" | json thread | sort >"$fed/came"
	sort -u "$fed/came" | cmp - "$fed/posted"
}
ok 'all arrive' wait_until 90 came "$fed/there" report
ok 'and all are answered' wait_until 90 came "$fed/back" ack
came "$fed/there" report
is "$(uniq -d "$fed/came")" '' 'each came once'
came "$fed/back" ack
is "$(uniq -d "$fed/came")" '' 'each was answered once'
for hop in home.sg peer.my peer.sg home.my; do
	lost=$(wc -c <"$fed/lost.$hop")
	ok "answers were lost, $hop: $lost" [ "$lost" -ge 3 ]
done
done_testing
