#!/bin/sh
# SPDX-License-Identifier: ISC
#
# An exercise and what is live through what an operator does when something went
# wrong: a backup that is restored, and a store that is repaired while a peer has
# what it lost. Afterwards each is on its own side: what a new device of either
# gets is all of its own, and nothing else.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"

fed_two
name=Acid.2026
fed_exercise singcert@sg play singcert-desk1 $name
fed_exercise mycert@my play mycert-night $name
plays()
{
	at "$1" keys show "$2" | grep -q "EXERCISE $name"
}
must wait_until 20 plays singcert-play mycert@my
must wait_until 20 plays mycert-play singcert@sg
cd "$fed" || exit 1

: >live.ids
: >play.ids
four() # ROUND: a ticket each way, on each side
{
	post singcert-desk1 mycert@my --tlp GREEN --subject "live out $1" >>live.ids
	post mycert-night singcert@sg --tlp GREEN --subject "live in $1" >>live.ids
	post singcert-play mycert@my --tlp GREEN --subject "played out $1" >>play.ids
	post mycert-play singcert@sg --tlp GREEN --subject "played in $1" >>play.ids
}
here() # HOME IDS: it has those of the file, and no other
{
	at "$1" inbox --json 2>/dev/null | jq -r .id | sort >"has.$1"
	sort "$2" | cmp -s - "has.$1"
}
all_here()
{
	here singcert-desk1 live.ids && here mycert-night live.ids &&
		here singcert-play play.ids && here mycert-play play.ids
}
told() # receipts of both sides
{
	stands singcert-desk1 "$(head -n 1 live.ids)" mycert@my delivered &&
		stands singcert-play "$(head -n 1 play.ids)" mycert@my delivered
}
kept()
{
	tocsind status --json --config "$(conf my)" | jq .exercise.kept_bytes
}
new_device() # LABEL [OPTION...]: of mycert@my
{
	new=$1
	shift
	fed_device mycert@my "$new" "$@"
	fed_trust "mycert-$new"
	must at mycert-night keys publish --card "$devices/mycert-$new" \
		>/dev/null 2>"$said"
}
devices=$fed/devices said=$fed/said

four 1
ok 'each side has its own' wait_until 30 all_here
ok 'and its receipts' wait_until 30 told

# ---- a backup that is restored ----

ok 'a backup is made' tocsind backup --config "$(conf my)" "$fed/copy"
four 2
ok 'more goes on, on both sides' wait_until 30 all_here
kept=$(kept)
fed_stop my
ok 'it is restored' tocsind restore --config "$(conf my)" "$fed/copy"
fed_start my
# What was lost is asked of sg; desks have it and are asked for nothing.
four 3
ok 'it goes on, on both sides' wait_until 60 all_here
new_device late
new_device game --exercise $name
cp homes/mycert-play/keys/recipient.txt homes/mycert-game/keys/
ok 'a new live device gets all that is live' wait_until 60 here mycert-late live.ids
ok 'one of the exercise all of that' wait_until 60 here mycert-game play.ids
[ "$(kept)" -gt "$kept" ]
is $? 0 'and what is kept of the exercise is counted'

# ---- a store that is repaired ----

kept=$(kept)
fed_stop my
# A ticket of each side, in its record, and all rows of both mailboxes.
flip() # OFFSET PATTERN...: a bit of each byte that is so far from its end
{
	perl -e 'my $off = shift; my $path = shift;
		open F, "+<", $path or die; local $/; my $all = <F>; my $n = 0;
		for my $pattern (@ARGV) {
			my $re = eval "qr{$pattern}s" or die $@;
			while ($all =~ /$re/g) {
				my $at = pos($all) + $off;
				seek F, $at, 0;
				print F chr(ord(substr($all, $at, 1)) ^ 1);
				$n++;
			}
		}
		close F or die; exit($n == 0)' -- "$1" "$fed/my/store/log.mdb" "$2"
}
must flip -1 'from singcert.sg/desk1 1 -\ntime'
must flip -1 'from singcert.sg/play 1 -\ntime'
must flip -1 'mycert.my\x00\x00{7}.'
must flip -1 "mycert.my/$name\\x00\\x00{7}."
must flip -1 'exercise/[0-9]+'
tocsind verify --config "$(conf my)" >harm.out
is $? 1 'rows and tickets of both sides are damaged'
tocsind verify --repair --config "$(conf my)" >repair.out
is "$?, $(grep -c '^problem: entry .* is damaged' repair.out)" '1, 2' \
	'all is repaired but the two tickets'
fed_start my
mended()
{
	at_least 2 event=entry-mended my/log
}
ok 'what no repair can make is had from the peer' wait_until 60 mended
new_device later
new_device games --exercise $name
cp homes/mycert-play/keys/recipient.txt homes/mycert-games/keys/
ok 'a new live device gets all that is live' wait_until 60 here mycert-later live.ids
ok 'one of the exercise all of that' wait_until 60 here mycert-games play.ids
is "$(kept)" "$kept" 'what is kept of the exercise is as it was'
four 4
ok 'it goes on, on both sides' wait_until 60 all_here
fed_stop my
ok 'and the store is clean' tocsind verify --config "$(conf my)"
done_testing
