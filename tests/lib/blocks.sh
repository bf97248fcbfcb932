# SPDX-License-Identifier: ISC
#
# blocks.sh - what a page tells its reader to type
#
# Sourced behind federation.sh by the tests that run the fenced blocks of a page
# as they stand there, in their order.
#
#	blocks "$TOP/README.md"		the lines of its ```sh blocks
#	blocks "$page" json		of another kind
#	joined				lines that end with '\' and the next, one

blocks() # PAGE [LANGUAGE]
{
	sed -n '/^```'"${2:-sh}"'$/,/^```$/{/^```/d;p}' "$1"
}

joined()
{
	sed -e :a -e '/\\$/{N;s/\\\n[[:space:]]*//;ta' -e '}'
}

# In one shell that stops at the first that fails; what they print is in
# $fed/told, `to the end` the last line of it.
run_blocks() # FILE of them [SHELL]
{
	{
		echo 'set -eu'
		cat "$1"
		echo 'echo to the end'
	} >"$1.script"
	timeout 120 "${2:-sh}" "$1.script" >"$fed/told" 2>&1
}
