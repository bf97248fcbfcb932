#!/bin/sh
# SPDX-License-Identifier: ISC
#
# tocsin do: a program asks, a JSON object on each line, and is answered, a JSON
# object on each line. Read from the top, this is a tutorial.
#
# At the end it is killed N times; SEED repeats the choice of moments.
set -u

# shellcheck source=tests/lib/federation.sh
. "${TOP:=$(pwd)}/tests/lib/federation.sh"

# shellcheck source=tests/lib/random.sh
. "$TOP/tests/lib/random.sh"

command -v jq >/dev/null || skip_all 'no jq on this machine'
kills=${N:-8}
seed_begin "do, N=$kills"

# singcert of Singapore and mycert of Malaysia, each with a broker. The program
# is mycert's.
fed_two
us=mycert-night them=singcert-desk1
cd "$fed" || exit 1

# ---- one request, one answer ----

echo '{"do":"post","to":["singcert@sg"],"tlp":"AMBER","subject":"Beacons"}' |
	at $us 'do' --json >answer
is $? 0 'a request is a line of standard input'
is "$(wc -l <answer)" 1 'its answer is a line of standard output'
is "$(jq -r '.ok, .do, .kind, .subject' <answer)" "true
post
report
Beacons" 'which says that it was done, and what'
id=$(jq -r .id <answer)
is "$(at $us status "$id" --json | jq -r .rung | grep -vc queued)" 1 \
	'and when it ends, what was said has left'

# ---- a program that stays ----

mkfifo in out
TOCSIN_HOME=$fed/homes/$us
export TOCSIN_HOME
spawn sh -c "exec tocsin 'do' --json <in >out 2>err"
exec 3>in 4<out

# The answer is in the file `answer`.
ask() # REQUEST
{
	printf '%s\n' "$1" >&3
	read -r ask_line <&4 || return 1
	printf '%s\n' "$ask_line" >answer
}
says() # FILTER WANT SENTENCE
{
	is "$(jq -r "$1" <answer)" "$2" "$3"
}

# A tag of one's own comes back: any string, number, true or false.
ask '{"do":"status","id":"'"$id"'","tag":17}'
says '.tag, .ok' '17
true' 'a tag comes back with the answer'
says '.places[0].member' singcert@sg 'status has a place for each recipient'
ask '{"tag":"a b","do":"show","id":"'"$id"'"}'
says '.tag' 'a b' 'of any kind'
says '.messages[0] | .tlp, .exercise, .own' 'AMBER
null
true' 'show has all messages of a ticket, as watch prints them'
ask '{"do":"get","id":"'"$id"'"}'
says '.tag, .message.subject' 'null
Beacons' 'get has one; without a tag, the tag is null'

# What is to be said is said with the words of the commands.
ask '{"do":"note","id":"'"$id"'","text":"Two hosts."}'
says '.kind, .short_id' "update
$(at $us show "$id" --json | head -n 1 | jq -r .short_id)" 'a note'
ask '{"do":"request","id":"'"$id"'","text":"Yours?","ackby":"30m"}'
says '.kind, (.ackby | type)' 'request
string' 'a request, with when an answer is expected'
ask '{"do":"close","id":"'"$id"'","resolution":"resolved"}'
says .kind close 'a close'
ask '{"do":"reopen","id":"'"$id"'","text":"Again."}'
says .kind reopen 'a reopen'
echo sample >sample.bin
ask '{"do":"post","to":["singcert@sg"],"tlp":"GREEN","pap":"AMBER",
"subject":"All of it","text":"T","severity":"II","labels":["personal-data"],
"precedence":"flash","attach":["sample.bin"],"detected":"2h",
"content":{"x":1}}' # three line feeds too many
says '.ok, .reason' 'false
malformed' 'a request is one line'
read -r line <&4
read -r line <&4
read -r line <&4
ask '{"do":"post","to":["singcert@sg"],"tlp":"GREEN","pap":"AMBER","subject":"All of it","text":"T","severity":"II","labels":["personal-data"],"precedence":"flash","attach":["sample.bin"],"detected":"2h","content":{"x":1}}'
says '.ok, .tlp, .pap, .labels[0]' 'true
GREEN
AMBER
personal-data' 'which may have all that a ticket has'
all=$(jq -r .id <answer)
ask '{"do":"recall","id":"'"$all"'","attachments":["sample.bin"]}'
says .kind recall 'a recall, of an attachment'
ask '{"do":"inbox","mine":true}'
says '.tickets | length' 2 'inbox lists the tickets'
says '.left_out' 0 'all of them'
ask '{"do":"inbox","limit":1}'
says '.left_out, .tickets[0].id' "1
$all" 'or the newest'
ask '{"do":"inbox","tlp":"AMBER","state":["closed"],"since":"1h"}'
says '.tickets | length' 0 'those that are wanted'
ask '{"do":"members"}'
says '.members | map(.member) | sort | join(" ")' 'mycert@my singcert@sg' \
	'members are those of the roster'
says '.members[0].keys.devices[0].name' night 'with what they have announced'
ask '{"do":"why","code":"quota"}'
says '.why[0].reason' quota 'why explains a code'
ask '{"do":"sync","wait":20}'
says '.linked, .queued, .trouble' 'true
0
null' 'sync waits until all is sent and fetched'
ask '{"do":"why","id":"'"$id"'"}'
says '.why[0].state' posted 'why says where a message is'

# The other side answers, with the same words.
printf '%s\n' '{"do":"ack","id":"'"$id"'","answer":"accepted","text":"Ours."}' \
	'{"do":"save","id":"'"$id"'","name":"nothing"}' |
	at $them 'do' >theirs
is $? 1 'the exit status says that something was refused'
is "$(jq -r '.ok' <theirs | tr '\n' ' ')" 'true false ' 'the answers say what'
accepted()
{
	ask '{"do":"status","id":"'"$id"'"}'
	[ "$(jq -r '.places[0].rung' <answer)" = accepted ]
}
ok 'an answer comes by itself while the program runs' wait_until 20 accepted

# ---- without standard files ----

# What was closed is not what the desk opened in its place.
at $us 'do' </dev/null >/dev/null
echo '{"do":"why","code":"quota"}' | at $us 'do' >&- 2>err
is $? 1 'without standard output nothing can be answered'
ok 'and that is said' grep -q 'stdout: Bad file descriptor' err
at $us 'do' <&- >out1 2>err
is "$? $(cat out1 err)" '0 ' 'without standard input there are no requests'
echo '{"do":"note","id":"'"$id"'","text":"Nobody hears.","once":"closed"}' |
	at $us 'do' >&- 2>&-
is $? 1 'without both it fails'
echo '{"do":"note","id":"'"$id"'","text":"Nobody hears.","once":"closed"}' |
	at $us 'do' >theirs 2>err
is "$(jq -r '.ok, .repeated' <theirs | tr '\n' ' ')" 'true true ' \
	'and the desk is whole, with what was said'

# ---- labels, and clocks ----

# Who wrote it is asked, and lets us; each is a message of the ticket.
theirs=$(post $them mycert@my --tlp AMBER --subject 'May we show it?')
ok 'a ticket of the other side is here' wait_until 20 listed $us "$theirs"
ask '{"do":"ask","id":"'"$theirs"'","tlp":"GREEN","text":"May we?","once":"ask 1"}'
says '.ok, .kind' 'true
request' 'ask asks whose message it is'
asked=$(jq -r .id <answer)
ask '{"do":"ask","id":"'"$theirs"'","tlp":"GREEN","text":"May we?","once":"ask 1"}'
says '.repeated, .id' "true
$asked" 'under a key, once'
ask '{"do":"ask","id":"'"$id"'","tlp":"GREEN"}'
says '.ok, .reason' 'false
usage' 'not of what is our own'
ask '{"do":"ask","id":"'"$theirs"'","tlp":"WHITE"}'
says '.ok, .reason' 'false
usage' 'nor with a label that there is not'
ask '{"do":"relabel","id":"'"$theirs"'","tlp":"CLEAR"}'
says '.ok, .reason' 'false
policy-denied' 'a label is changed by who wrote it'
ok 'the request comes there' wait_until 20 shows $them "$theirs" 'May we?'
printf '%s\n' '{"do":"permit","id":"'"$asked"'","text":"Do."}' \
	'{"do":"permit","id":"'"$theirs"'"}' | at $them 'do' >theirs
is "$(jq -r '.ok, .kind // .reason' <theirs | tr '\n' ' ')" \
	'true result false usage ' 'permit grants what a request asks'
may()
{
	ask '{"do":"get","id":"'"$theirs"'"}'
	[ "$(jq -r .message.allowed <answer)" = "$1" ]
}
ok 'then we may treat it so' wait_until 20 may GREEN
says '.message.tlp' AMBER 'and its label is what it was'
echo '{"do":"relabel","id":"'"$theirs"'","tlp":"TLP:GREEN","once":"r"}' |
	at $them 'do' >theirs
is "$(jq -r '.ok, .kind' <theirs | tr '\n' ' ')" 'true update ' \
	'relabel gives a message of ours another label'
relabelled()
{
	ask '{"do":"get","id":"'"$theirs"'"}'
	[ "$(jq -r .message.tlp <answer)" = GREEN ]
}
ok 'which all see' wait_until 20 relabelled

# A handler says so with the step to the next message.
cat >lets <<'EOT'
#!/bin/sh
[ "$TOCSIN_KIND" != request ] || echo '{"do":"permit"}'
EOT
chmod +x lets
at $them watch --reader lets --attempts 1 --wait 1 --json --apply \
	--exec ./lets >let 2>err
is "$(jq -r .kind <let)" result 'a handler permits what is asked'
is "$(at $them watch --reader lets --aside --json |
	jq -r 'select(.why | contains("asks for no permission")) | .text')" \
	'Yours?' 'and no other request'

# A person lets others do something: no program, whatever its home has.
fed_device singcert@sg robot --role bot
must at $them keys publish --card "$fed/devices/singcert-robot" >/dev/null
cp homes/$them/keys/recipient.txt homes/singcert-robot/keys/
fed_trust singcert-robot
ok 'a program of the other side has the request' \
	wait_until 30 shows singcert-robot "$theirs" 'May we?'
printf '%s\n' '{"do":"permit","id":"'"$asked"'"}' \
	'{"do":"relabel","id":"'"$theirs"'","tlp":"CLEAR"}' \
	'{"do":"due"}' | at singcert-robot 'do' >theirs
is "$(jq -r '.ok, .reason' <theirs | tr '\n' ' ')" \
	'false kind-not-allowed false kind-not-allowed true null ' \
	'it permits nothing, and changes no label'

# What is due by when, and what was done of it.
cp "$TOP/docs/examples/clocks.conf" homes/$them/
cat >requests <<EOT
{"do":"due","id":"$theirs","start":"nis2","at":"1h"}
{"do":"due","id":"$theirs"}
{"do":"due","id":"$theirs","done":"nis2/early-warning","once":"warned"}
{"do":"due","id":"$theirs","done":"nis2/early-warning","once":"warned"}
{"do":"due","id":"$theirs","all":true}
{"do":"due","id":"$theirs","done":"nis2/early-warnin"}
{"do":"due","id":"zzzz-zzzz-zzzz"}
{"do":"due"}
EOT
at $them 'do' <requests >theirs 2>err
is "$(jq -r '.ok' <theirs | tr '\n' ' ')" \
	'true true true true true false false true ' \
	'due says and tells what is due'
is "$(sed -n 1p theirs | jq -r .kind)" update 'a clock is started'
is "$(sed -n 2p theirs | jq -r '.due | map(.clock) | contains(["nis2/early-warning"])')" \
	true 'it is due'
is "$(sed -n 4p theirs | jq -r .repeated)" true 'done under a key, once'
is "$(sed -n 5p theirs | jq -r '.due[] |
	select(.clock == "nis2/early-warning") | .done | type')" string 'it is done'
is "$(sed -n 6p theirs | jq -r .reason)" usage 'of no clock that there is not'
ok 'which is named' eval 'sed -n 6p theirs | grep -q nis2/early-warning'
is "$(sed -n 7p theirs | jq -r .reason)" not-found 'of no ticket, neither'
is "$(sed -n 8p theirs | jq -r '.due | map(.clock) | contains(["nis2/early-warning"])')" \
	false 'what is done is not due any more'

# ---- once ----

# Who was killed before it read the answer does not know whether it was done.
# It gives what it says a key, and says it again.
ask '{"do":"note","id":"'"$id"'","text":"Reminder.","once":"reminder 1"}'
says .repeated false 'said under a key'
said=$(jq -r .id <answer)
ask '{"do":"note","id":"'"$id"'","text":"Reminder.","once":"reminder 1"}'
says '.ok, .repeated, .id' "true
true
$said" 'said again: it is the same message'
ask '{"do":"note","id":"'"$all"'","text":"Reminder.","once":"reminder 1"}'
says '.ok, .reason, .exit' 'false
usage
2' 'a key belongs to one ticket'

# ---- what is wrong is answered, and the next one is read ----

wrong() # REASON REQUEST SENTENCE
{
	ask "$2"
	says '.ok, .reason, (.text | length > 0)' "false
$1
true" "$3"
}
wrong malformed hello 'words are refused'
wrong malformed '[1]' 'an array'
wrong malformed '{"do":"status"' 'half of an object'
wrong malformed '{"do":"status","do":"show"}' 'a member twice'
wrong malformed "$(printf '{"do":"\377"}')" 'what is no UTF-8'
wrong usage '{}' 'it says what to do'
wrong usage '{"do":"delete"}' 'which there is'
wrong usage '{"do":"status"}' 'and of which ticket'
wrong usage '{"do":"status","id":7}' 'as text'
wrong usage '{"do":"status","id":"'"$id"'","tlp":"RED"}' 'and no more'
wrong usage '{"do":"inbox","mine":1}' 'true is true'
wrong usage '{"do":"inbox","limit":-1}' 'a number is one'
wrong usage '{"do":"inbox","since":"soon"}' 'a time is one'
wrong usage '{"do":"inbox","state":["open"]}' 'a state is one'
wrong usage '{"do":"why"}' 'something is asked'
wrong usage '{"do":"note","id":"'"$id"'","text":"T","to":[]}' \
	'a list of nobody is not everybody'
wrong usage '{"do":"recall","id":"'"$id"'","attachments":[]}' \
	'nor is one of no attachment the whole'
mkfifo waits
wrong usage '{"do":"note","id":"'"$id"'","attach":["waits"]}' \
	'a pipe is no file, and not waited for'
wrong not-found '{"do":"show","id":"zzzz-zzzz-zzzz"}' 'what is not here'
wrong usage '{"do":"post","to":["singcert@sg"],"tlp":"PURPLE","subject":"S"}' \
	'a label'
wrong not-enrolled '{"do":"post","to":["nocert@xx"],"tlp":"RED","subject":"S"}' \
	'a member'
ask '{"do":"delete","tag":"t1"}'
says '.tag, .do' 't1
null' 'a tag comes back with a refusal, too'
ask '{"do":"status","tag":{"a":1}}'
says '.tag, .reason' 'null
usage' 'what is no scalar is no tag'
deep=$(printf '%040d' 0 | sed 's/0/[/g')
wrong too-large '{"do":"post","content":'"$deep" 'what is too deep'
{
	head -c 1100000 /dev/zero | tr '\0' x
	echo
} >&3
read -r line <&4
is "$(echo "$line" | jq -r .reason)" too-large 'a line of more than 1 MiB'
ask '{"do":"sync"}'
says .ok true 'and all the time it goes on'
echo >&3
ask '{"do":"sync","tag":2}'
says .tag 2 'an empty line is no request'
ask '{"do":"note","id":"'"$id"'","text":"\u001b[31mred\u0007"}'
says .ok true 'hostile words are words'
is "$(tr -d '[:print:]\n' <answer | wc -c)" 0 'and escaped in an answer'

# ---- the end ----

exec 3>&-
wait "$pid"
is $? 1 'at the end of its input it ends; something was refused'
is "$(cat <&4)" '' 'with nothing more to say'
exec 4<&-
printf '{"do":"sync","tag":"last"}' | at $us 'do' >answer
says .tag last 'a last line needs no line feed'
at $us 'do' </dev/null >answer
is "$? $(wc -c <answer)" '0 0' 'nothing asked, nothing said'
called_wrongly 'do' 'it takes no words' at $us 'do' status
printf '%s\n' '{"do":"sync"}' | at $us 'do' >/dev/full 2>err
is $? 1 'who cannot answer stops'
mkfifo in2
spawn sh -c "exec tocsin 'do' <in2 >answer"
exec 5>in2
printf '{"do":"sync"}\n' >&5
ok 'it answers' wait_until 20 test -s answer
kill -TERM "$pid"
wait "$pid"
is $? 0 'SIGTERM ends it as the end of its input does'
exec 5>&-

# ---- offline ----

fed_kill my
echo '{"do":"note","id":"'"$id"'","text":"While it is away.","once":"away"}' |
	at $us 'do' --wait 1 >answer 2>err
is $? 0 'without a broker what is said is queued'
says '.ok, .state' 'true
queued' 'which the answer says'
ok 'and the end of it' grep -q 'in the outbox.*\[unavailable\]' err
echo '{"do":"sync","wait":0}' | at $us 'do' --wait 0 >answer
says '.linked, .queued > 0, .trouble' 'false
true
unavailable' 'and sync'

exec 5>&-
spawn sh -c "exec tocsin 'do' <in2 >answer"
exec 5>in2
printf '%s\n' '{"do":"why","code":"ok"}' '{"do":"sync","wait":3000}' >&5
ok 'while it waits for a broker' wait_until 20 test -s answer
kill -TERM "$pid"
ok 'SIGTERM is not put off until it has waited' wait_until 20 gone "$pid"
kill -KILL "$pid" 2>/dev/null
is "$(tail -n 1 answer | jq -c '[.ok, .trouble]')" '[true,"unavailable"]' \
	'and what was asked is answered'
exec 5>&-

# ---- killed ----

# A bot that says ten things, each under a key, and remembers nothing. It and
# its tocsin are killed between request and answer, at any moment; started
# again, it says all of it again.
cat >bot <<EOT
i=0
while [ \$i -lt 10 ]; do
	i=\$((i + 1))
	printf '{"do":"note","id":"$id","text":"Step %d","once":"step %d"}\\n' \
		\$i \$i >&5
	read -r answer <&6 || exit 1
	case \$answer in *'"ok":true'* | *'"ok": true'*) ;; *) exit 1 ;; esac
done
echo done >finished
EOT
mkfifo ask answers
both() # $pid is a process group
{
	setsid sh -c 'exec 5<>ask 6<>answers
		tocsin do --wait 0 <&5 >&6 5>&- 6>&- &
		exec sh ./bot' 2>>killed.err &
	pid=$!
	pids="$pids $pid"
}
kill_both()
{
	# The group is there when setsid has made it.
	wait_until 5 kill -s KILL -- "-$pid"
	wait "$pid" 2>/dev/null
	rm -f ask answers && mkfifo ask answers
}
n=0
while [ $n -lt "$kills" ]; do
	n=$((n + 1))
	both
	draw 700
	sleep "0.$(printf %03d "$draw")"
	kill_both
done
said=$(at $us show "$id" --no-receipt --json | grep -c 'Step ')
both
ok 'a bot that is killed all the time comes to its end' \
	wait_until 60 test -s finished
kill_both
is "$(at $us show "$id" --no-receipt --json | jq -r '.text // empty' |
	grep '^Step' | sort | uniq -c | awk '{ print $1 }' | sort -u |
	tr '\n' ' ')" '1 ' "and has said each thing once (seed $seed)"

done_testing "do: seed $seed, $kills kills, $said things said before the last"
