#!/bin/sh
# SPDX-License-Identifier: ISC
#
# A broker that nobody can dial: the roster has no address of it, and it fetches
# what is for it. Tickets go both ways, parts too; whichever broker ends,
# nothing that was acknowledged is lost and nothing comes twice; and of what the
# two others say to one another it gets nothing.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"

fed_begin
fed_authorities aa bb cc
fed_broker sg
fed_broker my
fed_broker la --url -
for team in singcert@sg mycert@my lacert@la; do
	fed_member $team desk1
done
fed_roster
is "$(grep -c '^broker la la .* - -$' "$roster")" 1 \
	'the roster has no address of la' || sed 's/^/# /' "$roster"
fed_install sg my la
fed_start sg my la
fed_publish singcert-desk1 mycert-desk1 lacert-desk1
all_know()
{
	for know_home in singcert-desk1 mycert-desk1 lacert-desk1; do
		for know_member in singcert@sg mycert@my lacert@la; do
			knows $know_home $know_member || return 1
		done
	done
}
ok 'three nations know one another' wait_until 30 all_know

id=$(post singcert-desk1 lacert@la --tlp AMBER --precedence flash \
	--ackby 30m --subject 'To one behind NAT')
ok 'a flash to la arrives' wait_until 20 listed lacert-desk1 "$id"
ok 'it is answered' at lacert-desk1 ack "$id" --accept
ok 'and the answer arrives' \
	wait_until 20 stands singcert-desk1 "$id" lacert@la accepted
head -c 700000 /dev/urandom >"$fed/image"
id=$(post lacert-desk1 singcert@sg --tlp GREEN --subject 'From one' \
	--attach "$fed/image")
ok 'one of la arrives' wait_until 20 listed singcert-desk1 "$id"
id=$(post singcert-desk1 lacert@la --tlp GREEN --subject 'With an image' \
	--attach "$fed/image")
ok 'one with an attachment arrives at la' \
	wait_until 20 listed lacert-desk1 "$id"
mkdir "$fed/saved"
ok 'and the attachment' \
	wait_until 30 at lacert-desk1 save "$id" image -o "$fed/saved"
ok 'it is the same' cmp "$fed/image" "$fed/saved/image"

# What is between sg and my.
to() # BROKER MEMBER: the copies of tickets to that one in its store
{
	find "$fed/$1" -name '*.mdb' -exec cat {} + |
		grep -aoF "to $2 " | grep -c .
}
i=0
while [ $i -lt 10 ]; do
	i=$((i + 1))
	id=$(post singcert-desk1 mycert@my --tlp RED --subject "Not for la $i")
done
id=$(post singcert-desk1 mycert@my --tlp RED --subject 'Not for la' \
	--attach "$fed/image")
mkdir "$fed/saved2"
ok 'tickets between the others arrive' \
	wait_until 20 at mycert-desk1 save "$id" image -o "$fed/saved2"
ok 'la has its own tickets' [ "$(to la lacert@la)" -ge 2 ]
is "$(to la mycert@my)" 0 'and none of those'

# Under load, with either end killed.
spawn_at lacert-desk1 watch --reader screen --json >"$fed/screen"
screen=$pid
spawn storm "$fed/homes/singcert-desk1" lacert@la >"$fed/acked"
storm=$pid
more() # COUNT FILE: lines than it had
{
	more_than=$(($(grep -c . "$2") + $1))
	wait_until 30 eval "[ \$(grep -c . '$2') -ge $more_than ]"
}
ok 'posts to la are acknowledged' more 20 "$fed/acked"
ok 'and read there' more 20 "$fed/screen"
fed_kill la
ok 'without la, posting goes on' more 20 "$fed/acked"
fed_start la
ok 'when it is back, what was posted meanwhile comes' more 50 "$fed/screen"
fed_kill sg
fed_start sg
ok 'the other end, too, may end and come back' more 50 "$fed/screen"
fed_kill sg
fed_kill la
fed_start la sg
ok 'and both at once' more 50 "$fed/screen"
kill -TERM "$storm"
wait "$storm"
is $? 0 'in the end all is acknowledged'

all_read()
{
	json id <"$fed/screen" | sort >"$fed/read.ids"
	sort "$fed/acked" | comm -23 - "$fed/read.ids" >"$fed/lost"
	[ ! -s "$fed/lost" ]
}
ok "all $(grep -c . "$fed/acked") are read" wait_until 60 all_read
is "$(uniq -d "$fed/read.ids")" '' 'none twice'

ok 'tocsind check finds nothing wrong with la' \
	tocsind check --config "$(conf la)"

# What was damaged comes back, in both directions, and nobody has to read it.
# All tickets of la are at sg, and the other way round.
fed_stop la
fed_stop sg
for broker in la sg; do
	sed -i 's/^#*check = .*/check = 1s/' "$(conf $broker)"
done
harmed() # BROKER: how many entries are
{
	perl -0777 -i -pe 's/age-encryption.org\/v1/age-encryption.org\/v2/g' \
		"$fed/$1/store/log.mdb"
	tocsind verify --config "$(conf "$1")" >"$fed/verified"
	grep -c 'problem: entry .* the entry is damaged' "$fed/verified"
}
mended() # BROKER PEER COUNT
{
	[ "$(grep -c "event=entry-mended.* peer=$2" "$fed/$1/log")" -ge "$3" ] &&
		grep -q "event=part-mended .* peer=$2" "$fed/$1/log"
}
verified() # BROKER
{
	tocsind verify --config "$(conf "$1")" >"$fed/verified"
}
n=$(harmed la)
ok "$n entries of la are damaged" [ "$n" -ge 100 ]
fed_start la sg
ok 'they come back from whom it dials' wait_until 120 mended la sg "$n"
ok 'and its store is clean' wait_until 30 verified la
fed_stop sg
fed_stop my
n=$(harmed sg)
ok "$n entries of sg are damaged" [ "$n" -ge 100 ]
fed_start sg
m=$((n - 11)) # those for my alone
ok 'they come back from la, which nobody can dial' \
	wait_until 120 mended sg la "$m"
fed_start my
ok 'and what la never had from my' wait_until 90 verified sg

# Two that nobody can dial have no way to one another.
fed_stop la
fed_broker th --url -
fed_roster
fed_install la
refuses_to() # BROKER WORDS
{
	! tocsind check --config "$(conf "$1")" >"$fed/check" 2>&1 &&
		has "$fed/check" "$2"
}
ok 'tocsind check says that two such cannot reach one another' \
	refuses_to la 'problem: th and this broker cannot reach one another'
done_testing
