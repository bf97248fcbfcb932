/* SPDX-License-Identifier: ISC */
#include "broker/exercise.h"

#include "broker/value.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct span
mailbox_name(
    char out[MAILBOX_MAX + 1], struct span member, struct span exercise)
{
	snprintf(out, MAILBOX_MAX + 1, "%.*s%s%.*s", (int)member.n,
	    (const char *)member.p, exercise.n > 0 ? "/" : "", (int)exercise.n,
	    (const char *)exercise.p);
	return span_of(out);
}

struct span
side_name(char out[SIDE_MAX + 1], struct span member, bool played)
{
	snprintf(out, SIDE_MAX + 1, "%.*s%s", (int)member.n,
	    (const char *)member.p, played ? "/" : "");
	return span_of(out);
}

struct span
mailbox_of_sender(char out[MAILBOX_MAX + 1], const struct ticket *t)
{
	return mailbox_name(out, t->from, t->exercise);
}

enum tocsin_err
exercise_note(struct store_tx *tx, uint64_t seq, struct span exercise)
{
	if (exercise.n == 0)
		return TOCSIN_OK;
	return value_put(tx, exercise, "exercise/%" PRIu64, seq);
}

enum tocsin_err
exercise_of(char out[EXERCISE_MAX + 1], struct store_rx *rx, uint64_t seq)
{
	struct span s = { 0 };
	enum tocsin_err err = value_get(rx, &s, "exercise/%" PRIu64, seq);

	out[0] = '\0';
	if (err == TOCSIN_ENOTFOUND)
		return TOCSIN_OK;
	if (err)
		return err;
	if (s.n > EXERCISE_MAX)
		return TOCSIN_EINTERNAL;
	memcpy(out, s.p, s.n);
	out[s.n] = '\0';
	return TOCSIN_OK;
}

/* ---- what is carried ---- */

static bool
rules_add(struct exercise_rules *r, struct span name)
{
	if (!name_exercise(name) || r->n == EXERCISES_CARRIED)
		return false;
	memcpy(r->name[r->n], name.p, name.n);
	r->name[r->n++][name.n] = '\0';
	return true;
}

bool
exercise_rules_parse(struct exercise_rules *r, const char *words)
{
	size_t n;

	r->n = 0;
	r->only_named = strcmp(words, "all") != 0;
	if (!r->only_named || strcmp(words, "none") == 0)
		return true;
	for (;; words += n + 1) {
		n = strcspn(words, " ");
		if (!rules_add(r, (struct span){ (const uint8_t *)words, n }))
			return false;
		if (words[n] == '\0')
			return true;
	}
}

enum tocsin_err
exercise_carried(const struct exercise_rules *r, struct span exercise)
{
	size_t i;

	if (exercise.n == 0)
		return r->no_live ? TOCSIN_EEXERCISEMISMATCH : TOCSIN_OK;
	for (i = 0; i < r->n; i++)
		if (span_is(exercise, r->name[i]))
			return TOCSIN_OK;
	return r->only_named ? TOCSIN_EPOLICYDENIED : TOCSIN_OK;
}
