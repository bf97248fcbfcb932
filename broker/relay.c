/* SPDX-License-Identifier: ISC */
#include "broker/relay_impl.h"

#include "broker/clock.h"
#include "broker/log.h"
#include "broker/tcp_tune.h"

#include <stdlib.h>
#include <string.h>

#define TRIM_MS 200
#define REDIAL_MS 3000
#define ATTEMPT_MS 100 /* between two, whatever signs of life there are */

static void
copy_z(char *out, size_t size, const char *in)
{
	size_t n = strlen(in);

	n = n < size ? n : size - 1;
	memcpy(out, in, n);
	out[n] = '\0';
}

/* ---- who the peers are ---- */

static struct relay_peer *
find(struct relay *r, const char *name)
{
	struct relay_peer *p;

	for (p = r->peers; p; p = p->next)
		if (strcmp(p->name, name) == 0)
			return p;
	return NULL;
}

static uint64_t
rate_to(const struct relay *r, const char *name)
{
	const struct broker_config *c = &r->b->conf;
	size_t i;

	for (i = 0; i < c->npeer; i++)
		if (strcmp(c->peer[i].name, name) == 0)
			return c->peer[i].rate;
	return 0;
}

static struct relay_peer *
add(struct relay *r, const char *name)
{
	struct relay_peer *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	copy_z(p->name, sizeof(p->name), name);
	copy_z(p->trim.peer, sizeof(p->trim.peer), name);
	p->fetch.last = &p->fetch.first;
	p->comings = (struct log_limit)LOG_LIMIT(60, 600000);
	p->counts = (struct log_limit)LOG_LIMIT(60, 600000);
	p->differs = (struct log_limit)LOG_LIMIT(20, 600000);
	cap_init(&p->cap, rate_to(r, name), clock_ms());
	pthread_mutex_lock(&r->lock);
	p->next = r->peers;
	r->peers = p;
	pthread_mutex_unlock(&r->lock);
	return p;
}

static bool
has_address(const struct roster_broker *rb)
{
	return strcmp(rb->rpc, "-") != 0 && strcmp(rb->relay, "-") != 0;
}

/* A broker of the roster: where it is, and by which key it is known. */
static void
peer_update(struct relay *r, struct relay_peer *p,
    const struct roster_broker *rb, int64_t now)
{
	bool moved =
	    strcmp(p->rpc, rb->rpc) != 0 || strcmp(p->relay, rb->relay) != 0;
	bool other = memcmp(p->noise, rb->noise, sizeof(p->noise)) != 0;

	copy_z(p->nation, sizeof(p->nation), rb->nation);
	copy_z(p->rpc, sizeof(p->rpc), rb->rpc);
	copy_z(p->relay, sizeof(p->relay), rb->relay);
	memcpy(p->noise, rb->noise, sizeof(p->noise));
	p->pulled = !has_address(rb);
	p->listed = !p->pulled || !r->outbound;
	if (moved && pulls_peer(r->pulls, p->name, p->pulled)) {
		p->listed = false;
		p->rpc[0] = '\0';
	}
	if (moved && net_peer(r->b->net, p->name, p->rpc, p->relay)) {
		log_event(LOG_ERROR, "relay-address", LOG_Z("peer", p->name),
		    LOG_Z("rpc", p->rpc), LOG_Z("relay", p->relay), LOG_END);
		p->listed = false;
		p->rpc[0] = '\0'; /* try again with the next roster */
	}
	if (moved || other) {
		p->failures = 0;
		if (p->state != PEER_DOWN)
			link_down(p, TOCSIN_EUNAVAILABLE, now);
		p->retry_at = now;
	}
}

static void
peer_gone(struct relay *r, struct relay_peer *p, int64_t now)
{
	if (!p->listed)
		return;
	p->listed = false;
	if (p->state != PEER_DOWN)
		link_down(p, TOCSIN_ENOTENROLLED, now);
	log_event(
	    LOG_INFO, "relay-peer-removed", LOG_Z("peer", p->name), LOG_END);
	p->rpc[0] = '\0';
	p->pulled = false;
	if (pulls_peer(r->pulls, p->name, false) != TOCSIN_OK ||
	    net_peer(r->b->net, p->name, "-", "-") != TOCSIN_OK)
		log_event(
		    LOG_WARN, "relay-address", LOG_Z("peer", p->name), LOG_END);
}

static void
peers_update(struct relay *r, int64_t now)
{
	const struct roster *roster;
	const struct roster_broker *we;
	struct relay_peer *p;
	size_t i;

	trust_put(r->trust);
	r->trust = trust_get(r->b->trust);
	roster = trust_roster(r->trust);
	we = roster_broker(roster, span_of(r->b->conf.name));
	r->outbound = we && !has_address(we);
	for (i = 0; i < roster->nbroker; i++) {
		const struct roster_broker *rb = &roster->broker[i];

		if (strcmp(rb->name, r->b->conf.name) == 0)
			continue;
		p = find(r, rb->name);
		if (!p)
			p = add(r, rb->name);
		if (p)
			peer_update(r, p, rb, now);
	}
	for (p = r->peers; p; p = p->next)
		if (!roster_broker(roster, span_of(p->name)))
			peer_gone(r, p, now);
}

/* ---- forgetting what the peer has ---- */

static enum tocsin_err
trim_apply(struct job *job, struct batch *batch)
{
	struct trim *t = (struct trim *)job;
	enum tocsin_err err = TOCSIN_OK;
	unsigned i;

	for (i = 0; i < LANE_COUNT && !err; i++)
		if (t->upto[i].n > 0)
			err = store_out_trim(
			    batch->tx, span_of(t->peer), i, t->upto[i].n);
	return err ? err : tally_save(batch->tx, t->peer, t->upto, t->heal);
}

static void
trim_done(struct job *job, enum tocsin_err err)
{
	struct trim *t = (struct trim *)job;

	if (err)
		atomic_store(&t->failed, true);
	atomic_store(&t->busy, false);
}

static bool
trim_due(const struct relay_peer *p)
{
	unsigned i;

	for (i = 0; i < LANE_COUNT; i++)
		if (p->state == PEER_UP && p->tally[i].n > p->trimmed[i])
			return true;
	return p->state == PEER_UP && p->tally_dirty;
}

static void
trim_sent(struct relay_peer *p)
{
	unsigned i;

	for (i = 0; i < LANE_COUNT; i++)
		p->trimmed[i] = p->trim.upto[i].n;
	p->tally_dirty = false;
}

/* Seldom: it is a commit of its own, and nothing waits for it. */
static void
trim(struct relay *r, struct relay_peer *p, int64_t now)
{
	unsigned i;

	if (atomic_exchange(&p->trim.failed, false))
		memset(p->trimmed, 0, sizeof(p->trimmed));
	if (!trim_due(p))
		return;
	if (p->trim_at == 0 || atomic_load(&p->trim.busy))
		p->trim_at = now + TRIM_MS;
	if (now < p->trim_at)
		return;
	for (i = 0; i < LANE_COUNT; i++)
		p->trim.upto[i] = p->tally[i];
	p->trim.heal = p->heal.want;
	p->trim.job = (struct job){
		.weight = 1024, .apply = trim_apply, .done = trim_done
	};
	p->trim_at = 0;
	atomic_store(&p->trim.busy, true);
	if (writer_submit(r->b->writer, &p->trim.job) != TOCSIN_OK)
		atomic_store(&p->trim.busy, false);
	else
		trim_sent(p);
}

/* ---- the thread ---- */

static void
swap(struct names *a, struct names *b)
{
	struct names x = *a;

	*a = *b;
	*b = x;
}

static void
mail_take(struct relay *r, struct relay_mail *m)
{
	swap(&r->kicked, &m->kicked);
	swap(&r->alive, &m->alive);
	swap(&r->connected, &m->connected);
	swap(&r->behind, &m->behind);
	m->answers = r->answers;
	r->answers = NULL;
	m->trust_changed = r->trust_changed;
	r->trust_changed = false;
	r->poked = false;
	r->replied = false;
}

static void
mail_done(struct relay_mail *m)
{
	names_clear(&m->kicked);
	names_clear(&m->alive);
	names_clear(&m->connected);
	names_clear(&m->behind);
}

static void
answers_free(struct answer *a)
{
	struct answer *next;

	for (; a; a = next) {
		next = a->next;
		buf_release(&a->frame);
		free(a);
	}
}

/* Oldest first. */
static struct answer *
answers_turn(struct answer *a)
{
	struct answer *turned = NULL, *next;

	for (; a; a = next) {
		next = a->next;
		a->next = turned;
		turned = a;
	}
	return turned;
}

static void
mail_read(struct relay *r, struct relay_mail *m, int64_t now)
{
	struct relay_peer *p;
	struct answer *a;

	if (m->trust_changed)
		peers_update(r, now);
	for (p = r->peers; p; p = p->next) {
		struct span name = span_of(p->name);
		bool connected = names_has(&m->connected, name);

		if (p->state == PEER_UP && names_has(&m->kicked, name))
			lane_tx_wake(&p->tx);
		if (p->state == PEER_UP && connected)
			lane_tx_suspect(&p->tx);
		if (p->state == PEER_DOWN &&
		    (connected || names_has(&m->alive, name))) {
			/* One of its two sockets may come a bit later. */
			p->retry_at = p->begun_at + ATTEMPT_MS;
			if (p->failures > 1)
				p->failures = 1;
		}
		if (p->state == PEER_UP && names_has(&m->behind, name))
			p->roster.want = true;
	}
	m->answers = answers_turn(m->answers);
	for (a = m->answers; a; a = a->next)
		if (a->roster)
			roster_answered(r, a->peer, a);
		else
			link_answered(r, a->peer, a, now);
	answers_free(m->answers);
	m->answers = NULL;
}

/*
 * Attempts to connect, too, must not wait as long as TCP would have them, nor
 * as nng does when the clock was set back: its pauses end by that clock.
 */
static void
redial(struct relay *r, struct relay_peer *p, int64_t now)
{
	if (!p->listed || p->pulled || now < p->redial_at)
		return;
	if (p->redial_at > 0)
		net_redial(r->b->net, p->name, false);
	p->redial_at = now + REDIAL_MS;
}

static void
serve(struct relay *r, struct relay_peer *p, int64_t now)
{
	if (p->state == PEER_DOWN) {
		redial(r, p, now);
		if (p->listed && now >= p->retry_at)
			link_begin(r, p, now);
		return;
	}
	if (p->state != PEER_UP)
		return;
	if (link_is_dead(r, p, now)) {
		link_down(p, TOCSIN_ETIMEOUT, now);
		net_redial(r->b->net, p->name, true);
		p->retry_at = p->redial_at = now + REDIAL_MS;
		return;
	}
	redial(r, p, now); /* one of its sockets may have no connection */
	if (lane_tx_timer(&p->tx, now))
		send_probe(r, p, now);
	send_beat(r, p, now);
	trim(r, p, now);
	roster_ask(r, p);
	fetch_step(r, p, now);
	if (p->state == PEER_UP)
		p->heal_at = heal_step(r, p, now);
}

/*
 * All peers share our line. So what is urgent goes first, whoever it is for,
 * each peer has a quantum a round, and another one is first each time. True if
 * there is more to send at once.
 */
static bool
pump(struct relay *r, int64_t now)
{
	unsigned lane, n = 0, i;
	struct relay_peer *p, *first = r->peers;
	bool more = false;

	for (p = r->peers; p; p = p->next) {
		p->quantum = SEND_QUANTUM;
		n++;
	}
	if (n == 0)
		return false;
	for (i = r->turn++ % n; i > 0; i--)
		first = first->next;
	for (lane = 0; lane < LANE_COUNT; lane++) {
		more = false;
		for (i = 0, p = first; i < n; i++) {
			if (send_pump(r, p, lane, now))
				more = true;
			p = p->next ? p->next : r->peers;
		}
	}
	return more;
}

static int64_t
earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t
deadline(const struct relay *r, const struct relay_peer *p)
{
	int64_t at = INT64_MAX;

	if (p->state == PEER_DOWN && p->listed)
		at = p->pulled ? p->retry_at
			       : earlier(p->retry_at, p->redial_at);
	if (p->state == PEER_UP) {
		at = earlier(lane_tx_deadline(&p->tx), send_beat_at(p));
		at = earlier(at, p->pulled ? INT64_MAX : p->redial_at);
		at = earlier(at, p->heal_at);
		at = earlier(at, fetch_at(r, p));
		if (trim_due(p))
			at = earlier(at, p->trim_at);
		if (p->pump_at > 0)
			at = earlier(at, p->pump_at);
	}
	return at;
}

static void
show(struct relay_peer *p, int64_t now)
{
	struct relay_status *s = &p->shown;
	unsigned i;

	copy_z(s->peer, sizeof(s->peer), p->name);
	copy_z(s->nation, sizeof(s->nation), p->nation);
	s->up = p->state == PEER_UP;
	s->full = s->up && p->full;
	s->in_flight = s->up ? p->tx.bytes : 0;
	s->window = s->up ? p->tx.pace.window : 0;
	s->rate = p->tx.pace.rate;
	s->rtt_ms = (uint64_t)p->tx.pace.rtt;
	s->repeats = p->tx.repeats;
	s->agreed = 0;
	for (i = 0; i < LANE_COUNT; i++)
		s->agreed += p->tally[i].n;
	s->agreed_ms = p->agreed_at > 0 ? now - p->agreed_at : -1;
	s->frames_out = p->frames_out;
	s->bytes_out = p->bytes_out;
	s->heard_ms = p->heard > 0 ? now - p->heard : -1;
}

/* Serves everybody; returns when it has to do so again. */
static int64_t
round_of(struct relay *r, struct relay_mail *m)
{
	int64_t now = clock_ms(), at;
	struct relay_peer *p;
	bool more;

	at = relay_in_look(r->in, m->trust_changed, now);
	at = earlier(at, pulls_look(r->pulls, now));
	mail_read(r, m, now);
	for (p = r->peers; p; p = p->next)
		serve(r, p, now);
	more = pump(r, now);
	pulls_flush(r->pulls);
	pthread_mutex_lock(&r->lock);
	for (p = r->peers; p; p = p->next) {
		show(p, now);
		at = earlier(at, deadline(r, p));
	}
	pthread_mutex_unlock(&r->lock);
	return more ? now : at;
}

bool
relay_called(const struct relay *r)
{
	return r->stop || r->poked || r->replied || r->trust_changed ||
	       r->answers || r->kicked.n > 0 || r->kicked.all ||
	       r->alive.n > 0 || r->alive.all || r->connected.n > 0 ||
	       r->connected.all || r->behind.n > 0 || r->behind.all;
}

static void
wait_until(struct relay *r, int64_t at)
{
	struct timespec t = { .tv_sec = (time_t)(at / 1000),
		.tv_nsec = (long)(at % 1000) * 1000000 };

	while (!relay_called(r))
		if (at == INT64_MAX)
			pthread_cond_wait(&r->wake, &r->lock);
		else if (pthread_cond_timedwait(&r->wake, &r->lock, &t) != 0)
			return;
}

int64_t
relay_turn(struct relay *r, bool first)
{
	int64_t at;

	pthread_mutex_lock(&r->lock);
	mail_take(r, &r->mail);
	pthread_mutex_unlock(&r->lock);
	if (first)
		r->mail.trust_changed = true;
	at = round_of(r, &r->mail);
	mail_done(&r->mail);
	return at;
}

static void *
relay_main(void *arg)
{
	struct relay *r = arg;
	int64_t at = 0;
	bool stop;

	for (;;) {
		pthread_mutex_lock(&r->lock);
		wait_until(r, at);
		stop = r->stop;
		pthread_mutex_unlock(&r->lock);
		if (stop)
			return NULL;
		at = relay_turn(r, at == 0);
	}
}

/* ---- what others call ---- */

void
relay_kick(
    struct relay *r, const struct names *members, const struct names *peers)
{
	bool all = names_has(members, span_of("*"));

	if (!all && peers->n == 0 && !peers->all)
		return;
	pthread_mutex_lock(&r->lock);
	names_add_all(&r->kicked, peers);
	if (all)
		r->trust_changed = true;
	pthread_cond_signal(&r->wake);
	pthread_mutex_unlock(&r->lock);
}

void
relay_alive(struct relay *r, const char *peer, bool connected)
{
	pthread_mutex_lock(&r->lock);
	names_add(connected ? &r->connected : &r->alive, span_of(peer));
	pthread_cond_signal(&r->wake);
	pthread_mutex_unlock(&r->lock);
}

void
relay_behind(struct relay *r, const char *peer)
{
	pthread_mutex_lock(&r->lock);
	names_add(&r->behind, span_of(peer));
	pthread_cond_signal(&r->wake);
	pthread_mutex_unlock(&r->lock);
}

void
relay_poke(struct relay *r)
{
	pthread_mutex_lock(&r->lock);
	r->poked = true;
	pthread_cond_signal(&r->wake);
	pthread_mutex_unlock(&r->lock);
}

struct relay_in *
relay_receiver(struct relay *r)
{
	return r->in;
}

struct pulls *
relay_pulls(struct relay *r)
{
	return r->pulls;
}

/* ---- life ---- */

static bool
start_thread(struct relay *r)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&r->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&r->wake, &attr);
	pthread_condattr_destroy(&attr);
	r->running = pthread_create(&r->thread, NULL, relay_main, r) == 0;
	return r->running;
}

enum tocsin_err
relay_start(struct relay **out, struct broker *b)
{
	struct relay *r = calloc(1, sizeof(*r));
	enum tocsin_err err = r ? TOCSIN_OK : TOCSIN_EINTERNAL;

	if (!err) {
		r->b = b;
		r->tries_often = tcp_tune_tries_often();
		err = relay_in_new(&r->in, b);
	}
	if (!err)
		err = pulls_new(&r->pulls, b);
	if (err) {
		if (r)
			relay_in_free(r->in);
		free(r);
		return err;
	}
	*out = r; /* before the thread: receiving finds it by the broker */
	if (!start_thread(r)) {
		*out = NULL;
		relay_free(r);
		return TOCSIN_EINTERNAL;
	}
	return TOCSIN_OK;
}

void
relay_stop(struct relay *r)
{
	pthread_mutex_lock(&r->lock);
	r->stop = true;
	pthread_cond_signal(&r->wake);
	pthread_mutex_unlock(&r->lock);
	if (r->running)
		pthread_join(r->thread, NULL);
	r->running = false;
}

void
relay_free(struct relay *r)
{
	struct relay_peer *p, *next;
	unsigned i;

	if (!r)
		return;
	pulls_free(r->pulls); /* its calls fail, into r->answers */
	for (p = r->peers; p; p = next) {
		next = p->next;
		fetch_release(p);
		link_wipe(&p->link);
		send_forget(p);
		roster_forget(p);
		for (i = 0; i < LANE_COUNT; i++)
			free(p->marks[i]);
		free(p);
	}
	answers_free(r->answers);
	names_release(&r->kicked);
	names_release(&r->alive);
	names_release(&r->connected);
	names_release(&r->behind);
	names_release(&r->mail.kicked);
	names_release(&r->mail.alive);
	names_release(&r->mail.connected);
	names_release(&r->mail.behind);
	trust_put(r->trust);
	relay_in_free(r->in);
	pthread_cond_destroy(&r->wake);
	pthread_mutex_destroy(&r->lock);
	free(r);
}
