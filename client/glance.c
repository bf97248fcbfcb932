/* SPDX-License-Identifier: ISC */
#include "client/glance.h"

#include "client/gist.h"
#include "client/glance_bytes.h"
#include "client/memo.h"
#include "client/permit.h"

#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* To be counted up when what is kept changes, or what a fold says (ladder.c).
 */
#define FORMAT "glance/3 " TOCSIN_VERSION
#define BATCH 256 /* threads that are folded between two commits */
#define BATCH_BYTES ((size_t)16 << 20)
#define TRIM 64 /* threads; the kernel maps 64 KiB around each page */

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
	struct glance_here here;
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

/* ---- in memory ---- */

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
		glance_print(&bytes, &g, parts);
	good = good && buf_ok(&bytes) &&
	       glance_parse(out, a, &l->v.here, buf_span(&bytes), thread);
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

static void
part_here(void *arg, const uint8_t hash[32], struct tocsin_part *part)
{
	const struct view *v = arg;

	part_of(v->t, v->tx, hash, part);
}

static enum tocsin_err
view_begin(struct view *v, struct tocsin *t)
{
	enum tocsin_err err;

	*v = (struct view){ .t = t,
		.frame = frame_of(t),
		.here = { part_here, v },
		.until = INT64_MAX };
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
	    !glance_parse(g, &l->out->arena, &v->here, rd_rest(&r), thread) ||
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
