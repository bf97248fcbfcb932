/* SPDX-License-Identifier: ISC */
#include "broker/broker.h"

#include "broker/clock.h"
#include "broker/log.h"
#include "broker/mark.h"
#include "broker/mend.h"
#include "broker/patrol.h"
#include "broker/rate.h"
#include "broker/relay.h"
#include "broker/signer.h"
#include "broker/staged.h"

#include <sodium.h>
#include <stdlib.h>

#define STAGED_SWEEP_MS 3600000
#define MARK_MS 60000
#define RETAIN_MS 5000

/* Judging an announcement costs up to 10 ms, and anybody may bring one. */
#define ANNOUNCES 20 /* of strangers, per second */

void
broker_defaults(struct broker_config *c)
{
	c->store = (struct store_options){
		.map_size = (uint64_t)64 << 30, .prealloc = 0, .readers = 64
	};
	c->writer = (struct writer_options){ .queue_jobs = 4096,
		.queue_bytes = 64 << 20,
		.max_posts = 200,
		.max_bytes = 1 << 20 };
	c->session = (struct session_limits){ .half_open = 4096,
		.half_open_ms = 10000,
		.handshakes = 1000,
		.per_device = 16,
		.strangers = 1024,
		.total = 65536,
		.cache_replies = 64,
		.cache_bytes = 1 << 20 };
	c->net = (struct net_options){ .contexts = 1024,
		.reserve = 128,
		.sub_buffer = 4096,
		.pub_buffer = 4096 };
	c->parks_per_device = 4;
	c->part_max = (uint64_t)4 << 30;
	c->post_rate = 0;
	c->post_burst = 2000;
	c->exercise_burst = 2000;
	c->staged_max = 16;
	c->staged_bytes = 1 << 20;
	c->staged_seconds = 86400;
	c->relay_window = 1 << 20;
	accept_all(&c->accept);
}

/* ---- what follows from a commit, and from time ---- */

static void
on_trust(struct broker *b)
{
	struct trust *t = trust_get(b->trust);

	log_event(LOG_INFO, "trust", LOG_U("roster", trust_roster(t)->serial),
	    LOG_END);
	sessions_recheck(b->sessions, t, clock_now());
	trust_put(t);
	parks_check_sessions(b->parks);
}

static void
on_commit(void *arg, const struct batch *batch)
{
	struct broker *b = arg;

	if (batch->trust_changed)
		on_trust(b);
	parks_wake(b->parks, &batch->members);
	if (b->relay)
		relay_kick(b->relay, &batch->members, &batch->peers);
}

void
broker_tick(struct broker *b, int64_t now_ms)
{
	net_tick(b->net, now_ms);
	sessions_sweep(b->sessions, now_ms);
	if (b->conf.mark && now_ms >= b->mark_ms) {
		b->mark_ms = now_ms + MARK_MS;
		mark_write(b->conf.mark, b->store);
	}
	if (now_ms >= b->retain_ms) {
		b->retain_ms = now_ms + RETAIN_MS;
		retain_sweep(b);
	}
	if (now_ms < b->sweep_ms)
		return;
	b->sweep_ms = now_ms + STAGED_SWEEP_MS;
	staged_sweep(b);
}

/* ---- start ---- */

static enum tocsin_err
load_trust(struct broker *b)
{
	struct store_rx *rx = NULL;
	struct trust *t = NULL;
	enum tocsin_err err = store_read(b->store, &rx);

	if (err)
		return err;
	err = epochs_load(&b->epochs, rx);
	if (!err)
		err = trust_load(&t, rx);
	store_read_end(rx);
	if (!err)
		trust_publish(b->trust, t);
	return err;
}

/* Are we who the roster says? Not fatal: it may be a later one that does. */
static void
check_roster(const struct broker *b)
{
	struct trust *t = trust_get(b->trust);
	const struct roster_broker *me =
	    roster_broker(trust_roster(t), span_of(b->conf.name));

	if (!me || !span_is(span_of(me->nation), b->conf.nation) ||
	    sodium_memcmp(me->noise, b->noise_pk, 32) != 0)
		log_event(LOG_WARN, "not-on-roster",
		    LOG_Z("broker", b->conf.name),
		    LOG_U("roster", trust_roster(t)->serial), LOG_END);
	trust_put(t);
}

/* The step that failed, as a sentence; NULL: all is well. */
static const char *
start(struct broker *b, enum tocsin_err *err)
{
	struct park_limits parks = { b->conf.parks_per_device,
		b->conf.net.contexts - b->conf.net.reserve,
		b->conf.net.reserve / 2 };
	const char *why = NULL;

	b->trust = trust_box_new();
	b->rates = rates_new(b->conf.post_rate, b->conf.post_burst);
	b->played = rates_new(b->conf.exercise_rate, b->conf.exercise_burst);
	b->announces = rates_new(ANNOUNCES, ANNOUNCES);
	b->signer = signer_new();
	*err = TOCSIN_EINTERNAL;
	if (!b->trust || !b->rates || !b->played || !b->announces || !b->signer)
		return "out of memory";
	*err = store_open(&b->store, b->conf.store_dir, &b->conf.store, &why);
	if (*err)
		return why ? why : "the store cannot be opened";
	if (b->conf.mark)
		*err = mark_check(b->conf.mark, b->store, &why);
	if (*err)
		return why ? why : "the end of the log cannot be read";
	*err = load_trust(b);
	if (*err)
		return *err == TOCSIN_EROSTERUNKNOWN
			   ? "no roster is installed"
			   : "what the store holds of rosters cannot be "
			     "read; try tocsind verify --repair";
	*err = net_open(&b->net, b, &b->conf.net);
	if (*err)
		return "the sockets cannot be opened";
	*err = sessions_new(&b->sessions, b, &b->conf.session);
	if (!*err)
		*err = writer_start(&b->writer, b, &b->conf.writer);
	if (!*err)
		*err = parks_start(&b->parks, b, &parks);
	if (*err)
		return "out of memory or threads";
	writer_listen(b->writer, on_commit, b);
	*err = relay_start(&b->relay, b);
	if (*err)
		return "the relay cannot be started";
	*err = mend_start(&b->mend, b);
	if (!*err)
		*err = patrol_start(&b->patrol, b);
	if (*err)
		return "out of memory or threads";
	*err = net_listen(b->net);
	return *err ? "the sockets cannot be listened on" : NULL;
}

enum tocsin_err
broker_start(
    struct broker **out, const struct broker_config *c, const char **why)
{
	struct broker *b = calloc(1, sizeof(*b));
	enum tocsin_err err = TOCSIN_EINTERNAL;
	const char *failed = "out of memory";

	if (b) {
		b->conf = *c;
		b->sweep_ms = clock_ms();
		if (crypto_scalarmult_base(b->noise_pk, c->noise_sk) == 0)
			failed = start(b, &err);
	}
	if (failed) {
		if (why)
			*why = failed;
		broker_free(b);
		return err;
	}
	check_roster(b);
	*out = b;
	return TOCSIN_OK;
}

/* ---- end ---- */

void
broker_halt(struct broker *b)
{
	net_pause(b->net);
	writer_stop(b->writer);
	if (b->conf.mark)
		mark_write(b->conf.mark, b->store);
	/* Not closed: other threads may be reading, and all is synced. */
}

void
broker_free(struct broker *b)
{
	if (!b)
		return;
	if (b->net)
		net_pause(b->net);
	if (b->patrol)
		patrol_stop(b->patrol);
	if (b->mend)
		mend_stop(b->mend);
	if (b->relay)
		relay_stop(b->relay);
	if (b->parks)
		parks_stop(b->parks);
	if (b->writer)
		writer_stop(b->writer);
	net_close(b->net);
	patrol_free(b->patrol);
	mend_free(b->mend);
	relay_free(b->relay);
	parks_free(b->parks);
	writer_free(b->writer);
	sessions_free(b->sessions);
	rates_free(b->rates);
	rates_free(b->played);
	rates_free(b->announces);
	signer_free(b->signer);
	trust_box_free(b->trust);
	store_close(b->store);
	sodium_memzero(b, sizeof(*b));
	free(b);
}
