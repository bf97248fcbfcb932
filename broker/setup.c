/* SPDX-License-Identifier: ISC */
#include "broker/setup.h"

#include "broker/cmd.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

static void
fill_limits(struct broker_config *b, const struct config *c)
{
	b->store.map_size = c->map;
	b->store.prealloc = c->prealloc;
	b->store.readers = (unsigned)c->readers;
	b->writer.max_posts = (unsigned)c->batch;
	b->writer.queue_jobs = c->queue;
	b->net.contexts = (unsigned)c->contexts;
	b->net.reserve = (unsigned)c->reserve;
	b->session.half_open = (unsigned)c->half_open;
	b->session.handshakes = (unsigned)c->handshakes;
	b->session.total = (unsigned)c->sessions;
	b->session.strangers = (unsigned)c->strangers;
	b->session.per_device = (unsigned)c->per_device;
	b->parks_per_device = (unsigned)c->parks;
	b->part_max = c->part_max;
	b->post_rate = (unsigned)c->post_rate;
	b->post_burst = (unsigned)c->post_burst;
	b->staged_max = (unsigned)c->staged;
	b->staged_seconds = (unsigned)(c->staged_for / 1000);
	b->relay_window = (uint32_t)c->window;
}

static void
fill(struct setup *s)
{
	struct broker_config *b = &s->broker;
	const struct config *c = &s->config;

	broker_defaults(b);
	snprintf(b->federation, sizeof(b->federation), "%s", c->federation);
	snprintf(b->nation, sizeof(b->nation), "%s", c->nation);
	snprintf(b->name, sizeof(b->name), "%s", c->name);
	memcpy(b->noise_sk, secret_span(s->id.noise).p, sizeof(b->noise_sk));
	memcpy(b->sign_sk, secret_span(s->id.sign).p, sizeof(b->sign_sk));
	memcpy(b->log_sk, secret_span(s->id.log).p, sizeof(b->log_sk));
	config_path(s->store, c, "store");
	config_path(s->sockets, c, "run");
	config_path(s->admin, c, "admin.sock");
	b->store_dir = s->store;
	b->net.dir = s->sockets;
	fill_limits(b, c);
}

int
setup_open(struct setup *s, const char *config_file)
{
	char keys[CONFIG_PATH_MAX + 1], why[IDENTITY_WHY] = "";
	enum tocsin_err err;
	int rc;

	memset(s, 0, sizeof(*s));
	rc = cmd_config(&s->config, config_file);
	if (rc)
		return rc;
	config_path(keys, &s->config, "keys");
	errno = 0;
	err = identity_open(&s->id, keys, s->config.name, why);
	if (err)
		return cmd_fail_at(err, why);
	fill(s);
	return 0;
}

void
setup_release(struct setup *s)
{
	identity_release(&s->id);
	sodium_memzero(&s->broker, sizeof(s->broker));
}
