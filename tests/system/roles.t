#!/bin/sh
# What a program may say: that it has a ticket, not that anybody has read it. A
# team may let its bot do more; who pretends is refused by every reader.
set -u
. "${TOP:=$(pwd)}/tests/lib/federation.sh"
fed_two
fed_device mycert@my robot --role bot
fed_device mycert@my wall --role reader
must at mycert-night keys publish --card "$fed/devices/mycert-robot" \
	--card "$fed/devices/mycert-wall" >/dev/null
for home in mycert-robot mycert-wall; do
	cp "$fed/homes/mycert-night/keys/recipient.txt" "$fed/homes/$home/keys/"
	fed_trust $home
	must wait_until 20 knows $home singcert@sg
done
them=singcert-desk1

# Until the announcement that has this is at a desk.
announced() # HOME TEXT
{
	at "$1" keys show mycert@my | grep -q "$2"
}
must wait_until 20 announced $them robot

# ---- receipt ----

first=$(post $them mycert@my --subject first --tlp GREEN)
must wait_until 20 listed mycert-robot "$first"
ok 'a bot says that it has a ticket' at mycert-robot ack "$first" --received
got_it()
{
	at $them status "$first" | tr -s ' \n' ' ' >got &&
		grep -q 'received +[0-9a-z]* by robot, a program' got
}
cd "$fed" || exit 1
ok 'its sender reads that a program has it' wait_until 20 got_it || cat got >&2
ok 'and that it is delivered, not opened' stands $them "$first" mycert@my delivered
is "$(at $them inbox --json --state delivered | json id)" "$first" \
	'so it stands in lists'
ok 'a bot that shows it opens it for nobody' at mycert-robot show "$first"
is "$(at mycert-robot status "$first" --json | grep -o '"rung": *"opened"')" '' \
	'it is still not opened'
ok 'an officer does' at mycert-night show "$first"
ok 'which its sender reads' wait_until 20 stands $them "$first" mycert@my opened
must at mycert-robot ack "$first" --received >/dev/null
ok 'a bot that says it later undoes nothing' \
	sh -c "tocsin status '$first' --json --home '$fed/homes/mycert-night' | grep -q opened"

# ---- what it may not ----

refuses 'may not answer accepted.*keys publish --allow robot accept.*kind-not-allowed' \
	'a bot does not accept for its team, and hears who can let it' \
	at mycert-robot ack "$first" --accept
refuses 'may not close.*--allow robot close.*kind-not-allowed' \
	'nor close' at mycert-robot close "$first"
refuses 'kind-not-allowed' 'a reader sends nothing' \
	at mycert-wall ack "$first" --accept
ok 'a bot adds to a ticket' at mycert-robot note "$first" -m enriched

# One that believes itself an officer: its own program lets it, nobody else does.
pretend() # HOME ROLE
{
	sed -i "s/^\(device [^ ]*\) .*/\1 $2/" "$fed/homes/$1/config"
}
pretend mycert-robot officer
forged=$(at mycert-robot ack "$first" --accept --json | json id)
is_refused()
{
	at "$1" show "$forged" --no-receipt >refused.out 2>&1
	at "$1" why "$forged" >>refused.out 2>&1
	grep -q kind-not-allowed refused.out
}
ok "its accepted is refused by its sender's desk" wait_until 20 is_refused $them
ok 'and by its own team' wait_until 20 is_refused mycert-night
ok 'and moves nobody' stands $them "$first" mycert@my opened
refused=$(at mycert-robot close "$first" --json 2>/dev/null | json id)
turned_away()
{
	at mycert-robot why "$refused" | grep -q kind-not-allowed
}
ok 'its close does not pass the broker' wait_until 20 turned_away
pretend mycert-robot bot

# ---- what its team lets it ----

called_wrongly 'is not a bot' 'an officer needs no leave' \
	at mycert-night keys publish --allow night accept
called_wrongly 'nearest is accept' 'a word that is none has a nearest' \
	at mycert-night keys publish --allow robot acept
ok 'a team lets its bot accept and close' \
	at mycert-night keys publish --allow robot accept close
ok 'which everybody can see' wait_until 20 announced $them 'bot; may accept, close'
must wait_until 20 announced mycert-robot 'may accept'
second=$(post $them mycert@my --subject second --tlp GREEN)
must wait_until 20 listed mycert-robot "$second"
ok 'it accepts' at mycert-robot ack "$second" --accept
ok 'and its sender believes it' wait_until 20 stands $them "$second" mycert@my accepted
ok 'the one from before stays refused' is_refused $them
refuses 'may not share.*--allow robot share' 'what was not said is not let' \
	at mycert-robot share "$second" --to singcert@sg
ok 'leave is taken back' at mycert-night keys publish --forbid robot accept close
gone()
{
	! announced "$1" 'may accept'
}
must wait_until 20 gone mycert-robot
must wait_until 20 gone $them
refuses '--allow robot accept' 'then it may not any more' \
	at mycert-robot ack "$second" --accept
ok 'what it said before stands' stands $them "$second" mycert@my accepted
ok 'also on a desk that folds it anew' \
	wait_until 20 stands mycert-night "$second" mycert@my accepted

done_testing
