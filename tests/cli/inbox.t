#!/bin/sh
# What inbox lists, and what it leaves out.
set -u
. "${TOP:=$(pwd)}/tests/lib/federation.sh"
command -v jq >/dev/null || skip_all 'no jq on this machine'
fed_begin
cd "$fed" || exit 1
fed_authorities aa bb cc
fed_broker sg
fed_broker my
fed_member singcert@sg desk1
fed_member mycert@my desk1
fed_roster
fed_trust singcert-desk1 mycert-desk1
for home in singcert-desk1 mycert-desk1; do
	must at $home keys publish --wait 0 >/dev/null 2>&1
done

# A ticket of Malaysia's own comes to Singapore by hand.
must at mycert-desk1 post --to mycert@my --tlp GREEN --subject theirs \
	--wait 0 --json >"$fed/posted" 2>/dev/null
must at mycert-desk1 export "$(jq -r .id <"$fed/posted")" --as bundle \
	-o "$fed/theirs.tocsin"
TOCSIN_HOME=$fed/homes/singcert-desk1
export TOCSIN_HOME
must tocsin import "$fed/theirs.tocsin" >/dev/null 2>&1
for label in RED AMBER CLEAR; do
	must tocsin post --to singcert@sg --tlp $label --subject "our $label" \
		--wait 0 >/dev/null 2>&1
done

listed() # OPTION...: the labels, in the order of the list
{
	tocsin inbox --offline --json "$@" | jq -r .tlp | tr '\n' ' '
}

is "$(listed)" 'GREEN RED AMBER CLEAR ' 'all are listed, newest last'
is "$(listed --mine)" 'RED AMBER CLEAR ' 'those of our team'
is "$(listed --from mycert@my)" 'GREEN ' 'those of a member'
is "$(listed --from @my)" 'GREEN ' 'those of a nation'
is "$(listed --from @my --from singcert@sg)" 'GREEN RED AMBER CLEAR ' \
	'of either'
called_wrongly 'neither a nation nor a circle; the nearest is @my' \
	'the beginning of a name is no name' tocsin inbox --offline --from @m
is "$(listed --tlp tlp:amber)" 'AMBER ' 'those with a label'
is "$(listed --state queued)" 'RED AMBER CLEAR ' 'those in a state'
is "$(listed --state queued --state refused)" 'GREEN RED AMBER CLEAR ' \
	'in either state'
is "$(listed --since 1h)" 'GREEN RED AMBER CLEAR ' 'of the last hour'
is "$(listed --since 2099-01-01T00:00:00Z)" '' 'since a time'
is "$(listed --mine --tlp RED --since 1d)" 'RED ' 'all of it together'
called_wrongly 'nearest is queued' 'a state has a nearest' \
	tocsin inbox --state queed
called_wrongly 'nearest is AMBER' 'so has a label' tocsin inbox --tlp ambr
called_wrongly 'write 30m' 'a time is a time' tocsin inbox --since yesterday

# ---- what is about us ----

refuses 'own.conf, which would say' 'without a file it is said what would be in it' \
	tocsin inbox --offline --own
printf '# ministries\n192.0.2.0/24  finance\nmof.example.sg\n' \
	>"$TOCSIN_HOME/own.conf"
is "$(listed --own)" '' 'nothing is about us yet'
echo 'It talks to 192[.]0[.]2[.]77 every hour.' >"$fed/text"
must tocsin post --to singcert@sg --tlp GREEN --subject 'Beacons' --text "$fed/text" \
	--wait 0 >/dev/null 2>&1
must tocsin post --to singcert@sg --tlp CLEAR \
	--subject 'Phishing at login.mof.example.sg' --wait 0 >/dev/null 2>&1
is "$(listed --own)" 'GREEN CLEAR ' 'what names a network or a domain of ours'
is "$(tocsin inbox --offline --own --json | jq -r .ours | tr '\n' ' ')" \
	'192.0.2.0/24 mof.example.sg ' 'and which'
ok 'it stands below the ticket' \
	sh -c 'tocsin inbox --offline --own | grep -q "^    ours: 192.0.2.0/24"'
tocsin find hour --own --json >"$fed/found"
is "$(jq -s length <"$fed/found")" 1 'find takes it, too'
# Malaysia writes two, of which one is about us; they come by hand.
must tocsin export "$(tocsin inbox --offline --json --tlp RED | jq -r .id)" \
	--as bundle -o "$fed/keys.tocsin"
must at mycert-desk1 import "$fed/keys.tocsin" >/dev/null 2>&1
for host in 203.0.113.5 192.0.2.9; do
	must at mycert-desk1 post --to singcert@sg --tlp GREEN --json \
		--subject "Scan of $host" --wait 0 >"$fed/posted" 2>/dev/null
	must at mycert-desk1 export "$(jq -r .id <"$fed/posted")" --as bundle \
		-o "$fed/scan.tocsin"
	must tocsin import "$fed/scan.tocsin" >/dev/null 2>&1
	rm "$fed/scan.tocsin"
done
tocsin watch --reader ours --own -n 3 --wait 0 --json >"$fed/watched" 2>/dev/null
is "$(jq -r '.subject // .refused' "$fed/watched" | tr '\n' ' ')" \
	'not-recipient Scan of 192.0.2.9 ' \
	'watch passes over what is not about us, not what it cannot read'
echo 'mail.cc' >>"$TOCSIN_HOME/own.conf"
echo 'not/one' >>"$TOCSIN_HOME/own.conf"
refuses 'own.conf, line 5: not/one' 'a fault is told with its line' \
	tocsin inbox --offline --own
rm "$TOCSIN_HOME/own.conf"

# As wide as there is room for.
long='这是一封很长的钓鱼邮件标题 ເຊີບເວີຂອງກະຊວງ with more words than there is room for in eighty columns'
must tocsin post --to singcert@sg --tlp GREEN --subject "$long" --wait 0 \
	>/dev/null 2>&1
tocsin inbox --offline | sed -n '/这是/s/.*Z[^(]* \(([^)]*)\)* *这/这/p' >"$fed/whole"
is "$(cat "$fed/whole")" "$long" 'a subject is whole where there is no terminal'
COLUMNS=80 tocsin inbox --offline | grep '这是' >"$fed/cut"
ok 'and cut to the columns that there are' grep -q '…$' "$fed/cut"
width() # of a line: two columns for what is wide, none for marks
{
	perl -CSD -ne 'chomp; s/\p{Mn}//g; my $w = length; $w++ while /\p{Ea=W}/g;
		print $w' "$1"
}
ok 'of which it takes no more' [ "$(width "$fed/cut")" -le 80 ]
ok 'and few less' [ "$(width "$fed/cut")" -ge 60 ]

done_testing
