/* SPDX-License-Identifier: ISC */
/*
 * zone.h - when which offset from UTC holds somewhere
 *
 * A table of the offsets of one time zone over some years, made once: by
 * zone_load() of what glibc knows, by hand in tests. All arithmetic is on the
 * table, pure and without the TZ of a process, which threads share.
 *
 * A local time that a change of clocks leaves out is taken as if the clock had
 * not been changed yet, so it is later by the gap; of two that are the same,
 * the first one is meant.
 */
#ifndef TOCSIN_CLIENT_BOT_ZONE_H
#define TOCSIN_CLIENT_BOT_ZONE_H

#include "crypto/tocsin_err.h"
#include "crypto/wire.h"

#define ZONE_NAME 64
#define ZONE_CHANGES 64

struct zone {
	char name[ZONE_NAME + 1];
	size_t n; /* at least 1 */
	struct {
		int64_t from;	/* UTC; of the first: whenever */
		int32_t offset; /* seconds east */
	} change[ZONE_CHANGES];
};

int32_t zone_offset(const struct zone *z, int64_t utc);

/* As if local times were UTC; and back. */
int64_t zone_local(const struct zone *z, int64_t utc);
int64_t zone_utc(const struct zone *z, int64_t local);

/* "Asia/Kuala_Lumpur": letters, digits, _ + - and single slashes. */
bool zone_name(struct span s);

/*
 * From two years before `now` to eight years after, as glibc has it. A child
 * process asks it, since that takes changing TZ. ENOTFOUND: there is no such
 * zone, or no tzdata.
 */
enum tocsin_err MUST_USE zone_load(
    struct zone *out, const char *name, int64_t now);

#endif
