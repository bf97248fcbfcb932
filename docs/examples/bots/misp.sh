#!/bin/sh
# SPDX-License-Identifier: ISC
#
# misp.sh - each ticket as a MISP event in a file
#
#	tocsin watch --reader misp --attempts 1000000 \
#		--exec docs/examples/bots/misp.sh FOLDER [AUDIENCE]
#
# Keeps FOLDER/ID.json for each ticket, as of its last message, for another
# program to load into MISP. The same ticket makes the same uuids, so MISP takes
# a later file for an update of the event, not for a second one.
#
# AUDIENCE is who can read that MISP: organisation (the default), clients,
# community or public; `tocsin export` judges by the TLP of every message of the
# ticket, and by what the authors permitted. What they must not have is not
# written, and a file that they had before is removed, as after a recall.
#
# A handler of `tocsin watch --exec`: status 0 says that the message is handled;
# after any other it comes again. There is no state but the files, which are
# whole at any moment: so it may be killed anywhere.
set -eu
umask 077
folder=$1 audience=${2:-organisation}

# The message is on standard input. What is said by now of all the ticket is of
# more use here than one message, so it is asked for by its id.
cat >/dev/null

# An id is base64; a file's name has no '/'.
name=$(printf %s "$TOCSIN_THREAD" | tr '/+' '_-')
file=$folder/$name.json new=$folder/.$name.new

if tocsin export "$TOCSIN_THREAD" --as misp --for "$audience" \
	>"$new" 2>"$new.why"; then
	# On the disk before the reader moves on.
	sync "$new"
	mv -f "$new" "$file"
	rm -f "$new.why"
	exit 0
fi

cat "$new.why" >&2
# The code stands in brackets at the end; docs/BOTS.md says which is which.
code=$(sed -n '$s/.*\[\([a-z-]*\)\]$/\1/p' "$new.why")
rm -f "$new" "$new.why"
case $code in
policy-denied | recalled) rm -f "$file" ;; # that is its answer
*) exit 1 ;; # perhaps the next time
esac
