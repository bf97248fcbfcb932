#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Circles: groups of members that one home knows by a name. The library's share
# is tests/client/circle.c; here is what an officer types and sees.
set -u
. "${TOP:=$(pwd)}/tests/lib/federation.sh"
command -v jq >/dev/null || skip_all 'no jq on this machine'
fed_begin
fed_authorities aa bb cc
for nation in sg my la vn; do
	fed_broker $nation
done
fed_member singcert@sg desk1
fed_member mycert@my desk1
fed_member lacert@la desk1
fed_member vncert@vn desk1
fed_roster
fed_trust singcert-desk1 mycert-desk1 lacert-desk1 vncert-desk1
for home in singcert-desk1 mycert-desk1 lacert-desk1 vncert-desk1; do
	must at $home keys publish --wait 0 >/dev/null 2>&1
done
TOCSIN_HOME=$fed/homes/singcert-desk1
export TOCSIN_HOME
# The keys of the others, by hand: in a ticket each that we import.
for team in mycert@my lacert@la vncert@vn; do
	home=${team%%@*}-desk1
	must at "$home" post --to "$team" --tlp GREEN --subject "of $team" \
		--wait 0 --json >"$fed/posted" 2>/dev/null
	must at "$home" export "$(jq -r .id <"$fed/posted")" --as bundle \
		-o "$fed/$home.tocsin"
	must tocsin import "$fed/$home.tocsin" >/dev/null 2>&1
done

tocsin circles >"$fed/out" 2>&1
ok 'without a file there are none, and it says where they would be' \
	grep -q 'circles.conf would name them' "$fed/out"

cp "$TOP/docs/examples/circles.conf" "$TOCSIN_HOME"
cat >>"$TOCSIN_HOME/circles.conf" <<'EOF'
[@nobody]
[@gone]
members = mycert@my thcert@th
EOF
tocsin circles >"$fed/out"
ok 'the example is listed with its members' \
	grep -q '^    lacert@la mycert@my singcert@sg vncert@vn' "$fed/out"
ok 'an empty one is nobody' grep -q '^    nobody' "$fed/out"
ok 'and is not used' grep -q 'not used: the circle @nobody has no' "$fed/out"
ok 'nor one whose member is in no roster' \
	grep -q 'not used: thcert@th of the circle @gone' "$fed/out"
is "$(tocsin circles --json @asean | jq -c '[.circle, .members[0], .reason]')" \
	'["@asean","lacert@la",null]' 'as JSON'
is "$(tocsin circles --json | jq -r 'select(.reason) | .circle + .reason' |
	tr '\n' ' ')" '@nobodyusage @gonenot-enrolled ' 'with the reasons'
called_wrongly 'nearest is @asean' 'a name has a nearest' tocsin circles @asaen

posted() # TO...: the members of a new ticket
{
	tocsin post --to "$@" --tlp AMBER --subject 'Beacons' --wait 0 --json \
		2>"$fed/err" | jq -r .id >"$fed/id"
	tocsin show "$(cat "$fed/id")" --no-receipt --wait 0 --json 2>/dev/null |
		jq -r '.to | join(" ")'
}

is "$(posted @asean)" 'lacert@la mycert@my singcert@sg vncert@vn' \
	'a circle is its members'
ok 'who is said before it is sent' \
	grep -q '@asean is lacert@la, mycert@my, singcert@sg, vncert@vn' "$fed/err"
is "$(posted lacert@la @neighbours)" 'lacert@la mycert@my singcert@sg' \
	'beside a member'

# What leaves is what stands in the proof and behind the seal.
must tocsin show "$(cat "$fed/id")" --no-receipt --wait 0 --export "$fed/parts" \
	>/dev/null 2>&1
must tocsin status "$(cat "$fed/id")" --proof "$fed/proof" --wait 0 >/dev/null 2>&1
cat "$fed"/parts/* "$fed"/proof/* >"$fed/leaves" 2>/dev/null
ok 'there is something that leaves' grep -qa 'mycert@my' "$fed/leaves"
ok 'no byte of the name is in it' [ "$(grep -ca 'neighbours' "$fed/leaves")" = 0 ]

called_wrongly 'nearest is @asean' 'a wrong name is answered with the nearest' \
	tocsin post --to @asian --tlp AMBER --subject x --wait 0
called_wrongly 'it is nobody' 'an empty circle is nobody' \
	tocsin post --to @nobody --tlp AMBER --subject x --wait 0
refuses 'thcert@th of the circle @gone is not in roster' \
	'who has left the roster is named' \
	tocsin post --to @gone --tlp AMBER --subject x --wait 0
called_wrongly 'is a nation, and no circle' 'a nation is no circle' \
	tocsin post --to @my --tlp AMBER --subject x --wait 0

# ---- a list of whose ----

listed() # OPTION...: the senders
{
	tocsin inbox --offline --json "$@" | jq -r .from | sort -u |
		sed 's,/.*,,' | tr '\n' ' '
}

is "$(listed --from @my)" 'mycert@my ' 'a nation'
is "$(listed --from @asean --from @neighbours)" \
	'lacert@la mycert@my singcert@sg vncert@vn ' 'a circle'
called_wrongly 'neither a nation nor a circle; the nearest is @asean' \
	'what is neither is refused' tocsin inbox --offline --from @asaen
called_wrongly 'the nearest is @vn' 'with the nearest of both' \
	tocsin inbox --offline --from @vm
printf '[@my]\nmembers = lacert@la\n' >>"$TOCSIN_HOME/circles.conf"
called_wrongly 'give the circle another name' \
	'a circle of a nation'"'"'s name is not guessed about' \
	tocsin inbox --offline --from @my
ok 'nor listed as good' sh -c 'tocsin circles @my | grep -q "not used: @my is a nation"'

# ---- completion, and a fault ----

# In bash a word begins at '@': what stands before it must not come twice.
tocsin completion bash >"$fed/completion"
cat >"$fed/complete" <<'END'
COMP_WORDBREAKS=$3
. "$1"
COMP_LINE=$2
COMP_POINT=${#2}
_tocsin
printf '%s\n' "${COMPREPLY[@]}"
END
in_bash() # LINE BREAKS
{
	PATH=$B:$PATH bash "$fed/complete" "$fed/completion" "$1" "$2" | tr '\n' ' '
}
is "$(in_bash 'tocsin post --to mycert@m' '@:=')" '@my ' \
	'bash completes a nation behind its @'
is "$(in_bash 'tocsin post --to mycert@m' ':=')" 'mycert@my ' \
	'the whole member where that is no break'
is "$(in_bash 'tocsin post --to @neig' '@:=')" '@neighbours ' 'and a circle'

is "$(tocsin completion for post --to @ne)" '@neighbours' 'the shell knows them'
is "$(tocsin completion for circles @as)" '@asean' 'where they are listed, too'
echo 'members mycert@my' >>"$TOCSIN_HOME/circles.conf"
refuses 'circles.conf, line [0-9]*: members mycert@my: this line is not' \
	'with a fault in the file no circle is used' \
	tocsin post --to @asean --tlp AMBER --subject x --wait 0
ok 'and members still are' tocsin post --to mycert@my --tlp AMBER --subject x --wait 0
done_testing
