# SPDX-License-Identifier: ISC
#
# bots.sh - Singapore, Malaysia, and a robot of Malaysia's
#
# For tests of docs/examples/bots; sourced behind federation.sh.
#
#	bots_begin NAME			a federation of two, $them and the robot, $us
#	wrapped slow COMMAND...		a program, ./slow, that may be killed: its
#					number is in ./pid
#	handled 3 READER --exec ...	the next three messages
#	killed READER --exec ./slow	it watches, and is killed at some moment

# shellcheck source=tests/lib/random.sh
. "$TOP/tests/lib/random.sh"

bots=$TOP/docs/examples/bots
secret=Shibboleth # what a RED ticket says
# A line of a log that ends the line before, colours, and turns round.
hostile=$(printf 'a\n<0>1 forged \033[31m"]\\ \342\200\256 x')

bots_begin() # NAME
{
	command -v python3 >/dev/null || skip_all 'no python3 on this machine'
	seed_begin "$1"
	fed_two
	fed_device mycert@my robot --role bot
	must at mycert-night keys publish \
		--card "$fed/devices/mycert-robot" >/dev/null
	cp "$fed/homes/mycert-night/keys/recipient.txt" \
		"$fed/homes/mycert-robot/keys/"
	fed_trust mycert-robot
	wait_until 20 knows mycert-robot singcert@sg ||
		bail 'the robot has no keys'
	them=singcert-desk1 us=mycert-robot
	cd "$fed" || exit 1
	printf '%s\n' "$secret" >text
}

# Three tickets of all sorts: $red, $amber and $green.
bots_tickets()
{
	red=$(post $them mycert@my --tlp RED --subject "$secret" --text text \
		--precedence flash)
	amber=$(post $them mycert@my --tlp AMBER --subject "$hostile" \
		--text text --precedence immediate)
	green=$(post $them mycert@my --tlp GREEN --subject 'Beacons' --text text)
}

wrapped() # NAME COMMAND ARGUMENT...
{
	wrapped_name=$1
	shift
	{
		echo '#!/bin/sh'
		echo "echo \$\$ >'$fed/pid.'\$\$; mv '$fed/pid.'\$\$ '$fed/pid'"
		printf 'exec'
		printf " '%s'" "$@"
		echo
	} >"$wrapped_name"
	chmod +x "$wrapped_name"
}

handled() # COUNT READER OPTION... --exec COMMAND...
{
	handled_n=$1 handled_by=$2
	shift 2
	at $us watch -n "$handled_n" --wait 20 --reader "$handled_by" "$@"
}

# All messages once more; with its command, or without it: then the next watch
# waits for that.
killed() # READER OPTION... --exec COMMAND...
{
	rm -f pid
	spawn_at $us watch --from-start --reader "$@" >>killed.out 2>>killed.err
	killed_watch=$pid
	wait_until 20 test -s pid || return 1
	draw 150
	sleep "0.$(printf %03d "$draw")"
	draw 2
	[ "$draw" = 0 ] || kill -KILL "$(cat pid)" 2>/dev/null
	reap KILL "$killed_watch"
}
