#!/bin/sh
# SPDX-License-Identifier: ISC
#
# greet.sh - tell who sends us something urgent that it has come, and when a
# person will see it
#
#	greet.sh 'A machine wrote this. The night desk is called.'
#
# (words without quotes or backslashes: they go into a line of JSON).
#
# Two programs and two pipes, in a shell, without any other tool:
#
#	tocsin watch --json --commit	an event a line; waits for our commit
#	tocsin do --json		a request a line, an answer a line
#
# An event is committed when what it asks for was done. What is said carries a
# key (`once`), so it is said once, wherever this script or one of the two is
# killed. It ends when one of them does; whoever started it starts it again
# (docs/BOTS.md).
set -eu
text=$1

# A member of the object on a line, the first of its name: a string as it stands
# there, with its escapes, or a number or word. Within a string no quote stands
# without a backslash, so what others wrote cannot look like one. Good for ids,
# numbers and words; for texts take a language that has JSON.
field() # NAME LINE
{
	printf '%s\n' "$2" | sed -n 's/"'"$1"'": *"\([^"]*\)".*/\
\1/
		s/"'"$1"'": *\([0-9a-z.-]*\)[,}].*/\
\1/
		s/.*\n//p'
}

pipes=$(mktemp -d)
mkfifo "$pipes/commits" "$pipes/events" "$pipes/requests" "$pipes/answers"
tocsin watch --json --commit --reader greet \
	<"$pipes/commits" >"$pipes/events" &
watch=$!
tocsin 'do' --json <"$pipes/requests" >"$pipes/answers" &
do=$!
trap 'kill $watch $do 2>/dev/null; rm -rf "$pipes"' EXIT
trap 'exit 1' HUP INT TERM
exec 3>"$pipes/commits" 4<"$pipes/events" \
	5>"$pipes/requests" 6<"$pipes/answers"
rm -rf "$pipes" # they are open

while IFS= read -r event <&4; do
	number=$(field number "$event")
	[ -n "$number" ] || continue # a heartbeat
	id=$(field id "$event")
	case "$(field kind "$event") $(field precedence "$event")" in
	'report flash' | 'report immediate' | 'request flash' | 'request immediate')
		printf '{"do":"note","id":"%s","once":"greet/%s","text":"%s"}\n' \
			"$id" "$id" "$text" >&5
		IFS= read -r answer <&6
		# What is refused is said, and not asked again: a person will see.
		[ "$(field ok "$answer")" = true ] ||
			echo "greet: $id: $(field reason "$answer")" >&2
		;;
	esac
	printf '{"commit":%s}\n' "$number" >&3
done
echo 'greet: watch has ended' >&2
exit 1
