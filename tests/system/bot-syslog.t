#!/bin/sh
# SPDX-License-Identifier: ISC
#
# docs/examples/bots/syslog.py: each message is a line in the log, also when the bot
# is killed in the middle; what a stranger wrote stays within its line, and what
# is RED stays out of it. SEED repeats the choice of moments.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"
# shellcheck source=tests/lib/bots.sh
. "$TOP/tests/lib/bots.sh"

bots_begin bot-syslog
bots_tickets
spawn "$TOP/tests/lib/fake_log.py" "$fed/log" "$fed/logged"
wait_until 20 test -S log || bail 'no log'
handled 3 syslog --exec "$bots/syslog.py" "$fed/log"
is "$(grep -c . logged)" 3 'a line for each message'
is "$(grep -c '^bad' logged)" 0 'which is RFC 5424, whatever the subject is'
ok 'the label comes first' \
	grep -q '\] TLP:AMBER ....-....-.... report from singcert@sg/desk1: "a' logged
ok 'hostile characters are written out' \
	grep -qF '"a\n<0>1 forged \u001b[31m\"]\\ \u202e x"' logged
ok 'a message is found by its id' grep -qF " message=\"$amber\"" logged
ok 'a RED one says that it is there' grep -qF "TLP:RED" logged
is "$(grep -c "$secret" logged)" 0 'and no word of it, nor the text of any'
is "$(grep "$red" logged | grep -c singcert)" 0 'nor whose it is'
is "$(sed 's/>.*//; s/<//' logged | sort -n | tr '\n' ' ')" '129 130 133 ' \
	'the precedence is the priority'
at $us watch -n 1 --wait 20 --reader nolog --attempts 1 \
	--exec "$bots/syslog.py" "$fed/nolog" 2>err
ok 'without a log it is not handled' grep -q 'No such file' err

wrapped slowlog "$bots/syslog.py" "$fed/log"
: >logged
for n in 1 2 3 4 5 6 7 8 9 10 11 12; do
	killed again --attempts 1000 --exec "$fed/slowlog" ||
		bail 'it does not start'
done
post $them mycert@my --tlp GREEN --subject 'The last' >last
spawn_at $us watch --reader again --exec "$bots/syslog.py" "$fed/log"
ok "killed 12 times, it comes to the end (seed $seed)" \
	wait_until 20 has logged "message=\"$(cat last)\""
reap TERM "$pid"
missed=
for id in $red $amber $green; do
	has logged "message=\"$id\"" || missed="$missed $id"
done
is "$missed" '' 'and has logged each'
is "$(grep -c '^bad' logged)" 0 'in whole lines'


# ---- an exercise ----

fed_exercise singcert@sg play singcert-desk1 lantern
fed_exercise mycert@my toy mycert-night lantern --role bot
wait_until 20 knows singcert-play mycert@my || bail 'no keys of the exercise'
: >logged
game=$(post singcert-play mycert@my --tlp GREEN --subject 'A game')
ok 'a bot of an exercise is the same one in another home' \
	at mycert-toy watch -n 1 --wait 20 --reader syslog \
	--exec "$bots/syslog.py" "$fed/log"
ok 'and its lines say so' grep -q 'exercise="lantern".*EXERCISE lantern' logged
real=$(post $them mycert@my --tlp GREEN --subject 'No game')
: >logged
handled 2 syslog --exec "$bots/syslog.py" "$fed/log" # the last, and this one
ok 'the live one gets what is live' has logged "$real"
is "$(grep -c "$game" logged)" 0 'and nothing of the exercise'
done_testing "bot-syslog: seed $seed"
