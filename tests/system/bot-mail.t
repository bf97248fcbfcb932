#!/bin/sh
# SPDX-License-Identifier: ISC
#
# docs/examples/bots/mail.py: a rule's hook sends one mail for an action, and
# one that was interrupted is sent again under the same Message-ID; what a
# stranger wrote makes no header, and what is narrow is not written.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"
# shellcheck source=tests/lib/bots.sh
. "$TOP/tests/lib/bots.sh"

bots_begin bot-mail
hostile=$(printf 'x\nBcc: thief@evil.example\r\n\r\n\342\200\256 y')
bots_tickets
mkdir sent mails

# It takes a mail, then may be held up before it ends.
cat >sendmail <<-END
	#!/bin/sh
	echo "\$*" >>'$fed/mails/args'
	cat >'$fed/mails/new.'\$\$
	mv '$fed/mails/new.'\$\$ '$fed/mails/'\$\$
	[ ! -p '$fed/go' ] || read -r line <'$fed/go'
END
chmod +x sendmail
wrapped mail "$bots/mail.py" "$fed/sent" "$fed/sendmail" \
	tocsin@mycert.example night@mycert.example
cat >mail.rules <<-END
	[hook mail]
	run $fed/mail
	time-out 60s

	[rule asked]
	when not mine
	for us
	at once: notify mail
END
ok 'the rules are right' at $us bot mail.rules --check
by_rules()
{
	at $us bot mail.rules --once >out 2>err
}
mails() # WORDS: in how many
{
	grep -lF -- "$1" mails/[0-9]* 2>/dev/null | grep -c .
}
here() # COUNT: so many tickets
{
	at $us inbox --json >inbox && [ "$(grep -c . inbox)" -ge "$1" ]
}
wait_until 20 here 3 || bail 'no tickets'

# ---- what is sent ----

ok 'the rules are followed' by_rules
is "$(mails 'Subject: TLP:')" 3 'a mail for each ticket'
is "$(mails 'Subject: TLP:RED') $(mails "$secret")" '1 1' \
	'of the RED one it says that it is there'
is "$(mails 'Subject: TLP:GREEN') $(mails Beacons)" '1 1' \
	'of the GREEN one what it is'
is "$(sort -u mails/args)" \
	'-i -f tocsin@mycert.example -- night@mycert.example' 'to whom we said'
post $them mycert@my --tlp GREEN --subject "$hostile" >out
wait_until 20 here 4 || bail 'no ticket'
by_rules
is "$(mails thief)" 1 'a hostile subject'
is "$(cat mails/[0-9]* | grep -ci '^bcc')" 0 'makes no header'
is "$(LC_ALL=C grep -l "$(printf '\342\200\256')" mails/[0-9]* | grep -c .)" 0 \
	'and turns nothing round'
by_rules
is "$(mails 'Subject: TLP:')" 4 'when the bot looks again nothing is sent'

# ---- killed when the mail has gone, and nobody here knows ----

mkfifo go
rm -f pid mails/[0-9]*
post $them mycert@my --tlp GREEN --subject 'Once more' >/dev/null
spawn_at $us bot mail.rules >out 2>err
one_mail()
{
	[ "$(mails 'Once more')" = 1 ]
}
ok 'a mail is handed over, and its taker says nothing' wait_until 20 one_mail
kill -KILL "$(cat pid)"
reap KILL "$pid"
: <>go # whoever still waits for a word goes
rm go
ok 'killed, the bot is started again' wait_until 30 eval \
	'by_rules; [ "$(mails "Once more")" = 2 ]'
is "$(grep -h '^Message-ID' mails/[0-9]* | sort -u | grep -c .)" 1 \
	'the mail is sent again, and is the same one'
by_rules
by_rules
is "$(mails 'Once more')" 2 'and not once more'

mkfifo go
post $them mycert@my --tlp GREEN --subject 'The hook lives on' >out
spawn_at $us bot mail.rules >out 2>err
lives_on()
{
	[ "$(mails 'The hook lives on')" = 1 ]
}
ok 'another mail is handed over' wait_until 20 lives_on
reap KILL "$pid"
echo >go
rm go
remembered()
{
	[ "$(find sent -type f | grep -c .)" = 6 ]
}
ok 'the bot is killed, and its hook is not' wait_until 20 remembered
ok 'the next one starts it again' by_rules
is "$(mails 'The hook lives on')" 1 'and it sends nothing again'
rm -f sent/* mails/[0-9]*
by_rules
is "$(mails Subject)" 0 'nor without its folder: the ticket says that it was done'
done_testing
