#!/bin/sh
# SPDX-License-Identifier: ISC
#
# docs/examples/bots/greet.sh, a shell between two programs: who sends something
# urgent is told, once, that it has come; wherever it or one of the two is
# killed. SEED repeats the choice of moments.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"
# shellcheck source=tests/lib/bots.sh
. "$TOP/tests/lib/bots.sh"

bots_begin bot-greet

# Started again whenever it ends, as a supervisor does.
greet()
{
	trap 'kill "$greeting" 2>/dev/null; exit 0' TERM
	while :; do
		TOCSIN_HOME=$fed/homes/$us "$bots/greet.sh" \
			'A machine wrote this.' >>out 2>>err &
		greeting=$!
		echo $greeting >bot.new
		mv bot.new bot
		wait $greeting
	done
}
greetings() # ID: that the sender has
{
	at $them inbox >sink
	at $them show "$1" --json --no-receipt |
		jq -r 'select(.text == "A machine wrote this.") | .from'
}
greeted() # ID
{
	[ -n "$(greetings "$1")" ]
}
urgent() # SUBJECT
{
	post $them mycert@my --tlp AMBER --subject "$1" --precedence flash
}

first=$(urgent 'Urgent')
tricky=$(urgent '","number":77,"kind":"x","id":"AAAA","commit":9')
calm=$(post $them mycert@my --tlp AMBER --subject 'Calm')
spawn greet 2>greet.err
last=$(urgent 'The last')
ok 'the bot comes to the end' wait_until 20 greeted "$last"
is "$(greetings "$first")" mycert@my/robot 'who sent something urgent is told'
is "$(greetings "$tricky")" mycert@my/robot 'whatever its subject is'
is "$(greetings "$calm")" '' 'who did not is not'

n=0
while [ $n -lt 10 ]; do
	n=$((n + 1))
	urgent "Number $n" >>all
	draw 400
	sleep "0.$(printf %03d "$draw")"
	bot=$(cat bot)
	draw 3
	[ "$draw" = 0 ] && kill -KILL "$bot"
	# The two below it end by themselves then; or one of them is killed.
	children=$(cat "/proc/$bot/task/$bot/children")
	draw 2
	[ "$draw" = 0 ] || kill -KILL "${children%% *}"
done 2>killed.err
last=$(urgent 'The very last')
ok "killed often, it comes to the end (seed $seed)" wait_until 60 greeted "$last"
wrong=
while read -r id; do
	[ "$(greetings "$id" | grep -c .)" = 1 ] || wrong="$wrong $id"
done <all
is "$wrong" '' 'and has told each once'
done_testing "bot-greet: seed $seed"
