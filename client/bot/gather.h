/* SPDX-License-Identifier: ISC */
/*
 * gather.h - the facts of a desk's tickets, for rules
 *
 * A pass goes over all threads and makes facts of those that have changed since
 * the last one, and of those whose time has come; the others cost the look at a
 * number. For each it asks plan(), which says when it wants to be asked again.
 * What is remembered between passes is that time and the number, 56 bytes for
 * each thread, so a desk of 10,000 tickets is watched with little memory.
 *
 * The facts are those of glance.h, which opens each message once and remembers
 * it sealed.
 */
#ifndef TOCSIN_CLIENT_BOT_GATHER_H
#define TOCSIN_CLIENT_BOT_GATHER_H

#include "client/arena.h"
#include "client/bot/facts.h"
#include "client/glance.h"

#define GATHER_NEVER INT64_MAX

/*
 * The facts of a glance; strings are the glance's, arrays the arena's. Claims
 * are those that stand in our broker's log, in its order: others' with the
 * grace, ours as long as we may act on them, and only if all that stands before
 * them is here, of which v->cursor is the end. False: no memory.
 */
struct gather_view {
	const struct tocsin *t;
	uint64_t cursor;
	int64_t claim; /* seconds of a claim, as the rules have it */
};
MUST_USE bool gather_facts(struct facts *out, struct arena *a,
    const struct gather_view *v, const struct glance *g);

struct gather;

/*
 * With `words` facts have what the messages say, one ticket at a time; without
 * it nobody reads it. False: no memory.
 */
MUST_USE bool gather_new(
    struct gather **out, struct tocsin *t, bool words, int64_t claim);
void gather_free(struct gather *g); /* NULL is ok */

/*
 * When to be asked again if nothing changes, GATHER_NEVER for never. It may not
 * use the desk: a snapshot is held.
 */
typedef int64_t gather_plan(void *arg, const struct facts *f);

/* plan() of each thread that has changed, or whose time is not after `now`. */
enum tocsin_err MUST_USE gather_pass(
    struct gather *g, int64_t now, gather_plan *plan, void *arg);

/* The first time that some thread waits for; or GATHER_NEVER. */
int64_t gather_next(const struct gather *g);

/* That thread is looked at in the next pass after `at`, whatever plan() said.
 */
void gather_later(struct gather *g, const char *id, int64_t at);

/* All are, in the next one: the clock was set. */
void gather_anew(struct gather *g);

size_t gather_threads(const struct gather *g);

/* One thread, as it was at a time; what it points to dies with it. */
struct gathered {
	struct facts f;
	struct glances glances;
	struct arena arena;
};
enum tocsin_err MUST_USE gather_one(struct gathered *out, struct tocsin *t,
    const uint8_t thread[32], int64_t until, bool words, int64_t claim);
void gathered_release(struct gathered *g);

#endif
