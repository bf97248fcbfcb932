#!/bin/sh
# SPDX-License-Identifier: ISC
#
# What docs/BOTS.md tells an author to type does what it says: its blocks are run
# as they stand there, with two nations at work as after the tour of README.md;
# its requests are understood, its answers are the ones that come, its event has
# the members that events have, and its tables have every reason and every bot.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"
# shellcheck source=tests/lib/blocks.sh
. "$TOP/tests/lib/blocks.sh"

command -v python3 >/dev/null || skip_all 'no python3 on this machine'
page=$TOP/docs/BOTS.md
fed_two
mkdir "$fed/tour"
ln -s "$fed/homes/singcert-desk1" "$fed/tour/desk"
ln -s "$fed/homes/mycert-night" "$fed/tour/night"
cp "$roster" "$fed/tour/roster.1"

# ---- the blocks ----

{
	# As the tour leaves its shell.
	cat <<-END
		cd '$TOP'
		cd '$fed/tour'
		digits='$(fingerprint "$roster")'
	END
	blocks "$page" | sed "s/17402/$(fed_front my)/g"
} >"$fed/blocks"
ok 'the page has blocks' [ "$(grep -c . "$fed/blocks")" -gt 40 ]
run_blocks "$fed/blocks"
is $? 0 'each of its commands does what it is to do' ||
	tail -n 30 "$fed/told" | sed 's/^/# /' >&2
ok 'to its end' has "$fed/told" 'to the end'
ok 'an event came' has "$fed/told" '"subject":"Poison Ivy again"'
ok 'a command was run for it' has "$fed/told" 'flash report, attempt 1'
ok 'requests were answered' has "$fed/told" '{"tag":1,"ok":true,"do":"note"'
ok 'to the last' has "$fed/told" '{"tag":"the end","ok":true,"do":"sync","linked":true'
ok 'and what was said twice was said once' has "$fed/told" '"repeated":true'
ok 'a mail was sent by a rule' has "$fed/told" 'Subject: TLP:AMBER'
ok 'its words did not leave' eval '! has "$fed/tour/mails" "Poison Ivy"'
told=$(at singcert-desk1 inbox --json | head -n 1 | json id)
ok 'our desk has the note' wait_until 20 shows mycert-night "$told" 'is ours'
at singcert-desk1 show "$told" >"$fed/out" 2>&1
ok 'which was for it alone' eval '! has "$fed/out" "is ours"'

# ---- what it shows of JSON ----

blocks "$page" json >"$fed/json"
ok 'all that it shows is JSON' jq -e . "$fed/json"
jq -n 'reduce inputs as $i ({}; .[input_filename | sub(".*/"; "")] = $i)' \
	"$TOP"/docs/schema/*.json >"$fed/schemas"
schema_of() # LINE
{
	case $1 in
	'{"do":'*) echo request.json ;;
	'{"tag":'*) echo answer.json ;;
	'{"commit":'* | '{"aside":'*) echo commit.json ;;
	'{"heartbeat":'*) echo heartbeat.json ;;
	*) echo message.json ;;
	esac
}
wrong=$(while read -r line; do
	printf '%s\n' "$line" | jq -r -L "$TOP/tests/lib" \
		--slurpfile s "$fed/schemas" --arg f "$(schema_of "$line")" \
		'include "schema"; check($s[0]; $f)' 2>&1
done <"$fed/json")
is "$wrong" '' 'by the schemas of docs/schema'
is "$(while read -r line; do schema_of "$line"; done <"$fed/json" |
	sort -u | tr '\n' ' ')" \
	'answer.json commit.json heartbeat.json message.json request.json ' \
	'and of each kind there is one'
grep '^{"id"' "$fed/json" | jq -r 'keys_unsorted[]' >"$fed/shown"
grep '^{"id".*"number"' "$fed/told" | head -n 1 | jq -r 'keys_unsorted[]' >"$fed/came"
is "$(cat "$fed/shown")" "$(cat "$fed/came")" \
	'the event has the members that events have, in their order'
grep '^{"do"' "$fed/json" >"$fed/requests"
grep '"ok":' "$fed/json" >"$fed/answers"
ok 'there are requests and answers' \
	[ "$(grep -c . "$fed/requests") $(grep -c . "$fed/answers")" = '10 2' ]
at mycert-night 'do' --wait 1 <"$fed/requests" >"$fed/answered" 2>/dev/null
is "$(jq -r 'select(.reason == "usage" or .reason == "malformed") | .text' \
	"$fed/answered")" '' 'each request is understood'
is "$(grep -cxFf "$fed/answers" "$fed/answered")" 2 'and the answers are so'

# ---- what it lists ----

# The table of reasons, and what stands in "all others": nothing may be asked
# again that is not named.
blocks_table() # HEADING
{
	sed -n "/^| $1 |/,/^\$/s/^| \([^|]*\) |.*/\1/p" "$page" |
		tr ',' '\n' | tr -d ' '
}
unknown=
for reason in $(blocks_table reason); do
	case $reason in
	reason | --- | allothers) ;;
	*) tocsin why "$reason" >/dev/null 2>&1 || unknown="$unknown $reason" ;;
	esac
done
is "$unknown" '' 'each reason is one'
missing=
for bot in "$TOP"/docs/examples/bots/*; do
	name=${bot##*/}
	grep -q "^| \`$name\` |.*\`bot-${name%.*}.t\` |$" "$page" &&
		[ -x "$TOP/tests/system/bot-${name%.*}.t" ] &&
		[ -x "$bot" ] || missing="$missing $name"
done
is "$missing" '' 'each example is listed, with the test that runs it'
long=
for bot in "$TOP"/docs/examples/bots/*; do
	[ "$(grep -c '' "$bot")" -le 220 ] || long="$long ${bot##*/}"
done
is "$long" '' 'and short'
missing=
for anchor in $(sed -n 's/^- \[.*](#\(.*\))$/\1/p' "$page"); do
	sed -n 's/^## //p' "$page" | tr 'A-Z' 'a-z' | tr -d ',:' | tr ' ' - |
		grep -qx -e "$anchor" || missing="$missing $anchor"
done
is "$missing" '' 'every line of the contents leads to a chapter'
done_testing
