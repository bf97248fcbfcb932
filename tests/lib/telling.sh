# SPDX-License-Identifier: ISC
#
# telling.sh - a script that plays something and says what is so
#
# Sourced behind federation.sh by the demo and the tour. A step has a number, a
# title and, at its end, its time. Whatever is claimed is verified there and
# then; the first thing that isn't so ends the script with status 1.
#
#	step 3 'It arrives'
#	tell 'in Malaysia it is three in the morning'
#	verify 'it is the same file' cmp a b
#	eventually 20 'it is delivered' stands singcert-desk1 "$id" mycert@my delivered
#	step_done
#
# And the screens of desks, as who sits there sees them:
#
#	desk mycert-night '<+08>-8' 'mycert@my, the night desk in Kuala Lumpur'
#	types inbox --unacked		the command line, then what it printed
#	typed_in_vain ack ...		the same, and it must be refused
#	mistyped post ...		and is answered as a wrong call
#	sees 'who wrote it' 'singcert@sg/desk1'		fixed words on the screen

started=$(now_ms)

seconds() # SINCE
{
	set -- $(($(now_ms) - $1))
	printf '%d.%02d s' $(($1 / 1000)) $(($1 % 1000 / 10))
}

step() # NUMBER TITLE
{
	step=$1 step_start=$(now_ms)
	printf '\n%s. %s\n' "$1" "$2"
}

tell() # WORDS
{
	printf '   %s\n' "$*"
}

step_done()
{
	printf '   ok, step %s: %s\n' "$step" "$(seconds "$step_start")"
}

not_so() # CLAIM FILE
{
	printf '   NOT SO: %s\n' "$1"
	sed 's/^/   | /' "$2"
	bail "step $step failed"
}

# What the step claims. The first thing that isn't so ends it all.
verify() # CLAIM COMMAND...
{
	claim=$1
	shift
	"$@" >"$fed/verify.out" 2>&1 || not_so "$claim" "$fed/verify.out"
	tell "$claim"
}

eventually() # SECONDS CLAIM COMMAND...
{
	patience=$1 claim=$2
	shift 2
	wait_until "$patience" "$@" || {
		"$@"
		printf '   NOT SO in %s s: %s\n' "$patience" "$claim"
		bail "step $step failed"
	}
	tell "$claim ($(seconds "$step_start"))"
}

# ---- screens ----

# Whose turn it is; the zone is that of the clock on the wall.
desk() # HOME ZONE WHO
{
	desk=$1 desk_zone=$2
	printf '\n   -- %s\n' "$3"
}

# A word as one would type it.
quoted() # WORD
{
	case $1 in
	*[!A-Za-z0-9_./:@+,=-]* | '')
		printf "'%s'" "$(printf %s "$1" | sed "s/'/'\\\\''/g")"
		;;
	*) printf %s "$1" ;;
	esac
}

# The line, broken before the options that would go beyond it.
command_line() # WORD...
{
	line='$ tocsin' told=
	for word in "$@"; do
		word=$(quoted "$word")
		case $word in
		-*)
			if [ $((${#line} + ${#word})) -gt 46 ]; then
				told="$told$line \\
"
				line='     '
			fi
			;;
		esac
		line="$line $word"
	done
	printf '%s%s\n' "$told" "$line" | sed 's/^/   /'
}

# Its status is that of the command; $screen is what was printed.
screen_of() # ARGUMENT...
{
	screen=$fed/screen.$desk
	command_line "$@"
	TZ=$desk_zone at "$desk" "$@" >"$screen" 2>&1
	screen_status=$?
	sed 's/^/   | /' "$screen"
	return $screen_status
}

types() # ARGUMENT...
{
	screen_of "$@" || not_so 'the command does what it is to do' "$screen"
}

typed_in_vain() # ARGUMENT...
{
	screen_of "$@"
	[ $screen_status = 1 ] || not_so 'it is refused, with status 1' "$screen"
}

mistyped() # ARGUMENT...
{
	screen_of "$@"
	[ $screen_status = 2 ] || not_so 'it is a wrong call' "$screen"
}

# What stands on a screen that nobody has typed at.
looks_at() # FILE
{
	screen=$1
	sed 's/^/   | /' "$screen"
}

sees() # CLAIM WORDS...
{
	seen_claim=$1
	shift
	for words in "$@"; do
		has "$screen" "$words" ||
			not_so "$seen_claim: \"$words\"" "$screen"
	done
	tell "= $seen_claim"
}

sees_no() # CLAIM WORDS...
{
	seen_claim=$1
	shift
	for words in "$@"; do
		! has "$screen" "$words" ||
			not_so "$seen_claim: no \"$words\"" "$screen"
	done
	tell "= $seen_claim"
}

# A colleague types nothing before it has come.
waits() # SECONDS COMMAND...
{
	patience=$1
	shift
	wait_until "$patience" "$@" ||
		bail "step $step: not so in $patience s: $*"
}
