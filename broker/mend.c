/* SPDX-License-Identifier: ISC */
#include "broker/mend_impl.h"

#include "broker/broker.h"
#include "broker/clock.h"
#include "broker/exercise.h"
#include "broker/in_judge.h"
#include "broker/intake.h"
#include "broker/item.h"
#include "broker/log.h"
#include "broker/pull.h"
#include "broker/recall.h"
#include "broker/relay.h"
#include "broker/value.h"
#include "crypto/msg.h"
#include "crypto/receipt.h"
#include "crypto/ticket.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_MS 500   /* after the start: the peers are dialled then */
#define LOOK_MS 1000   /* from one look at what is damaged to the next */
#define AGAIN_MS 30000 /* until it is asked for again in vain */
#define CALL_MS 5000
#define ITEM_MAX (4 * 1024 * 1024)
#define TURN_MS 10000 /* of one peer, until others are asked */
#define TRIES 5	      /* of an id that makes us, or the peer, fail */
#define PAGES_MAX ((uint64_t)1 << 20) /* of ids that a peer may list */

/*
 * What peers were asked for in vain: a part, or an entry as entry_key(). Or a
 * peer, as peer_key(), that let us wait.
 */
#define TRIALS (3 * STORE_DAMAGED_MAX)
struct trial {
	uint8_t key[32];
	int64_t again; /* ms */
	bool lost;     /* each of them has said that it is not there */
};

/* How far a peer's list was gone through in this life of the store. */
struct listing {
	struct listing *next;
	char peer[LABEL_MAX + 1];
	uint64_t pages, after;
	struct buf ids; /* of the last page; from `at` on they are to be done */
	size_t at;
	bool all; /* of the ids; then come the parts */
	struct parts_at parts;
	unsigned tries; /* of the id at `at` */
	uint64_t had, taken, refused;
};

struct mend {
	struct broker *b;
	pthread_t thread;
	bool running;
	uint64_t lives; /* how often the store was restored or repaired */
	struct listing *listings;

	pthread_mutex_t lock; /* what follows */
	pthread_cond_t wake;
	bool stop;
	bool answered;
	enum tocsin_err err;
	struct buf answer;
	size_t ntrial;
	struct trial trial[TRIALS];
};

/* ---- asking, and waiting for the answer ---- */

static bool
has_address(const struct roster_broker *peer)
{
	return strcmp(peer->rpc, "-") != 0 && strcmp(peer->relay, "-") != 0;
}

static void
on_answer(void *arg, enum tocsin_err err, struct span frame)
{
	struct mend *m = arg;

	pthread_mutex_lock(&m->lock);
	buf_release(&m->answer);
	buf_add(&m->answer, frame);
	m->err = err || buf_ok(&m->answer) ? err : TOCSIN_EBUSY;
	m->answered = true;
	pthread_cond_signal(&m->wake);
	pthread_mutex_unlock(&m->lock);
}

/* One that nobody can dial finds it in its next pull. */
static void
give(struct way *w, struct span frame)
{
	struct relay *r = w->b->relay;
	const char *peer = w->peer->name;

	if (has_address(w->peer)) {
		net_call(w->b->net, peer, frame, CALL_MS, on_answer, w->m);
		return;
	}
	pulls_call(relay_pulls(r), peer, frame, CALL_MS, on_answer, w->m);
	pulls_flush(relay_pulls(r));
	relay_poke(r); /* it keeps the time of calls */
}

/* It is always called back, at the latest after that time. */
static enum tocsin_err
call(struct way *w, const struct buf *frame, struct buf *answer)
{
	struct mend *m = w->m;
	enum tocsin_err err;

	if (!buf_ok(frame))
		return TOCSIN_EBUSY;
	pthread_mutex_lock(&m->lock);
	m->answered = false;
	pthread_mutex_unlock(&m->lock);
	give(w, buf_span(frame));
	pthread_mutex_lock(&m->lock);
	while (!m->answered)
		pthread_cond_wait(&m->wake, &m->lock);
	err = m->stop && !m->err ? TOCSIN_EUNAVAILABLE : m->err;
	*answer = m->answer;
	m->answer = (struct buf){ 0 };
	pthread_mutex_unlock(&m->lock);
	return err;
}

/* The hello, and the finish with a first request inside. */
static enum tocsin_err
begin(struct way *w, struct span request, struct buf *answer)
{
	const struct broker *b = w->b;
	struct buf prologue = { 0 }, hello = { 0 }, greeting = { 0 };
	struct buf finish = { 0 };
	enum tocsin_err err;

	noise_prologue(&prologue, span_of(b->conf.federation),
	    span_of(w->peer->name), trust_genesis(w->trust));
	err = link_hello(&w->link, b->conf.noise_sk, w->peer->noise,
	    buf_span(&prologue), &hello);
	if (!err)
		err = call(w, &hello, &greeting);
	if (!err)
		err = link_finish(
		    &w->link, buf_span(&greeting), request, &finish);
	if (!err)
		err = call(w, &finish, answer);
	w->open = !err;
	buf_release(&prologue);
	buf_release(&hello);
	buf_release(&greeting);
	buf_release(&finish);
	return err;
}

bool
way_over(const struct way *w)
{
	return mend_stopping(w->m) || (w->until > 0 && clock_ms() >= w->until);
}

bool
way_failed(enum tocsin_err err)
{
	return err == TOCSIN_ETIMEOUT || in_ours(err);
}

/*
 * A request and the fields of its answer, which alias *plain. What fails before
 * the link has opened that answer is no word of the peer's.
 */
static enum tocsin_err
way_ask(struct way *w, const struct buf *request, struct buf *plain,
    struct span *fields)
{
	struct buf answer = { 0 }, frame = { 0 };
	struct msg_reply reply;
	uint64_t number = 0;
	uint32_t retry_ms;
	enum tocsin_err err;

	if (!w->open || link_spent(&w->link)) {
		err = begin(w, buf_span(request), &answer);
	} else {
		err = link_ask(&w->link, buf_span(request), &frame, &number);
		if (!err)
			err = call(w, &frame, &answer);
	}
	if (!err)
		err = link_answer(
		    &w->link, number, buf_span(&answer), plain, &retry_ms);
	if (err) {
		w->open = false;
		err = way_failed(err) ? err : TOCSIN_EUNAVAILABLE;
	} else {
		err = msg_reply_decode(&reply, buf_span(plain));
	}
	if (!err)
		err = reply.code;
	if (!err)
		*fields = reply.rest;
	buf_release(&answer);
	buf_release(&frame);
	return err;
}

enum tocsin_err
way_range(struct way *w, const struct msg_get *m, struct buf *plain,
    struct msg_range *range)
{
	struct buf request = { 0 };
	struct span fields;
	enum tocsin_err err = TOCSIN_EBUSY;

	msg_get_encode(&request, m);
	if (buf_ok(&request)) {
		request.p[0] = MSG_ENTRY_GET;
		err = way_ask(w, &request, plain, &fields);
	}
	if (!err)
		err = msg_range_decode(range, fields);
	buf_release(&request);
	return err;
}

/* All that was asked for, or up to the end. */
static size_t
full_range(const struct msg_get *m, const struct msg_range *r)
{
	uint64_t left = r->total > m->offset ? r->total - m->offset : 0;

	return left < m->max ? (size_t)left : m->max;
}

/* A whole entry: its kind, and the bytes of an item. */
static enum tocsin_err
fetch(struct way *w, const uint8_t id[32], struct buf *out)
{
	struct msg_get m = { .max = MSG_RANGE_MAX };
	struct msg_range range = { .total = 1 };
	enum tocsin_err err = TOCSIN_OK;

	memcpy(m.id, id, sizeof(m.id));
	out->max = ITEM_MAX;
	while (!err && out->n < range.total) {
		struct buf plain = { 0 };

		m.offset = out->n;
		err = way_range(w, &m, &plain, &range);
		if (!err && range.total > ITEM_MAX)
			err = TOCSIN_ETOOLARGE;
		if (!err && range.bytes.n != full_range(&m, &range))
			err = TOCSIN_EMALFORMED;
		if (!err)
			buf_add(out, range.bytes);
		if (!err && !buf_ok(out))
			err = TOCSIN_ETOOLARGE;
		range.bytes = (struct span){ 0 };
		buf_release(&plain);
	}
	return err;
}

/* ---- putting a damaged entry back ---- */

struct patch {
	struct job job;
	struct store_entry e;
	char member[MEMBER_MAX + 1];
	char exercise[EXERCISE_MAX + 1]; /* of a receipt: its tickets' */
};

/*
 * Into its mailboxes, where it still is: unless their rows were damaged as well
 * and a repair, which could not read it, has left them out.
 */
static enum tocsin_err
patch_deliver(struct patch *p, struct batch *batch)
{
	const struct store_entry *e = &p->e;
	char name[MAILBOX_MAX + 1];
	struct span box;
	enum tocsin_err err;

	if (e->kind == STORE_TICKET)
		return intake_deliver_again(batch, e);
	if (e->kind != STORE_RECEIPT)
		return store_mail(batch->tx, span_of("*"), e->seq);
	err = exercise_note(batch->tx, e->seq, span_of(p->exercise));
	if (err || !span_is(member_nation(e->member), batch->b->conf.nation))
		return err;
	box = mailbox_name(name, e->member, span_of(p->exercise));
	names_add(&batch->members, box);
	return store_mail(batch->tx, box, e->seq);
}

/* A peer that has not obeyed a recall brings nothing back. */
static enum tocsin_err
patch_recalled(struct patch *p, struct batch *batch, bool *gone)
{
	struct ticket *t;
	struct note n;
	enum tocsin_err err;

	*gone = false;
	if (p->e.kind != STORE_TICKET)
		return TOCSIN_OK;
	t = malloc(sizeof(*t));
	if (!t)
		return TOCSIN_EBUSY;
	err = ticket_parse(t, &n, p->e.note);
	if (!err && t->kind != TICKET_RECALL)
		err = recall_mended(batch, &p->e, t, gone);
	free(t);
	return err;
}

static enum tocsin_err
patch_apply(struct job *job, struct batch *batch)
{
	struct patch *p = (struct patch *)job;
	bool gone = false;
	enum tocsin_err err;

	p->e.time = batch->now;
	err = store_mend(batch->tx, &p->e);
	if (!err)
		err = patch_recalled(p, batch, &gone);
	if (!err && !gone)
		err = patch_deliver(p, batch);
	/* Peers passed over what was damaged. */
	if (!err && !gone && p->e.via.n == 0)
		err = intake_send_again(batch, p->e.seq, (struct span){ 0 });
	return err;
}

static void
patch_member(struct patch *p, struct span member)
{
	if (member.n > MEMBER_MAX)
		member.n = MEMBER_MAX;
	memcpy(p->member, member.p, member.n);
	p->e.member = span_of(p->member);
}

static enum tocsin_err
patch_ticket(struct patch *p, struct way *w, struct span body)
{
	const char *nation = w->b->conf.nation;
	struct ticket t;
	struct note n;
	enum tocsin_err err = ticket_parse(&t, &n, p->e.note);

	if (!err)
		err = ticket_check_body(&t, body);
	if (err)
		return err;
	patch_member(p, t.from);
	if (!span_is(member_nation(t.from), nation))
		p->e.via = span_of(w->peer->name);
	p->e.detached = p->e.note.n + body.n > MSG_ENVELOPE_MAX;
	if (!p->e.detached) /* else the part is where it was */
		p->e.body = body;
	return TOCSIN_OK;
}

/* Whose tickets it is about is known by the first of them. */
static enum tocsin_err
patch_receipt(struct patch *p, struct way *w)
{
	struct receipt *r = malloc(sizeof(*r));
	struct store_rx *rx = NULL;
	struct store_entry e;
	struct note n;
	uint64_t seq;
	enum tocsin_err err = r ? TOCSIN_OK : TOCSIN_EBUSY;

	if (!err)
		err = note_parse(&n, p->e.note, TEXT_MAX);
	if (!err)
		err = receipt_parse(r, n.text);
	if (!err)
		err = store_read(w->b->store, &rx);
	if (!err)
		err = store_find(rx, r->line[0].id, &seq);
	if (!err)
		err = store_get(rx, seq, &e);
	if (!err)
		err = exercise_of(p->exercise, rx, seq);
	if (!err)
		patch_member(p, e.member);
	if (!err && strcmp(r->broker, w->peer->name) == 0)
		p->e.via = span_of(w->peer->name);
	if (rx)
		store_read_end(rx);
	free(r);
	return err;
}

static enum tocsin_err
patch_keys(struct patch *p)
{
	struct keys *k = NULL;
	enum tocsin_err err = keys_parse(&k, p->e.note);

	if (!err)
		patch_member(p, span_of(k->member));
	keys_free(k);
	return err;
}

static enum tocsin_err
patch_make(struct patch *p, struct way *w, struct span bytes)
{
	struct item_entry item;
	struct note n;
	uint8_t id[ID_LEN];
	enum tocsin_err err;

	if (bytes.n == 0)
		return TOCSIN_EMALFORMED;
	p->e.kind = (enum store_kind)bytes.p[0];
	err = item_entry_parse(&item, span_cut(bytes, 1, bytes.n));
	if (!err)
		err = note_parse(&n, item.note, ITEM_MAX);
	if (err)
		return err;
	note_id(id, n.text);
	if (memcmp(id, p->e.id, sizeof(id)) != 0)
		return TOCSIN_EBODYMISMATCH;
	p->e.note = item.note;
	switch (p->e.kind) {
	case STORE_TICKET:
		return patch_ticket(p, w, item.body);
	case STORE_RECEIPT:
		return patch_receipt(p, w);
	case STORE_KEYS:
		return patch_keys(p);
	case STORE_ROSTER:
		return TOCSIN_OK;
	}
	return TOCSIN_EMALFORMED;
}

static enum tocsin_err
mend_one(struct way *w, uint64_t seq, const uint8_t id[32])
{
	struct patch p = { .job = { .posts = 1, .apply = patch_apply },
		.e = { .seq = seq } };
	struct buf bytes = { 0 };
	enum tocsin_err err;

	memcpy(p.e.id, id, sizeof(p.e.id));
	err = fetch(w, id, &bytes);
	if (!err)
		err = patch_make(&p, w, buf_span(&bytes));
	p.job.weight = bytes.n;
	if (!err)
		err = writer_call(w->b->writer, &p.job);
	if (!err)
		log_event(LOG_WARN, "entry-mended", LOG_U("seq", seq),
		    LOG_X("id", SPAN(p.e.id)), LOG_Z("peer", w->peer->name),
		    LOG_END);
	buf_release(&bytes);
	return err;
}

/* ---- peers ---- */

/* Two that nobody can dial have no way to one another. */
static bool
can_ask(const struct broker *b, const struct roster *r,
    const struct roster_broker *peer)
{
	const struct roster_broker *we =
	    roster_broker(r, span_of(b->conf.name));

	return strcmp(peer->name, b->conf.name) != 0 &&
	       (has_address(peer) || (we && has_address(we)));
}

bool
mend_stopping(struct mend *m)
{
	bool stop;

	pthread_mutex_lock(&m->lock);
	stop = m->stop;
	pthread_mutex_unlock(&m->lock);
	return stop;
}

/* ---- what was tried ---- */

static void
entry_key(uint8_t key[32], uint64_t seq)
{
	memset(key, 0, 32);
	memcpy(key, &seq, sizeof(seq));
}

static void
peer_key(uint8_t key[32], const char *peer)
{
	crypto_generichash(
	    key, 32, (const uint8_t *)peer, strlen(peer), NULL, 0);
}

/* Under the lock; NULL: it was not tried, or, with `add`, there is no room. */
static struct trial *
trial_of(struct mend *m, const uint8_t key[32], bool add)
{
	size_t i;

	for (i = 0; i < m->ntrial; i++)
		if (memcmp(m->trial[i].key, key, 32) == 0)
			return &m->trial[i];
	if (!add || i == TRIALS)
		return NULL;
	m->trial[m->ntrial] = (struct trial){ 0 };
	memcpy(m->trial[m->ntrial].key, key, 32);
	return &m->trial[m->ntrial++];
}

static void
tried(struct mend *m, const uint8_t key[32], bool lost)
{
	struct trial *t;

	pthread_mutex_lock(&m->lock);
	t = trial_of(m, key, true);
	if (t) {
		t->again = clock_ms() + AGAIN_MS;
		t->lost = lost;
	}
	pthread_mutex_unlock(&m->lock);
}

static void
tried_well(struct mend *m, const uint8_t key[32])
{
	struct trial *t;

	pthread_mutex_lock(&m->lock);
	t = trial_of(m, key, false);
	if (t)
		*t = m->trial[--m->ntrial];
	pthread_mutex_unlock(&m->lock);
}

static bool
is_due(struct mend *m, const uint8_t key[32])
{
	struct trial *t;
	bool due;

	pthread_mutex_lock(&m->lock);
	t = trial_of(m, key, false);
	due = !t || clock_ms() >= t->again;
	pthread_mutex_unlock(&m->lock);
	return due;
}

bool
mend_part_is_lost(struct mend *m, const uint8_t hash[32])
{
	struct trial *t;
	bool lost;

	pthread_mutex_lock(&m->lock);
	t = trial_of(m, hash, false);
	lost = t && t->lost;
	pthread_mutex_unlock(&m->lock);
	return lost;
}

bool
mend_is_lost(struct mend *m, uint64_t seq)
{
	uint8_t key[32];

	entry_key(key, seq);
	return mend_part_is_lost(m, key);
}

/* ---- what is damaged ---- */

/* What is damaged, and how one peer is asked for it. */
struct lost {
	uint8_t key[32];
	uint64_t seq; /* 0: the part with this hash */
	uint8_t id[32];
};

/* Who lets us wait is not asked for all the others as well. */
static enum tocsin_err
ask_peer(struct way *w, const struct lost *l)
{
	int64_t began = clock_ms();
	uint8_t key[32];
	enum tocsin_err err;

	peer_key(key, w->peer->name);
	if (!is_due(w->m, key))
		return TOCSIN_ETIMEOUT;
	err = l->seq > 0 ? mend_one(w, l->seq, l->id) : part_mend(w, l->key);
	link_wipe(&w->link);
	if (err && clock_ms() - began >= CALL_MS)
		tried(w->m, key, false);
	return err;
}

static enum tocsin_err
mend_at_peers(struct mend *m, struct trust *t, const struct lost *l)
{
	const struct roster *r = trust_roster(t);
	enum tocsin_err all = TOCSIN_ENOTFOUND, err = all;
	size_t i;

	for (i = 0; i < r->nbroker && err && !mend_stopping(m); i++) {
		struct way w = { m, m->b, t, .peer = &r->broker[i] };

		if (!can_ask(m->b, r, w.peer))
			continue;
		err = ask_peer(&w, l);
		if (err != TOCSIN_ENOTFOUND)
			all = err;
	}
	return err ? all : TOCSIN_OK;
}

static enum tocsin_err
mend_lost(struct mend *m, struct trust *t, struct lost *l)
{
	struct store_rx *rx = NULL;
	enum tocsin_err err = TOCSIN_OK;

	if (l->seq > 0) {
		err = store_read(m->b->store, &rx);
		if (!err)
			err = store_id(rx, l->seq, l->id);
		if (rx)
			store_read_end(rx);
	}
	if (!err)
		err = mend_at_peers(m, t, l);
	if (err)
		tried(m, l->key, err == TOCSIN_ENOTFOUND);
	else
		tried_well(m, l->key);
	return err;
}

static void
mend_entries(struct mend *m, struct trust *t)
{
	static struct log_limit limit = LOG_LIMIT(20, 600000);
	uint64_t seqs[STORE_DAMAGED_MAX];
	size_t n = store_damaged(m->b->store, seqs), i;
	enum tocsin_err err;

	for (i = 0; i < n && !mend_stopping(m); i++) {
		struct lost l = { .seq = seqs[i] };

		entry_key(l.key, l.seq);
		if (!is_due(m, l.key))
			continue;
		err = mend_lost(m, t, &l);
		if (err)
			log_limited(&limit, LOG_ERROR, "entry-not-mended",
			    LOG_U("seq", l.seq), LOG_ERR(err));
	}
}

/* One that was erased meanwhile is no more. */
static bool
is_gone(struct mend *m, const uint8_t hash[32])
{
	struct store_part part;
	struct store_rx *rx;
	bool gone;

	if (store_read(m->b->store, &rx) != TOCSIN_OK)
		return false;
	gone = store_part_stat(rx, hash, &part) == TOCSIN_ENOTFOUND;
	store_read_end(rx);
	if (gone) {
		store_part_mended(m->b->store, hash);
		tried_well(m, hash);
	}
	return gone;
}

static void
mend_parts(struct mend *m, struct trust *t)
{
	static struct log_limit limit = LOG_LIMIT(20, 600000);
	uint8_t hashes[STORE_DAMAGED_MAX][32];
	size_t n = store_parts_damaged(m->b->store, hashes), i;
	enum tocsin_err err;

	for (i = 0; i < n && !mend_stopping(m); i++) {
		struct lost l = { 0 };

		memcpy(l.key, hashes[i], sizeof(l.key));
		if (!is_due(m, l.key) || is_gone(m, l.key))
			continue;
		err = mend_lost(m, t, &l);
		if (err)
			log_limited(&limit, LOG_ERROR, "part-not-mended",
			    LOG_X("hash", SPAN(l.key)), LOG_ERR(err));
	}
}

/* ---- after a restore ---- */

struct arrival {
	struct job job;
	struct intake *in;
	bool ours;	 /* sent by our nation */
	struct span via; /* the peer, which has it */
};

static enum tocsin_err
arrival_apply(struct job *job, struct batch *batch)
{
	struct arrival *a = (struct arrival *)job;
	uint64_t seq;
	enum tocsin_err err = intake_apply(a->in, batch, &seq);

	/* Other nations may never have got it. */
	if (!err && a->ours)
		err = intake_send_again(batch, seq, a->via);
	return err == TOCSIN_EDUPLICATE ? TOCSIN_OK : err;
}

/*
 * As if the peer had relayed it. What our own nation sent comes back from it as
 * from a broker of ours.
 */
static enum tocsin_err
take_in(struct way *w, struct span bytes)
{
	struct broker *b = w->b;
	struct trust_who who = { .kind = TRUST_BROKER };
	struct intake_source src = { .kind = INTAKE_PEER, .who = &who };
	struct arrival a = { .job = { .posts = 1, .apply = arrival_apply },
		.via = span_of(w->peer->name) };
	const char *nation = w->peer->nation;
	struct item_entry item;
	struct ticket t;
	struct note n;
	enum store_kind kind;
	enum tocsin_err err;

	err = bytes.n > 0 ? item_entry_parse(&item, span_cut(bytes, 1, bytes.n))
			  : TOCSIN_EMALFORMED;
	if (err)
		return err;
	kind = (enum store_kind)bytes.p[0];
	a.ours = kind == STORE_TICKET &&
		 ticket_parse(&t, &n, item.note) == TOCSIN_OK &&
		 span_is(member_nation(t.from), b->conf.nation);
	if (a.ours)
		nation = b->conf.nation;
	memcpy(who.broker, w->peer->name, strlen(w->peer->name));
	memcpy(who.nation, nation, strlen(nation));
	err = intake_judge(&a.in, b, w->trust, &src, kind, item.note, item.body,
	    clock_now(), NULL);
	if (err)
		return err;
	a.job.weight = intake_weight(a.in);
	err = writer_call(b->writer, &a.job);
	intake_free(a.in);
	return err;
}

/* It was not the entry. */
static bool
passes(enum tocsin_err err)
{
	return err == TOCSIN_EUNAVAILABLE || err == TOCSIN_ENOSPACE ||
	       err == TOCSIN_EROSTEREXPIRED;
}

/* What failed for us, our disk being full for example, is tried again. */
static enum tocsin_err
pull_one(struct way *w, const uint8_t id[32], struct listing *l)
{
	struct buf bytes = { 0 };
	struct store_rx *rx = NULL;
	uint64_t seq;
	enum tocsin_err err = store_read(w->b->store, &rx);

	if (err)
		return err;
	err = store_find(rx, id, &seq);
	store_read_end(rx);
	if (err != TOCSIN_ENOTFOUND) {
		l->had++;
		return TOCSIN_OK;
	}
	err = fetch(w, id, &bytes);
	if (!err)
		err = take_in(w, buf_span(&bytes));
	buf_release(&bytes);
	if (way_failed(err) && (passes(err) || ++l->tries < TRIES))
		return err;
	l->tries = 0;
	l->taken += !err;
	l->refused += err != TOCSIN_OK;
	return TOCSIN_OK;
}

/* Places in its log only grow. What does not parse, or goes back, is its end.
 */
static void
take_page(struct listing *l, struct span fields)
{
	uint64_t next;
	struct span ids;

	l->at = 0;
	buf_cut(&l->ids, 0);
	if (msg_ids_decode(&next, &ids, fields) != TOCSIN_OK ||
	    (next > 0 && (next <= l->after || ++l->pages == PAGES_MAX))) {
		l->all = true;
		return;
	}
	buf_add(&l->ids, ids);
	l->after = next;
	l->all = next == 0;
}

static enum tocsin_err
next_page(struct way *w, struct listing *l)
{
	struct buf request = { 0 }, plain = { 0 };
	struct listing was = *l;
	struct span fields;
	enum tocsin_err err;

	buf_u8(&request, MSG_ENTRY_LIST);
	buf_u64(&request, l->after);
	err = way_ask(w, &request, &plain, &fields);
	if (!err)
		take_page(l, fields);
	if (!buf_ok(&l->ids)) { /* no memory: that page once more */
		l->after = was.after;
		l->all = false;
		buf_release(&l->ids);
		err = TOCSIN_EBUSY;
	}
	buf_release(&request);
	buf_release(&plain);
	return err;
}

static bool
is_over(const struct listing *l)
{
	return l->all && l->at == l->ids.n;
}

static enum tocsin_err
next_id(struct way *w, struct listing *l)
{
	enum tocsin_err err;

	if (l->at == l->ids.n)
		return next_page(w, l);
	err = pull_one(w, l->ids.p + l->at, l);
	if (!err)
		l->at += 32;
	return err;
}

struct pulled {
	struct job job;
	const char *peer;
};

static enum tocsin_err
pulled_apply(struct job *job, struct batch *batch)
{
	struct pulled *p = (struct pulled *)job;

	return value_put_u64(
	    batch->tx, batch->b->mend->lives, "pulled/%s", p->peer);
}

static struct listing *
listing_of(struct mend *m, const char *peer)
{
	struct listing *l;

	for (l = m->listings; l; l = l->next)
		if (strcmp(l->peer, peer) == 0)
			return l;
	l = calloc(1, sizeof(*l));
	if (!l)
		return NULL;
	memcpy(l->peer, peer, strlen(peer));
	l->next = m->listings;
	m->listings = l;
	return l;
}

static void
listing_free(struct mend *m, struct listing *l)
{
	struct listing **at = &m->listings;

	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	buf_release(&l->ids);
	free(l);
}

static void
say_pulled(const struct listing *l, enum tocsin_err err)
{
	log_event(LOG_INFO, "restore-pulled", LOG_Z("peer", l->peer),
	    LOG_U("had", l->had), LOG_U("taken", l->taken),
	    LOG_U("refused", l->refused), LOG_U("parts", l->parts.completed),
	    LOG_ERR(err), LOG_END);
}

/* One turn; BUSY: it has brought nothing. */
static enum tocsin_err
pull(struct way *w)
{
	struct pulled done = { .job = { .weight = 64, .apply = pulled_apply },
		.peer = w->peer->name };
	struct listing *l = listing_of(w->m, w->peer->name);
	uint64_t taken = l ? l->taken : 0;
	enum tocsin_err err = TOCSIN_OK;

	if (!l)
		return TOCSIN_EBUSY;
	w->until = clock_ms() + TURN_MS;
	while (!err && !is_over(l) && !way_over(w))
		err = next_id(w, l);
	if (!err && is_over(l) && !way_over(w))
		err = parts_complete(w, &l->parts);
	if (way_over(w))
		return l->taken > taken ? TOCSIN_OK : TOCSIN_EBUSY;
	if (!err)
		err = writer_call(w->b->writer, &done.job);
	say_pulled(l, err);
	if (!err)
		listing_free(w->m, l);
	return err;
}

static bool
is_pulled(const struct broker *b, const char *peer)
{
	struct store_rx *rx = NULL;
	uint64_t epoch = 0;
	enum tocsin_err err = store_read(b->store, &rx);

	if (!err)
		err = value_get_u64(rx, &epoch, "pulled/%s", peer);
	if (rx)
		store_read_end(rx);
	return !err && epoch == b->mend->lives;
}

static int64_t
pull_restored(struct mend *m, struct trust *t)
{
	const struct roster *r = trust_roster(t);
	int64_t wait = LOOK_MS;
	size_t i;

	for (i = 0; i < r->nbroker && m->lives > 0; i++) {
		struct way w = { m, m->b, t, .peer = &r->broker[i] };

		if (mend_stopping(m) || !can_ask(m->b, r, w.peer) ||
		    is_pulled(m->b, w.peer->name))
			continue;
		if (pull(&w) != TOCSIN_OK)
			wait = 10 * LOOK_MS;
		link_wipe(&w.link);
	}
	return wait;
}

/* ---- life ---- */

static void
pause_ms(struct mend *m, int64_t ms)
{
	int64_t at = clock_ms() + ms;
	struct timespec t = { .tv_sec = (time_t)(at / 1000),
		.tv_nsec = (long)(at % 1000) * 1000000 };

	pthread_mutex_lock(&m->lock);
	while (!m->stop && pthread_cond_timedwait(&m->wake, &m->lock, &t) == 0)
		;
	pthread_mutex_unlock(&m->lock);
}

static uint64_t
count_lives(const struct broker *b)
{
	struct store_rx *rx;
	uint64_t repaired = 0;

	if (store_read(b->store, &rx) != TOCSIN_OK)
		return b->epochs.n;
	if (value_get_u64(rx, &repaired, "repaired") != TOCSIN_OK)
		repaired = 0;
	store_read_end(rx);
	return b->epochs.n + repaired;
}

static void *
mend_main(void *arg)
{
	struct mend *m = arg;
	int64_t wait = FIRST_MS;

	for (;;) {
		struct trust *t;

		pause_ms(m, wait);
		if (mend_stopping(m))
			return NULL;
		t = trust_get(m->b->trust);
		mend_entries(m, t);
		mend_parts(m, t);
		wait = pull_restored(m, t);
		trust_put(t);
	}
}

enum tocsin_err
mend_start(struct mend **out, struct broker *b)
{
	struct mend *m = calloc(1, sizeof(*m));
	pthread_condattr_t attr;

	if (!m)
		return TOCSIN_EINTERNAL;
	m->b = b;
	m->lives = count_lives(b);
	pthread_mutex_init(&m->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&m->wake, &attr);
	pthread_condattr_destroy(&attr);
	if (pthread_create(&m->thread, NULL, mend_main, m) != 0) {
		mend_free(m);
		return TOCSIN_EINTERNAL;
	}
	m->running = true;
	*out = m;
	return TOCSIN_OK;
}

void
mend_stop(struct mend *m)
{
	pthread_mutex_lock(&m->lock);
	m->stop = true;
	pthread_cond_signal(&m->wake);
	pthread_mutex_unlock(&m->lock);
	if (m->running)
		pthread_join(m->thread, NULL);
	m->running = false;
}

void
mend_free(struct mend *m)
{
	if (!m)
		return;
	if (m->running)
		mend_stop(m);
	while (m->listings)
		listing_free(m, m->listings);
	buf_release(&m->answer);
	pthread_cond_destroy(&m->wake);
	pthread_mutex_destroy(&m->lock);
	free(m);
}
