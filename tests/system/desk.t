#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The officer's desk, by keys and what the screen shows then: tickets come, are
# opened, answered, searched and unfolded; the terminal is made smaller; the
# broker goes away; a subject tries to write to the terminal. Then in lines.
set -u

# shellcheck source=tests/lib/federation.sh
. "$TOP/tests/lib/federation.sh"

command -v tmux >/dev/null || skip_all 'no tmux on this machine'
infocmp screen >/dev/null 2>&1 || skip_all 'no terminal description of tmux'

fed_two
at_exit='term kill-server 2>/dev/null; '$at_exit

# ---- a terminal ----

server=1
term() # COMMAND OF TMUX...
{
	tmux -S "$fed/tmux$server" -f /dev/null "$@"
}

# At 80x24, with the desk of a home in it.
desk() # HOME [VARIABLE=VALUE...]
{
	desk_home=$fed/homes/$1
	shift
	term new-session -d -s desk -x 80 -y 24 \
		"env TERM=screen TZ=UTC $* TOCSIN_HOME='$desk_home' \
		'$B/tocsin' desk 2>'$fed/desk.err'; echo ended \$?; cat"
	term set-option -g escape-time 0 >/dev/null
}

keys() # KEY...
{
	term send-keys -t desk "$@"
}

type_text() # TEXT
{
	term send-keys -t desk -l "$1"
}

screen()
{
	term capture-pane -t desk -p
}

# Whether the screen has all of these texts.
on_screen() # TEXT...
{
	screen >"$fed/screen" || return 1
	for seen in "$@"; do
		grep -qF -- "$seen" "$fed/screen" || return 1
	done
}

off_screen() # TEXT
{
	screen >"$fed/screen" && ! grep -qF -- "$1" "$fed/screen"
}

shown() # SENTENCE TEXT...
{
	shown_said=$1
	shift
	wait_until 20 on_screen "$@"
	tap $? "$shown_said" || sed 's/^/# /' "$fed/screen" >&2
}

hidden() # SENTENCE TEXT
{
	wait_until 20 off_screen "$2"
	tap $? "$1" || sed 's/^/# /' "$fed/screen" >&2
}

# ---- what comes ----

phish=$(post singcert-desk1 mycert@my --tlp AMBER --precedence flash \
	--subject 'Phishing of a ministry' --ackby 3h)
ok 'a ticket comes' wait_until 20 listed mycert-night "$phish"
desk mycert-night
shown 'the desk lists it, the label first' '>TLP:AMBER ' 'Phishing of a' \
	'flash' '2h5'
shown 'it is linked to its broker' 'Broker: linked'
rec=$(post singcert-desk1 mycert@my --tlp GREEN --subject 'Scanner on the loose')
shown 'another comes while we look' 'Scanner on the lo'
ok 'the one that was chosen stays chosen' eval \
	'screen | grep -q "^>TLP:AMBER .*Phishing"'

keys Enter
shown 'Enter opens it' 'subject   Phishing of a ministry' 'TLP:AMBER'
ok 'the first line is its label' eval 'screen | head -n 1 | grep -q "^TLP:AMBER "'
ok 'its sender hears that it was opened' wait_until 20 \
	stands singcert-desk1 "$phish" mycert@my opened
keys a
shown 'a key accepts it' 'accept ' 'signed and'
ok 'and its sender hears that' wait_until 20 \
	stands singcert-desk1 "$phish" mycert@my accepted
keys q
shown 'q goes back to the list' 'Scanner on the lo' 'accepted'

# ---- folds ----

must at singcert-desk1 note "$phish" -m 'The kit is at 192.0.2.7' >/dev/null
shown 'how many messages are behind it is told' '+3 Phishing'
keys Space
shown 'space unfolds them' 'ack accepted' 'The kit is at 192.0.2.7'
keys Space
hidden 'and folds them' 'The kit is at'

# ---- search ----

type_text '/scan'
hidden 'a search leaves out what has not all of it' 'Phishing'
shown 'as it is typed' 'Scanner on' '/scan'
keys Enter
shown 'Enter keeps it' 'with: scan'
keys Escape
shown 'Escape ends it' 'Phishing'

# ---- a note, a refusal, an escalation ----

keys Home
type_text n
shown 'a note says whom it goes to' 'goes to   singcert@sg' 'note: the text'
type_text 'We are on it'
keys Enter
shown 'and goes there' 'signed and'
ok 'to the other side' wait_until 20 shows singcert-desk1 "$phish" 'We are on it'

keys Home Down
type_text r
shown 'a refusal asks why, and lists the reasons' 'refuse: why?' \
	'CannotProcess' 'Scanner on the loose'
type_text Cannotproces
keys Enter
shown 'a wrong word is answered with the nearest' 'the nearest is CannotProcess'
keys Enter
shown 'which Enter takes' 'what is to be said?'
keys Enter
shown 'it asks again, with label, subject and whom it goes to' \
	'is that right? y or n' 'TLP:GREEN        refuse ' \
	'subject   Scanner on the loose' 'goes to   singcert@sg' CannotProcess
keys Enter
ok 'Enter is no answer to that' on_screen 'is that right? y or n'
type_text n
shown 'no sends nothing' 'nothing was sent'
type_text r
shown 'asked anew' 'refuse: why?'
type_text 6
keys Enter
shown 'a number chooses, too' 'what is to be said?'
keys Enter
shown 'to the question' 'is that right? y or n'
type_text y
shown 'yes sends it' 'signed and'
ok 'its sender sees the refusal' wait_until 20 \
	stands singcert-desk1 "$rec" mycert@my refused

keys Home
type_text e
shown 'an escalation asks whom' 'before whom?' 'singcert@sg'
type_text singcertt@sg
keys Enter
shown 'a member that is none is answered with the nearest' \
	'no member singcertt@sg; the nearest is singcert@sg'
keys Escape
shown 'Escape gives it up' 'nothing was sent'

# ---- a request, a share; closed and taken up again; an attachment ----

echo 'GET /kit.php' >"$fed/access.log"
logs=$(post singcert-desk1 mycert@my --tlp GREEN --subject 'Logs of the host' \
	--attach "$fed/access.log")
ok 'a ticket with an attachment comes' wait_until 20 listed mycert-night "$logs"
type_text '/kit.is'
hidden 'a word that stands nowhere finds nothing' 'Phishing'
keys C-u
type_text 'kit'
shown 'a word of a text finds its ticket, as find does' '/kit' 'Phishing'
hidden 'and no other' 'Logs of the host'
keys Enter
type_text h
shown 'a request says whom it goes to' 'goes to   singcert@sg' 'request: the text'
type_text 'Send us the kit'
keys Enter
shown 'and asks by when' 'request: by when' 'says      Send us the kit'
type_text 2h
keys Enter
shown 'it leaves' 'request ' 'signed and'
ok 'and arrives' wait_until 20 shows singcert-desk1 "$phish" 'Send us the kit'
type_text g
shown 'a share asks whom' 'share: to whom?' 'singcert@sg'
type_text 'singcert@sg'
keys Enter
shown 'what is to be said' 'what is to be said?'
keys Enter
shown 'and once more, with the label' 'is that right? y or n' \
	'TLP:AMBER        share ' 'goes to   singcert@sg'
type_text n
shown 'no sends nothing' 'nothing was sent'
type_text x
shown 'closed' 'how did it end?'
keys Enter Enter
shown 'for sure' 'is that right? y or n'
type_text y
shown 'for y' 'close ' 'signed and'
ok 'the other side sees that' wait_until 20 \
	stands singcert-desk1 "$phish" mycert@my closed
type_text u
shown 'it is taken up again' 'reopen: what is to be said?'
keys Enter
shown 'for sure' 'is that right? y or n'
keys Enter
ok 'Enter is no answer' on_screen 'is that right? y or n'
type_text y
shown 'y is' 'reopen ' 'signed and'
ok 'the other side sees that, too' wait_until 20 \
	stands singcert-desk1 "$phish" mycert@my in-progress
type_text v
shown 'where there is no attachment that is said' 'no attachment in it'
keys Escape
type_text '/logs of'
shown 'another ticket' 'Logs of the host'
keys Enter
mkdir "$fed/cases"
type_text v
shown 'saving asks which attachment' 'save: which attachment?' '1 access.log' \
	'> access.log'
keys Enter
shown 'and into which folder' 'save: into which folder?' 'file      access.log'
keys C-u
type_text "$fed/none"
keys Enter
shown 'one that there is not is refused' 'no such folder'
type_text v
shown 'asked anew' 'save: which attachment?'
keys Enter C-u
type_text "$fed/cases"
keys Enter
shown 'it is saved there' 'access.log is saved in'
ok 'as it was sent' cmp -s "$fed/access.log" "$fed/cases/access.log"
keys Escape

# Clipboards have line feeds in them, and keys of ours.
type_text n
shown 'a note once more' 'note: the text'
printf 'x\ny\nq\n' >"$fed/clipboard"
term load-buffer "$fed/clipboard"
term paste-buffer -p -t desk
shown 'what is pasted is text' 'note: the text' '> x'
keys Escape
shown 'that can be given up' 'nothing was sent'
term paste-buffer -p -t desk
keys Down
shown 'pasted into the list it does nothing' 'Phishing' 'Broker: linked'

# ---- small, and smaller ----

term set-option -g window-size manual >/dev/null
term resize-window -t desk -x 40 -y 10
shown 'at 40x10 the list has label, time and precedence' '>TLP:' 'flash' \
	'Broker: linked'
ok 'and no line is longer' eval '! screen | LC_ALL=C.UTF-8 grep -E ".{41}"'
keys Enter
shown 'a ticket is read there, too' 'TLP:'
keys q '?'
shown 'and the help' 'What is done to the'
keys q
term resize-window -t desk -x 120 -y 40
shown 'at 120x40 nothing is cut' 'mycert@my/night' 'singcert@sg/desk1' \
	'Phishing of a ministry'
term resize-window -t desk -x 80 -y 24
shown 'back at 80x24' 'singcert@sg ' 'Phishing of a'

term resize-window -t desk -x 9 -y 3
shown 'at 9x3, which is no use, it goes on' 'TLP' '?help En…'
keys Enter q '?' q n Escape
term resize-window -t desk -x 80 -y 24
shown 'and has not lost anything' 'singcert@sg ' 'Phishing of a' \
	'given up; nothing was sent'

# ---- a slow line ----

# All that the program writes, once it has painted the larger screen.
keys End
ok 'the last is chosen' wait_until 20 eval '! screen | sed -n 2p | grep -q "^>"'
keys Home
ok 'and the first' wait_until 20 eval 'screen | sed -n 2p | grep -q "^>"'
term pipe-pane -t desk "cat >'$fed/written'"
keys Down
ok 'a key is answered' wait_until 20 eval \
	'[ -s "$fed/written" ] && screen | tail -n +3 | grep -q "^>"'
keys Up
ok 'and the next' wait_until 20 eval 'screen | sed -n 2p | grep -q "^>"'
term pipe-pane -t desk
ok 'for a few lines, and not the screen, each' \
	[ "$(wc -c <"$fed/written")" -lt 800 ]
echo "# $(wc -c <"$fed/written") bytes for two keys"

# ---- the broker is away ----

fed_stop my
shown 'that the broker is away is told, and since when' 'Broker: AWAY since'
keys Home
type_text s
shown 'what is said then is queued' 'signed and queued' '1 queued'
keys Enter
shown 'tickets can be read' 'subject   Phishing of a ministry'
keys q
fed_start my
hidden 'when it is back what was queued leaves' '1 queued'
shown 'and the desk is linked' 'Broker: linked'

# ---- hostile ----

bad=$(post singcert-desk1 mycert@my --tlp RED --subject \
	"$(printf 'Hi \033[2J\033]0;owned\007\342\200\256txt.exe TLP:CLEAR')")
ok 'a hostile ticket comes' wait_until 20 listed mycert-night "$bad"
type_text /exe
shown 'its subject is shown, not obeyed' '>TLP:RED ' 'Hi <U+001B>[2J'
keys Enter Enter
shown 'also when it is open' 'subject   Hi <U+001B>[2J' '<U+202E>txt.exe'
ok 'the label on the first line is ours' wait_until 20 eval \
	'screen | head -n 1 | grep -q "^TLP:RED "'
ok 'the title of the terminal is not theirs' eval \
	'! term display-message -p -t desk "#{pane_title}" | grep -q owned'

# ---- closing ----

keys q Escape
shown 'the list again' 'Phishing'
bye=$(post mycert-night singcert@sg --tlp CLEAR --subject 'To be closed')
type_text /closed
shown 'a ticket of ours' '>TLP:CLEAR'
keys Enter
type_text x
shown 'a close asks how it ended' 'how did it end?'
type_text false
keys Tab Enter
shown 'then what is to be said' 'what is to be said?'
keys Enter
shown 'and whether it is right' 'TLP:CLEAR        close ' 'goes to   singcert@sg' \
	'false-positive'
type_text y
shown 'it is closed' 'signed and' 'closed'
ok 'for the others as well' wait_until 20 eval \
	'at singcert-desk1 inbox --state closed --json | grep -q "$bye"'
keys Escape Escape
type_text q
shown 'q ends the desk' 'ended 0'
is "$(cat "$fed/desk.err")" '' 'which had nothing to complain of'
term kill-server
server=$((server + 1))

# ---- ended by others ----

desk mycert-night
shown 'the desk once more' 'Phishing of a'
desk_pid=$(cat /proc/"$(term display-message -p -t desk '#{pane_pid}')"/task/*/children)
kill -TERM $desk_pid
shown 'a signal ends it, and the terminal is as it was' 'ended 0'
term kill-server
server=$((server + 1))
desk mycert-night
shown 'and once more' 'Phishing of a'
desk_pid=$(cat /proc/"$(term display-message -p -t desk '#{pane_pid}')"/task/*/children)
term kill-server
server=$((server + 1))
ok 'a terminal that hangs up ends it' wait_until 20 eval \
	'! kill -0 $desk_pid 2>/dev/null'

# ---- without colours, and without a terminal ----

desk mycert-night NO_COLOR=1
shown 'without colours the same is said' '>TLP:' 'Phishing of a'
ok 'and no colour is used' eval '! term capture-pane -t desk -p -e |
	grep -q "$(printf "\033\[[0-9;]*3[1-7]m")"'
type_text q
shown 'q ends that, too' 'ended 0'
term kill-server
server=$((server + 1))

plain() # LINE...: what the desk says to these lines
{
	printf '%s\n' "$@" | at mycert-night desk --plain >"$fed/plain" 2>&1
}
plain list 'open 1' quit
is $? 0 'in lines, the desk takes what is piped to it'
ok 'the list is numbered' grep -Eq '^1\. TLP:[A-Z+]+, ' "$fed/plain"
ok 'and a ticket is read' has "$fed/plain" '  subject   '
is "$(grep -c "$(printf '\033')" "$fed/plain")" 0 'without a control character'
plain 'search phishing' 'note 1 From a line' quit
ok 'a note is one line' has "$fed/plain" 'signed and'
ok 'and arrives' wait_until 20 shows singcert-desk1 "$phish" 'From a line'
plain 'search phishing' 'close 1 resolved' '' y quit
ok 'a close asks, with label, subject and whom' eval \
	'has "$fed/plain" "TLP:AMBER        close " &&
	has "$fed/plain" "goes to   singcert@sg"'
ok 'and takes nothing but yes' has "$fed/plain" 'nothing was sent'
rm "$fed/cases/access.log"
plain 'search logs of' 'save 1 access.log' "$fed/cases" quit
ok 'an attachment is saved' has "$fed/plain" 'access.log is saved in'
ok 'where it was said' cmp -s "$fed/access.log" "$fed/cases/access.log"
plain 'search kit' 'request 1 Once more' 1h quit
ok 'a text is searched, and a request is two lines' \
	wait_until 20 shows singcert-desk1 "$phish" 'Once more'
plain 'search kit' 'reopen 1 Still there' yes quit
ok 'a ticket is taken up again' \
	wait_until 20 shows singcert-desk1 "$phish" 'Still there'
plain 'search kit' 'share 1 singcert@sg' '' no quit
ok 'and shared, or not' has "$fed/plain" 'goes to   singcert@sg'
plain 'accept 77' 'dance' quit
ok 'a number that is none is told' has "$fed/plain" 'There is no ticket 77'
ok 'a command that is none, too' has "$fed/plain" 'no command of that name'
done_testing
