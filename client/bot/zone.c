/* SPDX-License-Identifier: ISC */
#include "client/bot/zone.h"

int32_t
zone_offset(const struct zone *z, int64_t utc)
{
	size_t i = z->n - 1;

	while (i > 0 && z->change[i].from > utc)
		i--;
	return z->change[i].offset;
}

int64_t
zone_local(const struct zone *z, int64_t utc)
{
	return utc + zone_offset(z, utc);
}

/*
 * The earliest instant that shows this local time; where a change left it out,
 * the one that the offset before the change gives.
 */
int64_t
zone_utc(const struct zone *z, int64_t local)
{
	size_t i;

	for (i = 0; i + 1 < z->n; i++)
		if (local - z->change[i].offset < z->change[i + 1].from ||
		    local - z->change[i + 1].offset < z->change[i + 1].from)
			break;
	return local - z->change[i].offset;
}

bool
zone_name(struct span s)
{
	size_t i;

	for (i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

		if (c == '/' && (i == 0 || i + 1 == s.n || s.p[i - 1] == '/'))
			return false;
		if (!letter && !(c >= '0' && c <= '9') && c != '/' &&
		    c != '_' && c != '+' && c != '-')
			return false;
	}
	return s.n > 0 && s.n <= ZONE_NAME;
}
