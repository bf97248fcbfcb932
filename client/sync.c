/* SPDX-License-Identifier: ISC */
#include "client/sync_impl.h"

#include "client/parts.h"
#include "client/ranges.h"
#include "crypto/msg.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ANSWER_MS 10000
#define PARK_MS 20000
#define LINK_MAX 10000 /* back-offs, in ms */
#define AGAIN_MS 200
#define PATIENCE_MS 3000 /* for a link, of who asks without one */

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

void
sync_set_trouble(struct sync *s, enum job job, enum tocsin_err err)
{
	pthread_mutex_lock(&s->lock);
	s->trouble[job] = err;
	pthread_mutex_unlock(&s->lock);
}

enum tocsin_err
sync_ask_now(
    struct sync *s, struct span request, struct buf *fields, uint32_t *retry)
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
	sync_set_trouble(s, LINK, TOCSIN_OK);
}

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

/*
 * A link that is made and lost at once must not be made in a loop: only what
 * comes over it ends the back-off (fetch.c).
 */
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
		sync_set_trouble(s, LINK, TOCSIN_EUNAVAILABLE);
		return false;
	}
	if (!backoff_over(&s->linking))
		return false;
	err = line_make(s->line, &hello);
	sync_set_trouble(s, LINK, err);
	backoff_more(&s->linking, 0, LINK_MAX);
	if (err != TOCSIN_OK)
		return false;
	s->roster = hello.roster;
	s->told = 0;
	note_part_max(s, hello.part_max);
	fetch_drop_parks(s);
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
		err = sync_ask_now(s, buf_span(&request), &fields, retry);
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
		backoff_more(&s->announcing, retry, SYNC_ASK_MAX);
	sync_set_trouble(s, ANNOUNCE, err);
	buf_release(&note);
}

/* ---- what is held ---- */

/* When its time has come, and all of it when we believe something new. */
static void
judge_again(struct sync *s)
{
	const struct intake in = fetch_intake(s);
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
		backoff_more(&s->judging, 0, SYNC_ASK_MAX);
	}
	sync_set_trouble(s, JUDGE, err);
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
	return fetch_some(s);
}

static int
rest(struct sync *s)
{
	int64_t ms = backoff_sooner(&s->linking, SYNC_IDLE_MS);

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
	sync_set_trouble(s, POST, s->out.trouble);
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
		int64_t ms = SYNC_IDLE_MS;
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
	fetch_goodbye(s);
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
	fetch_drop_parks(s);
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
