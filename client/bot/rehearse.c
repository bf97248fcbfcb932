/* SPDX-License-Identifier: ISC */
#include "client/bot/rehearse.h"

#include "client/bot/gather.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_MAX 20000 /* of one ticket: rules that never end do, here */
#define DID_MAX 2000

/* What would have been done; the ids are its own. */
struct done {
	char id[PLAN_ID + 1];
	char target[MEMBER_MAX + 1]; /* "": nobody was asked by it */
	int64_t at;
};

struct life {
	struct rehearsal *r;
	uint8_t thread[ID_LEN];
	int64_t *event; /* ascending; when messages came */
	size_t nevent;
	struct done *done;
	size_t ndone;
	struct gathered g; /* as of `of` */
	size_t of;	   /* so many events; 0: none gathered yet */
	struct plan plan;
};

static int
by_time(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static enum tocsin_err
find_events(struct life *l)
{
	struct desk_tx *tx = NULL;
	struct desk_message row;
	enum tocsin_err err = begin_read(l->r->t, &tx);
	uint64_t n = 0;

	while (err == TOCSIN_OK &&
	       desk_thread_next(tx, l->thread, n, &n) == TOCSIN_OK) {
		int64_t *grown =
		    realloc(l->event, (l->nevent + 1) * sizeof(*l->event));

		if (grown == NULL) {
			err = TOCSIN_EINTERNAL;
			break;
		}
		l->event = grown;
		if (desk_get(tx, n, &row) == TOCSIN_OK)
			l->event[l->nevent++] = status_known(&row);
	}
	desk_end(tx);
	if (l->nevent > 0)
		qsort(l->event, l->nevent, sizeof(*l->event), by_time);
	return err;
}

/* How many had come by then. */
static size_t
events_by(const struct life *l, int64_t at)
{
	size_t n = 0;

	while (n < l->nevent && l->event[n] <= at)
		n++;
	return n;
}

/* With what was done in this life beside what the desk has. */
static enum tocsin_err
facts_at(struct life *l, int64_t at, struct facts *f, struct arena *a)
{
	size_t of = events_by(l, at), i;
	struct fact_action *action;
	struct fact_place *place;
	enum tocsin_err err = TOCSIN_OK;

	if (of != l->of) {
		gathered_release(&l->g);
		l->of = of;
		err = gather_one(&l->g, l->r->t, l->thread, at,
		    l->r->rules->words, l->r->rules->claim);
	}
	if (err != TOCSIN_OK)
		return err;
	*f = l->g.f;
	action = arena_array(a, f->naction + l->ndone + 1, sizeof(*action));
	place = arena_array(a, f->nplace + l->ndone + 1, sizeof(*place));
	if (action == NULL || place == NULL)
		return TOCSIN_EINTERNAL;
	memcpy(action, f->action, f->naction * sizeof(*action));
	memcpy(place, f->place, f->nplace * sizeof(*place));
	f->action = action;
	f->place = place;
	for (i = 0; i < l->ndone; i++) {
		const struct done *d = &l->done[i];

		action[f->naction++] =
		    (struct fact_action){ d->id, l->r->self.device, d->at };
		if (d->target[0] != '\0')
			place[f->nplace++] =
			    (struct fact_place){ .member = d->target,
				    .rung = TOCSIN_RUNG_DELIVERED,
				    .since = d->at,
				    .asked = d->at,
				    .asked_in = d->id };
	}
	return TOCSIN_OK;
}

static bool
is_asked(const struct facts *f, const char *member)
{
	size_t i;

	for (i = 0; i < f->nplace; i++)
		if (strcmp(f->place[i].member, member) == 0)
			return true;
	return false;
}

static bool
take_done(struct life *l, const struct facts *f, const struct plan_timer *t,
    int64_t at)
{
	struct done new = { .at = at }, *grown;

	memcpy(new.id, t->id, sizeof(new.id));
	if (t->action->kind == ACTION_ESCALATE && t->target != NULL &&
	    !is_asked(f, t->target))
		snprintf(new.target, sizeof(new.target), "%s", t->target);
	/* From here on the facts are not to be looked at: they have these. */
	grown = realloc(l->done, (l->ndone + 1) * sizeof(*grown));
	if (grown == NULL)
		return false;
	l->done = grown;
	grown[l->ndone++] = new;
	return true;
}

/* Everything that is due at that time; then when to look again. */
static enum tocsin_err
live_at(struct life *l, int64_t at, int64_t *next)
{
	struct rehearsal *r = l->r;
	const struct plan_timer *first;
	enum tocsin_err err;

	do {
		struct arena a = { 0 };
		struct facts f;

		err = facts_at(l, at, &f, &a);
		if (err == TOCSIN_OK)
			err = plan_make(&l->plan, r->rules, &f, &r->self, at);
		first = err == TOCSIN_OK ? l->plan.first : NULL;
		if (first != NULL) {
			const struct rehearsed it = { at, &f, first };

			r->did(r->arg, &it);
			if (!take_done(l, &f, first, at))
				err = TOCSIN_EINTERNAL;
		} else if (err == TOCSIN_OK) {
			*next = l->plan.look;
		}
		arena_release(&a);
	} while (err == TOCSIN_OK && first != NULL && l->ndone < DID_MAX);
	if (err == TOCSIN_OK && first != NULL)
		*next = PLAN_NEVER;
	return err;
}

static enum tocsin_err
live(struct life *l)
{
	struct rehearsal *r = l->r;
	int64_t at, next = PLAN_NEVER;
	size_t steps, of;
	enum tocsin_err err = find_events(l);

	if (err != TOCSIN_OK || l->nevent == 0)
		return err;
	at = l->event[0] > r->since ? l->event[0] : r->since;
	for (steps = 0; err == TOCSIN_OK && at <= r->now && steps < STEPS_MAX;
	     steps++) {
		err = live_at(l, at, &next);
		of = events_by(l, at);
		if (of < l->nevent && l->event[of] < next)
			next = l->event[of];
		if (next == PLAN_NEVER)
			break;
		at = next > at ? next : at + 1;
	}
	return err;
}

static enum tocsin_err
rehearse_one(struct rehearsal *r, const uint8_t thread[ID_LEN])
{
	struct life l = { .r = r };
	enum tocsin_err err;

	memcpy(l.thread, thread, ID_LEN);
	err = live(&l);
	gathered_release(&l.g);
	plan_release(&l.plan);
	free(l.event);
	free(l.done);
	return err;
}

static enum tocsin_err
thread_after(struct tocsin *t, bool first, uint8_t thread[ID_LEN])
{
	struct desk_tx *tx = NULL;
	uint8_t after[ID_LEN];
	enum tocsin_err err = begin_read(t, &tx);

	memcpy(after, thread, ID_LEN);
	if (err == TOCSIN_OK)
		err = desk_thread_after(tx, first ? NULL : after, thread);
	desk_end(tx);
	return err;
}

enum tocsin_err
rehearse(struct rehearsal *r)
{
	uint8_t thread[ID_LEN] = { 0 };
	enum tocsin_err err;

	while (
	    (err = thread_after(r->t, r->tickets == 0, thread)) == TOCSIN_OK) {
		r->tickets++;
		err = rehearse_one(r, thread);
		if (err == TOCSIN_ENOTFOUND || err == TOCSIN_EBODYMISMATCH)
			err = TOCSIN_OK;
		if (err != TOCSIN_OK)
			break;
	}
	if (err == TOCSIN_ENOTFOUND)
		return TOCSIN_OK;
	return fail(err, "the rehearsal: %s", tocsin_err_text(err));
}
