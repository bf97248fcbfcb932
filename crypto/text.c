/* SPDX-License-Identifier: ISC */
#include "crypto/text.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

static bool
is_lower(uint8_t c)
{
	return c >= 'a' && c <= 'z';
}

static bool
is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static bool
is_alnum(uint8_t c)
{
	return is_lower(c) || (c >= 'A' && c <= 'Z') || is_digit(c);
}

/* strchr() finds the NUL too. */
static bool
is_in(const char *set, uint8_t c)
{
	return c != '\0' && strchr(set, c) != NULL;
}

/* [a-z0-9-] from the second character on; the first is the caller's. */
static bool
tail_ok(struct span s, size_t max)
{
	size_t i;

	if (s.n < 2 || s.n > max)
		return false;
	for (i = 1; i < s.n; i++)
		if (!is_lower(s.p[i]) && !is_digit(s.p[i]) && s.p[i] != '-')
			return false;
	return true;
}

/* Bytes before the first c; all of them if there is none. */
static size_t
until(struct span s, uint8_t c)
{
	const uint8_t *at = s.n > 0 ? memchr(s.p, c, s.n) : NULL;

	return at != NULL ? (size_t)(at - s.p) : s.n;
}

/* One part of a federation's name, as DNS has it. */
static bool
dns_label_ok(struct span s)
{
	size_t i;

	if (s.n == 0 || s.n > 63 || s.p[0] == '-' || s.p[s.n - 1] == '-')
		return false;
	for (i = 0; i < s.n; i++)
		if (!is_lower(s.p[i]) && !is_digit(s.p[i]) && s.p[i] != '-')
			return false;
	return true;
}

bool
name_federation(struct span s)
{
	size_t labels = 0, n;

	if (s.n > FEDERATION_MAX)
		return false;
	for (;; labels++) {
		n = until(s, '.');
		if (!dns_label_ok(span_cut(s, 0, n)))
			return false;
		if (n == s.n)
			return labels >= 1;
		s = span_cut(s, n + 1, s.n);
	}
}

bool
name_nation(struct span s)
{
	return tail_ok(s, NATION_MAX) && is_lower(s.p[0]);
}

bool
name_label(struct span s)
{
	return tail_ok(s, LABEL_MAX) && is_lower(s.p[0]);
}

bool
name_broker(struct span s)
{
	return name_label(s);
}

bool
name_member(struct span s)
{
	size_t at = until(s, '@');

	return name_label(span_cut(s, 0, at)) &&
	       name_nation(span_cut(s, at + 1, s.n));
}

bool
name_device(struct span s)
{
	size_t at = until(s, '/');

	return name_member(span_cut(s, 0, at)) &&
	       name_label(span_cut(s, at + 1, s.n));
}

bool
name_token(struct span s)
{
	if (s.n == 1)
		return is_lower(s.p[0]) || is_digit(s.p[0]);
	return tail_ok(s, TOKEN_MAX) && (is_lower(s.p[0]) || is_digit(s.p[0]));
}

bool
name_exercise(struct span s)
{
	size_t i;

	if (s.n == 0 || s.n > EXERCISE_MAX || !is_alnum(s.p[0]))
		return false;
	for (i = 1; i < s.n; i++)
		if (!is_alnum(s.p[i]) && !is_in("._-", s.p[i]))
			return false;
	return true;
}

bool
name_circle(struct span s)
{
	return s.n > 0 && s.p[0] == '@' && name_label(span_cut(s, 1, s.n));
}

static bool
port_ok(struct span s)
{
	uint64_t port;

	return num_parse(s, &port) && port >= 1 && port <= 65535;
}

/* A host name or IPv4 address, or an IPv6 address in brackets. */
static bool
host_ok(struct span s)
{
	bool v6 = s.n > 2 && s.p[0] == '[' && s.p[s.n - 1] == ']';
	size_t i;

	if (v6)
		s = span_cut(s, 1, s.n - 2);
	if (s.n == 0)
		return false;
	for (i = 0; i < s.n; i++)
		if (!is_alnum(s.p[i]) && !is_in(v6 ? ".:" : ".-", s.p[i]))
			return false;
	return true;
}

bool
name_url(struct span s)
{
	size_t colon;

	if (s.n > URL_MAX || !span_is(span_cut(s, 0, 6), "tcp://"))
		return false;
	s = span_cut(s, 6, s.n);
	for (colon = s.n; colon > 0 && s.p[colon - 1] != ':'; colon--)
		;
	return colon > 0 && host_ok(span_cut(s, 0, colon - 1)) &&
	       port_ok(span_cut(s, colon, s.n));
}

bool
name_url_opt(struct span s)
{
	return span_is(s, "-") || name_url(s);
}

struct span
member_nation(struct span member)
{
	return span_cut(member, until(member, '@') + 1, member.n);
}

struct span
device_member(struct span device)
{
	size_t at = until(device, '/');

	return at < device.n ? span_cut(device, 0, at) : (struct span){ 0 };
}

struct span
device_label(struct span device)
{
	return span_cut(device, until(device, '/') + 1, device.n);
}

bool
num_parse(struct span s, uint64_t *out)
{
	uint64_t v = 0;
	size_t i;

	if (s.n == 0 || s.n > 20 || (s.n > 1 && s.p[0] == '0'))
		return false;
	for (i = 0; i < s.n; i++) {
		uint64_t d = (uint64_t)s.p[i] - '0';

		if (!is_digit(s.p[i]) || v > (UINT64_MAX - d) / 10)
			return false;
		v = v * 10 + d;
	}
	*out = v;
	return true;
}

static bool
is_leap(int64_t y)
{
	return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}

/* Days from the start of 1970 to the start of year y. */
static int64_t
days_before_year(int64_t y)
{
	int64_t p = y - 1;

	return (y - 1970) * 365 + (p / 4 - p / 100 + p / 400) -
	       (1969 / 4 - 1969 / 100 + 1969 / 400);
}

static int64_t
days_in_month(int64_t y, int64_t m)
{
	static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31,
		30, 31 };

	return days[m - 1] + (m == 2 && is_leap(y));
}

/* Digits where the pattern has '0', else the pattern's own character. */
static bool
shaped(struct span s, const char *pattern)
{
	size_t i;

	if (s.n != strlen(pattern))
		return false;
	for (i = 0; i < s.n; i++)
		if (pattern[i] == '0' ? !is_digit(s.p[i])
				      : s.p[i] != (uint8_t)pattern[i])
			return false;
	return true;
}

static int64_t
digits(struct span s, size_t from, size_t n)
{
	int64_t v = 0;

	while (n-- > 0)
		v = v * 10 + (s.p[from++] - '0');
	return v;
}

bool
time_parse(struct span s, int64_t *out)
{
	int64_t y, mon, d, h, min, sec, days, m;

	if (!shaped(s, "0000-00-00T00:00:00Z"))
		return false;
	y = digits(s, 0, 4);
	mon = digits(s, 5, 2);
	d = digits(s, 8, 2);
	h = digits(s, 11, 2);
	min = digits(s, 14, 2);
	sec = digits(s, 17, 2);
	if (y < 1970 || mon < 1 || mon > 12 || d < 1 ||
	    d > days_in_month(y, mon) || h > 23 || min > 59 || sec > 59)
		return false;
	days = days_before_year(y) + d - 1;
	for (m = 1; m < mon; m++)
		days += days_in_month(y, m);
	*out = ((days * 24 + h) * 60 + min) * 60 + sec;
	return true;
}

void
time_print(char out[TIME_TEXT + 1], int64_t t)
{
	const int64_t end = days_before_year(10000) * 86400;
	int64_t days, y, mon = 1;
	char wide[64];

	/* What has no spelling gets the nearest one; nothing parses back. */
	t = t < 0 ? 0 : t >= end ? end - 1 : t;
	days = t / 86400;
	y = 1970 + days / 366;
	while (days_before_year(y + 1) <= days)
		y++;
	days -= days_before_year(y);
	while (days >= days_in_month(y, mon))
		days -= days_in_month(y, mon++);
	t %= 86400;
	snprintf(wide, sizeof(wide), "%04d-%02d-%02dT%02d:%02d:%02dZ", (int)y,
	    (int)mon, (int)days + 1, (int)(t / 3600), (int)(t / 60 % 60),
	    (int)(t % 60));
	memcpy(out, wide, TIME_TEXT);
	out[TIME_TEXT] = '\0';
}

bool
id_parse(struct span s, uint8_t out[ID_LEN])
{
	uint8_t id[ID_LEN];
	size_t n;

	if (s.n != ID_TEXT || !span_ascii(s) ||
	    sodium_base642bin(id, sizeof(id), (const char *)s.p, s.n, NULL, &n,
		NULL, sodium_base64_VARIANT_ORIGINAL) != 0 ||
	    n != ID_LEN)
		return false;
	memcpy(out, id, ID_LEN);
	return true;
}

void
id_print(char out[ID_TEXT + 1], const uint8_t id[ID_LEN])
{
	sodium_bin2base64(
	    out, ID_TEXT + 1, id, ID_LEN, sodium_base64_VARIANT_ORIGINAL);
}

struct text
text_init(struct span bytes)
{
	return (struct text){ .rest = bytes };
}

/* Take what is before the next LF; a text that has none left is bad. */
static struct span
take_line(struct text *t)
{
	size_t n = until(t->rest, '\n');

	t->line = (struct span){ 0 };
	if (t->bad || n == t->rest.n) {
		t->bad = true;
		return t->line;
	}
	t->line = span_cut(t->rest, 0, n);
	t->rest = span_cut(t->rest, n + 1, t->rest.n);
	return t->line;
}

/* The same kind, of a version after the one that ends `kind`. */
static bool
is_later(struct span s, struct span kind)
{
	size_t stem = until(kind, '/') + 2; /* with "/v" */
	uint64_t got, ours;

	return span_eq(span_cut(s, 0, stem), span_cut(kind, 0, stem)) &&
	       num_parse(span_cut(s, stem, s.n), &got) &&
	       num_parse(span_cut(kind, stem, kind.n), &ours) && got > ours;
}

void
text_head(struct text *t, const char *kind, char fed[FEDERATION_MAX + 1])
{
	struct span line = take_line(t);
	size_t n = until(line, '/');

	t->later = is_later(span_cut(line, n + 1, line.n), span_of(kind)) &&
		   name_federation(span_cut(line, 0, n));
	text_check(t, span_is(span_cut(line, n + 1, line.n), kind));
	text_copy(
	    t, span_cut(line, 0, n), name_federation, fed, FEDERATION_MAX + 1);
}

bool
text_has(const struct text *t, const char *key)
{
	size_t n = strlen(key);

	return !t->bad && t->rest.n > n && memcmp(t->rest.p, key, n) == 0 &&
	       (t->rest.p[n] == ' ' || t->rest.p[n] == '\n');
}

/* The field that ends before the next space or the line's end; or empty. */
static struct span
take_field(struct span *line)
{
	struct span f = { line->p, 0 };

	while (f.n < line->n && line->p[f.n] > 0x20 && line->p[f.n] < 0x7f)
		f.n++;
	if (f.n < line->n && (line->p[f.n] != ' ' || f.n + 1 == line->n))
		return (struct span){ 0 };
	*line = span_cut(*line, f.n + 1, line->n);
	return f;
}

bool
text_line(struct text *t, const char *key, size_t n, struct span *fields)
{
	struct span line = take_line(t);
	bool good = span_is(take_field(&line), key);
	size_t i;

	for (i = 0; i < n; i++) {
		fields[i] = take_field(&line);
		good = good && fields[i].n > 0;
	}
	if (t->bad || !good || line.n > 0) {
		t->bad = true;
		for (i = 0; i < n; i++)
			fields[i] = (struct span){ 0 };
	}
	return !t->bad;
}

void
text_ascend(struct text *t, struct span *last)
{
	text_check(t, last->n == 0 || span_cmp(*last, t->line) < 0);
	*last = t->line;
}

bool
text_done(const struct text *t)
{
	return !t->bad && t->rest.n == 0;
}

enum tocsin_err
text_result(const struct text *t)
{
	if (text_done(t))
		return TOCSIN_OK;
	return t->later ? TOCSIN_EUNSUPPORTED : TOCSIN_EMALFORMED;
}

void
text_check(struct text *t, bool good)
{
	if (!good)
		t->bad = true;
}

uint64_t
text_u64(struct text *t, struct span f)
{
	uint64_t v = 0;

	text_check(t, num_parse(f, &v));
	return v;
}

int64_t
text_time(struct text *t, struct span f)
{
	int64_t v = 0;

	text_check(t, time_parse(f, &v));
	return v;
}

void
text_id(struct text *t, struct span f, uint8_t out[ID_LEN])
{
	memset(out, 0, ID_LEN);
	text_check(t, id_parse(f, out));
}

bool
text_id_opt(struct text *t, struct span f, uint8_t out[ID_LEN])
{
	memset(out, 0, ID_LEN);
	if (span_is(f, "-"))
		return false;
	text_check(t, id_parse(f, out));
	return !t->bad;
}

void
text_copy(struct text *t, struct span f, bool (*is)(struct span), char *out,
    size_t size)
{
	text_check(t, f.n < size && is(f));
	out[0] = '\0';
	if (t->bad)
		return;
	memcpy(out, f.p, f.n);
	out[f.n] = '\0';
}

unsigned
text_word(struct text *t, struct span f, const char *const *words)
{
	unsigned i;

	for (i = 0; words[i] != NULL; i++)
		if (span_is(f, words[i]))
			return i;
	t->bad = true;
	return 0;
}

void
text_put_time(struct buf *b, int64_t t)
{
	char s[TIME_TEXT + 1];

	time_print(s, t);
	buf_addz(b, s);
}

void
text_put_id(struct buf *b, const uint8_t *id)
{
	if (id == NULL)
		buf_addz(b, "-");
	else
		buf_base64(b, (struct span){ id, ID_LEN });
}
