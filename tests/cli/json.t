#!/bin/sh
# What --json prints has the members that tocsin(1) lists, in one line each.
# Here without a network; tests/system has the rest.
set -u
. "${TOP:=$(pwd)}/tests/lib/federation.sh"
fed_begin
cd "$fed" || exit 1
page=$TOP/docs/tocsin.1

if ! command -v jq >/dev/null; then
	skip_all 'no jq on this machine'
fi

# The members that the manual gives an item, those inside of arrays left out.
listed() # ITEM
{
	awk -v want="$1" '
		/^\.Sh/ { on = $2 == "JSON" }
		/^\.It Cm/ { sub(/^\.It Cm /, ""); within = is = 0
			n = split($0, items, / *, */)
			for (i = 1; i <= n; i++)
				is = is || items[i] == want
			next }
		/^\((array of|array of objects of)$/ { within = 1 }
		on && is && /^\.Va/ && !within { print $2 }
		/^\.Va.*\)/ { within = 0 }' "$page" | sort
}

# Each line of the command is one object with those members and no other.
has_members() # ITEM COMMAND...
{
	item=$1
	shift
	"$@" >out 2>err </dev/null
	is "$(jq -r 'keys_unsorted[]' <out | sort -u)" "$(listed "$item")" \
		"$* has what the manual lists"
	is "$(jq -s length <out)" "$(wc -l <out)" 'one object a line'
	is "$(jq -c 'keys' <out | sort -u | wc -l)" 1 'all of one kind'
}

port_sg=1
fed_authorities aa bb cc
fed_member singcert@sg desk1
fed_roster
TOCSIN_HOME=$fed/homes/singcert-desk1
export TOCSIN_HOME

has_members 'authority new' tocsin authority new dd.key --name dd \
	--no-passphrase --json
has_members init tocsin init --federation "$federation" --member mycert@my \
	--device night --broker tcp://127.0.0.1:1 --no-passphrase --json \
	--home other
has_members 'roster verify' tocsin roster verify "$roster" --json
has_members 'roster show' tocsin roster show "$roster" --json
has_members trust tocsin trust "$roster" --json \
	--fingerprint "$(fingerprint "$roster")"

# keys publish has one member more, which the manual adds in words.
tocsin keys publish --json --wait 0 >out 2>err
is "$(jq -r 'del(.sent) | keys_unsorted[]' <out | sort)" \
	"$(listed keys | grep -vx sent)" 'keys publish has what the manual lists'
is "$(jq .sent <out)" false 'and whether it is sent'
is "$(tocsin keys show --offline --json | jq -r 'keys_unsorted[]' | sort)" \
	"$(listed keys | grep -vx sent)" 'keys show has it too'

hostile=$(printf 'a\033]0;x\007\342\200\256b"\\ \303\251')
head -c 1000 /dev/urandom >"$fed/a b.bin"
has_members post tocsin post --json --wait 0 --to singcert@sg --tlp AMBER \
	--subject "$hostile" \
	--attach "$fed/a b.bin" --severity II --class malicious-code:c2-server \
	--precedence flash --ackby 1s --label personal-data
id=$(jq -r .id <out)
is "$(jq -r '.short_id | test("^[0-9a-z]{4}-[0-9a-z]{4}-[0-9a-z]{4}$")' <out)" \
	true 'a short id has its shape'
has_members note tocsin note "$id" -m more --json --wait 0
has_members ack tocsin ack "$id" --accept --json --wait 0
cp "$TOP/docs/examples/clocks.conf" "$TOCSIN_HOME"
tocsin due "$id" --start nis2 --at 2h --wait 0 >/dev/null
has_members due tocsin due "$id" --json --wait 0
is "$(jq -r .clock <out | tr '\n' ' ')" \
	'duty/first-look duty/head-informed nis2/early-warning nis2/notification nis2/final-report ' \
	'all clocks that run, in order'
is "$(cat err)" '' 'the table of the examples is one'
is "$(jq -s '.[2].left / 3600 + .5 | floor' <out)" 22 '24 h, less the two that are over'
tocsin due "$id" --done nis2/early-warning --wait 0 >/dev/null
is "$(tocsin due "$id" --json --wait 0 | jq -r .clock | grep -c early)" 0 \
	'what is done is not due'
is "$(tocsin due "$id" --all --wait 0 --json | jq -c 'select(.done) | .late')" \
	false 'but is kept'
is "$(tocsin inbox --offline --json | jq -r .next.clock)" duty/first-look \
	'inbox has the next one'
ok 'show has them all' sh -c 'tocsin show "$1" | grep -q "^ *nis2/final-report (final report)"' - "$id"
echo 'within = 1h' >>"$TOCSIN_HOME/clocks.conf"
echo '[a/b]' >>"$TOCSIN_HOME/clocks.conf"
echo 'within = never' >>"$TOCSIN_HOME/clocks.conf"
tocsin due --wait 0 >/dev/null 2>err
ok 'a mistake in the table is told, with its line' grep -q \
	'clocks.conf, line [0-9]*: within: never' err
rm "$TOCSIN_HOME/clocks.conf"
has_members recall tocsin recall "$id" --attachment 'a b.bin' --json --wait 0
has_members close tocsin close "$id" --resolution resolved --json --wait 0
has_members reopen tocsin reopen "$id" -m again --json --wait 0
has_members show tocsin show "$id" --json
has_members inbox tocsin inbox --offline --json
mkdir saved
has_members save tocsin save "$id" 'a b.bin' -o saved --json --wait 0
ok 'and what was attached is saved' cmp 'a b.bin' 'saved/a b.bin'
has_members board tocsin board --offline --json
has_members why tocsin why quota --json
has_members why tocsin why "$id" --json
is "$(jq -r '[.state, .reason] | join(" ")' <out)" 'queued unavailable' \
	'a ticket waits, and it is told why'

# ---- values ----

tocsin show "$id" --json >out
is "$(head -n 1 out | jq -r .subject)" "$hostile" \
	'a program reads the subject that was written'
is "$(tr -d '[:print:]\n\303\251' <out | wc -c)" 0 \
	'and no control character is in the line'
ok 'what a terminal must not see is escaped' \
	grep -qiF '\u001b]0;x\u0007\u202eb' out
is "$(head -n 1 out | jq -r '.tlp, .precedence, .exercise, .kind, .own')" \
	"$(printf 'AMBER\nflash\nnull\nreport\ntrue')" 'words are as they were'
is "$(head -n 1 out | jq -r '.attachments | map(.name) | join(",")')" \
	'a b.bin' 'attachments have their names'
is "$(head -n 1 out | jq -r '.time | test("^20..-..-..T..:..:..Z$")')" true \
	'a time is a time'
is "$(jq -r '.answer // empty' <out)" accepted 'an answer is a word'
is "$(tocsin inbox --offline --json | jq -r '.state, .mine, .escalated')" \
	"$(printf 'queued\ntrue\n0')" 'the inbox says that it is queued'

has_members relabel tocsin relabel "$id" --tlp GREEN --json --wait 0
is "$(tocsin show "$id" --json | head -n 1 | jq -r '.tlp, .allowed')" \
	"$(printf 'GREEN\nGREEN')" 'a label is as its author last said'
is "$(tocsin inbox --offline --json | jq -r .tlp)" GREEN 'in the inbox, too'

done_testing
