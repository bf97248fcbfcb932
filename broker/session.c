/* SPDX-License-Identifier: ISC */
#include "broker/session.h"

#include "broker/broker.h"
#include "broker/clock.h"
#include "broker/log.h"
#include "crypto/window.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 16384
#define RUNNING_MAX 128 /* requests of one session that run at once */
#define KEEP_ANSWERS_MS 60000

enum state {
	HALF, /* the hello was answered */
	OPEN,
	ENDED,
};

struct running {
	uint64_t nonce;
	bool answered; /* is being sealed: never a second time */
};

struct answer {
	uint64_t nonce;
	uint8_t *bytes; /* NULL: an empty slot */
	size_t n;
};

/*
 * A session is in two tables while it lives, by id and, once it is open, by its
 * key, and in one list, of half-open or of open ones. All of these, and state,
 * are the sessions' lock's; the rest is its own lock's. Whoever needs both
 * takes the sessions' first.
 */
struct session {
	atomic_uint refs;
	struct sessions *all;
	uint8_t id[FRAME_SESSION];
	enum state state;
	struct session *by_id;
	struct session *by_key;
	struct session *next;
	struct session *prev;
	int64_t begun_ms;

	pthread_mutex_t shake; /* one finish at a time; before all others */
	struct noise *noise;   /* until a finish has opened */
	struct link_keys keys; /* these three don't change once it is open, */
	uint8_t remote[32];
	struct trust_who who; /* but this, under both other locks */

	pthread_mutex_t lock;
	_Atomic int64_t used_ms;
	bool live; /* keys are there and it was let in */
	struct window window;
	struct running running[RUNNING_MAX];
	unsigned nrunning;
	struct answer *answers; /* a ring of lim.cache_replies */
	unsigned oldest;
	unsigned nanswers;
	size_t answer_bytes;

	pthread_mutex_t sent_lock;
	uint64_t sent;
	uint64_t acked;
	bool ack_queued; /* a job is going to write it down */
};

struct list {
	struct session *first; /* the oldest */
	struct session *last;
	unsigned n;
};

struct sessions {
	struct broker *b;
	struct session_limits lim;
	struct buf prologue;
	uint8_t hash_key[crypto_shorthash_KEYBYTES];

	pthread_mutex_t lock;
	struct session *by_id[BUCKETS];
	struct session *by_key[BUCKETS];
	struct list half;
	struct list open;
	unsigned strangers;
	int64_t tokens_ms; /* when handshakes were last granted */
	double tokens;
};

/* ---- tables; the sessions' lock is held ---- */

/* Ids and keys are others' choice: an unkeyed hash would let them pile up. */
static size_t
bucket(const struct sessions *s, const uint8_t *bytes, size_t n)
{
	uint64_t h;

	crypto_shorthash((uint8_t *)&h, bytes, n, s->hash_key);
	return h % BUCKETS;
}

static struct session *
find(struct sessions *s, const uint8_t id[FRAME_SESSION])
{
	struct session *at = s->by_id[bucket(s, id, FRAME_SESSION)];

	while (at && memcmp(at->id, id, FRAME_SESSION) != 0)
		at = at->by_id;
	return at;
}

static void
list_add(struct list *l, struct session *x)
{
	x->next = NULL;
	x->prev = l->last;
	*(l->last ? &l->last->next : &l->first) = x;
	l->last = x;
	l->n++;
}

static void
list_remove(struct list *l, struct session *x)
{
	*(x->prev ? &x->prev->next : &l->first) = x->next;
	*(x->next ? &x->next->prev : &l->last) = x->prev;
	x->next = x->prev = NULL;
	l->n--;
}

static void
unlink_id(struct sessions *s, struct session *x)
{
	struct session **at = &s->by_id[bucket(s, x->id, FRAME_SESSION)];

	while (*at && *at != x)
		at = &(*at)->by_id;
	if (*at)
		*at = x->by_id;
}

static void
unlink_key(struct sessions *s, struct session *x)
{
	struct session **at = &s->by_key[bucket(s, x->remote, 32)];

	while (*at && *at != x)
		at = &(*at)->by_key;
	if (*at)
		*at = x->by_key;
}

static void
log_end(const struct session *x, const char *why)
{
	log_event(LOG_INFO, "session-end", LOG_Z("member", x->who.member),
	    LOG_Z("device", x->who.device), LOG_Z("exercise", x->who.exercise),
	    LOG_Z("broker", x->who.broker), LOG_Z("why", why), LOG_END);
}

/* The table's reference goes to the caller, to be put without the lock. */
static struct session *
end(struct sessions *s, struct session *x, const char *why)
{
	unlink_id(s, x);
	if (x->state == HALF) {
		list_remove(&s->half, x);
	} else {
		list_remove(&s->open, x);
		unlink_key(s, x);
		if (x->who.kind == TRUST_NOBODY)
			s->strangers--;
		broker_count(s->b, BROKER_sessions_ended);
		log_end(x, why);
	}
	x->state = ENDED;
	return x;
}

/* ---- one session ---- */

struct session *
session_hold(struct session *x)
{
	atomic_fetch_add_explicit(&x->refs, 1, memory_order_relaxed);
	return x;
}

static void
drop_oldest(struct session *x)
{
	struct answer *a = &x->answers[x->oldest];

	x->answer_bytes -= a->n;
	free(a->bytes);
	*a = (struct answer){ 0 };
	x->oldest = (x->oldest + 1) % x->all->lim.cache_replies;
	x->nanswers--;
}

static void
drop_answers(struct session *x)
{
	while (x->nanswers > 0)
		drop_oldest(x);
}

void
session_put(struct session *x)
{
	if (!x ||
	    atomic_fetch_sub_explicit(&x->refs, 1, memory_order_acq_rel) > 1)
		return;
	drop_answers(x);
	free(x->answers);
	if (x->noise)
		noise_release(x->noise);
	free(x->noise);
	pthread_mutex_destroy(&x->shake);
	pthread_mutex_destroy(&x->lock);
	pthread_mutex_destroy(&x->sent_lock);
	sodium_memzero(x, sizeof(*x));
	free(x);
}

static struct session *
session_new(struct sessions *s, int64_t now_ms)
{
	struct session *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	x->refs = 1;
	x->all = s;
	x->begun_ms = now_ms;
	x->used_ms = now_ms;
	pthread_mutex_init(&x->shake, NULL);
	pthread_mutex_init(&x->lock, NULL);
	pthread_mutex_init(&x->sent_lock, NULL);
	randombytes_buf(x->id, sizeof(x->id));
	x->noise = calloc(1, sizeof(*x->noise));
	if (!x->noise) {
		session_put(x);
		return NULL;
	}
	return x;
}

bool
session_ended(struct session *x)
{
	bool ended;

	pthread_mutex_lock(&x->all->lock);
	ended = x->state == ENDED;
	pthread_mutex_unlock(&x->all->lock);
	return ended;
}

uint64_t
session_sent_lock(struct session *x)
{
	pthread_mutex_lock(&x->sent_lock);
	return x->sent;
}

void
session_sent_unlock(struct session *x, uint64_t sent)
{
	x->sent = sent;
	pthread_mutex_unlock(&x->sent_lock);
}

/* True: it grew, and no job is on the way that would write it down. */
bool
session_acked(struct session *x, uint64_t acked)
{
	bool need = false;

	pthread_mutex_lock(&x->sent_lock);
	if (acked > x->acked) {
		x->acked = acked;
		need = !x->ack_queued;
		x->ack_queued = true;
	}
	pthread_mutex_unlock(&x->sent_lock);
	return need;
}

uint64_t
session_acked_take(struct session *x)
{
	uint64_t acked;

	pthread_mutex_lock(&x->sent_lock);
	acked = x->acked;
	x->ack_queued = false;
	pthread_mutex_unlock(&x->sent_lock);
	return acked;
}

void
session_acked_forget(struct session *x)
{
	pthread_mutex_lock(&x->sent_lock);
	x->acked = 0;
	pthread_mutex_unlock(&x->sent_lock);
}

const uint8_t *
session_remote(const struct session *x)
{
	return x->remote;
}

/* ---- answers that are kept ---- */

/* Best effort: without memory, a repeat is told `timeout`. */
static void
remember(struct session *x, uint64_t nonce, struct span frame)
{
	const struct session_limits *lim = &x->all->lim;
	uint8_t *copy;

	if (!x->answers)
		x->answers = calloc(lim->cache_replies, sizeof(*x->answers));
	if (!x->answers || frame.n > lim->cache_bytes)
		return;
	while (x->nanswers > 0 &&
	       (x->nanswers == lim->cache_replies ||
		   x->answer_bytes + frame.n > lim->cache_bytes))
		drop_oldest(x);
	copy = malloc(frame.n);
	if (!copy)
		return;
	memcpy(copy, frame.p, frame.n);
	x->answers[(x->oldest + x->nanswers) % lim->cache_replies] =
	    (struct answer){ nonce, copy, frame.n };
	x->nanswers++;
	x->answer_bytes += frame.n;
}

/* NULL: no request of that number is running. */
static struct running *
running(struct session *x, uint64_t nonce)
{
	unsigned i;

	for (i = 0; i < x->nrunning; i++)
		if (x->running[i].nonce == nonce)
			return &x->running[i];
	return NULL;
}

static void
not_running(struct session *x, uint64_t nonce)
{
	struct running *r = running(x, nonce);

	if (r)
		*r = x->running[--x->nrunning];
}

/*
 * Whoever answers a request may do it once. Two answers would be two texts
 * under one number and key, which gives both away: so not the callers' care but
 * this decides.
 */
static bool
claim(struct session *x, uint64_t nonce)
{
	struct running *r;
	bool mine;

	pthread_mutex_lock(&x->lock);
	r = running(x, nonce);
	mine = r && !r->answered;
	if (mine)
		r->answered = true;
	pthread_mutex_unlock(&x->lock);
	return mine;
}

/* A number that was here before: the same bytes again, or why not. */
static void
repeat(struct session *x, uint64_t nonce, struct buf *answer)
{
	unsigned i;

	broker_count(x->all->b, BROKER_frames_repeated);
	if (running(x, nonce)) {
		frame_put_error(answer, x->id, nonce, TOCSIN_EBUSY, 500);
		return;
	}
	for (i = 0; i < x->nanswers; i++) {
		const struct answer *a =
		    &x->answers[(x->oldest + i) % x->all->lim.cache_replies];

		if (a->nonce == nonce) {
			buf_add(answer, (struct span){ a->bytes, a->n });
			return;
		}
	}
	frame_put_error(answer, x->id, nonce, TOCSIN_ETIMEOUT, 0);
}

enum tocsin_err
session_reply(
    struct session *x, uint64_t nonce, struct span plain, struct buf *frame)
{
	size_t mark = frame->n;
	enum tocsin_err err;

	if (!claim(x, nonce))
		return TOCSIN_EUSAGE;
	err = frame_seal(frame, x->id, nonce, x->keys.tx, plain);
	pthread_mutex_lock(&x->lock);
	not_running(x, nonce);
	if (!err)
		remember(x, nonce, span_cut(buf_span(frame), mark, SIZE_MAX));
	pthread_mutex_unlock(&x->lock);
	return err;
}

void
session_abandon(struct session *x, uint64_t nonce)
{
	pthread_mutex_lock(&x->lock);
	not_running(x, nonce);
	pthread_mutex_unlock(&x->lock);
}

void
session_hint(const struct session *x, uint64_t nonce, uint32_t retry_ms,
    struct buf *frame)
{
	frame_put_error(frame, x->id, nonce, TOCSIN_EBUSY, retry_ms);
}

/* ---- the handshake ---- */

/* Handshakes cost three key agreements each: so many a second, no more. */
static bool
may_shake_hands(struct sessions *s, int64_t now_ms)
{
	if (s->lim.handshakes == 0)
		return true;
	if (now_ms > s->tokens_ms) {
		s->tokens +=
		    (double)(now_ms - s->tokens_ms) * s->lim.handshakes / 1000;
		s->tokens_ms = now_ms;
	}
	if (s->tokens > s->lim.handshakes)
		s->tokens = s->lim.handshakes;
	if (s->tokens < 1)
		return false;
	s->tokens -= 1;
	return true;
}

/* Into the table. The oldest half-open one makes room: an honest one has long
 * gone on by the time that it is the oldest. */
static struct session *
begin_half(struct sessions *s, struct session *x)
{
	size_t at = bucket(s, x->id, FRAME_SESSION);
	struct session *gone = NULL;

	if (s->half.n >= s->lim.half_open)
		gone = end(s, s->half.first, "");
	x->by_id = s->by_id[at];
	s->by_id[at] = session_hold(x);
	list_add(&s->half, x);
	return gone;
}

static enum tocsin_err
answer_hello(
    struct sessions *s, struct session *x, struct span msg, struct buf *answer)
{
	struct buf nothing = { 0 }, out = { 0 };
	enum tocsin_err err;

	err = noise_init_responder(
	    x->noise, s->b->conf.noise_sk, buf_span(&s->prologue));
	if (!err)
		err = noise_read(x->noise, &nothing, msg);
	if (!err)
		err = noise_write(x->noise, &out, (struct span){ 0 });
	if (!err)
		frame_put(answer, FRAME_HELLO_REPLY, x->id, 0, buf_span(&out));
	buf_release(&nothing);
	buf_release(&out);
	return err;
}

static void
on_hello(struct sessions *s, const struct frame *f, int64_t now_ms,
    struct buf *answer)
{
	struct session *x = NULL, *gone = NULL;
	enum tocsin_err err = TOCSIN_EBUSY;
	bool may;

	pthread_mutex_lock(&s->lock);
	may = may_shake_hands(s, now_ms);
	pthread_mutex_unlock(&s->lock);
	if (may) {
		x = session_new(s, now_ms);
		err = x ? answer_hello(s, x, f->msg, answer) : TOCSIN_EINTERNAL;
	}
	if (err) {
		broker_count(s->b, BROKER_sessions_refused);
		frame_put_error(
		    answer, f->session, 0, err, err == TOCSIN_EBUSY ? 1000 : 0);
	} else {
		pthread_mutex_lock(&s->lock);
		gone = begin_half(s, x);
		pthread_mutex_unlock(&s->lock);
	}
	session_put(gone);
	session_put(x);
}

/* The one of this key that was idle longest, if there are too many. */
static struct session *
one_too_many(struct sessions *s, const uint8_t key[32])
{
	struct session *x, *idle = NULL;
	unsigned n = 0;

	for (x = s->by_key[bucket(s, key, 32)]; x; x = x->by_key) {
		if (memcmp(x->remote, key, 32) != 0)
			continue;
		n++;
		if (!idle || x->used_ms < idle->used_ms)
			idle = x;
	}
	return n >= s->lim.per_device ? idle : NULL;
}

/* From half open to open. What has to go is handed to the caller to put. */
static enum tocsin_err
begin_open(struct sessions *s, struct session *x, struct session **gone)
{
	size_t at = bucket(s, x->remote, 32);
	bool stranger = x->who.kind == TRUST_NOBODY;
	struct session *old;

	if (x->state != HALF)
		return TOCSIN_ENOTFOUND; /* made room in the meantime */
	if (s->open.n >= s->lim.total ||
	    (stranger && s->strangers >= s->lim.strangers))
		return TOCSIN_EBUSY;
	old = one_too_many(s, x->remote);
	if (old)
		*gone = end(s, old, "displaced");
	list_remove(&s->half, x);
	list_add(&s->open, x);
	x->state = OPEN;
	x->by_key = s->by_key[at];
	s->by_key[at] = x;
	s->strangers += stranger;
	return TOCSIN_OK;
}

/* The keys, and whose they are. On a copy: what fails leaves it half open. */
static enum tocsin_err
finish(struct session *x, struct span msg, struct buf *plain)
{
	struct noise trial = *x->noise;
	struct trust *t;
	const uint8_t *remote;
	enum tocsin_err err = noise_read(&trial, plain, msg);

	remote = err ? NULL : noise_remote(&trial);
	if (remote) {
		memcpy(x->remote, remote, sizeof(x->remote));
		err = noise_split(&trial, x->keys.tx, x->keys.rx);
	}
	noise_release(&trial);
	if (err || !remote)
		return err ? err : TOCSIN_EINTERNAL;
	t = trust_get(x->all->b->trust);
	trust_identify(&x->who, t, x->remote, clock_now());
	trust_put(t);
	noise_release(x->noise);
	free(x->noise);
	x->noise = NULL;
	return TOCSIN_OK;
}

static void
log_begin(const struct session *x, const struct trust_who *who)
{
	static struct log_limit limit = LOG_LIMIT(50, 60000);

	if (who->kind == TRUST_NOBODY)
		log_limited(&limit, LOG_INFO, "session-begin",
		    LOG_X("key", SPAN(x->remote)));
	else
		log_event(LOG_INFO, "session-begin",
		    LOG_Z("member", who->member), LOG_Z("device", who->device),
		    LOG_Z("exercise", who->exercise),
		    LOG_Z("broker", who->broker), LOG_END);
}

static void
start_request(struct session *x, uint64_t nonce, struct session_request *got)
{
	x->running[x->nrunning++] = (struct running){ .nonce = nonce };
	got->session = session_hold(x);
	got->nonce = nonce;
	got->who = x->who;
}

static enum tocsin_err
do_finish(struct sessions *s, struct session *x, const struct frame *f,
    struct session_request *got)
{
	struct session *gone = NULL;
	enum tocsin_err err;

	err = finish(x, f->msg, &got->plain);
	if (err) {
		buf_release(&got->plain);
		return err;
	}
	pthread_mutex_lock(&s->lock);
	err = begin_open(s, x, &gone);
	pthread_mutex_unlock(&s->lock);
	session_put(gone);
	if (err) {
		buf_release(&got->plain);
		return err;
	}
	pthread_mutex_lock(&x->lock);
	x->live = true;
	window_mark(&x->window, 0);
	start_request(x, 0, got);
	pthread_mutex_unlock(&x->lock);
	broker_count(s->b, BROKER_sessions_begun);
	log_begin(x, &got->who);
	return TOCSIN_OK;
}

static bool
on_finish(struct sessions *s, struct session *x, const struct frame *f,
    struct session_request *got, struct buf *answer)
{
	enum tocsin_err err = TOCSIN_OK;
	bool repeated;

	pthread_mutex_lock(&x->shake);
	repeated = x->noise == NULL;
	if (!repeated)
		err = do_finish(s, x, f, got);
	pthread_mutex_unlock(&x->shake);
	if (repeated) {
		pthread_mutex_lock(&x->lock);
		repeat(x, 0, answer);
		pthread_mutex_unlock(&x->lock);
	}
	if (err) {
		broker_count(s->b, err == TOCSIN_EBADSIGNATURE
				       ? BROKER_frames_forged
				       : BROKER_sessions_refused);
		frame_put_error(
		    answer, f->session, 0, err, err == TOCSIN_EBUSY ? 1000 : 0);
	}
	return !repeated && !err;
}

/* ---- requests ---- */

/* True: the number is new and there is room for one request more. */
static bool
may_open(struct session *x, uint64_t nonce, struct buf *answer)
{
	enum window_state state = window_check(&x->window, nonce);

	if (state == WINDOW_SEEN)
		repeat(x, nonce, answer);
	else if (state == WINDOW_OLD)
		frame_put_error(answer, x->id, nonce, TOCSIN_ETIMEOUT, 0);
	else if (!x->live)
		frame_put_error(answer, x->id, nonce, TOCSIN_ENOTFOUND, 0);
	else if (x->nrunning == RUNNING_MAX)
		frame_put_error(answer, x->id, nonce, TOCSIN_EBUSY, 500);
	else
		return true;
	return false;
}

/* After decrypting: another thread may have had the same frame. */
static bool
take_request(struct session *x, uint64_t nonce, int64_t now_ms,
    struct session_request *got, struct buf *answer)
{
	if (window_mark(&x->window, nonce) != WINDOW_NEW) {
		repeat(x, nonce, answer);
		return false;
	}
	if (x->nrunning == RUNNING_MAX) { /* used up now: never answered */
		frame_put_error(answer, x->id, nonce, TOCSIN_ETIMEOUT, 0);
		return false;
	}
	x->used_ms = now_ms;
	start_request(x, nonce, got);
	return true;
}

static bool
on_transport(struct session *x, const struct frame *f, int64_t now_ms,
    struct session_request *got, struct buf *answer)
{
	bool good;

	pthread_mutex_lock(&x->lock);
	good = may_open(x, f->nonce, answer);
	pthread_mutex_unlock(&x->lock);
	if (!good)
		return false;
	if (frame_open(&got->plain, f, x->keys.rx) != TOCSIN_OK) {
		buf_release(&got->plain);
		broker_count(x->all->b, BROKER_frames_forged);
		frame_put_error(
		    answer, x->id, f->nonce, TOCSIN_EBADSIGNATURE, 0);
		return false;
	}
	pthread_mutex_lock(&x->lock);
	good = take_request(x, f->nonce, now_ms, got, answer);
	pthread_mutex_unlock(&x->lock);
	if (!good)
		buf_release(&got->plain);
	return good;
}

/* A reference to the session that is named, unless its time is over. */
static struct session *
look_up(struct sessions *s, const uint8_t id[FRAME_SESSION], int64_t now_ms)
{
	struct session *x, *gone = NULL;

	pthread_mutex_lock(&s->lock);
	x = find(s, id);
	if (x && now_ms - x->begun_ms > LINK_SECONDS_MAX * 1000) {
		gone = end(s, x, "age");
		x = NULL;
	}
	if (x)
		session_hold(x);
	pthread_mutex_unlock(&s->lock);
	session_put(gone);
	return x;
}

static bool
on_session(struct sessions *s, const struct frame *f, int64_t now_ms,
    struct session_request *got, struct buf *answer)
{
	struct session *x = look_up(s, f->session, now_ms);
	bool request;

	if (!x) {
		frame_put_error(
		    answer, f->session, f->nonce, TOCSIN_ENOTFOUND, 0);
		return false;
	}
	if (f->type == FRAME_FINISH)
		request = on_finish(s, x, f, got, answer);
	else
		request = on_transport(x, f, now_ms, got, answer);
	session_put(x);
	return request;
}

static void
log_malformed(enum tocsin_err err, size_t n)
{
	static struct log_limit limit = LOG_LIMIT(10, 60000);

	log_limited(
	    &limit, LOG_WARN, "frame-refused", LOG_ERR(err), LOG_U("bytes", n));
}

bool
session_receive(struct sessions *s, struct span bytes, int64_t now_ms,
    struct session_request *got, struct buf *answer)
{
	static const uint8_t none[FRAME_SESSION];
	struct frame f;
	enum tocsin_err err = frame_parse(&f, bytes);

	*got = (struct session_request){ 0 };
	broker_count(s->b, BROKER_frames);
	if (!err && (f.type == FRAME_FINISH || f.type == FRAME_TRANSPORT))
		return on_session(s, &f, now_ms, got, answer);
	if (!err && f.type == FRAME_HELLO) {
		on_hello(s, &f, now_ms, answer);
		return false;
	}
	if (!err)
		err = TOCSIN_EMALFORMED; /* our side's frames */
	broker_count(s->b, BROKER_frames_malformed);
	log_malformed(err, bytes.n);
	frame_put_error(answer, none, 0, err, 0);
	return false;
}

/* ---- what becomes of sessions ---- */

void
session_became(struct session *x, const struct trust_who *who)
{
	pthread_mutex_lock(&x->all->lock);
	if (x->state == OPEN && x->who.kind == TRUST_NOBODY &&
	    who->kind != TRUST_NOBODY)
		x->all->strangers--;
	pthread_mutex_lock(&x->lock);
	x->who = *who;
	pthread_mutex_unlock(&x->lock);
	pthread_mutex_unlock(&x->all->lock);
}

static bool
same_one(const struct trust_who *a, const struct trust_who *b)
{
	return a->kind == b->kind && strcmp(a->member, b->member) == 0 &&
	       strcmp(a->device, b->device) == 0 &&
	       strcmp(a->exercise, b->exercise) == 0 &&
	       strcmp(a->broker, b->broker) == 0 &&
	       strcmp(a->nation, b->nation) == 0;
}

/* Who it is now; false: no longer the one it was let in as. */
static bool
recheck(struct session *x, const struct trust *t, int64_t now)
{
	bool stranger = x->who.kind == TRUST_NOBODY;
	struct trust_who who;

	trust_identify(&who, t, x->remote, now);
	if (!stranger && !same_one(&who, &x->who))
		return false;
	if (stranger && who.kind != TRUST_NOBODY)
		x->all->strangers--;
	pthread_mutex_lock(&x->lock);
	x->who = who; /* a role may have changed */
	pthread_mutex_unlock(&x->lock);
	return true;
}

/* Ends those of a list that `over` says; puts them after the lock is free. */
static void
end_some(struct sessions *s, struct list *l, const char *why,
    bool (*over)(struct session *x, const void *arg), const void *arg)
{
	struct session *x, *next, *gone = NULL;

	pthread_mutex_lock(&s->lock);
	for (x = l->first; x; x = next) {
		next = x->next;
		if (over(x, arg)) {
			end(s, x, why);
			x->next = gone;
			gone = x;
		}
	}
	pthread_mutex_unlock(&s->lock);
	for (x = gone; x; x = next) {
		next = x->next;
		session_put(x);
	}
}

struct recheck {
	const struct trust *t;
	int64_t now;
};

static bool
is_another(struct session *x, const void *arg)
{
	const struct recheck *r = arg;

	return !recheck(x, r->t, r->now);
}

void
sessions_recheck(struct sessions *s, const struct trust *t, int64_t now)
{
	struct recheck r = { t, now };

	end_some(s, &s->open, "trust", is_another, &r);
}

static bool
is_stale_half(struct session *x, const void *arg)
{
	return *(const int64_t *)arg - x->begun_ms > x->all->lim.half_open_ms;
}

/* Too old; and one that rests need not keep its answers. */
static bool
is_stale(struct session *x, const void *arg)
{
	int64_t now_ms = *(const int64_t *)arg;

	pthread_mutex_lock(&x->lock);
	if (now_ms - x->used_ms > KEEP_ANSWERS_MS)
		drop_answers(x);
	pthread_mutex_unlock(&x->lock);
	return now_ms - x->begun_ms > LINK_SECONDS_MAX * 1000;
}

void
sessions_sweep(struct sessions *s, int64_t now_ms)
{
	end_some(s, &s->half, "", is_stale_half, &now_ms);
	end_some(s, &s->open, "age", is_stale, &now_ms);
}

void
sessions_stats(struct sessions *s, struct session_stats *out)
{
	pthread_mutex_lock(&s->lock);
	out->open = s->open.n;
	out->half_open = s->half.n;
	pthread_mutex_unlock(&s->lock);
}

/* ---- all of them ---- */

enum tocsin_err
sessions_new(
    struct sessions **out, struct broker *b, const struct session_limits *lim)
{
	struct sessions *s = calloc(1, sizeof(*s));
	struct trust *t = trust_get(b->trust);

	if (!s || !t) {
		free(s);
		trust_put(t);
		return TOCSIN_EINTERNAL;
	}
	s->b = b;
	s->lim = *lim;
	s->tokens = lim->handshakes;
	s->tokens_ms = clock_ms();
	pthread_mutex_init(&s->lock, NULL);
	crypto_shorthash_keygen(s->hash_key);
	noise_prologue(&s->prologue, span_of(b->conf.federation),
	    span_of(b->conf.name), trust_genesis(t));
	trust_put(t);
	if (!buf_ok(&s->prologue)) {
		sessions_free(s);
		return TOCSIN_EINTERNAL;
	}
	*out = s;
	return TOCSIN_OK;
}

static bool
any(struct session *x, const void *arg)
{
	(void)x;
	(void)arg;
	return true;
}

void
sessions_free(struct sessions *s)
{
	if (!s)
		return;
	end_some(s, &s->half, "", any, NULL);
	end_some(s, &s->open, "stop", any, NULL);
	pthread_mutex_destroy(&s->lock);
	buf_release(&s->prologue);
	free(s);
}
