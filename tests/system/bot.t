#!/bin/sh
# SPDX-License-Identifier: ISC
#
# docs/examples/escalate-unanswered.sh: what nobody answers by its deadline is
# escalated once, by whichever bot, however often it is started or killed.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"

fed_begin
fed_authorities aa bb cc
fed_broker sg
fed_broker my
fed_member singcert@sg desk1
fed_member mycert@my night
fed_member lead@my desk1
fed_roster
fed_install sg my
fed_start sg my
fed_publish singcert-desk1 mycert-night lead-desk1
for bot in bot1 bot2; do
	fed_device singcert@sg $bot --role bot
	must at singcert-desk1 keys publish \
		--card "$fed/devices/singcert-$bot" >/dev/null
	cp "$fed/homes/singcert-desk1/keys/recipient.txt" \
		"$fed/homes/singcert-$bot/keys/"
	fed_trust singcert-$bot
	wait_until 30 knows singcert-$bot lead@my || bail 'no keys'
done
wait_until 30 knows singcert-desk1 mycert@my || bail 'no keys'
wait_until 30 knows mycert-night singcert@sg || bail 'no keys'
wait_until 30 knows singcert-desk1 lead@my || bail 'no keys'

bot() # NAME
{
	TOCSIN_HOME=$fed/homes/singcert-$1 \
		"$TOP/docs/examples/escalate-unanswered.sh" lead@my
}

late=$(post singcert-desk1 mycert@my --tlp AMBER --subject 'Nobody answers' \
	--ackby 4s)
taken=$(post singcert-desk1 mycert@my --tlp AMBER --subject 'Somebody does' \
	--ackby 4s)
later=$(post singcert-desk1 mycert@my --tlp AMBER --subject 'There is time' \
	--ackby 30m)
calm=$(post singcert-desk1 mycert@my --tlp AMBER --subject 'No deadline')
ok 'one of four tickets is answered' wait_until 20 \
	at mycert-night ack "$taken" --accept
ok 'the sender sees it' \
	wait_until 20 stands singcert-desk1 "$taken" mycert@my accepted

overdue()
{
	at singcert-desk1 inbox --unacked --overdue --json >"$fed/overdue" &&
		has "$fed/overdue" "$late"
}
ok 'another is overdue' wait_until 20 overdue
ok 'the answered one is not' eval '! has "$fed/overdue" "$taken"'
ok 'nor those that have time' \
	eval '! has "$fed/overdue" "$later" && ! has "$fed/overdue" "$calm"'

bot bot1 >"$fed/bot" 2>"$fed/bot.err"
is $? 0 'the bot runs'
is "$(grep -c . "$fed/bot")" 1 'and escalates one'
escalations()
{
	at lead-desk1 inbox --json >"$fed/lead"
	grep -c . "$fed/lead"
}
ok 'it arrives' wait_until 20 eval '[ "$(escalations)" -ge 1 ]'
ok 'with what was asked of the first' shows lead-desk1 "$late" \
	'Nobody answers'
bot bot1 >"$fed/bot"
is "$(cat "$fed/bot")" '' 'the bot that looks again does nothing'
ok 'another bot of the team sees the escalation' wait_until 20 \
	shows singcert-bot2 "$late" 'No answer by the deadline'
bot bot2 >"$fed/bot"
is "$(cat "$fed/bot")" '' 'and does nothing either'
is "$(escalations)" 1 'so it came once'
done_testing
