#!/bin/sh
# SPDX-License-Identifier: ISC
#
# tour.sh - one night of four nations, and every screen of it
#
# `make tour` runs it. Mails that ask for passwords reach Singapore; they come
# from a server of a ministry in Laos, and lead to a page in Malaysia and to
# victims in Viet Nam. Each command is printed as it is typed, with who types it
# and what the terminal then shows, and behind each screen what was verified of
# it. The status is 0 only if all of that was so. All is on this machine's
# loopback, in a scratch folder; KEEP=1 leaves it running.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"
# shellcheck source=tests/lib/telling.sh
. "$TOP/tests/lib/telling.sh"

if [ -n "${KEEP:-}" ]; then
	fed_begin "${TOUR:-/tmp/tocsin-tour.$$}"
else
	fed_begin
fi
cd "$fed" || exit 1
mkdir out

singapore()
{
	desk singcert-desk1 '<+08>-8' 'Singapore, singcert@sg: the officer on duty'
}
malaysia()
{
	desk mycert-night '<+08>-8' 'Malaysia, mycert@my: the night desk'
}
laos()
{
	desk lacert-duty '<+07>-7' 'Laos, lacert@la: one officer, at home'
}
laos_watch()
{
	desk ncc-watch '<+07>-7' 'Laos, ncc@la: the watch of the national centre'
}
vietnam()
{
	desk vncert-desk '<+07>-7' 'Viet Nam, vncert@vn: the desk in Ha Noi'
}

# Whether somebody stands so far in the eyes of Singapore.
sees_stand() # MEMBER RUNG
{
	stands singcert-desk1 "$id" "$@"
}

# Whether a desk's newest fetch has the words in the ticket.
has_come() # HOME WORDS
{
	shows "$1" "$id" "$2"
}

overdue()
{
	at singcert-desk1 inbox --overdue >"$fed/overdue" &&
		has "$fed/overdue" "$id"
}

erased_by() # DEVICE...
{
	at singcert-desk1 status "$id" >"$fed/erased" || return 1
	for device in "$@"; do
		grep -Eq "$device +erased" "$fed/erased" || return 1
	done
}

head_and_foot() # FILE
{
	head -n 1 "$1" | grep -q 'TLP:AMBER+STRICT' &&
		tail -n 1 "$1" | grep -q 'TLP:AMBER+STRICT'
}

# What a person would type: the short id of the first message with these words.
brief() # HOME WORDS
{
	at "$1" show "$id" --no-receipt |
		awk -v words="$2" '/^TLP:/ { short = $2 }
			index($0, words) { print short; exit }'
}

echo "tocsin: a tour of four nations, in $fed"

# ---------------------------------------------------------------------------
step 1 'Four nations, a broker each, five desks, one roster'

fed_authorities aa bb cc
for nation in sg my la vn; do
	fed_broker $nation
done
fed_member singcert@sg desk1
fed_member mycert@my night
fed_member lacert@la duty
fed_member ncc@la watch
fed_member vncert@vn desk
fed_roster
tocsin roster verify "$roster" | sed 's/^/   | /'
fed_install sg my la vn
fed_start sg my la vn
fed_publish singcert-desk1 mycert-night lacert-duty ncc-watch vncert-desk
for member in mycert@my lacert@la ncc@la vncert@vn; do
	waits 30 knows singcert-desk1 $member
done
for home in mycert-night lacert-duty ncc-watch vncert-desk; do
	waits 30 knows $home singcert@sg
done
tell 'the keys of all have come to all, by relay'
# What Singapore's own procedure asks for; docs/examples/clocks.conf.
cat >"$fed/homes/singcert-desk1/clocks.conf" <<'END'
[sg-duty/head-informed]
text = the head of duty knows of it
start = detected
within = 2h
severity = GB/T 20986:I, GB/T 20986:II
END
cat >report.txt <<'END'
Since 19:40 UTC staff of our finance ministry get mails that ask for their
password. They come from mail.moic.example.la (192.0.2.17), a server of a
ministry in Laos that somebody else controls. The page that takes the
passwords is at login-moic.example.my (198.51.100.23), in Malaysia.

The whole mail and the list of who got it are attached.
END
cat >mail.eml <<'END'
From: IT support <support@moic.example.la>
To: undisclosed recipients
Subject: Your mailbox is full
Received: from mail.moic.example.la (192.0.2.17)

Sign in at https://login-moic.example.my/ to keep your mails.
END
printf 'name,mailbox\nTan A.,tan@mof.example.sg\nLim B.,lim@mof.example.sg\n' \
	>victims.csv
step_done

# Beside every keyboard a window in which tocsin waits for what comes.
for home in singcert-desk1 mycert-night lacert-duty ncc-watch vncert-desk; do
	spawn_at $home watch >"$fed/window.$home" 2>&1
done

# ---------------------------------------------------------------------------
step 2 'Singapore rings the bell'

singapore
mistyped post --to mycert@my --tlp AMBER --subject 'Phishing' \
	--class fraud:fishing
sees 'a wrong word is answered with the nearest right one' fraud:phishing
types post --to mycert@my lacert@la --tlp AMBER --precedence immediate \
	--subject 'Phishing from a ministry server in Laos' \
	--text report.txt --attach mail.eml --attach victims.csv \
	--class intrusions:system-compromise --importance especially-important \
	--loss serious --sector public-administration --outlook worsening \
	--detected 40m --ackby 1h
id=$(head -n 1 "$screen")
tell "= $id is the ticket from now on, on every desk"
waits 20 sees_stand mycert@my delivered
waits 20 sees_stand lacert@la delivered
types status "$id"
sees 'both nations have it, and nobody has said a word' \
	mycert@my lacert@la delivered 'silent for'
types due "$id"
sees 'what must be done by when: by others, and by us' \
	mycert@my lacert@la sg-duty/head-informed left
step_done

# ---------------------------------------------------------------------------
step 3 'Malaysia looks, and takes it'

malaysia
waits 20 has "$fed/window.mycert-night" mail.eml
tell 'the window that waits has it:'
looks_at "$fed/window.mycert-night"
types inbox --unacked
sees 'the label comes first, then what to say on the telephone' \
	TLP:AMBER "$id" immediate singcert@sg/desk1 'Phishing from a ministry'
types show "$id"
sees 'all of the report' login-moic.example.my mail.eml 'answer by'
types save "$id" mail.eml -o out
verify '= the mail is what was attached in Singapore' cmp mail.eml out/mail.eml
types ack "$id" --accept -m 'We have called the company that hosts the page.'
waits 20 sees_stand mycert@my accepted

singapore
types status "$id"
sees 'Malaysia has accepted, Laos is silent' accepted 'silent for'
types due "$id" --done sg-duty/head-informed
step_done

# ---------------------------------------------------------------------------
step 4 'Singapore asks for help; Malaysia gives one half and refuses the other'

singapore
types request "$id" --to mycert@my --ackby 2h \
	-m 'Please take the page down, and send us its logs of tonight.'

malaysia
waits 20 has_come mycert-night 'its logs of tonight'
printf '198.51.100.23 is off since 21:12 UTC.\nDomain: suspended.\n' >off.txt
types words reason
sees 'the reasons are those of RID' CannotProcess
types ack "$id" --refuse CannotProcess \
	-m 'The logs name citizens of ours. Our law wants a request of your court.'
waits 20 sees_stand mycert@my refused
types result "$id" -m 'The page is off.' --attach off.txt
waits 20 sees_stand mycert@my result

singapore
types status "$id"
sees 'the refusal stands with its reason, and the result beside it' \
	'refused' CannotProcess result
types show "$id"
sees 'and what was said' 'request of your court' 'The page is off.' off.txt
step_done

# ---------------------------------------------------------------------------
step 5 'Laos asks, and is answered'

laos
types inbox
sees 'the same ticket' "$id" 'Phishing from a ministry'
types query "$id" --to singcert@sg \
	-m 'How many mails, and since when? We see nothing before 20:00 UTC.'

singapore
waits 20 has_come singcert-desk1 'nothing before 20:00'
types result "$id" -m '412 mails, the first at 19:40:12 UTC.'

laos
waits 20 has_come lacert-duty '412 mails'
types status "$id"
sees 'Singapore has sent its result' singcert@sg result
step_done

# ---------------------------------------------------------------------------
step 6 'One more nation: who may show a ticket to whom'

malaysia
tell 'victims of the page are in Viet Nam; who may tell Viet Nam?'
typed_in_vain share "$id" --to vncert@vn -m 'Some victims are yours.'
sees 'an AMBER ticket is not ours to give on, whose it is, and how to ask' \
	singcert@sg policy-denied 'tocsin ask'
types why policy-denied
types ask "$id" --to vncert@vn -m 'Some victims are theirs. May we tell them?'

singapore
waits 20 has_come singcert-desk1 'May we tell them?'
request=$(brief singcert-desk1 'May we tell them')
types show "$id" --no-receipt
sees 'who asks for what, and the command that answers' \
	'to show to vncert@vn' 'asks for permission: `tocsin permit'
types permit "$request" -m 'Yes, as AMBER, and nobody else.'

malaysia
waits 20 has_come mycert-night 'and nobody else'
types share "$id" --to vncert@vn --ackby 1h \
	-m 'Victims of the page are in your country.'

vietnam
waits 20 has "$fed/window.vncert-desk" 'Victims of the page'
types inbox
types show "$id"
sees 'what it is about comes along, and who permitted that' \
	login-moic.example.my 'with the permission of singcert@sg, signed'
types ack "$id" --in-progress -m 'We warn our banks.'
waits 20 sees_stand vncert@vn in-progress

singapore
tell 'what Singapore writes goes to whom it has shown the ticket itself'
types share "$id" --to vncert@vn -m 'Viet Nam reads along from now on.'
waits 20 has_come vncert-desk 'reads along'
step_done

# ---------------------------------------------------------------------------
step 7 'Laos goes quiet, and it is brought before its national centre'

singapore
tell '(an hour is three seconds here)'
types request "$id" --to lacert@la --ackby 3s \
	-m 'Please cut 192.0.2.17 from the network.'
waits 20 overdue
types inbox --overdue
sees 'who did not answer in time is on the list' "$id" OVERDUE
types escalate "$id" --to ncc@la --ackby 1h \
	-m 'lacert@la does not answer. The server still sends mails.'

laos_watch
waits 20 has "$fed/window.ncc-watch" 'does not answer'
types show "$id"
types ack "$id" --accept -m 'The server is off the network since 22:05 UTC.'
waits 20 sees_stand ncc@la accepted

singapore
types status "$id"
sees 'who acts, who is silent, and who is late' \
	ncc@la accepted 'silent for' OVERDUE 'escalated 1 time'
step_done

# ---------------------------------------------------------------------------
step 8 'An attachment that should not have been sent is taken back'

singapore
tell 'victims.csv has names of people; no nation but ours may keep it'
types recall "$id" --attachment victims.csv \
	-m 'Names of people. It was sent by mistake.'
waits 30 erased_by mycert@my/night lacert@la/duty ncc@la/watch vncert@vn/desk
waits 30 erased_by my la
types status "$id"
sees 'desks and brokers have erased it, each by a signed word' \
	'mycert@my/night' 'lacert@la/duty' erased

malaysia
typed_in_vain save "$id" victims.csv -o out
sees 'it is not to be had any more' recalled
step_done

# ---------------------------------------------------------------------------
step 9 'What a third party can check'

singapore
screen=$fed/screen.singcert-desk1
refusal=$(at singcert-desk1 show "$id" --no-receipt --json |
	grep '"answer": *"refused"' | json id)
command_line status "$id" --proof proof --disclose "$refusal"
at singcert-desk1 status "$id" --proof proof --disclose "$refusal" \
	>"$screen" 2>&1 || not_so 'the proof is written' "$screen"
sed 's/^/   | /' "$screen" | tail -n 2
tell '(and before that what status shows)'
desk nobody '<+00>-0' 'A court: no home, no key, no network'
types verify proof --fingerprint "$(fingerprint "$fed/rosters/1")"
sees 'each line is proved, or sealed' 'proved' 'sealed' 'receipts are good'
sees_no 'nothing is not so' 'NOT SO' 'NOT GOOD'
sees 'that Malaysia refused, and why, is proved' \
	'proved     mycert@my refused' CannotProcess
step_done

# ---------------------------------------------------------------------------
step 10 'It is closed, and taken up again'

singapore
types close "$id" --resolution true-positive-with-impact \
	-m 'Page and server are off, 31 passwords changed. Thanks to all.'

vietnam
waits 20 has_come vncert-desk '31 passwords'
types inbox --state closed
sees 'it is closed there too' "$id" closed
types note "$id" -m 'The page is back, at 203.0.113.80 in our country.'
tell 'then the police call: they watch that server, and it must not be warned'
note=$(brief vncert-desk 203.0.113.80)
types relabel "$note" --tlp AMBER+STRICT \
	-m 'The police watch that server: keep it in your teams.'

singapore
waits 20 has_come singcert-desk1 'keep it in your teams'
narrowed()
{
	at singcert-desk1 show "$id" --no-receipt |
		grep -q "^TLP:AMBER+STRICT $note "
}
verify '= the note itself has the narrower label now, also here' narrowed
types reopen "$id" --ackby 1h -m 'The page is back. Who sees it?'
types status "$id"
sees 'all are asked anew, and what they said before does not count' \
	'open again by singcert@sg/desk1' opened 'silent for'

vietnam
waits 20 has_come vncert-desk 'Who sees it?'
types ack "$id" --accept -m 'It is off. We keep looking.'
waits 20 sees_stand vncert@vn accepted

singapore
types close "$id" --resolution true-positive-with-impact -m 'Off again.'
types inbox --mine
sees 'the night ends' "$id" closed
types export "$id" --as markdown --for me -o night.md
sed -n '1,12s/^/   | /p' night.md
verify '= the narrowest label stands in the head and in the foot of the file' \
	head_and_foot night.md
typed_in_vain export "$id" --as markdown --for community -o public.md
sees 'and the file is not made for whom the label forbids it' \
	policy-denied
step_done

printf '\n   every screen was as it should be, in %s\n' "$(seconds "$started")"
if [ -n "${KEEP:-}" ]; then
	at_exit=:
	cat <<-END

	The federation goes on running in $fed:

	    PATH=$B:\$PATH
	    export TOCSIN_HOME=$fed/homes/singcert-desk1
	    tocsin inbox

	Other homes beside it: $(cd "$fed/homes" && echo *).
	To end it:

	    kill$pids; rm -r $fed
	END
fi
