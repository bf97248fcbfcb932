/* SPDX-License-Identifier: ISC */
/* What comes from the broker: pages, parked requests, large bodies. */
#include "client/sync_impl.h"

#include "client/bodies.h"
#include "crypto/msg.h"

#include <stdlib.h>
#include <time.h>

#define LOOK_MS 300
#define PAGE_LEAST 8192

static enum tocsin_err
ask_for_intake(void *arg, struct span request, struct buf *fields)
{
	struct sync *s = arg;
	uint32_t retry;

	return sync_ask_now(s, request, fields, &retry);
}

static enum tocsin_err body_for_intake(
    void *arg, const struct ticket *t, struct buf *out);
static void body_done(void *arg, const uint8_t hash[32], bool kept);

struct intake
fetch_intake(struct sync *s)
{
	return (struct intake){ .parts = &s->p,
		.ask = ask_for_intake,
		.body = body_for_intake,
		.done = body_done,
		.arg = s,
		.now = (int64_t)time(NULL) };
}

/* Small enough that what is urgent does not wait for the rest of it long. */
static uint32_t
page_size(struct sync *s)
{
	size_t n = line_window(s->line, LINE_MAIL);

	if (n < PAGE_LEAST)
		return PAGE_LEAST;
	return n < MSG_MAX ? (uint32_t)n : MSG_MAX;
}

static void
fetch_request(struct sync *s, uint64_t after, uint32_t wait, struct buf *out)
{
	const struct msg_fetch m = { s->cursor, after, wait, page_size(s) };

	msg_fetch_encode(out, &m);
}

/* Entries that continue where we are; *used is false if they don't. */
static enum tocsin_err
take_answer(struct sync *s, struct span fields, bool *used, bool *more)
{
	struct msg_entries *m = malloc(sizeof(*m));
	const struct intake in = fetch_intake(s);
	uint64_t was = s->cursor;
	enum tocsin_err err;

	if (m == NULL)
		return TOCSIN_EINTERNAL;
	err = msg_entries_decode(m, fields);
	*used = err == TOCSIN_OK && m->from <= s->cursor;
	if (*used && m->n > 0)
		err = intake_entries(&in, m, &s->cursor);
	if (m->n > 1) /* a desk that is filled has more than is looked at */
		desk_trim(s->p.desk);
	/* Who says that there is more, and gives nothing, gets no loop. */
	*more = err == TOCSIN_OK && m->more && s->cursor > was;
	free(m);
	return err;
}

/* Another process of this home may have come further. */
static void
load_cursor(struct sync *s)
{
	struct desk_tx *tx = NULL;
	uint64_t cursor = 0;

	if (desk_read(s->p.desk, &tx) == TOCSIN_OK)
		cursor = desk_u64_get(tx, "cursor");
	desk_end(tx);
	if (cursor > s->cursor)
		s->cursor = cursor;
}

/*
 * Where there is more than a page, what is urgent in it, and what is posted
 * meanwhile, is asked for beside each page and taken before it.
 */
static struct call *
ask_urgent(struct sync *s)
{
	const struct msg_urgent m = { s->urgent, page_size(s) };
	struct buf request = { 0 };
	struct call *c = NULL;

	if (s->urgent == 0)
		return NULL;
	msg_urgent_encode(&request, &m);
	if (buf_ok(&request))
		c = line_begin(
		    s->line, buf_span(&request), (int)s->p.answer_ms);
	buf_release(&request);
	return c;
}

static void
take_urgent(struct sync *s, struct call *c)
{
	struct msg_entries *m = malloc(sizeof(*m));
	const struct intake in = fetch_intake(s);
	struct buf fields = { 0 };
	enum tocsin_err err;
	uint32_t retry;
	uint64_t to;

	if (c == NULL) {
		free(m);
		return;
	}
	err = line_end(s->line, c, &fields, &retry);
	if (err == TOCSIN_OK && m == NULL)
		err = TOCSIN_EINTERNAL;
	if (err == TOCSIN_OK)
		err = msg_urgents_decode(m, &to, buf_span(&fields));
	if (err == TOCSIN_OK)
		err = intake_apart(&in, m);
	if (err == TOCSIN_OK && to > s->urgent)
		s->urgent = to;
	if (err == TOCSIN_EUNSUPPORTED || err == TOCSIN_EMALFORMED)
		s->urgent = 0; /* all of it comes in its turn */
	buf_release(&fields);
	free(m);
}

/* What does not wait for the end of a large body: messages, both ways. */
static bool
meanwhile(void *arg)
{
	struct sync *s = arg;

	if (s->stop)
		return false;
	claim_sign(&s->claim);
	if (backoff_now() < s->look_at)
		return true;
	s->inside = true;
	if (s->urgent < s->cursor)
		s->urgent = s->cursor;
	take_urgent(s, ask_urgent(s));
	s->inside = false;
	s->look_at = backoff_now() + LOOK_MS;
	return true;
}

/* And nothing about it is to be mended. */
static bool
in_desk(struct sync *s, const uint8_t id[32])
{
	struct desk_message m;
	struct desk_tx *tx = NULL;
	uint64_t n;
	bool there;

	there = desk_read(s->p.desk, &tx) == TOCSIN_OK &&
		desk_find(tx, id, &n) == TOCSIN_OK &&
		desk_get(tx, n, &m) == TOCSIN_OK &&
		(m.own || m.refused == TOCSIN_OK);
	desk_end(tx);
	return there;
}

/*
 * While another process of this home fetches large bodies, ours is to wait for
 * them in the desk. DUPLICATE: this one has come so. Who had the claim before
 * us gave it back after the body was in the desk: so look there once more when
 * it is ours, also if we did not wait for it.
 */
static enum tocsin_err
wait_for_turn(struct sync *s, const uint8_t id[32])
{
	for (;;) {
		uint64_t seen = desk_changes(s->p.desk);
		bool turn = claim_take(&s->claim);

		if (in_desk(s, id)) {
			claim_drop(&s->claim);
			return TOCSIN_EDUPLICATE;
		}
		if (turn)
			return TOCSIN_OK;
		if (s->stop)
			return TOCSIN_EUNAVAILABLE;
		desk_wait(s->p.desk, seen, LOOK_MS);
	}
}

static void
body_done(void *arg, const uint8_t hash[32], bool kept)
{
	struct sync *s = arg;

	if (kept)
		bodies_forget(s->p.keys->home, hash);
	claim_drop(&s->claim);
}

static enum tocsin_err
body_for_intake(void *arg, const struct ticket *t, struct buf *out)
{
	struct sync *s = arg;
	enum tocsin_err err;
	const struct bodies b = { .line = s->line,
		.home = s->p.keys->home,
		.timeout_ms = 2 * (int)s->p.answer_ms,
		.meanwhile = meanwhile,
		.arg = s };

	if (s->inside) /* one at a time; it comes in its turn */
		return TOCSIN_EBUSY;
	err = wait_for_turn(s, t->id);
	if (err != TOCSIN_OK)
		return err;
	s->look_at = backoff_now() + LOOK_MS;
	err = bodies_get(&b, t, out);
	if (err != TOCSIN_OK)
		claim_drop(&s->claim);
	return err;
}

/* One answer of what is there now, and beyond where we are. */
static enum tocsin_err
catch_up(struct sync *s, bool *more, uint32_t *retry)
{
	struct buf request = { 0 }, fields = { 0 };
	struct call *urgent;
	enum tocsin_err err;
	bool used = true;
	uint64_t told;

	load_cursor(s);
	told = s->cursor;
	fetch_request(s, s->cursor, 0, &request);
	urgent = ask_urgent(s);
	err = buf_ok(&request)
		  ? sync_ask_now(s, buf_span(&request), &fields, retry)
		  : TOCSIN_EINTERNAL;
	take_urgent(s, urgent);
	if (err == TOCSIN_OK) {
		s->told = told;
		err = take_answer(s, buf_span(&fields), &used, more);
	}
	if (err == TOCSIN_OK && !used)
		err = TOCSIN_EMALFORMED;
	buf_release(&request);
	buf_release(&fields);
	return err;
}

static void
caught_up(struct sync *s)
{
	const struct intake in = fetch_intake(s);
	enum tocsin_err err;

	s->stale = false;
	backoff_reset(&s->linking);
	backoff_reset(&s->fetching);
	/* The log has them too, but we may have passed over one. */
	err = intake_rosters(&in, s->roster);
	if (!sync_passes(err))
		s->roster = 0; /* once for each link */
	sync_set_trouble(s, FETCH, err);
}

/* Who waited goes on. */
static void
set_fresh(struct sync *s)
{
	bool news;

	pthread_mutex_lock(&s->lock);
	news = s->fresh != s->round;
	s->fresh = s->round;
	pthread_mutex_unlock(&s->lock);
	if (news)
		desk_wake(s->p.desk);
}

static bool
fetch_page(struct sync *s)
{
	uint32_t retry = 0;
	bool more = false;
	enum tocsin_err err;

	if (!backoff_over(&s->fetching))
		return false;
	err = catch_up(s, &more, &retry);
	if (err != TOCSIN_OK) {
		s->stranger |= err == TOCSIN_ENOTENROLLED;
		sync_set_trouble(s, FETCH, err);
		backoff_more(&s->fetching, retry, SYNC_ASK_MAX);
		return false;
	}
	if (!more)
		caught_up(s);
	if (!more)
		s->urgent = 0;
	else if (s->urgent < s->cursor)
		s->urgent = s->cursor;
	return more;
}

static void
park(struct sync *s, struct parked *p)
{
	struct buf request = { 0 };

	fetch_request(s, MSG_AFTER_CONTINUE, s->p.park_ms, &request);
	p->since = backoff_now();
	p->call = line_begin(
	    s->line, buf_span(&request), (int)(s->p.park_ms + s->p.answer_ms));
	if (p->call != NULL)
		s->told = s->cursor;
	buf_release(&request);
}

/*
 * What the broker was not told to be here, it calls delivered when it is; so
 * one word at the end, whose answer nobody waits for.
 */
void
fetch_goodbye(struct sync *s)
{
	struct buf request = { 0 };

	if (s->told >= s->cursor)
		return;
	fetch_request(s, s->cursor, 0, &request);
	if (buf_ok(&request))
		line_drop(s->line, line_begin(s->line, buf_span(&request),
				       (int)s->p.answer_ms));
	buf_release(&request);
}

/*
 * A device has so many places at the broker, whatever number of processes it
 * runs. An empty answer before its time means that another one has taken ours:
 * what comes will be in the desk, and taking the place back at once would go on
 * for ever.
 */
static void
came_empty(struct sync *s, const struct parked *p)
{
	if (backoff_now() - p->since >= s->p.park_ms / 2)
		backoff_reset(&s->parking);
	else if (backoff_over(&s->parking))
		backoff_more(&s->parking, SYNC_IDLE_MS, SYNC_ASK_MAX);
}

/*
 * An answer that does not continue where we are came early or late. Ask from
 * where we are: what it held comes again.
 */
static void
reap(struct sync *s, struct parked *p)
{
	struct call *c = p->call;
	struct buf fields = { 0 };
	uint64_t was = s->cursor;
	bool used = true, more = false;
	enum tocsin_err err;
	uint32_t retry;

	p->call = NULL;
	err = line_end(s->line, c, &fields, &retry);
	if (err == TOCSIN_OK)
		err = take_answer(s, buf_span(&fields), &used, &more);
	if (err == TOCSIN_OK && used && s->cursor == was)
		came_empty(s, p);
	else if (err == TOCSIN_OK && used)
		backoff_reset(&s->parking);
	if (err != TOCSIN_OK || !used || more)
		s->stale = true;
	buf_release(&fields);
}

bool
fetch_some(struct sync *s)
{
	uint64_t wanted;
	bool more;
	size_t i;

	for (i = 0; i < PARKS; i++)
		if (s->park[i].call != NULL &&
		    line_answered(s->line, s->park[i].call))
			reap(s, &s->park[i]);
	pthread_mutex_lock(&s->lock);
	wanted = s->wanted;
	pthread_mutex_unlock(&s->lock);
	if (s->round != wanted) { /* somebody waits for it */
		s->round = wanted;
		s->stale = true;
		backoff_reset(&s->announcing);
		backoff_reset(&s->fetching);
		outbox_restart(&s->out);
		upload_restart(s->up);
	}
	if (s->stale) {
		more = fetch_page(s);
		if (s->stale)
			return more;
	}
	for (i = 0; i < PARKS && backoff_over(&s->parking); i++)
		if (s->park[i].call == NULL)
			park(s, &s->park[i]);
	set_fresh(s); /* after the parks, which tell the broker */
	return false;
}

void
fetch_drop_parks(struct sync *s)
{
	size_t i;

	for (i = 0; i < PARKS; i++) {
		line_drop(s->line, s->park[i].call);
		s->park[i].call = NULL;
	}
}
