/* SPDX-License-Identifier: ISC */
#include "client/glance.h"

#include "client/gist.h"
#include "client/memo.h"
#include "client/permit.h"

#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* To be counted up when what is kept changes, or what a fold says (ladder.c).
 */
#define FORMAT "glance/3 " TOCSIN_VERSION
#define NONE UINT32_MAX /* the length of a string that there is none of */
#define BATCH 256	/* threads that are folded between two commits */
#define BATCH_BYTES ((size_t)16 << 20)
#define MANY 65536 /* of anything that is counted in a memo */
#define TRIM 64	   /* threads; the kernel maps 64 KiB around each page */

/* What a kept glance holds for beside the thread: if it differs, fold anew. */
struct frame {
	uint8_t clocks[16]; /* the table */
	uint8_t epochs[16]; /* which keys are held */
};

/* A snapshot of the desk, and what opens and seals its memos. */
struct view {
	struct tocsin *t;
	struct desk_tx *tx;
	struct memo memo;
	struct frame frame;
	struct buf plain;
	int64_t until; /* what came later is not looked at */
	bool words;    /* each is given with its gist */
};

/* Threads that are to be folded, or forgotten. */
struct threads {
	uint8_t (*id)[ID_LEN];
	size_t n, room;
};

struct loading {
	struct view v;
	struct glances *out;
	struct threads missing;
	const struct glance_each *each; /* NULL: all are wanted at once */
};

/* A fold to be kept. */
struct fresh {
	uint8_t thread[ID_LEN];
	struct buf fold, words; /* sealed */
};

static enum tocsin_err
no_memory(void)
{
	return fail(TOCSIN_EINTERNAL, "no memory");
}

/* ---- what it holds for ---- */

static void
hash_text(crypto_generichash_state *h, const char *s)
{
	crypto_generichash_update(h, (const uint8_t *)s, strlen(s) + 1);
}

/* Field by field: what is between them need not be the same. */
static void
hash_clocks(uint8_t out[16], const struct due_table *t)
{
	crypto_generichash_state h;
	size_t i;

	crypto_generichash_init(&h, NULL, 0, 16);
	for (i = 0; i < t->n; i++) {
		const struct due_clock *c = &t->clock[i];
		int64_t numbers[] = { (int64_t)c->start, c->seconds,
			(int64_t)c->months, c->always };

		hash_text(&h, c->name);
		hash_text(&h, c->after);
		hash_text(&h, c->precedence);
		hash_text(&h, c->severity);
		crypto_generichash_update(
		    &h, (const uint8_t *)numbers, sizeof(numbers));
	}
	crypto_generichash_final(&h, out, 16);
}

static struct frame
frame_of(const struct tocsin *t)
{
	const struct keystore *k = t->parts.keys;
	crypto_generichash_state h;
	struct frame f;
	size_t i;

	hash_clocks(f.clocks, &t->clocks);
	crypto_generichash_init(&h, NULL, 0, sizeof(f.epochs));
	for (i = 0; i < k->nepoch; i++)
		hash_text(&h, k->epoch[i]);
	crypto_generichash_final(&h, f.epochs, sizeof(f.epochs));
	return f;
}

struct context {
	uint8_t bytes[sizeof(FORMAT) + 1 + ID_LEN + 16];
};

static struct context
context_of(const struct frame *f, char kind, const uint8_t thread[ID_LEN])
{
	struct context c = { .bytes = FORMAT };
	uint8_t *at = c.bytes + sizeof(FORMAT);

	*at++ = (uint8_t)kind;
	memcpy(at, thread, ID_LEN);
	if (kind == 'f')
		memcpy(at + ID_LEN, f->clocks, sizeof(f->clocks));
	return c;
}

/* ---- as bytes ---- */

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

static void
put_glance(struct buf *b, const struct glance *g,
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
get_parts(struct get *g, struct view *v, struct tocsin_message *m)
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
			part_of(v->t, v->tx, hash, &p[i]);
	}
}

static struct tocsin_message *
get_message(struct get *g, struct view *v, const uint8_t thread[ID_LEN])
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
	get_parts(g, v, m);
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

static bool
get_glance(struct glance *out, struct arena *a, struct view *v,
    struct span bytes, const uint8_t thread[ID_LEN])
{
	struct get g = { rd_init(bytes), a };

	*out = (struct glance){ .m = get_message(&g, v, thread) };
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

/* Room for one more, which counts when n is raised; NULL: no memory. */
static struct glance *
glances_grow(struct glances *g)
{
	size_t room = g->room > 0 ? 2 * g->room : 64;
	struct glance *grown = g->glance;

	if (g->n == g->room) {
		grown = realloc(grown, room * sizeof(*grown));
		if (grown == NULL)
			return NULL;
		g->glance = grown;
		g->room = room;
	}
	return &grown[g->n];
}

/* ---- folding ---- */

/* What a fold is made of, and whether it may be kept. */
struct folding {
	struct tocsin_message *m;  /* opened; what stands for the thread */
	struct tocsin_status *s;   /* NULL: it could not be told */
	const struct incident *in; /* of m; or NULL */
	bool unsure; /* a message could not be opened, with the keys we have */
	bool damaged;
	bool judged; /* by whom we believe: that may change */
	int epoch;   /* the oldest of those behind it; -1: none is */
	size_t messages;
	int64_t latest;
};

static void
folding_release(struct folding *f)
{
	tocsin_status_free(f->s);
	tocsin_message_free(f->m);
}

static bool
was_known(struct view *v, uint64_t n)
{
	struct desk_message row;

	return v->until == INT64_MAX ||
	       (desk_get(v->tx, n, &row) == TOCSIN_OK &&
		   status_known(&row) <= v->until);
}

/* A thread is shown by its first message, or by the oldest that we have. */
static enum tocsin_err
open_first(struct view *v, const uint8_t thread[ID_LEN], struct folding *f)
{
	uint64_t n;
	enum tocsin_err err = desk_find(v->tx, thread, &n);

	if (err == TOCSIN_OK && !was_known(v, n))
		err = TOCSIN_ENOTFOUND;
	if (err == TOCSIN_ENOTFOUND)
		for (n = 0; (err = desk_thread_next(v->tx, thread, n, &n)) ==
			    TOCSIN_OK;)
			if (was_known(v, n))
				break;
	if (err == TOCSIN_ENOTFOUND)
		return err;
	if (err != TOCSIN_OK)
		return fail(err, "the desk: %s", tocsin_err_text(err));
	return message_of(v->t, v->tx, n, &f->m);
}

/* Whether the status counts the message of that id as opened. */
static bool
was_opened(const struct folding *f, const uint8_t id[ID_LEN])
{
	char text[ID_TEXT + 1];
	struct behind b;
	size_t i;

	id_print(text, id);
	for (i = 0; f->s != NULL && status_behind(f->s, i, &b); i++)
		if (strcmp(b.m->id, text) == 0)
			return b.m->refused == TOCSIN_OK;
	return false;
}

static enum tocsin_err
count_messages(struct view *v, const uint8_t thread[ID_LEN], struct folding *f)
{
	struct desk_message row;
	enum tocsin_err err;
	uint64_t n = 0;

	while ((err = desk_thread_next(v->tx, thread, n, &n)) == TOCSIN_OK) {
		f->messages++;
		err = desk_get(v->tx, n, &row);
		if (err == TOCSIN_EBODYMISMATCH || err == TOCSIN_ENOTFOUND) {
			f->damaged = true;
			continue;
		}
		if (err != TOCSIN_OK)
			break;
		if (row.arrived > f->latest)
			f->latest = row.arrived;
		if (row.refused == TOCSIN_OK && !was_opened(f, row.id))
			f->unsure = true;
	}
	return err == TOCSIN_ENOTFOUND
		   ? TOCSIN_OK
		   : fail(err, "the desk: %s", tocsin_err_text(err));
}

static void
find_epoch(struct folding *f)
{
	struct behind b;
	size_t i;

	f->epoch = -1;
	for (i = 0; f->s != NULL && status_behind(f->s, i, &b); i++) {
		if (f->m != NULL && b.m->number == f->m->number)
			f->in = b.in;
		if (b.in->root != NULL && b.epoch >= 0 &&
		    (f->epoch < 0 || b.epoch < f->epoch))
			f->epoch = b.epoch;
	}
}

/* Where messages are damaged there may be no status; the row says so little. */
static enum tocsin_err
fold_thread(struct view *v, const uint8_t thread[ID_LEN], struct folding *f)
{
	enum tocsin_err err = open_first(v, thread, f);

	if (err == TOCSIN_OK)
		err = status_fold_until(
		    v->t, v->tx, thread, f->m, v->until, &f->s);
	if (err == TOCSIN_EBODYMISMATCH) {
		f->s = NULL;
		err = TOCSIN_OK;
	}
	if (err == TOCSIN_OK)
		err = count_messages(v, thread, f);
	if (err != TOCSIN_OK)
		return err;
	find_epoch(f);
	return permits_touch(v->t, v->tx, f->s, f->m, &f->judged);
}

/* When it wrote its first answer; brokers' words are none. */
static int64_t
first_answer(const struct tocsin_place *p)
{
	size_t i;

	for (i = 0; i < p->nstep; i++)
		if (p->step[i].message != NULL &&
		    p->step[i].rung >= TOCSIN_RUNG_ACCEPTED)
			return p->step[i].time;
	return 0;
}

static int64_t
first_opened(const struct tocsin_place *p)
{
	size_t i;

	for (i = 0; i < p->nstep; i++)
		if (p->step[i].message != NULL &&
		    p->step[i].rung == TOCSIN_RUNG_OPENED)
			return p->step[i].time;
	return 0;
}

/* "class:type", or the class alone. */
static const char *
classification(struct arena *a, const json_t *content)
{
	const json_t *o = json_object_get(content, "classification");
	const char *class = json_string_value(json_object_get(o, "class"));
	const char *type = json_string_value(json_object_get(o, "type"));
	const char *both = NULL;
	struct buf b = { 0 };

	if (class == NULL)
		return NULL;
	buf_addz(&b, class);
	if (type != NULL)
		buf_addf(&b, ":%s", type);
	if (buf_ok(&b))
		both = arena_text(a, buf_span(&b));
	buf_release(&b);
	return both;
}

static bool
take_sectors(struct glance *g, struct arena *a, const json_t *content)
{
	const json_t *list = json_object_get(content, "sectors");
	size_t i, n = 0;
	const char **out =
	    arena_array(a, json_array_size(list) + 1, sizeof(*out));

	for (i = 0; out != NULL && i < json_array_size(list); i++) {
		out[n] = json_string_value(json_array_get(list, i));
		n += out[n] != NULL;
	}
	g->sectors = out;
	return out != NULL;
}

/* Of what is carried, the ticket that it is about. */
static bool
take_content(struct glance *g, struct arena *a, const struct incident *in)
{
	const json_t *o, *carried;

	if (in == NULL || in->root == NULL)
		return true;
	g->occurred = in->occurred;
	g->detected = in->detected;
	g->reported = in->reported;
	o = in->root;
	carried = json_object_get(json_object_get(o, "original"), "ticket");
	if (json_is_object(carried))
		o = carried;
	g->classification = classification(a, o);
	g->pap = json_string_value(json_object_get(o, "pap"));
	return take_sectors(g, a, o);
}

static const char *
member_of(struct arena *a, const char *device)
{
	struct span s = span_of(device);

	return arena_text(a, span_cut(s, 0, strcspn(device, "/")));
}

/* What another member says that it did is its own matter. */
static bool
take_records(struct glance *g, struct arena *a, const struct folding *f)
{
	struct glance_record *r;
	struct behind b;
	size_t i, n = 0;

	for (i = 0; status_behind(f->s, i, &b); i++)
		n += b.in->action != NULL || b.in->claim != NULL;
	r = g->record = arena_array(a, n + 1, sizeof(*r));
	for (i = 0; r != NULL && status_behind(f->s, i, &b); i++) {
		if ((b.in->action == NULL && b.in->claim == NULL) ||
		    (b.m->own && b.m->refused != TOCSIN_OK))
			continue;
		*r++ = (struct glance_record){ .id = b.in->action ? b.in->action
								  : b.in->claim,
			.by = b.m->from,
			.member = member_of(a, b.m->from),
			.message = b.m->id,
			.time = b.m->time,
			.at = b.at,
			.claim = b.in->action == NULL,
			.until = b.in->action ? 0 : b.in->claim_until };
		if (r[-1].member == NULL)
			return false;
	}
	g->nrecord = r != NULL ? (size_t)(r - g->record) : 0;
	return r != NULL;
}

static bool
take_deadlines(struct glance *g, struct arena *a, const struct tocsin_status *s)
{
	g->ndeadline = s->ndeadline;
	g->deadline = arena_array(a, s->ndeadline + 1, sizeof(*g->deadline));
	if (g->deadline != NULL && s->ndeadline > 0)
		memcpy(g->deadline, s->deadline,
		    s->ndeadline * sizeof(*g->deadline));
	return g->deadline != NULL;
}

static void
take_precedence(struct glance *g, const char *word)
{
	enum ticket_precedence is, was;

	if (ticket_precedence_from(&is, span_of(word)) &&
	    (g->precedence == NULL ||
		(ticket_precedence_from(&was, span_of(g->precedence)) &&
		    is < was)))
		g->precedence = word;
}

static bool
take_for_rules(struct glance *g, struct arena *a, const struct folding *f)
{
	struct behind b;
	size_t i;

	g->turned = f->s->turned;
	g->resolution = f->s->resolution;
	for (i = 0; status_behind(f->s, i, &b); i++) {
		if (f->m != NULL && b.m->number == f->m->number)
			g->labels = b.labels;
		take_precedence(g, b.m->precedence);
	}
	return take_content(g, a, f->in) && take_records(g, a, f) &&
	       take_deadlines(g, a, f->s);
}

static void
take_next(struct glance *g, const struct tocsin_status *s)
{
	size_t i;

	for (i = 0; i < s->ndeadline; i++)
		if (s->deadline[i].done == 0) {
			g->clock = s->deadline[i].clock;
			g->due = s->deadline[i].due;
			return;
		}
}

/* Of what is folded; strings are those of the folding. */
static bool
describe(struct glance *g, struct arena *a, const struct folding *f)
{
	const struct tocsin_status *s = f->s;
	size_t i;

	*g = (struct glance){
		.m = f->m, .messages = f->messages, .latest = f->latest
	};
	if (f->in != NULL && f->in->severity[0] != '\0')
		g->severity = f->in->severity;
	if (f->in != NULL)
		g->outlook =
		    json_string_value(json_object_get(f->in->root, "outlook"));
	if (s == NULL)
		return true;
	g->closed = s->closed;
	g->escalated = s->escalated;
	take_next(g, s);
	g->nplace = s->n;
	g->place = arena_array(a, s->n + 1, sizeof(*g->place));
	for (i = 0; g->place != NULL && i < s->n; i++)
		g->place[i] = (struct glance_place){ s->place[i],
			first_answer(&s->place[i]),
			first_opened(&s->place[i]) };
	return g->place != NULL && take_for_rules(g, a, f);
}

/* Sealed for the oldest epoch behind it; of nothing opened, for the newest. */
static size_t
epoch_of(const struct view *v, const struct folding *f)
{
	return f->epoch >= 0 ? (size_t)f->epoch : v->memo.keys->nepoch - 1;
}

/*
 * What could not be opened may be, with another key. What is damaged is looked
 * at each time: it may be repaired.
 */
static void
seal(struct view *v, const struct folding *f, struct span fold,
    const uint8_t thread[ID_LEN], struct fresh *out)
{
	struct context c = context_of(&v->frame, 'f', thread);
	struct buf b = { 0 };

	if (f->s == NULL || f->damaged || f->judged ||
	    v->memo.keys->nepoch == 0)
		return;
	memcpy(out->thread, thread, ID_LEN);
	buf_u8(&b, f->unsure);
	if (f->unsure)
		buf_add(&b, SPAN(v->frame.epochs));
	buf_add(&b, fold);
	memo_seal(
	    &out->fold, &v->memo, epoch_of(v, f), SPAN(c.bytes), buf_span(&b));
	out->fold.failed |= !buf_ok(&b);
	buf_cut(&b, 0);
	c = context_of(&v->frame, 'w', thread);
	gist_write(&b, f->s, NULL);
	memo_seal(
	    &out->words, &v->memo, epoch_of(v, f), SPAN(c.bytes), buf_span(&b));
	out->words.failed |= !buf_ok(&b);
	buf_release(&b);
}

static bool
copy_words(struct glance *g, struct arena *a, struct span gist)
{
	const char *copy = arena_text(a, gist);

	g->words = (struct span){ (const uint8_t *)copy, gist.n };
	return copy != NULL;
}

static bool
take_words(struct glance *g, struct arena *a, const struct tocsin_status *s)
{
	struct buf b = { 0 };
	bool good;

	if (s != NULL)
		gist_write(&b, s, NULL);
	good = buf_ok(&b) && copy_words(g, a, buf_span(&b));
	buf_release(&b);
	return good;
}

/* Through its bytes, so that it owns what it says, and says what is kept. */
static enum tocsin_err
take(struct loading *l, const struct folding *f, const uint8_t thread[ID_LEN],
    struct fresh *keep)
{
	const struct incident_attachment *parts =
	    f->in != NULL ? f->in->attachment : NULL;
	struct arena *a = &l->out->arena;
	struct glance g, *out = glances_grow(l->out);
	struct buf bytes = { 0 };
	bool good = out != NULL && describe(&g, a, f);

	if (good)
		put_glance(&bytes, &g, parts);
	good = good && buf_ok(&bytes) &&
	       get_glance(out, a, &l->v, buf_span(&bytes), thread);
	if (good && l->v.words)
		good = take_words(out, a, f->s);
	if (good && keep != NULL)
		seal(&l->v, f, buf_span(&bytes), thread, keep);
	l->out->n += good;
	buf_release(&bytes);
	return good ? TOCSIN_OK : no_memory();
}

/* Beside what stands for the thread: nobody knows what it said. */
static enum tocsin_err
take_damaged(
    struct loading *l, const struct folding *of, const uint8_t thread[ID_LEN])
{
	enum tocsin_err err = TOCSIN_OK;
	uint64_t n = 0;

	while (of->damaged &&
	       (err = desk_thread_next(l->v.tx, thread, n, &n)) == TOCSIN_OK) {
		struct folding f = { 0 };

		if (n == of->m->number)
			continue;
		err = message_of(l->v.t, l->v.tx, n, &f.m);
		if (err == TOCSIN_OK && f.m->refused == TOCSIN_EBODYMISMATCH)
			err = take(l, &f, thread, NULL);
		folding_release(&f);
		if (err != TOCSIN_OK)
			return err;
	}
	return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
}

static enum tocsin_err
fold_one(struct loading *l, const uint8_t thread[ID_LEN], struct fresh *keep)
{
	struct folding f = { 0 };
	enum tocsin_err err = fold_thread(&l->v, thread, &f);

	if (err == TOCSIN_OK)
		err = take(l, &f, thread, keep);
	if (err == TOCSIN_OK)
		err = take_damaged(l, &f, thread);
	folding_release(&f);
	return err;
}

/* ---- keeping ---- */

/* What does not get there is folded another time. */
static void
keep(struct desk *d, struct fresh *fresh, size_t n, uint64_t snapshot)
{
	enum tocsin_err err = TOCSIN_OK;
	struct desk_tx *tx = NULL;
	size_t i;

	if (desk_write(d, &tx) != TOCSIN_OK)
		return;
	for (i = 0; err == TOCSIN_OK && i < n; i++) {
		if (i % TRIM == 0)
			desk_trim(d);
		if (fresh[i].fold.n == 0 || !buf_ok(&fresh[i].fold) ||
		    !buf_ok(&fresh[i].words))
			continue;
		err = desk_fold_put(tx, fresh[i].thread, snapshot,
		    buf_span(&fresh[i].fold), buf_span(&fresh[i].words));
		if (err == TOCSIN_EDUPLICATE)
			err = TOCSIN_OK;
	}
	if (err == TOCSIN_OK)
		(void)!desk_commit(tx);
	else
		desk_end(tx);
}

/* To who wants them one by one: each is the first of its own list. */
static enum tocsin_err
hand_out(struct loading *l, const uint8_t thread[ID_LEN])
{
	const struct glance_each *each = l->each;
	bool good;

	if (each == NULL)
		return TOCSIN_OK;
	good = l->out->n == 0 || each->take(each->arg, thread, l->out->glance);
	glances_release(l->out);
	return good ? TOCSIN_OK : no_memory();
}

/* From missing thread `from` on, as many as go into one change, to `end`. */
static enum tocsin_err
fold_batch(struct loading *l, size_t *from, size_t end)
{
	struct fresh *fresh = calloc(BATCH, sizeof(*fresh));
	size_t i, n = 0, bytes = 0;
	uint64_t snapshot;
	enum tocsin_err err;

	if (fresh == NULL)
		return no_memory();
	err = begin_read(l->v.t, &l->v.tx);
	if (err == TOCSIN_OK) {
		snapshot = desk_snapshot(l->v.tx);
		while (err == TOCSIN_OK && n < BATCH && bytes < BATCH_BYTES &&
		       *from < end) {
			const uint8_t *thread = l->missing.id[*from];

			tell_opening(l->v.t, *from, end);
			if (n % TRIM == 0)
				desk_trim(l->v.t->parts.desk);
			err = fold_one(l, thread, &fresh[n]);
			(*from)++;
			bytes += fresh[n].words.n;
			n++;
			if (err == TOCSIN_OK)
				err = hand_out(l, thread);
		}
		desk_end(l->v.tx);
		l->v.tx = NULL;
		if (err == TOCSIN_OK)
			keep(l->v.t->parts.desk, fresh, n, snapshot);
		tell_opening(l->v.t, *from, end);
	}
	for (i = 0; i < n; i++) {
		buf_drop(&fresh[i].fold);
		buf_drop(&fresh[i].words);
	}
	free(fresh);
	return err;
}

/* ---- loading ---- */

static enum tocsin_err
view_begin(struct view *v, struct tocsin *t)
{
	enum tocsin_err err;

	*v = (struct view){ .t = t, .frame = frame_of(t), .until = INT64_MAX };
	err = memo_init(&v->memo, t->parts.keys);
	if (err != TOCSIN_OK)
		return no_memory();
	return begin_read(t, &v->tx);
}

static void
view_end(struct view *v)
{
	desk_end(v->tx);
	memo_release(&v->memo);
	buf_release(&v->plain);
}

static bool
threads_add(struct threads *l, const uint8_t id[ID_LEN])
{
	size_t room = l->room > 0 ? 2 * l->room : 64;
	uint8_t(*grown)[ID_LEN];

	if (l->n == l->room) {
		grown = realloc(l->id, room * sizeof(*grown));
		if (grown == NULL)
			return false;
		l->id = grown;
		l->room = room;
	}
	memcpy(l->id[l->n++], id, ID_LEN);
	return true;
}

/* False: they are not kept, or do not open. */
static bool
remembered_words(struct view *v, const uint8_t thread[ID_LEN], struct glance *g,
    struct arena *a)
{
	struct context c = context_of(&v->frame, 'w', thread);
	struct span sealed;

	return desk_words_get(v->tx, thread, &sealed) == TOCSIN_OK &&
	       memo_open(&v->plain, &v->memo, SPAN(c.bytes), sealed) &&
	       copy_words(g, a, buf_span(&v->plain));
}

/* The fold that is kept; false: there is none that holds. */
static bool
remembered(struct loading *l, const uint8_t thread[ID_LEN])
{
	struct context c = context_of(&l->v.frame, 'f', thread);
	struct view *v = &l->v;
	struct span sealed;
	struct glance *g;
	struct rd r;

	if (desk_fold_get(v->tx, thread, &sealed) != TOCSIN_OK ||
	    !memo_open(&v->plain, &v->memo, SPAN(c.bytes), sealed))
		return false;
	r = rd_init(buf_span(&v->plain));
	if (rd_u8(&r) != 0 && !span_eq(rd_span(&r, sizeof(v->frame.epochs)),
				  SPAN(v->frame.epochs)))
		return false;
	g = glances_grow(l->out);
	if (g == NULL ||
	    !get_glance(g, &l->out->arena, v, rd_rest(&r), thread) ||
	    (v->words && !remembered_words(v, thread, g, &l->out->arena)))
		return false;
	l->out->n++;
	return true;
}

static enum tocsin_err
recall_all(struct loading *l)
{
	uint8_t thread[ID_LEN];
	const uint8_t *after = NULL;
	enum tocsin_err err;

	while ((err = desk_thread_after(l->v.tx, after, thread)) == TOCSIN_OK) {
		if (!remembered(l, thread) && !threads_add(&l->missing, thread))
			return no_memory();
		after = thread;
	}
	if (err != TOCSIN_ENOTFOUND)
		return fail(err, "the desk: %s", tocsin_err_text(err));
	l->out->coming = calloc(1, sizeof(*l->out->coming));
	if (l->out->coming == NULL)
		return no_memory();
	return list_tickets_coming(l->v.t, l->v.tx, l->out->coming);
}

static int
by_number(const void *a, const void *b)
{
	const struct glance *x = a, *y = b;

	if (x->m->number != y->m->number)
		return x->m->number < y->m->number ? -1 : 1;
	return 0;
}

enum tocsin_err
glances_load(struct tocsin *t, struct glances *out)
{
	return glances_load_some(t, 0, out);
}

enum tocsin_err
glances_load_some(struct tocsin *t, size_t most, struct glances *out)
{
	struct loading l = { .out = out };
	enum tocsin_err err;
	size_t from = 0, end;

	*out = (struct glances){ 0 };
	err = view_begin(&l.v, t);
	if (err == TOCSIN_OK)
		err = recall_all(&l);
	desk_end(l.v.tx); /* it is not held while the disk is waited for */
	l.v.tx = NULL;
	end = most > 0 && most < l.missing.n ? most : l.missing.n;
	while (err == TOCSIN_OK && from < end)
		err = fold_batch(&l, &from, end);
	out->left = l.missing.n - from;
	view_end(&l.v);
	free(l.missing.id);
	if (out->n > 1)
		qsort(out->glance, out->n, sizeof(*out->glance), by_number);
	return err;
}

static enum tocsin_err
look_at_all(struct loading *l)
{
	const struct glance_each *each = l->each;
	uint8_t thread[ID_LEN];
	const uint8_t *after = NULL;
	enum tocsin_err err;
	uint64_t stamp;
	size_t n = 0;

	while ((err = desk_thread_after(l->v.tx, after, thread)) == TOCSIN_OK) {
		after = thread;
		if (++n % TRIM == 0)
			desk_trim(l->v.t->parts.desk);
		stamp = desk_fold_stamp(l->v.tx, thread);
		if (!each->wants(each->arg, thread, stamp))
			continue;
		if (remembered(l, thread))
			err = hand_out(l, thread);
		else if (!threads_add(&l->missing, thread))
			err = no_memory();
		if (err != TOCSIN_OK)
			return err;
	}
	return err == TOCSIN_ENOTFOUND
		   ? TOCSIN_OK
		   : fail(err, "the desk: %s", tocsin_err_text(err));
}

enum tocsin_err
glances_each(struct tocsin *t, const struct glance_each *each)
{
	struct glances out = { 0 };
	struct loading l = { .out = &out, .each = each };
	enum tocsin_err err = view_begin(&l.v, t);
	size_t from = 0;

	l.v.words = each->words;
	if (err == TOCSIN_OK)
		err = look_at_all(&l);
	desk_end(l.v.tx); /* it is not held while the disk is waited for */
	l.v.tx = NULL;
	while (err == TOCSIN_OK && from < l.missing.n)
		err = fold_batch(&l, &from, l.missing.n);
	desk_trim(t->parts.desk);
	view_end(&l.v);
	free(l.missing.id);
	glances_release(&out);
	return err;
}

enum tocsin_err
glance_at(struct tocsin *t, const uint8_t thread[32], int64_t until, bool words,
    struct glances *out)
{
	struct loading l = { .out = out };
	enum tocsin_err err = view_begin(&l.v, t);

	*out = (struct glances){ 0 };
	l.v.until = until;
	l.v.words = words;
	if (err == TOCSIN_OK && (until != INT64_MAX || !remembered(&l, thread)))
		err = fold_one(&l, thread, NULL);
	view_end(&l.v);
	if (err == TOCSIN_OK && out->n == 0)
		err = TOCSIN_ENOTFOUND;
	return err;
}

void
glances_release(struct glances *g)
{
	tocsin_list_free(g->coming);
	arena_release(&g->arena);
	free(g->glance);
	*g = (struct glances){ 0 };
}

bool
glance_overdue(
    const struct glance *g, const struct tocsin_place *p, int64_t now)
{
	return !g->closed && !p->recalled && p->ackby > 0 && now > p->ackby &&
	       p->rung <= TOCSIN_RUNG_OPENED;
}

/* ---- words ---- */

struct gists {
	struct view v;
	struct threads bad; /* whose words do not open */
};

enum tocsin_err
gists_begin(struct gists **out, struct tocsin *t)
{
	struct gists *g = calloc(1, sizeof(*g));
	enum tocsin_err err;

	if (g == NULL)
		return no_memory();
	err = view_begin(&g->v, t);
	if (err == TOCSIN_OK)
		*out = g;
	else
		gists_end(g);
	return err;
}

/* So that the next list folds them, and keeps them again. */
static void
forget(struct desk *d, const struct threads *bad)
{
	enum tocsin_err err = TOCSIN_OK;
	struct desk_tx *tx = NULL;
	size_t i;

	if (bad->n == 0 || desk_write(d, &tx) != TOCSIN_OK)
		return;
	for (i = 0; err == TOCSIN_OK && i < bad->n; i++)
		err = desk_forget(tx, bad->id[i]);
	if (err == TOCSIN_OK)
		(void)!desk_commit(tx);
	else
		desk_end(tx);
}

void
gists_end(struct gists *g)
{
	struct desk *d;

	if (g == NULL)
		return;
	d = g->v.t->parts.desk;
	view_end(&g->v);
	forget(d, &g->bad);
	free(g->bad.id);
	free(g);
}

/* There is none, or it does not open. */
static enum tocsin_err
fold_gist(struct gists *g, const uint8_t thread[ID_LEN])
{
	struct tocsin_list *now = NULL;
	struct folding f = { 0 };
	enum tocsin_err err = fold_thread(&g->v, thread, &f);

	buf_cut(&g->v.plain, 0);
	if (err == TOCSIN_OK && f.judged) /* labels are not as they were */
		err = tocsin_thread(g->v.t, f.s->id, &now);
	if (err == TOCSIN_OK && f.s != NULL)
		gist_write(&g->v.plain, f.s, now);
	tocsin_list_free(now);
	folding_release(&f);
	if (err == TOCSIN_OK && !buf_ok(&g->v.plain))
		return no_memory();
	return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
}

enum tocsin_err
gists_of(struct gists *g, const char *thread, struct span *out)
{
	enum tocsin_err err = TOCSIN_OK;
	uint8_t id[ID_LEN];
	struct span sealed;
	struct context c;

	*out = (struct span){ 0 };
	if (!id_parse(span_of(thread), id))
		return TOCSIN_OK;
	c = context_of(&g->v.frame, 'w', id);
	if (desk_words_get(g->v.tx, id, &sealed) != TOCSIN_OK) {
		err = fold_gist(g, id);
	} else if (!memo_open(&g->v.plain, &g->v.memo, SPAN(c.bytes), sealed)) {
		(void)threads_add(&g->bad, id);
		err = fold_gist(g, id);
	}
	if (err == TOCSIN_OK)
		*out = buf_span(&g->v.plain);
	return err;
}
