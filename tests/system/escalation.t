#!/bin/sh
# SPDX-License-Identifier: ISC
#
# tocsin bot with the rules of docs/examples, in seconds instead of hours, among
# three nations: who does not answer is reminded, then the next one of the chain
# is asked, over the border; an answer ends that, silence after it begins anew.
# The bot is killed, started again, and replaced by one on another machine.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"

fed_begin
fed_authorities aa bb cc
for nation in my sg id; do
	fed_broker $nation
done
fed_member mycert@my night
fed_member singcert@sg desk1
fed_member csa@sg desk1
fed_member lead@id desk1
fed_roster
fed_install my sg id
fed_start my sg id
fed_publish mycert-night singcert-desk1 csa-desk1 lead-desk1
for bot in bot1 bot2; do
	fed_device mycert@my $bot --role bot
	must at mycert-night keys publish \
		--card "$fed/devices/mycert-$bot" >/dev/null
	cp "$fed/homes/mycert-night/keys/recipient.txt" \
		"$fed/homes/mycert-$bot/keys/"
	fed_trust mycert-$bot
	for member in singcert@sg csa@sg lead@id; do
		wait_until 30 knows mycert-$bot $member || bail 'no keys'
	done
done
for member in singcert@sg csa@sg lead@id; do
	wait_until 30 knows mycert-night $member || bail 'no keys'
done
for home in singcert-desk1 csa-desk1 lead-desk1; do
	wait_until 30 knows $home mycert@my || bail 'no keys'
done

# ---- the rules, faster ----

cp "$TOP/docs/examples/duty.txt" "$fed/"
sed "s|/usr/local/lib/tocsin/page|$fed/page|
	s/15m:/2s: /; s/30m:/4s: /; s/after 2h: /after 12s:/
	s/after 24h: remind/after 3s: remind/
	s/after 3d:  escalate/after 6s: escalate/
	s/after 10m:/after 1s:/; s/after 1h:  notify/after 3s: notify/
	s/every 1h/every 5m/" \
	"$TOP/docs/examples/escalation.rules" >"$fed/escalation.rules"
cat >"$fed/page" <<EOF
#!/bin/sh
cat >>'$fed/page.in'
env >'$fed/page.env'
pwd >'$fed/page.pwd'
printf 'paged\033[31m\n'
echo "\$TOCSIN_ACTION \$TOCSIN_ATTEMPT \$*" >>'$fed/paged'
EOF
chmod +x "$fed/page"
: >"$fed/paged"
rules=$fed/escalation.rules
ok 'the example is good' at mycert-bot1 bot --check "$rules" ||
	bail "the example is not good"
ok 'as it is in docs, too' \
	at mycert-bot1 bot --check "$TOP/docs/examples/escalation.rules"
printf '[rule x]\nwhen mine and severty is x\n' >"$fed/wrong.rules"
at mycert-bot1 bot --check "$fed/wrong.rules" >"$fed/out" 2>"$fed/err"
is $? 2 'a wrong one is refused'
ok 'with the place' has "$fed/err" wrong.rules:2:
at mycert-bot1 bot "$fed/wrong.rules" >"$fed/out" 2>"$fed/err"
is $? 2 'and nothing is done by it'

bot() # DEVICE
{
	spawn_at "mycert-$1" bot "$rules" >>"$fed/$1.out" 2>>"$fed/$1.err"
	eval "$1=$pid"
}

ask() # SUBJECT [OPTION...]
{
	ask_subject=$1
	shift
	post mycert-night singcert@sg --tlp AMBER --subject "$ask_subject" \
		--precedence immediate "$@"
}

# What the rules did in a ticket, as the team sees it: a line for each.
did() # ID
{
	at mycert-night inbox >/dev/null
	at mycert-night show "$1" --json |
		sed -n 's/.*"action": *{\([^}]*\)}.*/\1/p' |
		sed -n 's/.*"id": *"\([^"]*\)".*/\1/p'
}

doing() # ID WORDS: a line of it has them
{
	did "$1" >"$fed/did" && grep -q -- "$2" "$fed/did"
}

lists() # HOME SUBJECT
{
	at "$1" inbox >"$fed/lists" && has "$fed/lists" "$2"
}

# ---- nobody answers ----

taken=$(ask 'Somebody does')
ok 'an answer that comes in time' wait_until 30 \
	at singcert-desk1 ack "$taken" --accept
ok 'is here before it is time' wait_until 30 \
	stands mycert-bot1 "$taken" singcert@sg accepted
late=$(ask 'Nobody answers')
bot bot1
ok 'who does not answer is reminded' \
	wait_until 30 doing "$late" 'no-answer/.*remind'
ok 'somebody is called' wait_until 30 has "$fed/paged" no-answer/
ok 'the next one of the chain is asked' \
	wait_until 30 lists csa-desk1 'Nobody answers'
ok 'and then one of another nation' \
	wait_until 30 lists lead-desk1 'Nobody answers'
ok 'who reads what it is about' shows lead-desk1 "$late" 'Nobody answers'
at mycert-night show "$late" >"$fed/show"
ok 'a person sees that a rule did it' has "$fed/show" 'by rule   no-answer'
at mycert-bot1 bot "$rules" --explain "$taken" --json |
	grep '"rule":"no-answer"' | grep '"for":"singcert@sg"' >"$fed/explain"
is "$(grep -c '"state":"done"' "$fed/explain")" 0 \
	'the answered one is not escalated'
ok 'the bot says why' has "$fed/explain" '"state":"cancelled"'
at mycert-bot1 bot "$rules" --explain "$late" >"$fed/explain"
ok 'and of the other who did it' \
	has "$fed/explain" 'done by mycert@my/bot1 at'
ok 'what the program wrote is kept, escaped' \
	has "$fed/explain" 'paged<U+001B>[31m'
at mycert-bot1 bot "$rules" --explain "$late" --json >"$fed/explain"
ok 'for programs, too' has "$fed/explain" '"state":"done"'
is "$(sed -n 's/^\(TOCSIN_[A-Z]*\)=.*/\1/p' "$fed/page.env" | sort |
	tr '\n' ' ')" \
	'TOCSIN_ACTION TOCSIN_ATTEMPT TOCSIN_HOME TOCSIN_RULE TOCSIN_THREAD ' \
	'the program has a small environment'
is "$(cat "$fed/page.pwd")" / 'and stands in no folder of ours'
ok 'it has the ticket on standard input' has "$fed/page.in" 'Nobody answers'
ok 'and who is on duty in its arguments' grep -q -- '--to ' "$fed/paged"

# ---- silent after an answer ----

ok 'who has accepted and is silent is reminded' \
	wait_until 30 doing "$taken" 'silent/.*remind'
before=$(did "$taken" | grep -c 'silent/.*remind')
ok 'a word of theirs' at singcert-desk1 note "$taken" -m 'We look at it.'
more_reminders()
{
	[ "$(did "$taken" | grep -c 'silent/.*remind')" -gt "$before" ]
}
ok 'silence after that arms it again' wait_until 30 more_reminders
ok 'and the next one is asked' \
	wait_until 30 doing "$taken" 'silent/.*escalate'

# ---- killed, and started again ----

second=$(ask 'Killed in between')
ok 'the first step of another one' \
	wait_until 30 doing "$second" 'no-answer/.*remind'
# shellcheck disable=SC2154
reap KILL "$bot1"
bot bot1
ok 'killed and started again, the bot goes on' \
	wait_until 30 lists lead-desk1 'Killed in between'
is "$(did "$second" | sort | uniq -d)" '' 'and does nothing twice'
refuses 'another .*\[busy\]' 'one by those rules is enough in a home' \
	at mycert-bot1 bot "$rules" --once

# ---- another machine ----

third=$(ask 'Moved in between')
ok 'the first step of a third' \
	wait_until 30 doing "$third" 'no-answer/.*remind'
reap KILL "$bot1"
ok 'a bot on another machine knows what was done' \
	wait_until 30 shows mycert-bot2 "$third" 'by rule'
bot bot2
ok 'and goes on where the other one was' \
	wait_until 60 lists lead-desk1 'Moved in between'
is "$(did "$third" | sort | uniq -d)" '' 'doing nothing twice'
at mycert-night show "$third" --json >"$fed/show"
ok 'the first step was of the one' \
	grep -q '"from": *"mycert@my/bot1"' "$fed/show"
ok 'the next of the other' grep -q '"from": *"mycert@my/bot2"' "$fed/show"

# ---- both ----

bot bot1
both=$(ask 'Two bots')
ok 'two bots at once' wait_until 60 lists lead-desk1 'Two bots'
is "$(did "$both" | sort | uniq -d)" '' 'do each thing once'
at mycert-night status "$both" --json >"$fed/status"
ok 'two escalations of the chain are counted' \
	grep -q '"escalated": *2' "$fed/status"
at mycert-night show "$both" --json >"$fed/show"
ok 'they said before whose turn it was' has "$fed/show" '"claim"'
reap TERM "$bot1"
ok 'it ends when it is told to' has "$fed/bot1.err" 'ends: '

ok 'the first was raised, too' wait_until 30 doing "$late" no-answer/.*raise
at lead-desk1 inbox --json >"$fed/inbox"

# ---- what may not be done ----

cat >"$fed/far.rules" <<EOF
[hook never]
run $fed/nowhere
time-out 2s
[rule far]
when mine and subject has "Nobody to ask"
for each recipient
after 1s: escalate to nobody@my and notify never
after 2s: remind
until answered
EOF
ok 'rules of what fails are good rules' \
	at mycert-bot1 bot --check "$fed/far.rules"
none=$(ask 'Nobody to ask')
spawn_at mycert-bot1 bot "$fed/far.rules" 2>"$fed/far.err"
ok 'an action that fails is said, with the reason' \
	wait_until 30 has "$fed/far.err" not-enrolled
ok 'so is a program that is not there' \
	wait_until 30 has "$fed/far.err" 'was not started'
ok 'neither keeps the next one waiting' \
	wait_until 30 doing "$none" 'far/.*remind'
reap TERM "$pid"

# ---- rehearsed ----

cat >"$fed/tried.rules" <<EOF
[rule tried]
when mine
for each recipient
after 1s: remind
until answered
EOF
at mycert-bot2 bot "$fed/tried.rules" --dry-run --since 1h --json \
	>"$fed/dry" 2>"$fed/err"
is $? 0 'the history can be lived through once more' || cat "$fed/err" >&2
ok 'and nothing is done by it' has "$fed/err" 'nothing was done'
ok 'it says what it would have done' has "$fed/dry" '"do":"remind"'

called_wrongly 'one of them' 'check and once are two things' \
	at mycert-bot2 bot "$rules" --check --once
done_testing "escalation: $(grep -c . "$fed/paged") calls"
