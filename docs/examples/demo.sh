#!/bin/sh
# SPDX-License-Identifier: ISC
#
# demo.sh - a ticket crosses a border, and everything that can go wrong does
#
# `make demo` runs it. Two nations, later three, on this machine's loopback, in
# a scratch folder that is gone afterwards. KEEP=1 leaves all of it running and
# says how to talk to it. Each step ends with what was verified and its time;
# the status is 0 only if every step was.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"
# shellcheck source=tests/lib/telling.sh
. "$TOP/tests/lib/telling.sh"

if [ -n "${KEEP:-}" ]; then
	fed_begin "${DEMO:-/tmp/tocsin-demo.$$}"
else
	fed_begin
fi
examples=$TOP/docs/examples
sample=$examples/samples/stix-poisonivy.json
burst=${BURST:-200}

echo "tocsin: a demonstration in $fed"

# ---------------------------------------------------------------------------
step 1 'A federation of two nations: keys, a signed roster, two brokers'

fed_authorities aa bb cc
fed_broker sg
fed_broker my
fed_member singcert@sg desk1
fed_member mycert@my night
fed_roster
tell "roster 1 of $federation, signed by aa and bb of aa, bb, cc:"
tocsin roster verify "$roster" | sed 's/^/   | /'
fed_install sg my
fed_start sg my
fed_publish singcert-desk1 mycert-night
eventually 20 'Singapore has the keys of mycert@my, which came by relay' \
	knows singcert-desk1 mycert@my
eventually 20 'and Malaysia those of singcert@sg' \
	knows mycert-night singcert@sg
step_done

# ---------------------------------------------------------------------------
step 2 'A STIX report of Poison Ivy, TLP:AMBER, flash, with 8 MiB attached'

head -c 8388608 /dev/urandom >"$fed/memory.img"
spawn_at mycert-night watch --reader screen --json >"$fed/screen"
watch_screen=$pid
at singcert-desk1 import "$sample" --to mycert@my --tlp AMBER \
	--precedence flash --subject 'Poison Ivy beacons from your ministry' \
	--attach "$fed/memory.img" \
	--severity II --class malicious-code:c2-server --ackby 30m \
	--json >"$fed/posted" || bail 'the post failed'
posted=$(now_ms)
id=$(json id <"$fed/posted")
short=$(json short_id <"$fed/posted")
verify "posted as $short" [ "${#id}" = 44 ]
step_done

# ---------------------------------------------------------------------------
step 3 'It arrives at mycert@my/night, is opened, verified and answered'

eventually 20 'it is on the screen that was waiting for it' \
	has "$fed/screen" "$id"
tell "$(seconds "$posted") after the post command had ended"
at mycert-night show "$short" >"$fed/shown" || bail 'show failed'
sed -n '1,12s/^/   | /p' "$fed/shown"
verify 'the subject is what was written in Singapore' \
	has "$fed/shown" 'Poison Ivy beacons from your ministry'
verify 'it is marked TLP:AMBER' has "$fed/shown" 'TLP:AMBER'
mkdir "$fed/saved"
eventually 60 'the attachment is fetched' \
	at mycert-night save "$short" memory.img -o "$fed/saved"
verify 'and is the same, byte by byte' \
	cmp "$fed/memory.img" "$fed/saved/memory.img"
eventually 60 'the STIX report too' \
	at mycert-night save "$short" stix-poisonivy.json -o "$fed/saved"
verify 'as it came from OASIS' cmp "$sample" "$fed/saved/stix-poisonivy.json"
verify 'the night desk accepts it' \
	at mycert-night ack "$short" --accept -m 'Isolating the hosts.'
eventually 20 'and Singapore sees that it did' \
	stands singcert-desk1 "$id" mycert@my accepted
at singcert-desk1 status "$short" | sed 's/^/   | /'
reap TERM "$watch_screen"
step_done

# ---------------------------------------------------------------------------
step 4 "Broker my is killed while $burst tickets are on their way"

post_burst()
{
	i=0
	while [ $i -lt "$burst" ]; do
		i=$((i + 1))
		at singcert-desk1 post --to mycert@my --tlp GREEN \
			--subject "Burst $i" --json --wait 5 || return 1
	done
}

spawn_at mycert-night watch --reader counter --json >"$fed/counted"
watch_counter=$pid
spawn post_burst >"$fed/bursts"
poster=$pid
eventually 60 'a third has arrived' at_least $((burst / 3)) '"Burst ' "$fed/counted"
fed_kill my
tell "broker my is killed: SIGKILL ($(seconds "$step_start"))"
eventually 60 'two thirds have been posted' at_least $((burst * 2 / 3)) '"id"' "$fed/bursts"
verify 'not all has arrived' \
	[ "$(count '"Burst ' "$fed/counted")" -lt $((burst * 2 / 3)) ]
restarted=$(now_ms)
fed_start my
tell "broker my is up again after $(seconds "$restarted")"
wait "$poster" || bail 'a post failed'
verify "all $burst have been posted" at_least "$burst" '"id"' "$fed/bursts"
eventually 60 "all $burst have arrived" at_least "$burst" '"Burst ' "$fed/counted"
json id <"$fed/bursts" | sort >"$fed/bursts.ids"
# One more, so that whatever would come twice has come before it.
at singcert-desk1 post --to mycert@my --tlp GREEN --subject 'After the burst' \
	>/dev/null
eventually 20 'and one that was posted after them' \
	has "$fed/counted" 'After the burst'
grep '"Burst ' "$fed/counted" | json id | sort >"$fed/counted.ids"
verify "each of them once: $(uniq "$fed/counted.ids" | grep -c .) ids in \
$(grep -c . "$fed/counted.ids") lines" \
	cmp "$fed/bursts.ids" "$fed/counted.ids"
reap TERM "$watch_counter"
step_done

# ---------------------------------------------------------------------------
step 5 'A ticket is opened by hand, with age, openssl and tar'

by_hand() # NOTE BODY
{
	"$examples/open-ticket.sh" -a "$fed/export/keys" -r "$root" \
		"$1" "$2" "$fed/homes/mycert-night/keys/recipient.txt" \
		>"$fed/by-hand" 2>"$fed/by-hand.err"
}

refuses_by_hand() # NOTE BODY
{
	! by_hand "$@" && [ ! -s "$fed/by-hand" ]
}

at mycert-night show "$short" --export "$fed/export" >/dev/null ||
	bail 'the export failed'
root=$(sed -n 's/^member singcert@sg active //p' "$roster")
verify 'open-ticket.sh makes all checks and opens it' \
	by_hand "$fed/export/note" "$fed/export/body"
sed 's/^/   | /' "$fed/by-hand.err"
verify 'the subject is in it' \
	has "$fed/by-hand" 'Poison Ivy beacons from your ministry'
alter "$fed/export/note" "$fed/note.altered"
alter "$fed/export/body" "$fed/body.altered"
verify 'with one altered byte of the header it refuses, and shows nothing' \
	refuses_by_hand "$fed/note.altered" "$fed/export/body"
verify 'and so with one of the body' \
	refuses_by_hand "$fed/export/note" "$fed/body.altered"
step_done

# ---------------------------------------------------------------------------
step 6 'A third nation joins; a bot escalates to it what nobody answered'

fed_broker la
fed_member lacert@la desk1
fed_roster
fed_install la
fed_start la
fed_install sg
tell 'roster 2 lists broker la and lacert@la; sg has it from its operator'
fed_publish lacert-desk1
eventually 30 'my has it by relay, and so the keys of lacert@la' \
	knows mycert-night lacert@la
fed_device singcert@sg escalator --role bot
verify 'singcert@sg announces a further device, a bot' \
	at singcert-desk1 keys publish --card "$fed/devices/singcert-escalator"
cp "$fed/homes/singcert-desk1/keys/recipient.txt" \
	"$fed/homes/singcert-escalator/keys/"
fed_trust singcert-escalator
eventually 30 'the bot knows whom to turn to' knows singcert-escalator lacert@la

at singcert-desk1 post --to mycert@my --tlp AMBER --precedence immediate \
	--subject 'Exchange server answers to a stranger' --ackby 3s --json \
	>"$fed/unanswered" || bail 'the post failed'
unanswered=$(json id <"$fed/unanswered")
escalate()
{
	TOCSIN_HOME=$fed/homes/singcert-escalator \
		"$examples/escalate-unanswered.sh" lacert@la
}
escalated()
{
	escalate >"$fed/escalated" 2>&1 && [ -s "$fed/escalated" ]
}
verify 'before the deadline the bot does nothing' eval '! escalated'
eventually 30 'nobody answers by the deadline, and the bot escalates' escalated
spawn_at lacert-desk1 watch --reader screen --json >"$fed/laos"
watch_la=$pid
eventually 20 'Laos has the escalation' has "$fed/laos" "$unanswered"
verify 'with what was asked of Malaysia' \
	has "$fed/laos" 'Exchange server answers to a stranger'
reap TERM "$watch_la"
verify 'when the bot looks again, it escalates nothing twice' eval '! escalated'
step_done

# ---------------------------------------------------------------------------
step 7 'All of it'

tell "every step was verified, in $(seconds "$started")"
if [ -n "${KEEP:-}" ]; then
	at_exit=:
	cat <<-END

	The federation goes on running in $fed:

	    PATH=$B:\$PATH
	    export TOCSIN_HOME=$fed/homes/mycert-night
	    tocsin inbox
	    tocsin watch

	Other homes beside it: $(cd "$fed/homes" && echo *).
	The logs of the brokers are $fed/sg/log, my/log, la/log. To end it:

	    kill $(fed_pid sg) $(fed_pid my) $(fed_pid la); rm -r $fed
	END
fi
