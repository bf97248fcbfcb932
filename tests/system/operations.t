#!/bin/sh
# SPDX-License-Identifier: ISC
#
# What OPERATIONS.md says at three in the morning is so: its blocks are run as
# they stand there, in their order; its tables name every event that a broker
# can log, and every reader of `status --json` finds the fields.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"
# shellcheck source=tests/lib/blocks.sh
. "$TOP/tests/lib/blocks.sh"

page=$TOP/docs/OPERATIONS.md
fed_two

# ---- the events ----

# The name is the first string after a log call's level, or both of a ?:.
perl -0777 -ne '
	while (/\b(?:log_event|log_limited|door_log_broker)\s*\(([^;]*);/g) {
		my $args = $1;
		$args =~ s/\bLOG_(?:[SZUIX]|ERR|ERRNO|END)\b.*//s;
		print "$1\n" while $args =~ /"([a-z][a-z-]*)"/g;
	}' "$TOP"/broker/*.c | sort -u >"$fed/logged"
sed -n '/^### Events/,/^## /s/^| \(`[^|]*\) |.*/\1/p' "$page" |
	tr ',' '\n' | tr -d '` ' | sort >"$fed/listed.events"
ok 'events are found in the sources' [ "$(grep -c . "$fed/logged")" -gt 50 ]
is "$(comm -23 "$fed/logged" "$fed/listed.events")" '' \
	'OPERATIONS.md has each event that a broker logs'
is "$(comm -13 "$fed/logged" "$fed/listed.events")" '' \
	'and no other, and none twice'

# ---- the fields ----

tocsind status --json --config "$(conf sg)" | jq -r '
	(keys[] | select(. != "peers" and . != "counters" and . != "door" and
		. != "exercise")),
	(.peers[0] | keys[] | "peers[]." + .),
	(.counters | keys[] | "counters." + .),
	(.exercise | keys[] | "exercise." + .),
	(.door | keys[] | "door." + .)' | sort >"$fed/fields"
fields_of() # the first column of the table of fields, with its prefix
{
	sed -n '/^| field /,/^$/s/^| \(`[^|]*\) |.*/\1/p' "$page" | awk '{
		n = split($0, name, /[`, ]+/)
		at = ""
		for (i = 1; i <= n; i++) {
			if (name[i] == "") continue
			if (match(name[i], /^(peers\[\]|counters|door|exercise)\./))
				at = substr(name[i], 1, RLENGTH)
			else
				name[i] = at name[i]
			print name[i]
		}
	}'
}
wanted=$(fields_of)
ok 'OPERATIONS.md has a table of fields' \
	[ "$(printf '%s\n' "$wanted" | grep -c .)" -gt 30 ]
unknown=
for field in $wanted; do
	case $field in
	*\*) grep -qF "${field%?}" "$fed/fields" ;;
	*) grep -qxF "$field" "$fed/fields" ;;
	esac || unknown="$unknown $field"
done
is "$unknown" '' 'status --json has each of them'

# ---- the alarms ----

alarms()
{
	jq -c "$1" "$fed/status" | "$TOP/docs/examples/alarms.sh" -
}
alarm() # WORDS CHANGE: one line, with the words, and a status that is not 0
{
	alarm_said=$(alarms "$2" && echo 'and a status of 0')
	is "$(printf '%s\n' "$alarm_said" | sed "s/.*$1.*/one alarm/")" \
		'one alarm' "an alarm: $1"
}
calm()
{
	"$TOP/docs/examples/alarms.sh" "$(conf sg)"
}
ok 'a federation in which all is well raises no alarm' wait_until 10 calm
tocsind status --json --config "$(conf sg)" >"$fed/status"
is "$(alarms .)" '' 'nor does what it says, on standard input'
alarm 'my is down' '.up_ms = 700000 | .peers[0].up = false
	| .peers[0].heard_ms = -1'
alarm 'my lacks' '.peers[0].oldest_s = 700'
alarm '2 entries are damaged' '.damaged = 2'
alarm 'more than 80 %' '.store_used = .store_limit'
alarm 'the roster expires' '.roster_expires = (now + 86400 | todate)'
alarm 'does not list' '.roster_listed = false'
alarm 'first roster' '{ready: false}'
ok 'no answer is an alarm' eval '! "$TOP/docs/examples/alarms.sh" /no/file'

# ---- the blocks ----

id=$(post singcert-desk1 mycert@my --tlp GREEN --subject 'before')
wait_until 20 shows mycert-night "$id" before || bail 'no ticket arrives'
fed_roster
cp "$roster" "$fed/roster-2"

mkdir "$fed/bin"
# As the page has them: the default configuration, and a service manager.
cat >"$fed/bin/tocsind" <<-END
	#!/bin/sh
	command=\$1
	shift
	case \$command in
	roster | peer)
		command="\$command \$1"
		shift
		;;
	esac
	case " \$* " in
	*" --store "*) ;;
	*) set -- --config "$(conf sg)" "\$@" ;;
	esac
	exec "$B/tocsind" \$command "\$@"
	END
cat >"$fed/bin/systemctl" <<-END
	#!/bin/sh
	echo "\$1" >"$fed/ask"
	cat "$fed/answer"
	END
chmod +x "$fed/bin/tocsind" "$fed/bin/systemctl"
mkfifo "$fed/ask" "$fed/answer"
blocks "$page" |
	sed "s,/var/backups/,$fed/backups/,g;s,/var/lib/tocsin,$fed/sg,g" \
		>"$fed/blocks"
ok 'it has blocks' [ "$(grep -c . "$fed/blocks")" -gt 15 ]
run_page()
{
	cd "$fed" || exit 1
	PATH=$fed/bin:$PATH run_blocks "$fed/blocks"
	echo $? >"$fed/status.blocks"
	echo over >"$fed/ask"
}
spawn run_page
# The processes are ours: a broker started below the script would end with it.
while read -r word <"$fed/ask"; do
	case $word in
	stop) fed_stop sg ;;
	start)
		wait_until 5 port_free "$(fed_port sg)"
		fed_start sg
		;;
	over) break ;;
	esac
	echo "$word" >"$fed/answer"
done
is "$(cat "$fed/status.blocks")" 0 'each block does what it is to do' ||
	tail -n 30 "$fed/told" | sed 's/^/# /' >&2
ok 'to the last' has "$fed/told" 'to the end'
ok 'the roster of section 5 is in force' wait_until 10 knows_roster sg 2
is "$(find "$fed/sg" -maxdepth 1 -name 'store.before-*' | grep -c .)" 1 \
	'the store that was there before the restore is kept'
last=$(post singcert-desk1 mycert@my --tlp GREEN --subject 'after it all')
ok 'and tickets go on' wait_until 30 shows mycert-night "$last" 'after it all'

# ---- no backup at all ----

fed_stop my
mv "$fed/my/store" "$fed/my/head" "$fed/homes/"
fed_install my
fed_start my
fed_publish mycert-night
fed_device mycert@my second
fed_trust mycert-second
must at mycert-night keys publish --card "$fed/devices/mycert-second" >/dev/null
second_has()
{
	at mycert-second inbox --json | grep -q "$last"
}
ok 'a broker that begins anew is sent what its peer posted' \
	wait_until 50 second_has
done_testing
