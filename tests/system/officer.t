#!/bin/sh
# SPDX-License-Identifier: ISC
#
# What docs/OFFICER.md tells a duty officer to type does what it says. Its grey
# boxes are run, one after another, at the night desk of Malaysia, with a ticket
# of Singapore's (7k2m in the guide) and the one that the guide raises (p3wd).
# Lines that ask something on a terminal, or need a drill (drill.t holds one), are
# compared with the help, and so is every command that stands in the prose.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"
# shellcheck source=tests/lib/blocks.sh
. "$TOP/tests/lib/blocks.sh"

guide=$TOP/docs/OFFICER.md
fed_begin
fed_authorities aa bb cc
for nation in sg my la vn; do
	fed_broker $nation
done
fed_member singcert@sg desk1
fed_member mycert@my night
fed_member lacert@la duty
fed_member vncert@vn desk
fed_roster
fed_install sg my la vn
fed_start sg my la vn
fed_publish singcert-desk1 mycert-night lacert-duty vncert-desk
for member in singcert@sg lacert@la vncert@vn; do
	wait_until 30 knows mycert-night $member ||
		bail "the keys of $member do not arrive"
done
wait_until 30 knows singcert-desk1 mycert@my || bail 'nor those of mycert@my'

mkdir "$fed/work" "$fed/work/saved"
cd "$fed/work" || exit 1
echo 'Sign in to keep your mails.' >mail.eml
cp mail.eml notes.txt
cp mail.eml report.txt
cp "$TOP/docs/examples/samples/misp-event.json" report.json
theirs=$(post singcert-desk1 mycert@my --tlp AMBER --precedence immediate \
	--subject 'Phishing page in your country' --attach mail.eml --ackby 1h)
wait_until 20 listed mycert-night "$theirs" || bail 'the ticket does not arrive'
TOCSIN_HOME=$fed/homes/mycert-night
export TOCSIN_HOME

# The boxes, a command on each line.
blocks "$guide" | joined >"$fed/typed"
ok 'the guide has commands' [ "$(grep -c '^tocsin ' "$fed/typed")" -gt 45 ]
is "$(grep -vc '^tocsin ' "$fed/typed")" 0 'and nothing else in its boxes'

# A command, and the options that it is given, are those of the help.
known_words() # LINE
{
	# shellcheck disable=SC2086
	set -f -- ${1#*tocsin }
	set +f
	known=$1
	tocsin help "$known" >"$fed/help" 2>&1 || return 1
	for word in "$@"; do
		word=${word%%[],.;:\`=]*}
		case $word in
		--[a-z]*) grep -q -e "$word[] =|]\|$word\$" "$fed/help" || return 1 ;;
		esac
	done
}

runs_on()
{
	# shellcheck disable=SC2086
	spawn tocsin $1 >"$fed/runs" 2>&1
	wait_until 20 has "$fed/runs" 'TLP:'
	runs_status=$?
	reap TERM "$pid"
	return $runs_status
}

ours=
play() # LINE: as it is typed, its ids replaced
{
	line=$(printf '%s\n' "$1" | sed "s|7k2m|$theirs|g;s|p3wd\\.tocsin|carried|g
		s|p3wd|$ours|g")
	bash -c "$line" >"$fed/out" 2>"$fed/err" </dev/null
	play_status=$?
	case $1 in
	'tocsin post '*) [ $play_status != 0 ] || ours=${ours:-$(cat "$fed/out")} ;;
	esac
	return $play_status
}

why() # what a failed one said
{
	cat "$fed/out" "$fed/err" 2>/dev/null | head -n 5 | sed 's/^/# /' >&2
}

while IFS= read -r typed; do
	case $typed in
	*'# asks' | *'# drill')
		ok "the help knows: $typed" known_words "${typed%%#*}"
		;;
	*'# runs on')
		typed=${typed%%#*}
		ok "tells what comes: $typed" runs_on "${typed#tocsin }"
		;;
	*'# refused')
		! play "${typed%%#*}" && grep -q '^tocsin: .*\[[a-z-]*\]$' "$fed/err"
		tap $? "is refused, with a code: $typed" || why
		;;
	*)
		play "$typed"
		tap $? "$typed" || why
		;;
	esac
done <"$fed/typed"

# What stands in the prose and on the page beside the screen.
grep -o '`tocsin [a-z][^`]*`' "$guide" | tr -d '`' >"$fed/prose"
sed -n 's/^    \(tocsin [a-z].*\)/\1/p' "$guide" |
	sed 's/   .*//;s/tocsin note | query.*/tocsin note ID -m TEXT/
		s/ ID | CODE/ ID/' >>"$fed/prose"
ok 'the prose has some' [ "$(grep -c . "$fed/prose")" -gt 20 ]
sed -i 's/^tocsin help .*/tocsin help/' "$fed/prose"
unknown=
while IFS= read -r typed; do
	known_words "$typed" || unknown="$unknown $typed;"
done <"$fed/prose"
is "$unknown" '' 'the help knows every command that the prose names'

# A link to a chapter leads there.
missing=
for anchor in $(sed -n 's/^- \[.*](#\(.*\))$/\1/p' "$guide"); do
	sed -n 's/^## //p' "$guide" | tr 'A-Z' 'a-z' | tr -d ',:' | tr ' ' - |
		grep -qx -e "$anchor" || missing="$missing $anchor"
done
is "$missing" '' 'every line of the contents leads to a chapter'

# Each state, rung and reason that an officer can meet is explained.
for list in reason answer; do
	for word in $(tocsin words $list | sed -n 's/^\([A-Za-z-]*\) .*/\1/p'); do
		ok "the guide has the $list $word" grep -q "$word" "$guide"
	done
done
done_testing
