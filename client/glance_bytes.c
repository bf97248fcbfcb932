/* SPDX-License-Identifier: ISC */
#include "client/glance_bytes.h"

#include <string.h>

#define NONE UINT32_MAX /* the length of a string that there is none of */
#define MANY 65536	/* of anything that is counted */

static void
put_text(struct buf *b, const char *s)
{
	buf_u32(b, s != NULL ? (uint32_t)strlen(s) : NONE);
	if (s != NULL)
		buf_addz(b, s);
}

static void
put_message(struct buf *b, const struct tocsin_message *m,
    const struct incident_attachment *part)
{
	uint8_t id[ID_LEN] = { 0 };
	size_t i, n = 0;

	(void)id_parse(span_of(m->id), id);
	buf_u64(b, m->number);
	buf_add(b, SPAN(id));
	put_text(b, m->from);
	put_text(b, m->kind);
	put_text(b, m->tlp);
	put_text(b, m->precedence);
	put_text(b, m->exercise);
	put_text(b, m->subject);
	buf_u64(b, (uint64_t)m->time);
	buf_u64(b, (uint64_t)m->received);
	buf_u64(b, (uint64_t)m->ackby);
	buf_u8(b, m->own);
	buf_u16(b, (uint16_t)m->refused);
	while (m->to[n] != NULL)
		n++;
	buf_u32(b, (uint32_t)n);
	for (i = 0; i < n; i++)
		put_text(b, m->to[i]);
	n = part != NULL ? m->nparts : 0; /* whose parts nobody could read */
	buf_u32(b, (uint32_t)n);
	for (i = 0; i < n; i++) {
		put_text(b, m->parts[i].name);
		put_text(b, m->parts[i].media);
		buf_u64(b, m->parts[i].size);
		buf_u64(b, m->parts[i].sealed);
		buf_u8(b, m->parts[i].recalled);
		buf_add(b, SPAN(part[i].part));
	}
}

static void
put_place(struct buf *b, const struct glance_place *g)
{
	const struct tocsin_place *p = &g->p;

	put_text(b, p->member);
	buf_u8(b, (uint8_t)p->rung);
	buf_u64(b, (uint64_t)p->since);
	put_text(b, p->by);
	put_text(b, p->reason);
	buf_u64(b, (uint64_t)p->ackby);
	buf_u8(b, p->recalled);
	put_text(b, p->message);
	buf_u64(b, (uint64_t)p->asked);
	buf_u64(b, (uint64_t)p->heard);
	buf_u64(b, (uint64_t)g->answered);
	buf_u64(b, (uint64_t)g->opened);
}

static void
put_texts(struct buf *b, const char *const *list)
{
	size_t i, n = 0;

	while (list != NULL && list[n] != NULL)
		n++;
	buf_u32(b, (uint32_t)n);
	for (i = 0; i < n; i++)
		put_text(b, list[i]);
}

static void
put_for_rules(struct buf *b, const struct glance *g)
{
	size_t i;

	put_text(b, g->classification);
	put_text(b, g->pap);
	put_text(b, g->precedence);
	put_texts(b, g->labels);
	put_texts(b, g->sectors);
	buf_u64(b, (uint64_t)g->occurred);
	buf_u64(b, (uint64_t)g->detected);
	buf_u64(b, (uint64_t)g->reported);
	buf_u64(b, (uint64_t)g->turned);
	buf_u32(b, (uint32_t)g->ndeadline);
	for (i = 0; i < g->ndeadline; i++) {
		put_text(b, g->deadline[i].clock);
		buf_u64(b, (uint64_t)g->deadline[i].started);
		buf_u64(b, (uint64_t)g->deadline[i].due);
		buf_u64(b, (uint64_t)g->deadline[i].done);
	}
	buf_u32(b, (uint32_t)g->nrecord);
	for (i = 0; i < g->nrecord; i++) {
		put_text(b, g->record[i].id);
		put_text(b, g->record[i].by);
		put_text(b, g->record[i].member);
		put_text(b, g->record[i].message);
		buf_u64(b, (uint64_t)g->record[i].time);
		buf_u64(b, g->record[i].at);
		buf_u8(b, g->record[i].claim);
		buf_u64(b, (uint64_t)g->record[i].until);
	}
	put_text(b, g->resolution);
}

void
glance_print(struct buf *b, const struct glance *g,
    const struct incident_attachment *part)
{
	size_t i;

	put_message(b, g->m, part);
	buf_u8(b, g->closed);
	buf_u32(b, g->escalated);
	put_text(b, g->clock);
	buf_u64(b, (uint64_t)g->due);
	buf_u32(b, (uint32_t)g->nplace);
	for (i = 0; i < g->nplace; i++)
		put_place(b, &g->place[i]);
	buf_u64(b, g->messages);
	buf_u64(b, (uint64_t)g->latest);
	put_text(b, g->severity);
	put_text(b, g->outlook);
	put_for_rules(b, g);
}

/* Reading is bounded; what is short of memory is bad, and folded. */
struct get {
	struct rd r;
	struct arena *a;
};

static const char *
get_text(struct get *g)
{
	uint32_t n = rd_u32(&g->r);
	const char *s;

	if (n == NONE || g->r.bad)
		return NULL;
	s = arena_text(g->a, rd_span(&g->r, n));
	g->r.bad |= s == NULL;
	return s;
}

/* One that must be there. */
static const char *
get_word(struct get *g)
{
	const char *s = get_text(g);

	g->r.bad |= s == NULL;
	return s;
}

static int64_t
get_time(struct get *g)
{
	return (int64_t)rd_u64(&g->r);
}

/* So many of a size. */
static void *
get_array(struct get *g, size_t *n, size_t size)
{
	uint32_t count = rd_u32(&g->r);
	void *out = NULL;

	if (count <= MANY)
		out = arena_array(g->a, (size_t)count + 1, size);
	g->r.bad |= out == NULL;
	*n = g->r.bad ? 0 : count;
	return out;
}

static void
get_parts(
    struct get *g, const struct glance_here *here, struct tocsin_message *m)
{
	struct tocsin_part *p = get_array(g, &m->nparts, sizeof(*p));
	uint8_t hash[ID_LEN];
	size_t i;

	m->parts = p;
	for (i = 0; i < m->nparts && !g->r.bad; i++) {
		p[i].name = get_word(g);
		p[i].media = get_word(g);
		p[i].size = rd_u64(&g->r);
		p[i].sealed = rd_u64(&g->r);
		p[i].recalled = rd_u8(&g->r) != 0;
		rd_copy(&g->r, hash, sizeof(hash));
		if (!g->r.bad)
			here->part(here->arg, hash, &p[i]);
	}
}

static struct tocsin_message *
get_message(
    struct get *g, const struct glance_here *here, const uint8_t thread[ID_LEN])
{
	struct tocsin_message *m = arena_get(g->a, sizeof(*m));
	uint8_t id[ID_LEN];
	const char **to;
	size_t i, n;

	if (m == NULL)
		return NULL;
	m->number = rd_u64(&g->r);
	rd_copy(&g->r, id, sizeof(id));
	id_print(m->id, id);
	id_print(m->thread, thread);
	shortid_print(m->short_id, thread);
	m->from = get_word(g);
	m->kind = get_word(g);
	m->tlp = get_word(g);
	m->precedence = get_word(g);
	m->exercise = get_text(g);
	m->subject = get_text(g);
	m->time = get_time(g);
	m->received = get_time(g);
	m->ackby = get_time(g);
	m->own = rd_u8(&g->r) != 0;
	m->refused = tocsin_err_from_wire(rd_u16(&g->r));
	to = get_array(g, &n, sizeof(*to));
	for (i = 0; i < n && !g->r.bad; i++)
		to[i] = get_word(g);
	m->to = to;
	get_parts(g, here, m);
	return m;
}

static void
get_places(struct get *g, struct glance *out)
{
	struct glance_place *at = get_array(g, &out->nplace, sizeof(*at));
	size_t i;

	out->place = at;
	for (i = 0; i < out->nplace && !g->r.bad; i++, at++) {
		at->p.member = get_word(g);
		at->p.rung = (enum tocsin_rung)rd_u8(&g->r);
		at->p.since = get_time(g);
		at->p.by = get_text(g);
		at->p.reason = get_text(g);
		at->p.ackby = get_time(g);
		at->p.recalled = rd_u8(&g->r) != 0;
		at->p.message = get_text(g);
		at->p.asked = get_time(g);
		at->p.heard = get_time(g);
		at->answered = get_time(g);
		at->opened = get_time(g);
	}
}

static const char *const *
get_texts(struct get *g)
{
	size_t i, n;
	const char **list = get_array(g, &n, sizeof(*list));

	for (i = 0; i < n && !g->r.bad; i++)
		list[i] = get_word(g);
	return list;
}

static void
get_for_rules(struct get *g, struct glance *out)
{
	size_t i;

	out->classification = get_text(g);
	out->pap = get_text(g);
	out->precedence = get_text(g);
	out->labels = get_texts(g);
	out->sectors = get_texts(g);
	out->occurred = get_time(g);
	out->detected = get_time(g);
	out->reported = get_time(g);
	out->turned = get_time(g);
	out->deadline = get_array(g, &out->ndeadline, sizeof(*out->deadline));
	for (i = 0; i < out->ndeadline && !g->r.bad; i++) {
		out->deadline[i].clock = get_word(g);
		out->deadline[i].started = get_time(g);
		out->deadline[i].due = get_time(g);
		out->deadline[i].done = get_time(g);
	}
	out->record = get_array(g, &out->nrecord, sizeof(*out->record));
	for (i = 0; i < out->nrecord && !g->r.bad; i++) {
		out->record[i].id = get_word(g);
		out->record[i].by = get_word(g);
		out->record[i].member = get_word(g);
		out->record[i].message = get_word(g);
		out->record[i].time = get_time(g);
		out->record[i].at = rd_u64(&g->r);
		out->record[i].claim = rd_u8(&g->r) != 0;
		out->record[i].until = get_time(g);
	}
	out->resolution = get_text(g);
}

bool
glance_parse(struct glance *out, struct arena *a,
    const struct glance_here *here, struct span bytes,
    const uint8_t thread[ID_LEN])
{
	struct get g = { rd_init(bytes), a };

	*out = (struct glance){ .m = get_message(&g, here, thread) };
	out->closed = rd_u8(&g.r) != 0;
	out->escalated = rd_u32(&g.r);
	out->clock = get_text(&g);
	out->due = get_time(&g);
	get_places(&g, out);
	out->messages = rd_u64(&g.r);
	out->latest = get_time(&g);
	out->severity = get_text(&g);
	out->outlook = get_text(&g);
	get_for_rules(&g, out);
	return rd_done(&g.r) && out->m != NULL;
}
