/* SPDX-License-Identifier: ISC */
#include "client/sync.h"

#include "client/bodies.h"
#include "client/claim.h"
#include "client/intake.h"
#include "client/line.h"
#include "client/outbox.h"
#include "client/parts.h"
#include "client/ranges.h"
#include "client/upload.h"
#include "crypto/msg.h"

#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ANSWER_MS 10000
#define PARK_MS 20000
#define PARKS 4
#define LINK_MAX 10000 /* back-offs, in ms */
#define ASK_MAX 30000
#define IDLE_MS 1000
#define AGAIN_MS 200
#define LOOK_MS 300
#define PAGE_LEAST 8192
#define PATIENCE_MS 3000 /* for a link, of who asks without one */

/* What the thread does; each can fail by itself. */
enum job { LINK, ANNOUNCE, FETCH, POST, JUDGE, JOBS };

struct parked {
	struct call *call;
	int64_t since;
};

struct sync {
	struct sync_parts p;
	struct line *line;
	pthread_t thread;
	atomic_bool stop;
	pthread_mutex_t lock; /* of the next five */
	enum tocsin_err trouble[JOBS];
	uint64_t wanted;    /* rounds of sync_wait() */
	uint64_t fresh;	    /* up to which nothing that was there is missing */
	uint8_t (*own)[32]; /* parts that this handle has made */
	size_t nown;

	struct turn turn;
	struct outbox out;
	struct upload *up;
	atomic_bool stranger; /* the broker does not know our link's key */
	atomic_uint met;      /* how often it came to know it, or may have */

	/* Of the thread that sends. */
	pthread_t sender;
	bool sends; /* there is one */
	bool tells; /* the next is known */
	enum tocsin_err told_others;

	/* Of the other. */
	struct claim claim; /* of large bodies */
	struct parked park[PARKS];
	uint64_t cursor; /* all up to it is in the desk */
	uint64_t told;	 /* and so far the broker was told of it */
	uint64_t urgent; /* the same for what is urgent; 0: don't ask */
	uint64_t round;	 /* that this catching up is for */
	bool stale;	 /* there may be something that no park will bring */
	unsigned connections; /* line_connections() when we last looked */
	uint64_t roster;      /* the newest serial at the broker */
	uint64_t stamp;	      /* of the belief that all held was judged with */
	bool inside;	 /* work that is done between the ranges of a body */
	int64_t look_at; /* when it is done next */
	struct backoff linking, announcing, fetching, parking, judging;
};

void
sync_spool(char out[768], const char *home, const uint8_t hash[32])
{
	char hex[65];

	sodium_bin2hex(hex, sizeof(hex), hash, 32);
	snprintf(out, 768, "%s/spool/%s", home, hex);
}

bool
sync_passes(enum tocsin_err err)
{
	static const bool passes[TOCSIN_ERR_COUNT] = {
		[TOCSIN_EBUSY] = true,
		[TOCSIN_EQUOTA] = true,
		[TOCSIN_ENOSPACE] = true,
		[TOCSIN_EUNAVAILABLE] = true,
		[TOCSIN_ETIMEOUT] = true,
		[TOCSIN_EROSTERUNKNOWN] = true,
		[TOCSIN_EROSTEREXPIRED] = true,
		[TOCSIN_EKEYSEXPIRED] = true,
		[TOCSIN_ENOTENROLLED] = true,
		[TOCSIN_ECLOCKSKEW] = true,
		[TOCSIN_EINTERNAL] = true,
	};

	return (unsigned)err < TOCSIN_ERR_COUNT && passes[err];
}

static void
set_trouble(struct sync *s, enum job job, enum tocsin_err err)
{
	pthread_mutex_lock(&s->lock);
	s->trouble[job] = err;
	pthread_mutex_unlock(&s->lock);
}

static enum tocsin_err
ask(struct sync *s, struct span request, struct buf *fields, uint32_t *retry)
{
	return line_ask(s->line, request, (int)s->p.answer_ms, fields, retry);
}

enum tocsin_err
sync_ask(
    struct sync *s, struct span request, int timeout_ms, struct buf *fields)
{
	uint32_t retry;

	/* A handle that was just opened has no link yet. */
	line_wait(s->line, timeout_ms < PATIENCE_MS ? timeout_ms : PATIENCE_MS);
	return line_ask(s->line, request, timeout_ms, fields, &retry);
}

enum tocsin_err
sync_get(struct sync *s, struct sync_range *r)
{
	int64_t end = backoff_now() + r->patience_ms;
	enum tocsin_err err;
	uint64_t had;

	for (;;) {
		had = r->offset;
		line_wait(s->line, PATIENCE_MS);
		err = ranges_get(s->line, r, (int)s->p.answer_ms * 2);
		if (r->offset > had)
			end = backoff_now() + r->patience_ms;
		if (err == TOCSIN_ENOTFOUND) /* not there yet, or no more */
			return TOCSIN_EUNAVAILABLE;
		if (err != TOCSIN_EUNAVAILABLE && err != TOCSIN_ETIMEOUT &&
		    err != TOCSIN_EBUSY)
			return err;
		if (s->stop || backoff_now() >= end)
			return err;
		desk_wait(s->p.desk, desk_changes(s->p.desk), AGAIN_MS);
	}
}

bool
sync_refused(struct sync *s)
{
	return line_refused(s->line);
}

enum tocsin_err
sync_link(struct sync *s)
{
	enum tocsin_err err;

	if (line_up(s->line) && line_connected(s->line))
		return TOCSIN_OK;
	pthread_mutex_lock(&s->lock);
	err = s->trouble[LINK];
	pthread_mutex_unlock(&s->lock);
	return err != TOCSIN_OK ? err : TOCSIN_EUNAVAILABLE;
}

bool
sync_uploading(struct sync *s, uint64_t *have, uint64_t *size)
{
	return upload_progress(s->up, have, size);
}

/* ---- the link ---- */

static void
drop_parks(struct sync *s)
{
	size_t i;

	for (i = 0; i < PARKS; i++) {
		line_drop(s->line, s->park[i].call);
		s->park[i].call = NULL;
	}
}

/* What is worth knowing of a broker while it is out of reach. */
static void
note_part_max(struct sync *s, uint64_t part_max)
{
	struct desk_tx *tx = NULL;
	bool known = true;

	if (desk_read(s->p.desk, &tx) == TOCSIN_OK)
		known = desk_u64_get(tx, DESK_PART_MAX) == part_max;
	desk_end(tx);
	tx = NULL;
	if (known || desk_write(s->p.desk, &tx) != TOCSIN_OK)
		return;
	if (desk_u64_put(tx, DESK_PART_MAX, part_max) != TOCSIN_OK)
		desk_end(tx);
	else if (desk_commit(tx) != TOCSIN_OK)
		return; /* it is said again with the next link */
}

/* Over a new connection everything is tried at once. */
static void
begin_anew(struct sync *s)
{
	s->connections = line_connections(s->line);
	s->stale = true;
	backoff_reset(&s->announcing);
	backoff_reset(&s->fetching);
	backoff_reset(&s->parking);
	outbox_lost(&s->out);
	upload_lost(s->up);
	set_trouble(s, LINK, TOCSIN_OK);
}

/*
 * A link that is made and lost at once must not be made in a loop: only what
 * comes over it ends the back-off (see caught_up()).
 */
/*
 * Two threads ask, and what one asked before the other told the broker who we
 * are may be answered after that.
 */
static void
now_known(struct sync *s)
{
	pthread_mutex_lock(&s->lock);
	s->met++;
	s->stranger = false;
	pthread_mutex_unlock(&s->lock);
}

static void
not_known(struct sync *s, unsigned met)
{
	bool news;

	pthread_mutex_lock(&s->lock);
	news = met == s->met;
	if (news)
		s->stranger = true;
	pthread_mutex_unlock(&s->lock);
	if (news)
		desk_wake(s->p.desk);
}

static bool
have_link(struct sync *s)
{
	struct msg_hello hello;
	enum tocsin_err err;

	if (line_connected(s->line) && line_up(s->line)) {
		if (s->connections != line_connections(s->line))
			begin_anew(s);
		return true;
	}
	if (!line_connected(s->line)) {
		set_trouble(s, LINK, TOCSIN_EUNAVAILABLE);
		return false;
	}
	if (!backoff_over(&s->linking))
		return false;
	err = line_make(s->line, &hello);
	set_trouble(s, LINK, err);
	backoff_more(&s->linking, 0, LINK_MAX);
	if (err != TOCSIN_OK)
		return false;
	s->roster = hello.roster;
	s->told = 0;
	note_part_max(s, hello.part_max);
	drop_parks(s);
	now_known(s);
	begin_anew(s);
	return true;
}

/* ---- announcing our keys ---- */

/* What `keys publish` left to be sent; or, to a stranger, what we last said. */
static enum tocsin_err
own_announcement(struct sync *s, struct buf *out, bool *pending)
{
	const struct keys *k = NULL;
	struct desk_tx *tx = NULL;
	struct span note;
	enum tocsin_err err;

	pthread_mutex_lock(s->p.lock);
	err = desk_read(s->p.desk, &tx);
	*pending = err == TOCSIN_OK &&
		   desk_value_get(tx, "announce", &note) == TOCSIN_OK;
	if (*pending) {
		buf_add(out, note);
	} else if (err == TOCSIN_OK && s->stranger) {
		err = belief_load(s->p.belief, tx);
		if (err == TOCSIN_OK)
			k = belief_keys(
			    s->p.belief, span_of(s->p.keys->member));
		if (k != NULL)
			buf_add(out, k->whole);
		else if (err == TOCSIN_OK)
			err = TOCSIN_ENOTENROLLED;
	}
	desk_end(tx);
	pthread_mutex_unlock(s->p.lock);
	return err == TOCSIN_OK && !buf_ok(out) ? TOCSIN_EINTERNAL : err;
}

/* Unless another has been published meanwhile. */
static enum tocsin_err
forget_pending(struct sync *s, struct span sent)
{
	struct desk_tx *tx;
	struct span note;
	enum tocsin_err err = desk_write(s->p.desk, &tx);

	if (err != TOCSIN_OK)
		return err;
	if (desk_value_get(tx, "announce", &note) == TOCSIN_OK &&
	    span_eq(note, sent))
		err = desk_value_put(tx, "announce", (struct span){ 0 });
	if (err != TOCSIN_OK) {
		desk_end(tx);
		return err;
	}
	return desk_commit(tx);
}

static enum tocsin_err
send_announcement(struct sync *s, struct span note, uint32_t *retry)
{
	struct buf request = { 0 }, fields = { 0 };
	enum tocsin_err err = TOCSIN_EINTERNAL;

	buf_u8(&request, MSG_ANNOUNCE);
	buf_add(&request, note);
	if (buf_ok(&request))
		err = ask(s, buf_span(&request), &fields, retry);
	buf_release(&request);
	buf_release(&fields);
	return err;
}

static void
announce(struct sync *s)
{
	struct buf note = { 0 };
	uint32_t retry = 0;
	enum tocsin_err err;
	bool pending;

	if (!backoff_over(&s->announcing))
		return;
	err = own_announcement(s, &note, &pending);
	if (err == TOCSIN_OK && note.n > 0) {
		err = send_announcement(s, buf_span(&note), &retry);
		/* It knows it, and still not us: we are not in it. */
		if (err == TOCSIN_EDUPLICATE)
			err = s->stranger && !pending ? TOCSIN_ENOTENROLLED
						      : TOCSIN_OK;
		if (err == TOCSIN_OK && s->stranger) {
			now_known(s);
			backoff_reset(&s->fetching);
			outbox_restart(&s->out);
			upload_restart(s->up);
		}
		if (err == TOCSIN_OK && pending)
			err = forget_pending(s, buf_span(&note));
	}
	if (err != TOCSIN_OK)
		backoff_more(&s->announcing, retry, ASK_MAX);
	set_trouble(s, ANNOUNCE, err);
	buf_release(&note);
}

/* ---- fetching ---- */

static enum tocsin_err
ask_for_intake(void *arg, struct span request, struct buf *fields)
{
	struct sync *s = arg;
	uint32_t retry;

	return ask(s, request, fields, &retry);
}

static enum tocsin_err body_for_intake(
    void *arg, const struct ticket *t, struct buf *out);
static void body_done(void *arg, const uint8_t hash[32], bool kept);

static struct intake
intake(struct sync *s)
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
	const struct intake in = intake(s);
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
	const struct intake in = intake(s);
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
	err = buf_ok(&request) ? ask(s, buf_span(&request), &fields, retry)
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
	const struct intake in = intake(s);
	enum tocsin_err err;

	s->stale = false;
	backoff_reset(&s->linking);
	backoff_reset(&s->fetching);
	/* The log has them too, but we may have passed over one. */
	err = intake_rosters(&in, s->roster);
	if (!sync_passes(err))
		s->roster = 0; /* once for each link */
	set_trouble(s, FETCH, err);
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
		set_trouble(s, FETCH, err);
		backoff_more(&s->fetching, retry, ASK_MAX);
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
static void
say_goodbye(struct sync *s)
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
		backoff_more(&s->parking, IDLE_MS, ASK_MAX);
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

static bool
fetch(struct sync *s)
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

/* ---- what is held ---- */

/* When its time has come, and all of it when we believe something new. */
static void
judge_again(struct sync *s)
{
	const struct intake in = intake(s);
	struct desk_tx *tx = NULL;
	uint64_t stamp = 0;
	int64_t due = 0;
	enum tocsin_err err;
	bool held;

	if (!backoff_over(&s->judging))
		return;
	err = desk_read(s->p.desk, &tx);
	if (err == TOCSIN_OK) {
		stamp = belief_stamp(tx);
		err = intake_held(tx, &due);
	}
	desk_end(tx);
	held = err == TOCSIN_OK;
	if (err == TOCSIN_ENOTFOUND)
		err = TOCSIN_OK;
	if (held && (stamp != s->stamp || due <= in.now))
		err = intake_again(&in, stamp != s->stamp);
	if (err == TOCSIN_OK) {
		s->stamp = stamp;
		backoff_reset(&s->judging);
	} else {
		backoff_more(&s->judging, 0, ASK_MAX);
	}
	set_trouble(s, JUDGE, err);
}

/* ---- the thread ---- */

/*
 * What keeps us from sending, for the other processes of this home, which leave
 * it to us (turn.h) and are asked as well. On disk only when it has changed;
 * nothing depends on it.
 */
#define TROUBLE "outbox/trouble"

static enum tocsin_err
told_by_others(struct sync *s)
{
	struct desk_tx *tx = NULL;
	uint64_t code = 0;

	if (desk_read(s->p.desk, &tx) == TOCSIN_OK)
		code = desk_u64_get(tx, TROUBLE);
	desk_end(tx);
	return code < TOCSIN_ERR_COUNT ? (enum tocsin_err)code
				       : TOCSIN_EINTERNAL;
}

static void
tell_others(struct sync *s)
{
	enum tocsin_err now =
	    s->out.trouble ? s->out.trouble : upload_trouble(s->up);
	struct desk_tx *tx;

	if (!s->turn.ours || s->turn.fd < 0)
		return;
	if (!s->tells)
		s->told_others = told_by_others(s);
	s->tells = true;
	if (now == s->told_others || desk_write(s->p.desk, &tx) != TOCSIN_OK)
		return;
	if (desk_u64_put(tx, TROUBLE, now) != TOCSIN_OK)
		desk_end(tx);
	else if (desk_commit(tx) == TOCSIN_OK)
		s->told_others = now;
}

/* True if there is more to do at once. */
static bool
work(struct sync *s)
{
	judge_again(s);
	if (!have_link(s))
		return false;
	announce(s);
	if (s->p.speak != NULL)
		s->p.speak(s->p.arg);
	return fetch(s);
}

static int
rest(struct sync *s)
{
	int64_t ms = backoff_sooner(&s->linking, IDLE_MS);

	ms = backoff_sooner(&s->announcing, ms);
	ms = backoff_sooner(&s->fetching, ms);
	return (int)backoff_sooner(&s->parking, ms);
}

/* The same, of what leaves. Who lives long has the turn in the end. */
static bool
send_some(struct sync *s, int64_t *ms)
{
	bool more, stranger;
	unsigned met = s->met;

	(void)turn_has_lock(&s->turn);
	more = outbox_post(&s->out, &stranger);
	if (stranger)
		not_known(s, met);
	upload_tend(s->up, ms); /* after its message */
	set_trouble(s, POST, s->out.trouble);
	tell_others(s);
	return more;
}

/*
 * A thread of its own, so that a message does not wait for what else is asked
 * and kept.
 */
static void *
send_all(void *arg)
{
	struct sync *s = arg;

	while (!s->stop) {
		uint64_t seen = desk_changes(s->p.desk);
		int64_t ms = IDLE_MS;
		bool more = line_connected(s->line) && line_up(s->line) &&
			    send_some(s, &ms);

		if (!more && !s->stop)
			desk_wait(
			    s->p.desk, seen, (int)outbox_rest(&s->out, ms));
	}
	return NULL;
}

static bool
is_to_upload(void *tx, const uint8_t hash[32])
{
	return desk_upload_has(tx, hash);
}

static void
sweep_spool(struct sync *s)
{
	struct desk_tx *tx = NULL;

	if (desk_read(s->p.desk, &tx) == TOCSIN_OK)
		parts_sweep(
		    s->p.keys->home, (int64_t)time(NULL), is_to_upload, tx);
	desk_end(tx);
}

static void *
run(void *arg)
{
	struct sync *s = arg;

	sweep_spool(s);
	while (!s->stop) {
		uint64_t seen = desk_changes(s->p.desk);

		if (!work(s) && !s->stop)
			desk_wait(s->p.desk, seen, rest(s));
	}
	say_goodbye(s);
	return NULL;
}

static void
sync_free(struct sync *s)
{
	s->stop = true;
	if (s->sends) {
		line_stop(s->line);
		desk_wake(s->p.desk);
		pthread_join(s->sender, NULL);
	}
	upload_free(s->up);
	turn_close(&s->turn);
	claim_close(&s->claim);
	line_free(s->line);
	pthread_mutex_destroy(&s->lock);
	free(s->own);
	free(s);
}

enum tocsin_err
sync_start(struct sync **out, const struct sync_parts *parts)
{
	struct sync *s = calloc(1, sizeof(*s));
	enum tocsin_err err;

	if (s == NULL)
		return TOCSIN_EINTERNAL;
	s->p = *parts;
	if (s->p.answer_ms == 0)
		s->p.answer_ms = ANSWER_MS;
	if (s->p.park_ms == 0)
		s->p.park_ms = PARK_MS;
	s->trouble[LINK] = TOCSIN_EUNAVAILABLE;
	pthread_mutex_init(&s->lock, NULL);
	err = line_new(&s->line, &s->p);
	if (err == TOCSIN_OK)
		err = upload_new(&s->up, &s->p, s->line, &s->turn);
	turn_open(&s->turn, s->p.keys->home);
	s->out.parts = &s->p;
	s->out.line = s->line;
	s->out.turn = &s->turn;
	/* Longer than a live process waits for one range of a body. */
	claim_open(&s->claim, s->p.keys->home, 3 * (int64_t)s->p.answer_ms);
	if (err == TOCSIN_OK) {
		s->sends = pthread_create(&s->sender, NULL, send_all, s) == 0;
		err = s->sends ? TOCSIN_OK : TOCSIN_EINTERNAL;
	}
	if (err == TOCSIN_OK && pthread_create(&s->thread, NULL, run, s) != 0)
		err = TOCSIN_EINTERNAL;
	if (err != TOCSIN_OK)
		sync_free(s);
	else
		*out = s;
	return err;
}

void
sync_stop(struct sync *s)
{
	if (s == NULL)
		return;
	s->stop = true;
	line_stop(s->line);
	desk_wake(s->p.desk);
	pthread_join(s->thread, NULL);
	drop_parks(s);
	sync_free(s);
}

/* ---- waiting for it ---- */

enum tocsin_err
sync_own_part(struct sync *s, const uint8_t hash[32])
{
	uint8_t(*grown)[32];

	pthread_mutex_lock(&s->lock);
	grown = realloc(s->own, (s->nown + 1) * sizeof(*grown));
	if (grown != NULL) {
		s->own = grown;
		memcpy(s->own[s->nown++], hash, sizeof(*grown));
	}
	pthread_mutex_unlock(&s->lock);
	return grown != NULL ? TOCSIN_OK : TOCSIN_EINTERNAL;
}

/* Another process moves the parts of another's ticket: it is not our wait. */
static bool
uploaded_all(struct sync *s, struct desk_tx *tx)
{
	uint8_t hash[32];
	uint64_t size;
	bool all = true;
	size_t i;

	if (s->turn.ours)
		return desk_upload_next(tx, NULL, hash, &size) ==
		       TOCSIN_ENOTFOUND;
	pthread_mutex_lock(&s->lock);
	for (i = 0; all && i < s->nown; i++)
		all = !desk_upload_has(tx, s->own[i]);
	pthread_mutex_unlock(&s->lock);
	return all;
}

/* Whether all that was to be sent up to message `last` has been dealt with. */
static bool
sent_all(struct sync *s, uint64_t last)
{
	struct desk_tx *tx = NULL;
	struct span note;
	uint64_t n = 0;
	enum tocsin_err err;
	bool all = false;

	if (desk_read(s->p.desk, &tx) == TOCSIN_OK) {
		err = desk_outbox_next(tx, 0, &n);
		all =
		    (err == TOCSIN_ENOTFOUND ||
			(err == TOCSIN_OK && n > last)) &&
		    desk_value_get(tx, "announce", &note) == TOCSIN_ENOTFOUND &&
		    uploaded_all(s, tx);
	}
	desk_end(tx);
	return all;
}

/* If it cannot be seen, all of the outbox is waited for. */
static uint64_t
last_message(struct sync *s)
{
	struct desk_tx *tx = NULL;
	uint64_t n = UINT64_MAX;

	if (desk_read(s->p.desk, &tx) == TOCSIN_OK &&
	    desk_last(tx, &n) != TOCSIN_OK)
		n = UINT64_MAX;
	desk_end(tx);
	return n;
}

/*
 * Why it is not done: the first job that could not do its part, or what another
 * process was told that sends for us.
 */
static enum tocsin_err
what_failed(struct sync *s, bool sent)
{
	enum tocsin_err err = TOCSIN_OK;
	int job;

	pthread_mutex_lock(&s->lock);
	for (job = 0; err == TOCSIN_OK && job < JOBS; job++)
		err = s->trouble[job];
	pthread_mutex_unlock(&s->lock);
	if (err == TOCSIN_OK)
		err = upload_trouble(s->up);
	if (err == TOCSIN_OK && !sent && !s->turn.ours)
		err = told_by_others(s);
	return err == TOCSIN_OK ? TOCSIN_ETIMEOUT : err;
}

enum tocsin_err
sync_trouble(struct sync *s)
{
	enum tocsin_err err = what_failed(s, false);

	return err == TOCSIN_ETIMEOUT ? TOCSIN_OK : err;
}

static uint64_t
ask_for_round(struct sync *s)
{
	uint64_t round;

	pthread_mutex_lock(&s->lock);
	round = ++s->wanted;
	pthread_mutex_unlock(&s->lock);
	desk_wake(s->p.desk);
	return round;
}

enum tocsin_err
sync_wait(struct sync *s, int timeout_ms)
{
	const int64_t end = backoff_now() + timeout_ms;
	uint64_t last = last_message(s), round = ask_for_round(s);

	for (;;) {
		uint64_t seen = desk_changes(s->p.desk);
		int64_t left = end - backoff_now();
		bool fresh;

		pthread_mutex_lock(&s->lock);
		fresh = s->fresh >= round;
		pthread_mutex_unlock(&s->lock);
		if (fresh && sent_all(s, last))
			return TOCSIN_OK;
		if (left <= 0)
			return what_failed(s, sent_all(s, last));
		desk_wait(s->p.desk, seen, (int)left);
	}
}
