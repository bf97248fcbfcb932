/* SPDX-License-Identifier: ISC */
#include "client/form/observable.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NETWORK "Network activity"
#define PAYLOAD "Payload delivery"
#define ARTIFACTS "Artifacts dropped"

/* clang-format off */
static const struct observable_names names[OBSERVABLES] = {
	[OBS_IPV4] = { "ipv4-addr:value", "ip-dst", "ipv4-addr", NETWORK },
	[OBS_IPV6] = { "ipv6-addr:value", "ip-dst", "ipv6-addr", NETWORK },
	[OBS_DOMAIN] = { "domain-name:value", "domain", "domain-name", NETWORK },
	[OBS_URL] = { "url:value", "url", "site-uri", NETWORK },
	[OBS_EMAIL] = { "email-addr:value", "email-src", "e-mail", PAYLOAD },
	[OBS_SUBJECT] = { "email-message:subject", "email-subject",
	    "email-subject", PAYLOAD },
	[OBS_MD5] = { "file:hashes.MD5", "md5", NULL, PAYLOAD },
	[OBS_SHA1] = { "file:hashes.'SHA-1'", "sha1", NULL, PAYLOAD },
	[OBS_SHA256] = { "file:hashes.'SHA-256'", "sha256", NULL, PAYLOAD },
	[OBS_SHA512] = { "file:hashes.'SHA-512'", "sha512", NULL, PAYLOAD },
	[OBS_FILE] = { "file:name", "filename", "file-path", PAYLOAD },
	[OBS_MUTEX] = { "mutex:name", "mutex", "mutex", ARTIFACTS },
	[OBS_REGKEY] = { "windows-registry-key:key", "regkey", NULL, ARTIFACTS },
	[OBS_MAC] = { "mac-addr:value", "mac-address", "mac", NETWORK },
	[OBS_ASN] = { "autonomous-system:number", "AS", "asn", NETWORK },
	[OBS_USER_AGENT] = {
	    "network-traffic:extensions.'http-request-ext'"
	    ".request_header.'User-Agent'",
	    "user-agent", "http-user-agent", NETWORK },
};

/* Other words of MISP for the same. */
static const struct {
	const char *type;
	enum observable o;
} misp_too[] = {
	{ "ip-src", OBS_IPV4 },
	{ "hostname", OBS_DOMAIN },
	{ "uri", OBS_URL },
	{ "link", OBS_NONE },
	{ "email", OBS_EMAIL },
	{ "email-dst", OBS_EMAIL },
	{ "email-src", OBS_EMAIL },
};
/* clang-format on */

const struct observable_names *
observable_names(enum observable o)
{
	return &names[o];
}

enum observable
observable_of_misp(const char *type)
{
	size_t i;

	for (i = 0; i < OBSERVABLES; i++)
		if (strcmp(names[i].misp, type) == 0)
			return (enum observable)i;
	for (i = 0; i < sizeof(misp_too) / sizeof(misp_too[0]); i++)
		if (strcmp(misp_too[i].type, type) == 0)
			return misp_too[i].o;
	return OBS_NONE;
}

enum observable
observable_of_iodef(const char *type)
{
	size_t i;

	if (strcmp(type, "fqdn") == 0) /* as RFC 7970's own example has it */
		return OBS_DOMAIN;
	for (i = 0; i < OBSERVABLES; i++)
		if (names[i].iodef != NULL && strcmp(names[i].iodef, type) == 0)
			return (enum observable)i;
	return OBS_NONE;
}

static bool
is_address(int family, const char *value, long bits)
{
	const char *slash = strchr(value, '/');
	size_t n = slash != NULL ? (size_t)(slash - value) : strlen(value);
	char plain[INET6_ADDRSTRLEN], *end;
	struct in6_addr raw;

	if (n >= sizeof(plain))
		return false;
	memcpy(plain, value, n);
	plain[n] = '\0';
	if (inet_pton(family, plain, &raw) != 1)
		return false;
	if (slash == NULL)
		return true;
	if (slash[1] < '0' || slash[1] > '9' || strlen(slash) > 4)
		return false;
	return strtol(slash + 1, &end, 10) <= bits && *end == '\0';
}

enum observable
observable_of_address(const char *value)
{
	return is_address(AF_INET, value, 32)	  ? OBS_IPV4
	       : is_address(AF_INET6, value, 128) ? OBS_IPV6
						  : OBS_NONE;
}

/* A number is not quoted in STIX. */
void
observable_pattern(struct buf *out, enum observable o, const char *value)
{
	const char *quote = o == OBS_ASN ? "" : "'";

	buf_addf(out, "[%s = %s", names[o].path, quote);
	for (; *value != '\0'; value++) {
		if (*value == '\'' || *value == '\\')
			buf_u8(out, '\\');
		buf_u8(out, (uint8_t)*value);
	}
	buf_addf(out, "%s]", quote);
}

static const char *
skip_spaces(const char *s)
{
	return s + strspn(s, " \t");
}

/* What stands in quotes, or digits; where it ends, or NULL. */
static const char *
take_value(const char *s, char *out)
{
	bool quoted = *s == '\'';
	size_t n = 0;

	s += quoted;
	for (; *s != '\0' && n < OBSERVABLE_MAX - 1; s++) {
		if (quoted ? *s == '\'' : *s < '0' || *s > '9')
			break;
		if (*s == '\\' && *++s == '\0')
			return NULL;
		out[n++] = *s;
	}
	out[n] = '\0';
	if (n == 0 || (quoted && *s != '\''))
		return NULL;
	return s + quoted;
}

/* A hash is named with quotes around it or without, as writers like. */
static const char *
take_path(const char *s, enum observable *out)
{
	char path[128];
	size_t i, n = 0, bare = 0;

	n = strcspn(s, " \t=");
	if (n >= sizeof(path))
		return NULL;
	for (i = 0; i < n; i++)
		if (s[i] != '\'')
			path[bare++] = s[i];
	path[bare] = '\0';
	for (i = 0; i < OBSERVABLES; i++) {
		const char *p = names[i].path, *q = path;

		for (; *p != '\0' && (*p == '\'' || *p == *q); p++)
			q += *p != '\'';
		if (*p == '\0' && *q == '\0') {
			*out = (enum observable)i;
			return s + n;
		}
	}
	return NULL;
}

enum observable
observable_parse(const char *pattern, char value[OBSERVABLE_MAX])
{
	const char *s = skip_spaces(pattern);
	enum observable o = OBS_NONE;

	if (*s != '[')
		return OBS_NONE;
	s = take_path(skip_spaces(s + 1), &o);
	if (s == NULL || *(s = skip_spaces(s)) != '=')
		return OBS_NONE;
	s = take_value(skip_spaces(s + 1), value);
	if (s == NULL || *(s = skip_spaces(s)) != ']' ||
	    *skip_spaces(s + 1) != '\0')
		return OBS_NONE;
	return o;
}
