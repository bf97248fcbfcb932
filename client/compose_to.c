/* SPDX-License-Identifier: ISC */
/* Whom a message goes to, and by which of their keys. */
#include "client/compose_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum tocsin_err
compose_add_to(struct composing *c, struct span member)
{
	size_t i;

	for (i = 0; i < c->nto; i++)
		if (span_is(member, c->to[i]))
			return TOCSIN_OK;
	if (!name_member(member))
		return fail(TOCSIN_EUSAGE,
		    "%.*s is no member: a member is team@nation", (int)member.n,
		    (const char *)member.p);
	if (c->nto == TICKET_TO_MAX)
		return fail(
		    TOCSIN_ETOOLARGE, "at most %d members", TICKET_TO_MAX);
	snprintf(c->to[c->nto++], sizeof(c->to[0]), "%.*s", (int)member.n,
	    (const char *)member.p);
	return TOCSIN_OK;
}

/*
 * Everybody that the ticket was shown to by who may: below GREEN, its opener. A
 * member that another one has added on its own is not one of us.
 */
static enum tocsin_err
add_participants(struct composing *c, struct desk_tx *tx)
{
	struct ticket *h = malloc(sizeof(*h));
	enum tocsin_err err = TOCSIN_OK;
	struct desk_message row;
	struct note note;
	uint64_t n = 0;
	size_t i;

	if (h == NULL)
		return fail(TOCSIN_EINTERNAL, "no memory");
	while (err == TOCSIN_OK) {
		err = desk_thread_next(tx, c->first->row.thread, n, &n);
		if (err != TOCSIN_OK)
			break;
		if (desk_get(tx, n, &row) != TOCSIN_OK ||
		    row.refused != TOCSIN_OK ||
		    ticket_parse(h, &note, row.note) != TOCSIN_OK)
			continue;
		if (c->first->ticket.tlp < TICKET_GREEN &&
		    !span_eq(h->from, c->first->ticket.from))
			continue;
		for (i = 0; err == TOCSIN_OK && i < h->nto; i++)
			err = compose_add_to(c, h->to[i].member);
	}
	free(h);
	return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
}

/* A client is of our own nation, and is told what we call it. */
static enum tocsin_err
may_call_client(const struct composing *c, const char *member)
{
	struct span own = member_nation(span_of(c->t->parts.keys->member));
	const char *const *to = c->named.name;

	if (!carries(c))
		return fail(
		    TOCSIN_EUSAGE, "clients are for a share or an escalation");
	if (!span_eq(member_nation(span_of(member)), own))
		return fail(TOCSIN_EPOLICYDENIED,
		    "%s is of another nation: a client is one of ours", member);
	for (; to != NULL && *to != NULL; to++)
		if (strcmp(*to, member) == 0)
			return TOCSIN_OK;
	return fail(TOCSIN_EUSAGE, "it is not to %s", member);
}

/* What the labels of the thread say of members that were not in it. */
static enum tocsin_err
may_widen(struct composing *c, struct desk_tx *tx, size_t before)
{
	const char *const *client = c->clients.name;
	const struct permit_wish w = { .thread = c->first->row.thread,
		.first = &c->first->ticket,
		.carries = carries(c),
		.as = c->header.tlp,
		.to = (const char(*)[MEMBER_MAX + 1])(c->to + before),
		.nto = c->nto - before,
		.clients = client };
	enum tocsin_err err = TOCSIN_OK;

	for (; err == TOCSIN_OK && client != NULL && *client != NULL; client++)
		err = may_call_client(c, *client);
	return err == TOCSIN_OK ? permits_check(&c->permits, c->t, tx, &w)
				: err;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

static enum tocsin_err
seal_for(struct composing *c, size_t i)
{
	const struct belief *b = &c->t->belief;
	const struct roster_member *m;
	const struct keys_recipient *r;
	const struct keys *k;

	m = roster_member(b->roster, span_of(c->to[i]));
	if (m == NULL)
		return fail(TOCSIN_ENOTENROLLED,
		    "%s is not in roster %llu of %s", c->to[i],
		    (unsigned long long)b->roster->serial,
		    b->roster->federation);
	if (m->suspended)
		return fail(TOCSIN_ESUSPENDED, "%s is suspended", c->to[i]);
	k = belief_keys(b, span_of(c->to[i]));
	r = k != NULL && !keys_expired(k, c->now)
		? keys_recipient(k, c->header.exercise, c->now)
		: NULL;
	if (r == NULL && c->header.exercise.n > 0)
		return fail(TOCSIN_EKEYSEXPIRED,
		    "%s is not in the exercise %.*s: it has announced no keys "
		    "for it here",
		    c->to[i], (int)c->header.exercise.n,
		    (const char *)c->header.exercise.p);
	if (r == NULL)
		return fail(TOCSIN_EKEYSEXPIRED,
		    "%s has no current keys here; its officers must run "
		    "`tocsin keys publish`",
		    c->to[i]);
	snprintf(c->epoch[i], sizeof(c->epoch[i]), "%s", r->epoch);
	memcpy(c->pk[i], r->pk, sizeof(c->pk[i]));
	c->header.to[i].member = span_of(c->to[i]);
	c->header.to[i].epoch = span_of(c->epoch[i]);
	return TOCSIN_OK;
}

static bool
names_circle(const char *const *names)
{
	for (; names != NULL && *names != NULL; names++)
		if ((*names)[0] == '@')
			return true;
	return false;
}

/* As the file is now: a bot that runs for weeks uses what was mended. */
enum tocsin_err
compose_circles(struct composing *c)
{
	enum tocsin_err err;
	char why[1024];

	if (!names_circle(c->draft->to) && !names_circle(c->draft->clients))
		return TOCSIN_OK;
	err = circles_load(&c->circles, c->t->parts.keys->home, why);
	return err == TOCSIN_OK ? err : fail(err, "%s", why);
}

/* No name of a circle goes beyond this: what is sealed has members alone. */
static enum tocsin_err
expand_circles(struct composing *c)
{
	const struct roster *r = c->t->belief.roster;
	enum tocsin_err err;
	char why[1024];

	err = circles_expand(&c->circles, r, c->draft->to, &c->named, why);
	if (err == TOCSIN_OK)
		err = circles_expand(
		    &c->circles, r, c->draft->clients, &c->clients, why);
	return err == TOCSIN_OK ? err : fail(err, "%s", why);
}

enum tocsin_err
compose_to(struct composing *c, struct desk_tx *tx)
{
	enum tocsin_err err = expand_circles(c);
	const char *const *to = c->named.name;
	size_t i, before;
	bool all = c->first != NULL && (to == NULL || carries(c));

	if (err == TOCSIN_OK && c->first != NULL)
		err = add_participants(c, tx);
	before = c->nto;
	for (i = 0; err == TOCSIN_OK && to != NULL && to[i] != NULL; i++)
		err = compose_add_to(c, span_of(to[i]));
	if (err == TOCSIN_OK && c->first != NULL)
		err = may_widen(c, tx, before);
	if (err == TOCSIN_OK && !all) { /* exactly those that were named */
		c->nto = 0;
		for (i = 0; err == TOCSIN_OK && to != NULL && to[i] != NULL;
		     i++)
			err = compose_add_to(c, span_of(to[i]));
	}
	if (err == TOCSIN_OK && c->nto == 0)
		return fail(TOCSIN_EUSAGE, "say whom it is to");
	if (err == TOCSIN_OK)
		err = compose_add_to(c, span_of(c->t->parts.keys->member));
	qsort(c->to, c->nto, sizeof(c->to[0]), by_name);
	for (i = 0; err == TOCSIN_OK && i < c->nto; i++)
		err = seal_for(c, i);
	c->header.nto = c->nto;
	return err;
}
