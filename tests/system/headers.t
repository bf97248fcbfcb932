#!/bin/sh
# SPDX-License-Identifier: ISC
#
# A large body over a line that stands still in the middle of it. The desk shows
# who wrote, with what label and how urgent, and opens nothing; a crash changes
# nothing about that; of two processes one fetches; each reader gets the ticket
# once, when it is whole.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"

fed_begin
fed_authorities aa bb cc
fed_broker sg
fed_broker my
fed_member singcert@sg desk1
# Homes of my are behind the gate, its peers are not.
front_my=$(free_port)
echo open >"$fed/orders"
spawn gate "$front_my" "$(fed_port my)" "$fed/orders"
fed_member mycert@my night
fed_roster
fed_install sg my
fed_start sg my
fed_publish singcert-desk1 mycert-night
wait_until 20 knows singcert-desk1 mycert@my || bail 'no keys arrive'
wait_until 20 knows mycert-night singcert@sg || bail 'no keys arrive'

gate() # open|BYTES
{
	echo "$1" >"$fed/orders.new"
	mv "$fed/orders.new" "$fed/orders"
}

here() # how many bytes of a body the desk has
{
	cat "$fed/homes/mycert-night/spool"/*.part 2>/dev/null | wc -c
}

some_here()
{
	[ "$(here)" -gt 10000 ]
}

head -c 180000 /dev/urandom | base64 >"$fed/text"
head -c 300000 /dev/urandom >"$fed/large.bin"

# ---- what is there before the body ----

gate 0
large=$(post singcert-desk1 mycert@my --tlp AMBER --precedence priority \
	--subject 'Large and secret' --text "$fed/text" --ackby 30m \
	--attach "$fed/large.bin") ||
	bail 'cannot post'
wait_until 20 stands_at_least singcert-desk1 "$large" mycert@my \
	'relayed|delivered' || bail 'it is not relayed'
gate 100000
spawn_at mycert-night watch --reader one --json --headers \
	>"$fed/one" 2>"$fed/one.err"
one=$pid
ok 'watch --headers tells of a ticket whose body is to come' \
	wait_until 30 has "$fed/one" "$large"
line=$(head -n 1 "$fed/one")
is "$(echo "$line" | jq -c '[.from, .tlp, .precedence, .kind, .number, .subject, .refused]')" \
	'["singcert@sg/desk1","AMBER","priority","report",null,null,null]' \
	'what its header says, and no more'
size=$(echo "$line" | jq .coming.size)
ok 'and how large' [ "$size" -gt 200000 ]
ok 'some of it comes' wait_until 30 some_here

at mycert-night inbox --wait 1 >"$fed/inbox" 2>"$fed/inbox.err"
ok 'inbox lists it' grep -q "^TLP:AMBER .* coming .*singcert@sg/desk1" "$fed/inbox"
ok 'and how much of it is here' \
	grep -q "body still to come, [0-9]* of $(((size + 1023) / 1024)) KiB" \
	"$fed/inbox"
is "$(at mycert-night inbox --offline --json |
	jq -c '[.state, .coming.size, .id]')" "[\"coming\",$size,\"$large\"]" \
	'also as JSON'
ok 'it waits for an answer' \
	eval 'at mycert-night inbox --offline --unacked | grep -q coming'
ok 'show prints its header' at mycert-night show "$large" --wait 1
at mycert-night show "$large" --wait 0 >"$fed/show"
ok 'who it is from, and until when an answer is expected' \
	eval 'grep -q "priority  report  from singcert@sg/desk1" "$fed/show" &&
		grep -q "answer by" "$fed/show"'
ok 'that nothing is verified or opened yet' \
	grep -q 'still to come.*not verified or opened' "$fed/show"
ok 'the attachment is not fetched' \
	grep -q 'attached .*not fetched' "$fed/show"
ok 'nothing of its content' eval '! grep -q secret "$fed/show" "$fed/inbox"'
ok 'why says where it is' eval 'at mycert-night why "$large" --wait 1 |
	grep -q "its body is still to come: [0-9]* of [0-9]* KiB"'
refuses 'still to come' 'it cannot be answered yet' \
	at mycert-night ack "$large" --accept --wait 1
ok 'a pipe gets no progress' eval '! grep -q "KiB" "$fed/one.err" "$fed/inbox.err"'

# ---- a crash ----

reap KILL "$one"
before=$(here)
is "$(at mycert-night inbox --offline --json | jq -c '[.state, .coming.here]')" \
	"[\"coming\",$before]" 'after a kill it is still to come, and says the truth'

# ---- two processes, and a command ----

cat >"$fed/handle" <<'EOF'
#!/bin/sh
cat >>"$1"
EOF
chmod +x "$fed/handle"
gate 40000
spawn_at mycert-night watch --reader bot --exec "$fed/handle" "$fed/handled" \
	2>"$fed/bot.err"
bot=$pid
claimed()
{
	! flock -n "$fed/homes/mycert-night/fetch.lock" true
}
ok 'a process fetches it' wait_until 30 claimed
kill -STOP "$bot"
gate open
spawn_at mycert-night watch --reader one --json --headers >>"$fed/one" \
	2>>"$fed/one.err"
wait_until 30 at_least 2 "$large" "$fed/one"
ok 'another one says again that it is to come' at_least 2 "$large" "$fed/one"
at mycert-night inbox --wait 2 >"$fed/inbox" 2>&1
ok 'both leave it to the first for a while, also if that is stopped' \
	grep -q coming "$fed/inbox"
ok 'a command gets nothing yet' [ ! -e "$fed/handled" ]
reap KILL "$bot"
whole()
{
	jq -c 'select(.number != null) | .id' "$fed/one" | grep -q "$large"
}
ok 'the other goes on, and it is whole' wait_until 60 whole
spawn_at mycert-night watch --reader bot --exec "$fed/handle" "$fed/handled" \
	2>>"$fed/bot.err"
ok 'the command gets it' wait_until 30 has "$fed/handled" "$large"
spawn_at mycert-night watch --reader bot2 --exec "$fed/handle" "$fed/handled2" \
	2>>"$fed/bot.err"
wait_until 30 has "$fed/handled2" "$large"
is "$(jq -r .subject "$fed/handled")" 'Large and secret' 'once, and all of it'
is "$(jq -c 'select(.number != null) | .coming' "$fed/one")" null \
	'so does who watches'
ok 'why says that it is here' eval 'at mycert-night why "$large" |
	grep -q "^it is here since "'
ok 'and to its sender, that it was delivered' \
	eval 'at singcert-desk1 why "$large" --json |
	jq -r .state | tr "\n" " " | grep -q "^posted .*delivered"'
is "$(at mycert-night inbox --json | jq -c '[.state, .coming]')" \
	'["delivered",null]' 'it is a ticket like others then'
ok 'nothing is left of it in the spool' [ "$(here)" = 0 ]
ok 'the sender was not told that anybody opened it' \
	stands singcert-desk1 "$large" mycert@my delivered

# ---- attachments ----

mkdir "$fed/out"
part() # MEMBER
{
	at mycert-night show "$large" --no-receipt --json | jq ".attachments[0].$1"
}
is "$(part here), $(part saved)" '0, null' 'its attachment is not here'
gate 60000
spawn_at mycert-night save "$large" large.bin -o "$fed/out" 2>"$fed/save.err"
save=$pid
ok 'a part of it comes' wait_until 30 some_here
reap KILL "$save"
ok 'and is told' eval 'at mycert-night show "$large" --no-receipt |
	grep -q "attached  large.bin .* of [0-9]* KiB here"'
gate open
ok 'it is saved' at mycert-night save "$large" large.bin -o "$fed/out"
ok 'as it was' cmp -s "$fed/large.bin" "$fed/out/large.bin"
ok 'and that is known' [ "$(part saved)" != null ]

# ---- two at once ----

gate 0
second=$(post singcert-desk1 mycert@my --tlp AMBER --subject 'Second' \
	--text "$fed/text" --attach "$fed/large.bin") || bail 'cannot post'
wait_until 20 stands_at_least singcert-desk1 "$second" mycert@my \
	'relayed|delivered' || bail 'it is not relayed'
given=$(counter my got_bytes)
gate 60000
wait_until 30 some_here
gate open
wait_until 60 has "$fed/handled2" "$second"
ok 'with three watching' has "$fed/handled2" "$second"
given=$(($(counter my got_bytes) - given))
echo "# $given given"
ok 'it comes once too' [ "$given" -lt $((size * 3 / 2)) ]

# ---- an attachment that two want at once ----

gate 0
mkdir "$fed/out1" "$fed/out2"
given=$(counter my got_bytes)
gate 60000
spawn_at mycert-night save "$second" large.bin -o "$fed/out1" \
	2>"$fed/save1.err"
save1=$pid
wait_until 30 some_here
spawn_at mycert-night save "$second" large.bin -o "$fed/out2" \
	2>"$fed/save2.err"
save2=$pid
at_it()
{
	find "/proc/$save2/fd" -lname '*.part' | grep -q .
}
ok 'two save an attachment at once' wait_until 20 at_it
gate open
wait "$save1"
is $? 0 'the first has it'
wait "$save2"
is $? 0 'and the second'
ok 'both have it as it was' eval 'cmp -s "$fed/large.bin" "$fed/out1/large.bin" &&
	cmp -s "$fed/large.bin" "$fed/out2/large.bin"'
given=$(($(counter my got_bytes) - given))
echo "# $given given"
ok 'it came once' [ "$given" -lt 450000 ]
is "$(here)" 0 'and nothing is left of it'

done_testing
