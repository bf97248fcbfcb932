/* SPDX-License-Identifier: ISC */
#include "client/drill/agenda.h"

#include <string.h>

#define VERSION 1

static void
put_text(struct buf *out, const char *s)
{
	buf_u32(out, (uint32_t)strlen(s));
	buf_addz(out, s);
}

void
agenda_print(struct buf *out, const struct script *s)
{
	size_t i;

	buf_u8(out, VERSION);
	buf_u64(out, (uint64_t)s->length);
	buf_u32(out, (uint32_t)s->ninject);
	for (i = 0; i < s->ninject; i++) {
		const struct script_inject *from = &s->inject[i];
		const struct script_inject *in = from->in;

		put_text(out, from->name);
		put_text(out, from->subject != NULL ? from->subject
			      : in != NULL && in->subject != NULL ? in->subject
								  : "");
		buf_u64(out, (uint64_t)from->at);
		buf_u32(out, (uint32_t)from->n);
		buf_u32(out, in != NULL ? (uint32_t)(in - s->inject) + 1 : 0);
	}
}

static const char *
get_text(struct rd *r, struct arena *a)
{
	struct span s = rd_span(r, rd_u32(r));

	return r->bad ? NULL : arena_text(a, s);
}

/* One that it is in stands before it, since it comes before it. */
static bool
get_inject(struct rd *r, struct agenda *a, size_t at)
{
	struct agenda_inject *i = &a->inject[at];
	uint64_t seconds;
	uint32_t in;

	i->name = get_text(r, &a->arena);
	i->subject = get_text(r, &a->arena);
	seconds = rd_u64(r);
	i->to = rd_u32(r);
	in = rd_u32(r);
	if (r->bad || seconds > SCRIPT_LENGTH || in > at)
		return false;
	i->at = (int64_t)seconds;
	i->in = in > 0 ? &a->inject[in - 1] : NULL;
	return true;
}

enum tocsin_err
agenda_parse(struct agenda *out, struct span bytes)
{
	struct rd r = rd_init(bytes);
	uint8_t version = rd_u8(&r);
	uint64_t length = rd_u64(&r);
	uint32_t n = rd_u32(&r), i;

	*out = (struct agenda){ .length = 0 };
	if (r.bad || version != VERSION || length > SCRIPT_LENGTH ||
	    n > SCRIPT_INJECTS)
		return TOCSIN_EMALFORMED;
	out->length = (int64_t)length;
	out->inject =
	    arena_array(&out->arena, (size_t)n + 1, sizeof(*out->inject));
	if (out->inject == NULL)
		return TOCSIN_EINTERNAL;
	for (i = 0; i < n; i++) {
		if (!get_inject(&r, out, i))
			return TOCSIN_EMALFORMED;
		if (out->inject[i].name == NULL ||
		    out->inject[i].subject == NULL)
			return TOCSIN_EINTERNAL;
	}
	if (!rd_done(&r))
		return TOCSIN_EMALFORMED;
	out->n = n;
	return TOCSIN_OK;
}

void
agenda_release(struct agenda *a)
{
	arena_release(&a->arena);
	*a = (struct agenda){ .length = 0 };
}

/* What is in a ticket that was left out has nowhere to go. */
static bool
left_out(const struct agenda_inject *i, const struct drill_clock *c)
{
	for (; i != NULL; i = i->in)
		if (i->at * 1000 < c->from && !i->posted)
			return true;
	return false;
}

enum agenda_state
agenda_state(
    const struct agenda_inject *i, const struct drill_clock *c, int64_t now)
{
	int64_t grace = (int64_t)AGENDA_GRACE * 1000 * c->speed;

	if (i->posted)
		return AGENDA_POSTED;
	if (left_out(i, c))
		return AGENDA_LEFT_OUT;
	return i->at * 1000 + grace < drill_clock_over(c, now) ? AGENDA_LATE
							       : AGENDA_TO_COME;
}

const struct agenda_inject *
agenda_next(const struct agenda *a, const struct drill_clock *c, int64_t now)
{
	size_t i;

	for (i = 0; i < a->n; i++)
		if (agenda_state(&a->inject[i], c, now) == AGENDA_TO_COME)
			return &a->inject[i];
	return NULL;
}

size_t
agenda_count(const struct agenda *a, enum agenda_state state,
    const struct drill_clock *c, int64_t now)
{
	size_t i, n = 0;

	for (i = 0; i < a->n; i++)
		n += agenda_state(&a->inject[i], c, now) == state;
	return n;
}
