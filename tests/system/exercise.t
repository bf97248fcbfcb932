#!/bin/sh
# An exercise and what is real, side by side: two nations, a live desk and one
# of the exercise each, of one team. Nothing crosses, whoever tries.
set -u
. "${TOP:=$(pwd)}/tests/lib/federation.sh"
fed_two
name=Acid.2026
fed_exercise singcert@sg play singcert-desk1 $name
fed_exercise mycert@my play mycert-night $name
must wait_until 20 at singcert-play keys show mycert@my
plays()
{
	at "$1" keys show "$2" | grep -q "EXERCISE $name"
}
must wait_until 20 plays singcert-play mycert@my
must wait_until 20 plays mycert-play singcert@sg
cd "$fed" || exit 1
head -c 3000 /dev/urandom >clip.bin

# ---- within ----

drill=$(post singcert-play mycert@my --subject 'A server of the ministry' \
	--text - --tlp GREEN --precedence flash --ackby 1h --attach clip.bin <<'END'
It mines coins.
END
)
ok 'a ticket of an exercise comes to its desk' wait_until 20 listed mycert-play "$drill"
mkdir saved
must at mycert-play save "$drill" clip.bin -o saved
ok 'its attachment, too' cmp clip.bin saved/clip.bin
ok 'it is answered' at mycert-play ack "$drill" --accept
ok 'its sender sees who has it, and the answer' \
	wait_until 20 stands singcert-play "$drill" mycert@my accepted
real=$(post singcert-desk1 mycert@my --subject 'This is real' --tlp AMBER)
ok 'what is real comes to the live desk' wait_until 20 listed mycert-night "$real"

# ---- nothing crosses ----

has_none() # HOME ID: no message, header or receipt of it
{
	at "$1" inbox --json >none.out 2>&1
	! has none.out "$2" && ! at "$1" show "$2" --no-receipt >/dev/null 2>&1 &&
		! at "$1" status "$2" >/dev/null 2>&1
}
ok "no live desk of the sender's has it" has_none singcert-desk1 "$drill"
ok "none of the recipient's" has_none mycert-night "$drill"
ok "the sender's exercise desk has nothing real" has_none singcert-play "$real"
ok "nor the recipient's" has_none mycert-play "$real"
is "$(cat homes/mycert-night/desk/* | strings | grep -c "exercise $name")" 0 \
	'not a header of it is on a live disk'
at singcert-play export "$drill" --as bundle --attachments -o drill.bundle
refuses 'is of the exercise.*this one is live.*exercise-mismatch' \
	'a live desk takes none by hand' at mycert-night import drill.bundle
at singcert-desk1 export "$real" --as bundle -o real.bundle
refuses 'it is live, no part of.*exercise-mismatch' \
	'nor an exercise what is real' at mycert-play import real.bundle
ok 'its own it takes' at mycert-play import drill.bundle

# ---- keys ----

# The body, and the keys of the other side in place of one's own.
opens() # HOME WITH-KEYS-OF ID
{
	cp "homes/$1/keys/recipient.txt" kept.txt
	cp "homes/$2/keys/recipient.txt" "homes/$1/keys/"
	at "$1" show "$3" --no-receipt >opened.out 2>&1
	cp kept.txt "homes/$1/keys/recipient.txt"
	! grep -q 'not opened' opened.out
}
opens mycert-play mycert-night "$drill"
is $? 1 'production keys do not open what is of the exercise'
opens mycert-night mycert-play "$real"
is $? 1 "the exercise's keys do not open what is real"
opens mycert-play singcert-play "$drill" >/dev/null
is $? 1 "nor another team's"
at mycert-play show "$drill" | grep -q 'It mines coins'
is $? 0 'its own do'

# ---- who tries ----

refuses 'this home is live.*tocsin init --exercise.*exercise-mismatch' \
	'a live desk posts into no exercise, and hears what does' \
	at singcert-desk1 post --to mycert@my --subject x --tlp GREEN --exercise $name
refuses "is of the exercise $name, not of Other" 'nor one exercise into another' \
	at singcert-play post --to mycert@my --subject x --tlp GREEN --exercise Other

# Homes that lie about what they are: their own program believes them.
cp homes/singcert-play/config play.config
cp homes/singcert-desk1/config live.config
sed -i '/^exercise/d' homes/singcert-play/config
refuses 'the broker refused it.*exercise-mismatch' \
	'a player that sends an alarm is refused' at singcert-play \
	post --to mycert@my --subject 'Real, honestly' --tlp GREEN
cp play.config homes/singcert-play/config
echo "exercise $name" >>homes/singcert-desk1/config
refuses 'the broker refused it.*exercise-mismatch' \
	'a live device that sends into the exercise, too' at singcert-desk1 \
	post --to mycert@my --subject 'Only a drill' --tlp GREEN
cp live.config homes/singcert-desk1/config
is "$(at mycert-night inbox | grep -c 'Real, honestly')" 0 'the one has come nowhere'
is "$(at mycert-play inbox | grep -c 'Only a drill')" 0 'nor the other'

# ---- screens ----

says() # HOME COMMAND...: its first line says so
{
	says_home=$1
	shift
	at "$says_home" "$@" >says.out 2>&1
	head -n 1 says.out | grep -q "EXERCISE EXERCISE EXERCISE $name"
}
for screen in inbox 'find server' "show $drill" "status $drill" due \
	"why $drill" 'keys show'; do
	# shellcheck disable=SC2086
	ok "${screen%% *} says that it is an exercise" says singcert-play $screen
done
echo quit | at singcert-play desk --plain >plain.out 2>&1
ok 'so does a plain desk, at each list' grep -q "^EXERCISE $name: [0-9]* of" plain.out
at singcert-play board --offline -o page.html
is "$(grep -o 'EXERCISE EXERCISE EXERCISE <bdi>Acid.2026' page.html | wc -l)" 2 \
	'and a board, in head and foot'
for format in stix misp iodef iodef-json xarf idea markdown; do
	at singcert-play export "$drill" --as $format >out.$format 2>/dev/null ||
		continue
	ok "a $format of it names the exercise" grep -q "EXERCISE $name" out.$format
done
is "$(grep -c "EXERCISE $name" out.markdown)" 3 \
	'in its title, before the text and behind it'
at mycert-night inbox >live.out
is "$(grep -c EXERCISE live.out)" 0 'a live screen says nothing of it'

# ---- recalls ----

ok 'it is taken back' at singcert-play recall "$drill"
erased()
{
	at mycert-play show "$drill" 2>&1 | grep -q recalled
}
ok 'and is gone there' wait_until 20 erased
ok 'what is real stays' listed mycert-night "$real"

# ---- the operator ----

ok 'the broker says what it keeps of exercises' sh -c \
	"tocsind status --config '$(conf my)' | grep -q 'exercises  *all, keeps'"
[ "$(counter sg exercise_posts)" -ge 1 ]
is $? 0 'and counts what was posted in them'
ok 'its log says so' grep -q "session-begin.* exercise=$name" sg/log
fed_stop my
sed -i 's/^#carry = .*/carry = Other.1/' "$(conf my)"
fed_start my
second=$(post singcert-play mycert@my --subject 'Second inject' --tlp GREEN)
not_carried()
{
	at singcert-play status "$second" >carried.out && grep -q policy-denied carried.out
}
ok 'an exercise that a nation does not carry is refused, and its sender sees it' \
	wait_until 20 not_carried
fed_stop my
sed -i 's/^carry = .*/carry = all/; s/^#live = .*/live = no/' "$(conf my)"
fed_start my
third=$(post singcert-play mycert@my --subject 'Third inject' --tlp GREEN)
ok 'a broker for exercises alone carries them' wait_until 20 listed mycert-play "$third"
refuses 'the broker refused it.*exercise-mismatch' 'and nothing live' \
	at mycert-night post --to singcert@sg --subject Real --tlp GREEN
ok 'which its status says first' sh -c \
	"tocsind status --config '$(conf my)' | grep -q '^EXERCISES ONLY'"

done_testing
