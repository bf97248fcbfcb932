/* SPDX-License-Identifier: ISC */
#include "broker/exercise.h"
#include "tests/lib/tap.h"

#include <stdio.h>
#include <string.h>

static void
test_names(void)
{
	char box[MAILBOX_MAX + 1], long_name[EXERCISE_MAX + 1];
	const char *member =
	    "a23456789012345678901234567890ab@abcdefghijklmnop";
	struct span live =
	    mailbox_name(box, span_of("mycert@my"), (struct span){ 0 });

	ok(span_is(live, "mycert@my"), "what is live is in the member's name");
	ok(span_is(
	       mailbox_name(box, span_of("mycert@my"), span_of("Acid.2026")),
	       "mycert@my/Acid.2026"),
	    "an exercise has a mailbox of its own");
	memset(long_name, 'x', EXERCISE_MAX);
	long_name[EXERCISE_MAX] = '\0';
	is_int(
	    (long long)mailbox_name(box, span_of(member), span_of(long_name)).n,
	    MAILBOX_MAX, "the longest names fit");
}

static enum tocsin_err
carried(const char *words, bool no_live, const char *exercise)
{
	struct exercise_rules r = { .no_live = no_live };

	return exercise_rules_parse(&r, words)
		   ? exercise_carried(&r, span_of(exercise))
		   : TOCSIN_EMALFORMED;
}

static void
test_rules(void)
{
	char many[17 * 5] = "";
	size_t i;

	is_int(
	    carried("all", false, "Acid.2026"), TOCSIN_OK, "all are carried");
	is_int(carried("none", false, "Acid.2026"), TOCSIN_EPOLICYDENIED,
	    "or none");
	is_int(carried("none", false, ""), TOCSIN_OK, "which is of exercises");
	is_int(carried("Acid.2026 Cyber-3", false, "Cyber-3"), TOCSIN_OK,
	    "or those that are named");
	is_int(carried("Acid.2026 Cyber-3", false, "Cyber"),
	    TOCSIN_EPOLICYDENIED, "by their whole name");
	is_int(carried("all", true, ""), TOCSIN_EEXERCISEMISMATCH,
	    "a broker for exercises takes nothing live");
	is_int(carried("all", true, "Acid.2026"), TOCSIN_OK, "but exercises");
	is_int(carried("Acid/2026", false, ""), TOCSIN_EMALFORMED,
	    "what is no name is none");
	is_int(carried("a  b", false, ""), TOCSIN_EMALFORMED, "nor two spaces");
	is_int(carried("", false, ""), TOCSIN_EMALFORMED, "nor nothing");
	is_int(carried("a ", false, ""), TOCSIN_EMALFORMED,
	    "nor a space at the end");
	for (i = 0; i < EXERCISES_CARRIED; i++)
		snprintf(many + strlen(many), sizeof(many) - strlen(many),
		    "%sx%zu", i ? " " : "", i);
	is_int(carried(many, false, "x15"), TOCSIN_OK, "sixteen names");
	strcat(many, " y");
	is_int(carried(many, false, "y"), TOCSIN_EMALFORMED, "are the most");
}

int
main(void)
{
	test_names();
	test_rules();
	return tap_done();
}
