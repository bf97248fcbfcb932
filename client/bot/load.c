/* SPDX-License-Identifier: ISC */
#include "client/bot/load.h"

#include "client/bot/zone.h"
#include "client/keyfile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct beside {
	char dir[512]; /* with its '/', or "" */
	int64_t now;
};

static enum tocsin_err
file(void *arg, const char *name, size_t max, struct buf *out)
{
	const struct beside *b = arg;
	char path[1024];

	snprintf(
	    path, sizeof(path), "%s%s", name[0] == '/' ? "" : b->dir, name);
	return file_read(path, max, out);
}

static enum tocsin_err
zone(void *arg, const char *name, struct zone *out)
{
	const struct beside *b = arg;

	return zone_load(out, name, b->now);
}

enum tocsin_err
rules_load(struct rules *out, const char *path, int64_t now,
    struct rules_faults *faults, char why[512])
{
	struct beside b = { "", now };
	struct rules_io io = {
		.arg = &b, .file = file, .zone = zone, .now = now
	};
	const char *slash = strrchr(path, '/');
	struct buf text = { 0 };
	enum tocsin_err err;

	*out = (struct rules){ 0 };
	faults->n = 0;
	if (slash != NULL && (size_t)(slash - path) + 2 < sizeof(b.dir))
		snprintf(b.dir, sizeof(b.dir), "%.*s", (int)(slash - path) + 1,
		    path);
	errno = 0;
	err = file_read(path, RULES_FILE_MAX, &text);
	if (err != TOCSIN_OK)
		snprintf(why, 512, "the rules file %.400s: %s", path,
		    err == TOCSIN_ETOOLARGE ? "it is larger than 256 KiB"
		    : errno != 0	    ? strerror(errno)
					    : tocsin_err_text(err));
	else
		err = rules_parse(out, buf_span(&text), &io, faults);
	if (err == TOCSIN_EINTERNAL && faults->n == 0)
		snprintf(why, 512, "no memory");
	buf_release(&text);
	return err;
}
