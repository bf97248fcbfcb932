#!/bin/sh
# Reports of other tools become tickets, and tickets become reports of theirs.
set -u
. "${TOP:=$(pwd)}/tests/lib/federation.sh"
command -v jq >/dev/null || skip_all 'no jq on this machine'
fed_begin
fed_authorities aa bb cc
fed_broker sg
fed_member singcert@sg desk1
fed_roster
fed_trust singcert-desk1
TOCSIN_HOME=$fed/homes/singcert-desk1
export TOCSIN_HOME
must tocsin keys publish --wait 0 >/dev/null 2>&1
samples=$TOP/docs/examples/samples
cd "$fed" || exit 1

imports() # FILE OPTION...
{
	tocsin import "$@" --to singcert@sg --wait 0 --json >posted 2>said &&
		jq -r .id <posted
}

# ---- in ----

id=$(imports "$samples/stix-poisonivy.json" --tlp AMBER)
is $? 0 'a STIX report becomes a ticket'
tocsin show "$id" --json >ticket
is "$(jq -r .subject <ticket)" \
	'Poison Ivy: Assessing Damage and Extracting Intelligence' \
	'of its title'
is "$(jq '.content.indicators | length' <ticket)" 25 'its indicators are in it'
ok 'what has no place is named' \
	jq -e '.content.kept | index("objects.relationship")' ticket
must tocsin save "$id" stix-poisonivy.json --wait 0
ok 'and the file is attached as it was' \
	cmp stix-poisonivy.json "$samples/stix-poisonivy.json"

id=$(imports "$samples/misp-event.json")
is $? 0 'so does an event of MISP, with the label that it has'
is "$(tocsin show "$id" --json | jq -r .tlp)" CLEAR 'tlp:white is TLP:CLEAR'
ok 'and that is said' has said 'TLP:CLEAR, as'
tocsin show "$id" >shown
ok 'what was kept is shown' has shown 'regkey|value'
id=$(imports "$samples/misp-event.json" --tlp RED --subject mine)
is "$(tocsin show "$id" --json | jq -r '.tlp + .subject')" REDmine \
	'what is said here counts'

printf '{"type":"bundle","objects":[{"type":"report","name":"r",%s]}' \
	'"object_marking_refs":["marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed"]}' >red.json
id=$(imports red.json --tlp GREEN)
ok 'a label wider than that of the file is pointed out' \
	has said 'says TLP:RED, and the ticket is TLP:GREEN'

id=$(imports "$samples/xarf-ddos.json" --tlp GREEN)
is $? 0 'an abuse report becomes a ticket'
must tocsin save "$id" evidence-1 --wait 0
is "$(cat evidence-1)" 'DDoS attack detected: 250K pps, 1.2Gbps, 45 minutes' \
	'its evidence is an attachment'
xarf=$id
id=$(imports "$samples/idea-scan.json" --tlp AMBER)
is $? 0 'and an IDEA event'

# ---- out ----

for as in stix misp iodef iodef-json idea markdown; do
	ok "a ticket is written as $as" tocsin export "$id" --as $as -o out.$as
	ok 'with its label in it' grep -qi 'tlp.*amber' out.$as
	called_wrongly 'is there already' 'and not over a file' \
		tocsin export "$id" --as $as -o out.$as
done
called_wrongly 'in which format' 'a format must be said' tocsin export "$id"
called_wrongly 'nearest is stix' 'a wrong one has a nearest' \
	tocsin export "$id" --as sticks
ok 'the abuse report goes back' tocsin export "$xarf" --as xarf -o out.xarf
is "$(jq -r '.attack_vector, .source_identifier' out.xarf | tr '\n' ' ')" \
	'syn_flood 192.0.2.155 ' 'with its figures'
for as in stix misp iodef iodef-json idea; do
	again=$(imports out.$as --tlp AMBER)
	is "$(tocsin show "$again" --json |
		jq -r '.content.classification.type + .subject')" \
		'scannerHorizontal scan of port 445' "$as is read back"
done

# ---- who may have it ----

ok 'one may have for oneself what one can read' \
	tocsin export "$id" --as stix --for me
ok 'AMBER is for clients' tocsin export "$id" --as stix --for clients
refuses 'TLP:AMBER.*for community it takes singcert@sg.*tocsin relabel' \
	'but not for the community' tocsin export "$id" --as stix --for community
must tocsin note "$id" -m 'between us' --wait 0 >/dev/null
called_wrongly 'me, organisation' 'an audience is one of five' \
	tocsin export "$id" --as stix --for press
red=$(tocsin post --to singcert@sg --tlp RED --subject s --wait 0 --json |
	jq -r .id)
refuses 'TLP:RED' 'RED stays with who reads it' \
	tocsin export "$red" --as markdown --for organisation

refuses "the ticket's class is none" 'what a format cannot say is refused' \
	tocsin export "$red" --as xarf

# ---- by hand ----

# Another desk of the same team, which no broker reaches.
fed_device singcert@sg desk2
other=$fed/homes/singcert-desk2
must tocsin keys publish --card "$fed/devices/singcert-desk2" --wait 0 \
	>/dev/null 2>&1
must at singcert-desk2 trust "$fed/rosters/1" \
	--fingerprint "$(fingerprint "$fed/rosters/1")" >/dev/null
cp "$TOCSIN_HOME/keys/recipient.txt" "$other/keys/"
id=$(imports "$samples/xarf-ddos.json" --tlp AMBER)
must tocsin note "$id" -m 'by hand' --wait 0 >/dev/null 2>&1
ok 'a ticket is written as a bundle' \
	tocsin export "$id" --as bundle --attachments -o case.tocsin
ok 'which any tar lists' tar -tf case.tocsin
there()
{
	TOCSIN_HOME=$other tocsin "$@"
}
is "$(there import case.tocsin --json | jq -c '[.messages, .new, .refused, .attachments]')" \
	'[2,2,0,2]' 'another desk takes it in'
is "$(there show "$id" --json --no-receipt | jq -r .text | tail -n 1)" \
	'by hand' 'and opens it'
ok 'its attachment is there without a broker' \
	there save "$id" evidence-1 -o "$other" --wait 0
is "$(there import case.tocsin --json | jq -c '[.messages, .new]')" '[2,0]' \
	'once more is no second time'
head -c 20000 case.tocsin >cut.tocsin
refuses 'no whole bundle' 'half of it is refused' there import cut.tocsin
sed 's/singcert@sg/mycertxx@sg/' case.tocsin >forged.tocsin
there import forged.tocsin >out 2>said
ok 'a header that was changed is not opened' has said 'cannot be opened'
is "$(there inbox --offline 2>/dev/null | grep -c 'connection ddos')" 1 \
	'and the ticket is as it was'
called_wrongly 'is for a bundle' 'another format has no attachments' \
	tocsin export "$id" --as stix --attachments

# ---- many at once ----

mkdir -p pile/deeper
mkfifo pile/pipe.json
cp "$samples/misp-event.json" pile/a.json
cp "$samples/xarf-ddos.json" pile/b.json
cp "$samples/idea-scan.json" "$samples/xarf-ddos.json" pile/deeper
echo '{"nothing": "known"}' >pile/c.json
cp pile/a.json pile/d.json
tickets() { tocsin inbox --offline --json | jq -s length; }
before=$(tickets)
timeout 60 \
	tocsin import pile --to singcert@sg --tlp GREEN --wait 0 --json >out 2>said
is $? 1 'a folder with a file that is nothing is not all well'
is "$(jq -r '.file + " " + .state' out | tr '\n' ' ')" \
	'pile/a.json queued pile/b.json queued pile/c.json failed pile/d.json known ' \
	'each file is told; one that is there twice is one ticket'
ok 'which one is no report is said' has said 'pile/c.json is in no format'
ok 'and how many' has said '2 posted, 1 posted before, 1 not, of 4 files'
is "$(($(tickets) - before))" 2 'two tickets are there'
rm pile/c.json
cp "$samples/idea-scan.json" pile/e.json
tocsin import pile --to singcert@sg --tlp GREEN --wait 0 --json >again 2>said
is $? 0 'once more'
is "$(jq -r .state again | tr '\n' ' ')" 'known known known queued ' \
	'posts what is new, and nothing twice'
is "$(jq -r '.id // empty' out | head -n 1)" "$(jq -r .id again | head -n 1)" \
	'and tells the ticket that it was'
latin=$(printf 'pile/caf\351.json')
cp pile/b.json "$latin"
tocsin import pile --to singcert@sg --tlp GREEN --wait 0 --json >again 2>said
is "$?$(jq -r .file again | grep -c '/caf.*[.]json')" 01 \
	'a name that is not UTF-8 has its line too'
rm "$latin"
tocsin import pile/a.json pile/b.json --to singcert@sg --tlp GREEN --wait 0 \
	>out 2>said
is "$(grep -c 'was posted before' out)" 2 'under whatever names'
is "$(($(tickets) - before))" 3 'three in all'
called_wrongly 'for one file' 'a subject is for one file' \
	tocsin import pile --to singcert@sg --tlp GREEN --subject x
refuses 'no file in' 'an empty folder is told' \
	sh -c 'mkdir empty && tocsin import empty --to singcert@sg --tlp GREEN'
tocsin import pile --to nocert@sg --tlp GREEN --wait 0 >out 2>said
is "$?$(grep -c 'nocert@sg is not in' said)" 11 \
	'what would be wrong with each file is said once'

done_testing
