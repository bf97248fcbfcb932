#!/bin/sh
# The table of commands, the help, the manual and the completion are one.
set -u
. "${TOP:=$(pwd)}/tests/lib/federation.sh"
fed_begin
page=$TOP/docs/tocsin.1
TOCSIN_HOME=$fed/nowhere
export TOCSIN_HOME

# ---- help ----

tocsin help >"$fed/help"
is $? 0 'help succeeds'
tocsin >"$fed/none" 2>"$fed/none.err"
is $? 2 'no command is a wrong call'
ok 'which prints the help to stderr' cmp "$fed/help" "$fed/none.err"
is "$(cat "$fed/none")" '' 'and nothing to stdout'
ok 'the version is printed' sh -c 'tocsin --version | grep -q "^tocsin [0-9]"'
commands=$(sed -n 's/^  \([a-z]*\) .*/\1/p' "$fed/help")
ok 'there are commands' [ "$(echo "$commands" | wc -l)" -gt 15 ]

for command in $commands; do
	is "$(tocsin "$command" --help)" "$(tocsin help "$command")" \
		"$command --help is help $command"
done
is "$(tocsin roster new -h)" "$(tocsin help roster)" '-h is, too, in its place'
tocsin note 7k2m -m --help >"$fed/none" 2>&1
ok 'but behind an option it is what somebody says' eval '! has "$fed/none" "All take"'

# ---- manual ----

sed -n 's/^  \([a-z]*\)  *\(.*\)/\1 - \2/p' "$fed/help" >"$fed/rows"
sed -n '/^\.Sh COMMANDS/,/^\.Sh JSON/s/^\.Ss //p' "$page" >"$fed/headings"
ok 'the manual has the same commands, in order, with the same words' \
	diff "$fed/rows" "$fed/headings"

# The options that a command's help names, and those that its part of the
# manual explains.
of_help() # COMMAND
{
	tocsin help "$1" | sed '/^All take/d' | tr ' []|\t' '\n' |
		grep -x -e '--*[a-z][a-z-]*' | sort -u
}

of_page() # COMMAND
{
	awk -v want="$1" '/^\.S[sh]/ { on = $1 == ".Ss" && $2 == want }
		on && /^\.It Fl/ { print "-" $3 }' "$page" | sort -u
}

for command in $commands; do
	is "$(of_page "$command")" "$(of_help "$command")" \
		"the manual explains every option of $command"
done
tocsin help | tr ' []' '\n' | grep -x -e '--[a-z-]*' | sort -u >"$fed/common"
awk '/^\.S[sh]/ { on = /Options of all/ } on && /^\.It Fl/ { print "-" $3 }' \
	"$page" | sort -u >"$fed/common.page"
ok 'and those of all commands' diff "$fed/common" "$fed/common.page"

# What the table names is what the program takes: a wrong value may be refused,
# but not the option. They are all asked for at once, before anything is done.
refused=
for command in $commands; do
	for option in $(of_help "$command") $(cat "$fed/common"); do
		for sub in '' publish show new sign verify; do
			# shellcheck disable=SC2086
			tocsin "$command" $sub "$option" </dev/null 2>&1 |
				grep -q 'has no option' || continue 2
		done
		refused="$refused $command:$option"
	done
done
is "$refused" '' 'every option of the help is taken'

if command -v mandoc >/dev/null; then
	for manual in "$TOP"/docs/*.[1-8]; do
		# References to pages that are not installed are no fault.
		is "$(mandoc -T lint "$manual" 2>&1 |
			grep -v 'referenced manual not found\|outdated mandoc')" \
			'' "${manual##*/} is good mdoc"
	done
else
	echo "# no mandoc on this machine"
fi

# ---- completion ----

# What is offered for the last of these words.
offered() # WORD...
{
	tocsin completion for "$@" | tr '\n' ' '
}

is "$(offered esc)" 'escalate ' 'a command is completed'
is "$(offered '' | wc -w)" "$(echo "$commands" | wc -w)" 'all are offered'
is "$(offered post --pre)" '--precedence ' 'an option is'
is "$(offered post --pass)" '--passphrase-file ' 'one of all commands, too'
is "$(offered roster ver)" 'verify ' 'and a word of a command'
is "$(offered post --tlp A)" 'AMBER+STRICT AMBER ' 'a label'
is "$(offered post --class vulnerable:w)" 'vulnerable:weak-crypto ' 'a class'
is "$(offered post --severity I)" 'I II III IV IRIS:critical IRIS:high IRIS:medium IRIS:low IRIS:informational IRIS:unspecified ' \
	'a level, without the scale that has a space in its name'
is "$(offered ack 7k2m --refuse Cann)" 'CannotProcess ' 'a reason'
is "$(offered post --text '')" '' 'a file is left to the shell'
# The options that take a word of a list are those that have a list.
for list in $(tocsin words | cut -d ' ' -f 1); do
	case $list in
	reason) is "$(offered ack x --refuse '' | wc -w)" 7 "words of $list" ;;
	resolution) is "$(offered close x --resolution '' | wc -w)" 10 "words of $list" ;;
	answer | kind) ;; # ack has an option for each, and a kind a command
	role) is "$(offered init --role '' | wc -w)" 3 "words of $list" ;;
	may) is "$(offered keys publish --allow x '' | wc -w)" 9 "words of $list" ;;
	*)
		is "$(offered post "--$list" '' | wc -w)" \
			"$(tocsin words "$list" --json | wc -l)" "words of $list"
		;;
	esac
done

# Each shell that is here runs its own script.
PATH=$B:$PATH
tocsin completion bash >"$fed/completion"
cat >"$fed/complete" <<'END'
. "$1"
COMP_LINE=$2
COMP_POINT=${#2}
_tocsin
printf '%s\n' "${COMPREPLY[@]}"
END
in_bash() # LINE
{
	bash "$fed/complete" "$fed/completion" "$1" | tr '\n' ' '
}
is "$(in_bash 'tocsin roster ver')" 'verify ' 'bash completes a word'
is "$(in_bash 'tocsin help wor')" 'words ' 'and the last of a line'
is "$(in_bash 'tocsin post --class fraud:c')" 'copyright ' \
	'and behind a colon what is behind it'
is "$(in_bash 'tocsin post --tlp ' | wc -w)" 5 'and before the first letter'
if command -v zsh >/dev/null; then
	tocsin completion zsh >"$fed/_tocsin"
	ok 'zsh reads its script' zsh -n "$fed/_tocsin"
fi
if command -v fish >/dev/null; then
	tocsin completion fish >"$fed/tocsin.fish"
	is "$(fish -c "source $fed/tocsin.fish; complete -C 'tocsin roster ver'")" \
		verify 'fish completes a word'
fi

# ---- words ----

ok 'a list has its words and what they mean' sh -c \
	'tocsin words class | grep -q "^malicious-code:c2-server *C2 Server$"'
tocsin words level --json >"$fed/levels"
is "$(json severity <"$fed/levels" | sort | uniq -c | awk '{ print $1 }' |
	tr '\n' ' ')" '1 2 3 6 ' 'the table of GB/T 20986 has twelve places'

# ---- the library's page ----

api=$(sed -n 's/.*\(tocsin_[a-z_]*\)(.*/\1/p' "$TOP/client/tocsin.h" |
	sed '/^tocsin_ack()/d' | sort -u)
named=$(sed -n 's/^\.Nm \(tocsin_[a-z_]*\).*/\1/p' "$TOP/docs/libtocsin.3" |
	grep -v '^tocsin_err_' | sort -u)
is "$named" "$api" 'libtocsin(3) names every function of the header'
sed -n '/^\.Sh EXAMPLES/,/^\.Ed/{/^\./d;s/\\e/\\/g;/^[A-Z]/,/^#/{/^#/!d;};p;}' \
	"$TOP/docs/libtocsin.3" >"$fed/example.c"
ok 'its example compiles without a warning' \
	"${CC:-cc}" -std=c17 -Wall -Wextra -Werror -I "$TOP/client" \
	-I "$TOP/crypto" -c -o "$fed/example.o" "$fed/example.c"

done_testing
