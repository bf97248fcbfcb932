/* SPDX-License-Identifier: ISC */
#include "broker/setup.h"

_Static_assert((int)CONFIG_PEERS == (int)BROKER_PEERS, "one limit");

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
setup_paths(struct setup *s, const struct config *c)
{
	config_path(s->store, c, "store");
	config_path(s->run, c, "run");
	config_path(s->rpc, c, "run/rpc.ipc");
	config_path(s->relay, c, "run/relay.ipc");
	config_path(s->admin, c, "admin.sock");
	config_path(s->mark, c, "head");
}

static void
setup_keep(struct broker_config *b, const struct config *c)
{
	size_t i;

	b->keep[0] =
	    (struct retain_rule){ .seconds = (int64_t)(c->keep / 1000) };
	for (i = 0; i < c->nkeep; i++) {
		struct retain_rule *r = &b->keep[i + 1];

		memcpy(r->label, c->keep_label[i].label, sizeof(r->label));
		r->seconds = (int64_t)(c->keep_label[i].ms / 1000);
	}
	b->nkeep = (unsigned)c->nkeep + 1;
	b->keep_unread = (int64_t)(c->keep_unread / 1000);
	b->check = (int64_t)((c->check + 999) / 1000);
}

/* The words were looked at when they were read. */
static void
setup_accept(struct msg_accept *a, const struct config *c)
{
	accept_all(a);
	a->part = c->largest_part < c->part_max ? c->largest_part : c->part_max;
	a->body = (uint32_t)c->largest_body;
	if (!accept_kinds(a, c->kinds_refused) ||
	    !accept_labels(a, c->labels_refused))
		abort();
}

static void
setup_exercise(struct broker_config *b, const struct config *c)
{
	if (!exercise_rules_parse(&b->exercise, c->carry))
		abort();
	b->exercise.no_live = !c->live;
	b->exercise_quota = c->exercise_quota;
	b->exercise_rate = (unsigned)c->exercise_rate;
	b->exercise_burst = (unsigned)c->exercise_burst;
}

static void
setup_broker(struct broker_config *b, const struct config *c)
{
	size_t i;

	memcpy(b->federation, c->federation, sizeof(b->federation));
	memcpy(b->name, c->name, sizeof(b->name));
	memcpy(b->nation, c->nation, sizeof(b->nation));
	b->store.map_size = c->map;
	b->store.prealloc = c->prealloc;
	b->store.readers = (unsigned)c->readers;
	b->writer.queue_jobs = (size_t)c->queue;
	b->writer.max_posts = (unsigned)c->batch;
	b->session.half_open = (unsigned)c->half_open;
	b->session.handshakes = (unsigned)c->handshakes;
	b->session.per_device = (unsigned)c->per_device;
	b->session.strangers = (unsigned)c->strangers;
	b->session.total = (unsigned)c->sessions;
	b->net.contexts = (unsigned)c->contexts;
	b->net.reserve = (unsigned)c->reserve;
	b->parks_per_device = (unsigned)c->parks;
	b->part_max = c->part_max;
	b->post_rate = (unsigned)c->post_rate;
	b->post_burst = (unsigned)c->post_burst;
	b->member_day = c->member_day;
	b->peer_quota = c->quota;
	b->member_quota = c->member_quota;
	b->staged_max = (unsigned)c->staged;
	b->staged_seconds = (unsigned)(c->staged_for / 1000);
	setup_keep(b, c);
	b->relay_window = (uint32_t)c->window;
	setup_accept(&b->accept, c);
	setup_exercise(b, c);
	b->npeer = c->npeer;
	for (i = 0; i < c->npeer; i++) {
		memcpy(
		    b->peer[i].name, c->peer[i].name, sizeof(b->peer[i].name));
		b->peer[i].rate = (c->peer[i].rate + 7) / 8;
		b->peer[i].quota = c->peer[i].quota;
	}
}

static void
setup_door(struct door_config *d, const struct config *c)
{
	d->listen = c->listen;
	d->max_conns = (uint32_t)c->connections;
	d->max_source = (uint32_t)c->per_source;
	d->rate = (uint32_t)c->source_rate;
	d->burst = (uint32_t)c->source_burst;
	d->idle_ms = (uint32_t)c->idle;
}

void
setup_init(struct setup *s, const struct config *c)
{
	memset(s, 0, sizeof(*s));
	setup_paths(s, c);
	broker_defaults(&s->broker);
	setup_broker(&s->broker, c);
	s->broker.store_dir = s->store;
	s->broker.mark = s->mark;
	s->broker.net.dir = s->run;
	s->door = (struct door_config)DOOR_DEFAULTS;
	setup_door(&s->door, c);
	s->door.rpc = s->rpc;
	s->door.relay = s->relay;
}

void
setup_keys(struct setup *s, const struct identity *id)
{
	s->broker.noise_sk = secret_span(id->noise).p;
	s->broker.sign_sk = secret_span(id->sign).p;
	s->broker.log_sk = secret_span(id->log).p;
}

static enum tocsin_err
idle_start(struct broker *b)
{
	struct store_rx *rx = NULL;
	struct trust *t = NULL;
	enum tocsin_err err = store_read(b->store, &rx);

	if (err)
		return err;
	err = trust_load(&t, rx);
	store_read_end(rx);
	if (err)
		return err;
	trust_publish(b->trust, t);
	return writer_start(&b->writer, b, &b->conf.writer);
}

enum tocsin_err
idle_open(struct broker **out, struct setup *s, struct store *store)
{
	struct broker *b = calloc(1, sizeof(*b));
	enum tocsin_err err = TOCSIN_EINTERNAL;

	if (!b)
		return TOCSIN_EINTERNAL;
	b->conf = s->broker;
	b->store = store;
	b->trust = trust_box_new();
	if (b->trust)
		err = idle_start(b);
	if (err)
		idle_close(b);
	else
		*out = b;
	return err;
}

void
idle_close(struct broker *b)
{
	if (!b)
		return;
	writer_free(b->writer);
	trust_box_free(b->trust);
	sodium_memzero(b, sizeof(*b));
	free(b);
}
