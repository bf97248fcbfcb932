/* SPDX-License-Identifier: ISC */
/*
 * observable.h - an address, a name or a hash, in the words of each format
 *
 * An indicator in ticket.json is a STIX pattern. Most of them compare one
 * property with one value, and that is all that MISP, IDEA, IODEF and XARF can
 * say. This is the table between them; patterns that say more stay patterns.
 */
#ifndef TOCSIN_FORM_OBSERVABLE_H
#define TOCSIN_FORM_OBSERVABLE_H

#include "crypto/buf.h"

#include <stdbool.h>

#define OBSERVABLE_MAX 2048 /* a value, with its NUL */

enum observable {
	OBS_IPV4,
	OBS_IPV6,
	OBS_DOMAIN,
	OBS_URL,
	OBS_EMAIL,
	OBS_SUBJECT,
	OBS_MD5,
	OBS_SHA1,
	OBS_SHA256,
	OBS_SHA512,
	OBS_FILE,
	OBS_MUTEX,
	OBS_REGKEY,
	OBS_MAC,
	OBS_ASN,
	OBS_USER_AGENT,
	OBSERVABLES,
	OBS_NONE = OBSERVABLES,
};

struct observable_names {
	const char *path;  /* of STIX: "ipv4-addr:value" */
	const char *misp;  /* attribute type that is written */
	const char *iodef; /* type of a BulkObservable (RFC 7970); or NULL */
	const char *misp_category;
};

const struct observable_names *observable_names(enum observable o);

/* OBS_NONE: the format's word is none of ours. */
enum observable observable_of_misp(const char *type);
enum observable observable_of_iodef(const char *type);

/* IPv4 or IPv6, with a prefix length or without; else OBS_NONE. */
enum observable observable_of_address(const char *value);

/* [path = 'value'], escaped. */
void observable_pattern(struct buf *out, enum observable o, const char *value);

/*
 * The one comparison of a pattern, unescaped; OBS_NONE if it says more, or
 * something that is not in the table.
 */
enum observable observable_parse(
    const char *pattern, char value[OBSERVABLE_MAX]);

#endif
