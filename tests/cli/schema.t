#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The schemas of docs/schema against what commands print and take, and against
# the members that tocsin(1) lists. tests/lib/schema.jq reads them; where
# python3-jsonschema is installed it reads them, too.
set -u

# shellcheck source=tests/lib/federation.sh
. "${TOP:=$(pwd)}/tests/lib/federation.sh"
command -v jq >/dev/null || skip_all 'no jq on this machine'
page=$TOP/docs/tocsin.1

fed_two
us=mycert-night them=singcert-desk1
cd "$fed" || exit 1
jq -n 'reduce inputs as $i ({}; .[input_filename | sub(".*/"; "")] = $i)' \
	"$TOP"/docs/schema/*.json >schemas.json

# What is wrong with each line of standard input.
by() # SCHEMA
{
	jq -r -L "$TOP/tests/lib" --slurpfile s schemas.json --arg f "$1.json" \
		'include "schema"; check($s[0]; $f)' 2>&1
}
# Lines are there, and all of them good; for all.t they are kept.
mkdir kept
fits() # SCHEMA SENTENCE COMMAND...
{
	fits_by=$1 fits_says=$2
	shift 2
	"$@" >line 2>err
	cat line >>"kept/$fits_by"
	is "$(test -s line || { echo nothing && cat err; } && by "$fits_by" <line)" \
		'' "$fits_says"
}
misfits() # SCHEMA SENTENCE: what is in line
{
	ok "$2" test -n "$(by "$1" <line)"
}

# ---- the reader of schemas ----

good='{"heartbeat":"2026-11-21T03:14:15Z","at":1,"newest":2,"in_flight":0,
"queued":0,"linked":true,"since":null,"trouble":"no-space"}'
is "$(echo "$good" | by heartbeat)" '' 'a heartbeat fits'
for change in 'del(.at)' '.at = -1' '.at = 1.5' '.at = "1"' '.more = 1' \
	'.linked = null' '.trouble = "No Space"' '.heartbeat = "today"' '[.]'; do
	echo "$good" | jq -c "$change" >line
	misfits heartbeat "not with $change"
done
is "$(jq -r 'keys[]' schemas.json | while read -r file; do
	echo null | by "${file%.json}" | grep -i 'error\|no schema'
done)" '' 'no schema has a keyword or a reference that is not known'

# ---- what commands print ----

post_it() # OPTION...
{
	at $us post --to singcert@sg --tlp AMBER --pap GREEN --json \
		--subject Beacons --label personal-data --severity II \
		--precedence flash --ackby 30m "$@"
}
echo sample >sample.bin
cp "$TOP/docs/examples/clocks.conf" homes/$us
fits sent 'post' post_it --attach sample.bin
id=$(jq -r .id <line)
fits sent 'note' at $us note "$id" -m more --json
fits sent 'request' at $us request "$id" -m 'Yours?' --json
fits message 'watch' at $them watch -n 3 --json
fits message 'watch, by one that another program follows' \
	at $them watch -n 3 --json --reader other
fits heartbeat 'heartbeats' sh -c 'TOCSIN_HOME=$1 tocsin watch --json \
	--heartbeat 1 --wait 0 --reader none -n 1 --since 1h |
	grep heartbeat' - "$fed/homes/$us"
fits sent 'ack' at $them ack "$id" --accept --json
fits ticket 'inbox' at $us inbox --json
fits message 'show' at $us show "$id" --json
fits place 'status' at $us status "$id" --json
fits due 'due' at $us due --json
fits due 'due, all of it' at $us due --all --json
fits found 'find' at $us find beacons --json
fits board 'board' at $us board --json
fits words 'words' tocsin words --json
fits words 'words of a list' tocsin words tlp --json
fits words 'words of levels' tocsin words level --json
spawn_at $us board --serve --json >served 2>served.err
wait_until 20 test -s served
reap TERM $pid
fits served 'board --serve' cat served
fits why 'why of a code' tocsin why quota --json
fits why 'why of a message' at $us why "$id" --json
mkdir saved saved2
fits saved 'save' at $them save "$id" sample.bin -o saved --json
cat >homes/$us/circles.conf <<EOT
[both]
member = singcert@sg
EOT
at $us circles --json >line 2>err || : # by its own test
[ ! -s line ] || fits circle 'circles' at $us circles --json
fits keys 'keys show' at $us keys show --json
fits keys 'keys publish' at $us keys publish --json
fits roster 'roster show' at $us roster show --json
fits roster-verified 'roster verify' tocsin roster verify rosters/1 --json
fits trusted 'trust' at $us trust rosters/1 --json
fits authority 'authority new' tocsin authority new dd.key --name dd \
	--no-passphrase --json
fits home 'init' tocsin init --federation $federation --member lacert@la \
	--device bot --role bot --broker tcp://127.0.0.1:1 --no-passphrase \
	--json --home new
at $us status "$id" --proof proof >/dev/null
fits verified 'verify' tocsin verify proof --json
fits imported 'import of several files' at $us import --json \
	--to singcert@sg --tlp GREEN "$TOP/docs/examples/samples/xarf-ddos.json" \
	"$TOP/docs/examples/samples/idea-scan.json"
at $us export "$id" --as bundle -o bundle 2>/dev/null
fits carried 'import of a bundle' at $them import bundle --json
printf '#!/bin/sh\nexit 1\n' >bad
chmod +x bad
at $them watch -n 1 --reader bad --attempts 1 --exec ./bad 2>/dev/null
fits aside 'watch --aside' at $them watch --reader bad --aside --json
fits sent 'recall' at $us recall "$id" --attachment sample.bin --json
fits sent 'close' at $us close "$id" --json
fits sent 'reopen' at $us reopen "$id" --json
fits sent 'relabel' at $us relabel "$id" --tlp GREEN --json
fits message 'show, after all that' at $us show "$id" --json
fits place 'status, after all that' at $us status "$id" --json

# A handler reads the same.
cat >reads <<EOT
#!/bin/sh
cat >>"$fed/stdin"
EOT
chmod +x reads
at $us watch -n 1 --reader reads --exec ./reads 2>/dev/null
fits message 'what a handler reads' cat stdin

# ---- rules ----

cat >hooked <<EOT
#!/bin/sh
cat >>"$fed/hook.in"
printf 'cut \\303\\000 there'
[ "\$1" = good ]
EOT
chmod +x hooked
cat >some.rules <<EOT
[hook good]
run $fed/hooked good
[hook bad]
run $fed/hooked bad
[rule both]
when not mine
for us
at once: notify good
after 1s: notify bad
after 1d: remind
[rule other]
when not mine and precedence is flash
at once: acknowledge
EOT
fits bot-rule 'bot --check' tocsin bot --check some.rules --json
fits bot-rehearsed 'bot --dry-run' \
	at $them bot some.rules --dry-run --since 1d --json
fits bot-timer 'bot --explain, before' \
	at $them bot some.rules --explain "$id" --json
fits bot 'bot' at $them bot some.rules --once --json
is "$(jq -r .event <line | sort -u | tr '\n' ' ')" 'begun done failed ' \
	'with what was done, begun and failed'
fits hook 'what a hook reads' cat hook.in
fits bot-timer 'bot --explain, after' \
	at $them bot some.rules --explain "$id" --json
is "$(jq -r 'select(.deed.state == "failed") | .deed.output' <line |
	head -n 1 | tr '\000' 0)" \
	"$(printf 'cut \357\277\2750 there')" \
	'what its program wrote is there, also what is no text'

# ---- an exercise ----

fed_exercise mycert@my play $us acid
fed_exercise singcert@sg play $them acid
plays()
{
	at mycert-play keys show singcert@sg --json |
		jq -e '.epochs | any(.exercise == "acid")'
}
ok 'an exercise has its keys' wait_until 20 plays
cat >some.drill <<EOT
[drill]
title = Some
exercise = acid
length = 2m
tlp = GREEN
[player singcert@sg]
contact = +65 0000 0000
[inject first]
at = T+0
to = all
subject = First
text = Look.
ackby = 30s
expect = accepted within 1m
expect = result within 10s
note = nothing
[inject second]
at = T+1m
in = first
text = More.
expect = opened by any
EOT
fits drill-script 'drill check' tocsin drill check some.drill --json
spawn_at mycert-play drill run some.drill --speed 10 --json >run.json
run=$pid
ok 'an inject comes' wait_until 20 \
	at singcert-play watch -n 1 --wait 1 --json --reader drill
at singcert-play inbox --json >line
at singcert-play ack "$(jq -r .id <line)" --accept >/dev/null
fits drill-clock 'drill status' at mycert-play drill status --json
fits drill-clock 'drill pause' at mycert-play drill pause --json
is "$(jq -c '[.injects, .length, .ends, (.posted >= 1), (.late | length)]' \
	<line)" '[2,120,null,true,0]' 'with what was posted and what is late'
ok 'it is held' wait_until 20 has run.json '"event":"paused"'
fits drill-report 'drill report, of what is not over' \
	at mycert-play drill report some.drill --json
fits drill-clock 'drill resume' at mycert-play drill resume --json
ok 'it ends' wait_until 30 gone $run
fits drill-event 'drill run' cat run.json
is "$(jq -r .event <line | sort -u | tr '\n' ' ')" \
	'begin end inject message paused resumed ' 'with all its events'
fits drill-report 'drill report' at mycert-play drill report some.drill --json
is "$(jq -c '[(.expected | length), (.cells | length), .over]' <line)" \
	'[3,2,true]' 'with what was expected'
fits drill-report 'drill report, without a script' \
	at mycert-play drill report --json
fits board 'board, of an exercise' at mycert-play board --json

# ---- what do takes and gives ----

regime=$(at $us due --all --json | jq -r '.clock | select(contains("/")) |
	split("/")[0]' | head -n 1)
other=$(post_it --attach sample.bin | jq -r .id)
cat >requests <<EOT
{"do":"post","to":["singcert@sg"],"tlp":"RED","subject":"S","pap":"RED","labels":["ot"],"severity":"II","importance":null,"class":"other:other","outlook":"stable","sectors":["energy"],"kind":"report","precedence":"flash","ackby":"2h","occurred":"2h","detected":"1h","reported":"1h","content":{"x":1},"attach":["sample.bin"],"once":"a","tag":1}
{"do":"note","id":"$id","text":"T","to":["singcert@sg"],"attach":[],"tag":"a"}
{"do":"request","id":"$id","text":"T","ackby":"30m","tag":true}
{"do":"query","id":"$id","text":"T"}
{"do":"result","id":"$id","text":"T"}
{"do":"escalate","id":"$id","to":["singcert@sg"],"clients":null,"text":"T"}
{"do":"share","id":"$id","to":["singcert@sg"],"tlp":"AMBER"}
{"do":"close","id":"$id","resolution":"resolved"}
{"do":"reopen","id":"$id","ackby":"2h"}
{"do":"ack","id":"$id","answer":"in-progress","text":"T"}
{"do":"status","id":"$id"}
{"do":"show","id":"$id"}
{"do":"get","id":"$id"}
{"do":"inbox","mine":true,"unacked":false,"overdue":false,"state":[],"from":[],"tlp":"GREEN","since":"1h","limit":5}
{"do":"save","id":"$other","name":"sample.bin","folder":"saved2"}
{"do":"why","id":"$id"}
{"do":"why","code":"quota"}
{"do":"members"}
{"do":"sync","wait":5}
{"do":"due","id":"$id","start":"$regime","at":"1h","once":"clock"}
{"do":"due","id":"$id","all":true}
{"do":"due"}
{"do":"relabel","id":"$id","tlp":"CLEAR","text":"T"}
{"do":"recall","id":"$id","text":"T"}
EOT
fits request 'requests fit' cat requests
at $us 'do' --json <requests >answers 2>err
fits answer 'and so do their answers' cat answers
is "$(jq -c 'select(.ok | not)' <answers)" '' 'all of them were done'
cat >asked <<EOT
{"do":"ask","id":"$id","to":["singcert@sg"],"tlp":"CLEAR","text":"T"}
EOT
fits request 'a request for permission fits' cat asked
fits answer 'and its answer' at $them 'do' --json <asked
echo "{\"do\":\"permit\",\"id\":\"$(jq -r .id <line)\",\"tlp\":\"CLEAR\"}" >asked
fits request 'what permits it fits' cat asked
at $us watch -n 1 --reader asked --json --wait 20 >/dev/null 2>&1
fits answer 'as does its answer' at $us 'do' --json <asked
jq -c '. + {tag: 7, more: 1}' <requests >more
is "$(by request <more | wc -l)" "$(wc -l <requests)" \
	'what the schema does not know'
at $us 'do' <more >answers 2>err
is "$(jq -r .reason <answers | sort -u)" usage 'is refused'
fits answer 'and that fits, too' cat answers
printf '%s\n' nonsense '{}' '{"do":"show","id":"zzzz-zzzz-zzzz"}' |
	at $us 'do' >answers 2>err
fits answer 'as does every refusal' cat answers

# Each word of the one table is in both schemas.
words=$(echo '{}' | at $us 'do' 2>/dev/null | jq -r .text |
	sed 's/.*none of //; s/,//g' | tr ' ' '\n' | sort)
is "$(jq -r '.["request.json"]["$defs"] | keys[]' schemas.json | sort)" \
	"$words" 'request.json has the words of do'
printf '{}\n' | sed 's/^/#!\/bin\/sh\necho "/; s/$/"/' >says
chmod +x says
at $us watch -n 1 --reader says --attempts 1 --apply --exec ./says 2>err
is "$(jq -r '.["action.json"]["$defs"] | keys[]' schemas.json | sort)" \
	"$(sed -n 's/.*none of \([a-z, ]*\).*/\1/p' err | head -n 1 |
		tr -d , | tr ' ' '\n' | sort)" \
	'action.json those of --apply'

# A roster that no broker has yet: at the end.
fed_member lacert@sg late
fed_roster
must at $us trust rosters/2 >/dev/null
fits keys 'keys show, of a member whose keys are not here' \
	at $us keys show --json
is "$(jq -r 'select(.serial == null) | .member' <line)" lacert@sg \
	'which has no serial'

# ---- the manual ----

# The members of an item, those inside of arrays left out.
listed() # ITEM, the whole line
{
	awk -v want="$1" '
		/^\.Sh/ { on = $2 == "JSON" }
		/^\.It Cm/ { sub(/^\.It Cm /, ""); within = 0; is = $0 == want
			next }
		/^\((array of|array of objects of)$/ { within = 1 }
		on && is && /^\.Va/ && !within { print $2 }
		/^\.Va.*\)/ { within = 0 }' "$page" | sort
}
jq -r 'to_entries[] | select(.value.title) | "\(.key) \(.value.title)"' \
	schemas.json >titles
while read -r file item; do
	members=$(jq -r --arg f "$file" \
		'.[$f].properties | keys[]' schemas.json | sort)
	is "$members" "$(listed "$item")" "$file has what the manual lists"
done <titles
awk '/^\.Sh/ { on = $2 == "JSON" }
	on && /^\.It Cm/ { sub(/^\.It Cm /, ""); print }' "$page" |
	sort >items
is "$(cut -d' ' -f2- titles | sort)" "$(cat items)" \
	'each item of the manual has a schema, and the other way round'

# ---- another reader ----

if python3 -c 'import jsonschema' 2>/dev/null; then
	ok 'python3-jsonschema says the same' python3 - "$TOP/docs/schema" kept <<'EOT'
import glob, json, os, sys
import jsonschema
files = {os.path.basename(p): json.load(open(p))
         for p in glob.glob(sys.argv[1] + '/*.json')}

# One document of all, so that no version has to look for a file.
def moved(v, name):
    if isinstance(v, list):
        return [moved(x, name) for x in v]
    if not isinstance(v, dict):
        return v
    v = {k: moved(x, name) for k, x in v.items() if k not in ('$id', '$schema')}
    if isinstance(v.get('$ref'), str):
        file, _, at = v['$ref'].partition('#')
        v['$ref'] = '#/$defs/' + (file or name) + at
    return v

for schema in files.values():
    jsonschema.Draft202012Validator.check_schema(schema)
defs = {name: moved(schema, name) for name, schema in files.items()}
for path in glob.glob(sys.argv[2] + '/*'):
    check = jsonschema.Draft202012Validator(
        {'$ref': '#/$defs/' + os.path.basename(path) + '.json', '$defs': defs})
    for line in open(path):
        check.validate(json.loads(line))
EOT
fi
done_testing
