/* SPDX-License-Identifier: ISC */
/*
 * world.h - what rules ask of the world, made up: files and time zones
 *
 * Zones are tables: UTC+8 without changes ("Asia/Kuala_Lumpur"), and
 * Europe/Berlin of 2026 and 2027. A test for rules includes it once.
 */
#ifndef TOCSIN_TESTS_WORLD_H
#define TOCSIN_TESTS_WORLD_H

#include "client/bot/calendar.h"
#include "client/bot/rules.h"

#include <stdlib.h>
#include <string.h>

#define HOUR INT64_C(3600)
#define DAYS(n) (INT64_C(86400) * (n))
#define NOW INT64_C(1795244400) /* 2026-11-21T07:00:00Z, a Saturday */

struct world {
	const char *name[4]; /* of files */
	const char *text[4];
	struct rules_io io;
};

static enum tocsin_err
world_file(void *arg, const char *name, size_t max, struct buf *out)
{
	const struct world *w = arg;
	size_t i;

	for (i = 0; i < 4; i++)
		if (w->name[i] != NULL && strcmp(w->name[i], name) == 0) {
			if (strlen(w->text[i]) > max)
				return TOCSIN_ETOOLARGE;
			buf_addz(out, w->text[i]);
			return buf_ok(out) ? TOCSIN_OK : TOCSIN_EINTERNAL;
		}
	return TOCSIN_ENOTFOUND;
}

static enum tocsin_err
world_zone(void *arg, const char *name, struct zone *out)
{
	static const struct zone berlin = { .name = "Europe/Berlin",
		.n = 5,
		.change = {
		    { 0, 3600 },
		    { INT64_C(1774746000), 7200 }, /* 2026-03-29T01:00Z */
		    { INT64_C(1792890000), 3600 }, /* 2026-10-25T01:00Z */
		    { INT64_C(1806195600), 7200 }, /* 2027-03-28T01:00Z */
		    { INT64_C(1824944400), 3600 }, /* 2027-10-31T01:00Z */
		} };

	(void)arg;
	*out = (struct zone){ .name = "Asia/Kuala_Lumpur",
		.n = 1,
		.change = { { 0, 8 * 3600 } } };
	if (strcmp(name, "Asia/Kuala_Lumpur") == 0)
		return TOCSIN_OK;
	*out = berlin;
	return strcmp(name, "Europe/Berlin") == 0 ? TOCSIN_OK
						  : TOCSIN_ENOTFOUND;
}

static inline struct rules_io *
world_io(struct world *w, int64_t now)
{
	w->io = (struct rules_io){
		.arg = w, .file = world_file, .zone = world_zone, .now = now
	};
	return &w->io;
}

#endif
