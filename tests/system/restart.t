#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Either broker ends at once, in the middle of posts: nothing that was
# acknowledged is lost, nothing comes twice, an upload goes on where it was.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"

fed_two
spawn_at mycert-night watch --reader screen --json >"$fed/screen"
screen=$pid
spawn storm "$fed/homes/singcert-desk1" mycert@my >"$fed/acked"
storm=$pid

more() # COUNT FILE: lines than it had
{
	more_than=$(($(grep -c . "$2") + $1))
	wait_until 30 eval "[ \$(grep -c . '$2') -ge $more_than ]"
}

ok 'posts are acknowledged' more 20 "$fed/acked"
ok 'and read' more 20 "$fed/screen"

fed_kill my
ok "without the reader's broker, posting goes on" more 20 "$fed/acked"
fed_start my
ok 'when it is back, what was posted meanwhile comes' more 50 "$fed/screen"

fed_kill sg
sleep 0.3
fed_start sg
ok "without the sender's broker posts wait, and go on then" \
	more 20 "$fed/acked"

fed_kill sg
fed_kill my
fed_start my sg
ok 'without both, the same' more 20 "$fed/acked"

# An orderly end, under load.
kill -TERM "$(fed_pid my)"
ended=$(now_ms)
wait "$(fed_pid my)"
is $? 0 'SIGTERM under load is an end without a fault'
ended=$(($(now_ms) - ended))
echo "# it took $ended ms"
ok 'within two seconds' [ $ended -lt 2500 ]
wait_until 5 port_free "$(fed_port my)"
fed_start my

# A reader that is killed goes on where it stood.
reap KILL "$screen"
spawn_at mycert-night watch --reader screen --json >"$fed/screen2"
ok 'a new reader in place of a killed one goes on' more 20 "$fed/screen2"

kill -TERM "$storm"
wait "$storm"
is $? 0 'in the end all is acknowledged'
all_read()
{
	cat "$fed/screen" "$fed/screen2" | json id | sort >"$fed/read.ids"
	sort "$fed/acked" | comm -23 - "$fed/read.ids" >"$fed/lost"
	[ ! -s "$fed/lost" ]
}
ok "all $(grep -c . "$fed/acked") are read" wait_until 60 all_read
# A reader that was killed between printing and committing prints that one
# again; this one may, the brokers may not.
ok 'none twice, but the one that the killed reader had in hand' \
	[ "$(uniq -d "$fed/read.ids" | grep -c .)" -le 1 ]
is "$(json id <"$fed/screen" | sort | uniq -d)" '' 'none twice before'
is "$(json id <"$fed/screen2" | sort | uniq -d)" '' 'none twice after'

for broker in sg my; do
	fed_stop $broker
	ok "tocsind check finds nothing wrong with $broker" \
		tocsind check --config "$(conf $broker)"
done
done_testing
