/* SPDX-License-Identifier: ISC */
#include "client/own.h"

#include "client/gist.h"
#include "client/keyfile.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SYSTEM_FILE "/etc/tocsin/own.conf"

/* ---- what is an address, and what a name ---- */

static bool
in(const char *set, uint8_t c)
{
	return c != '\0' && strchr(set, c) != NULL;
}

static bool
is_letter(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

/* "24" behind a '/', at most `most`; as many if there is none. */
static bool
read_bits(struct span s, unsigned most, unsigned *out)
{
	uint64_t n;

	*out = most;
	if (s.n == 0)
		return true;
	if (!num_parse(s, &n) || n > most)
		return false;
	*out = (unsigned)n;
	return true;
}

/* What is beyond the prefix is nothing. */
static void
mask(uint8_t bytes[16], unsigned bits)
{
	unsigned i;

	for (i = 0; i < 16; i++)
		if (i * 8 >= bits)
			bytes[i] = 0;
		else if (i * 8 + 8 > bits)
			bytes[i] &= (uint8_t)(0xff00u >> (bits - i * 8));
}

/* "192.0.2.0/24", "2001:db8::1"; the bits of a prefix apart. */
static bool
read_address(struct own_net *out, struct span address, struct span bits)
{
	char text[INET6_ADDRSTRLEN];
	bool six;

	if (address.n == 0 || address.n >= sizeof(text))
		return false;
	memcpy(text, address.p, address.n);
	text[address.n] = '\0';
	six = memchr(text, ':', address.n) != NULL;
	out->family = six ? AF_INET6 : AF_INET;
	memset(out->prefix, 0, sizeof(out->prefix));
	if (inet_pton(out->family, text, out->prefix) != 1 ||
	    !read_bits(bits, six ? 128 : 32, &out->bits))
		return false;
	mask(out->prefix, out->bits);
	return true;
}

/* Two labels at least, as DNS has them, and no address. */
static bool
is_domain(struct span s)
{
	size_t i, label = 0, labels = 0;
	bool letter = false; /* in the last label */

	if (s.n == 0 || in("-_", s.p[0]) || in("-_", s.p[s.n - 1]))
		return false;
	for (i = 0; i <= s.n; i++) {
		if (i < s.n && s.p[i] != '.') {
			if (!is_letter(s.p[i]) && !is_digit(s.p[i]) &&
			    !in("-_", s.p[i]))
				return false;
			letter = is_letter(s.p[i]) || (letter && label > 0);
			label++;
			continue;
		}
		if (label == 0 || label > 63)
			return false;
		labels++;
		label = 0;
	}
	return labels >= 2 && letter && s.n <= OWN_NAME;
}

/* ---- the file ---- */

static bool
take_entry(struct own *o, struct span s)
{
	const uint8_t *slash = s.n > 0 ? memchr(s.p, '/', s.n) : NULL;
	size_t n = slash != NULL ? (size_t)(slash - s.p) : s.n;
	struct own_net *grown, net = { .family = 0 };

	if (s.n > OWN_NAME || o->n == OWN_MAX)
		return false;
	if (!read_address(&net, span_cut(s, 0, n), span_cut(s, n + 1, s.n))) {
		net.family = 0;
		if (!is_domain(s))
			return false;
	}
	snprintf(
	    net.name, sizeof(net.name), "%.*s", (int)s.n, (const char *)s.p);
	if (o->n == o->room) {
		grown = realloc(o->net, (o->room * 2 + 16) * sizeof(*grown));
		if (grown == NULL)
			return false;
		o->net = grown;
		o->room = o->room * 2 + 16;
	}
	o->net[o->n++] = net;
	return true;
}

/* The first word; what is behind it is for people. */
static bool
take_line(struct own *o, struct span line)
{
	size_t from = 0, n = 0;

	while (from < line.n && in(" \t\r", line.p[from]))
		from++;
	while (from + n < line.n && !in(" \t\r", line.p[from + n]))
		n++;
	if (n == 0 || in("#;", line.p[from]))
		return true;
	return take_entry(o, span_cut(line, from, n));
}

enum tocsin_err
own_parse(struct own *o, struct span text, struct own_fault *f)
{
	*f = (struct own_fault){ 0 };
	while (text.n > 0) {
		const uint8_t *lf = memchr(text.p, '\n', text.n);
		size_t n = lf != NULL ? (size_t)(lf - text.p) : text.n;

		f->line++;
		if (!take_line(o, span_cut(text, 0, n))) {
			snprintf(f->what, sizeof(f->what),
			    "%.*s: it is no prefix and no domain, like "
			    "192.0.2.0/24, 2001:db8::/32 or example.my; or "
			    "there are more than %d",
			    (int)(n < 60 ? n : 60), (const char *)text.p,
			    OWN_MAX);
			return TOCSIN_EMALFORMED;
		}
		text = span_cut(text, n + (lf != NULL), text.n);
	}
	return TOCSIN_OK;
}

static enum tocsin_err
load_one(struct own *o, const char *path, bool *found, char why[1024])
{
	struct own_fault f;
	struct buf b = { 0 };
	enum tocsin_err err = file_read(path, OWN_FILE_MAX, &b);

	*found |= err != TOCSIN_ENOTFOUND;
	if (err == TOCSIN_ENOTFOUND)
		err = TOCSIN_OK;
	else if (err != TOCSIN_OK)
		snprintf(why, 1024, "%s: %s", path, file_text(err));
	else if ((err = own_parse(o, buf_span(&b), &f)) != TOCSIN_OK)
		snprintf(why, 1024, "%s, line %u: %s", path, f.line, f.what);
	buf_release(&b);
	return err;
}

enum tocsin_err
own_load(struct own *o, const char *home, char why[1024])
{
	enum tocsin_err err;
	bool found = false;
	char path[640];

	*o = (struct own){ .n = 0 };
	snprintf(path, sizeof(path), "%s/own.conf", home);
	err = load_one(o, SYSTEM_FILE, &found, why);
	if (err == TOCSIN_OK)
		err = load_one(o, path, &found, why);
	if (err == TOCSIN_OK && !found) {
		snprintf(why, 1024,
		    "there is no %s, which would say which networks and "
		    "domains are our own",
		    path);
		return TOCSIN_ENOTFOUND;
	}
	return err;
}

void
own_release(struct own *o)
{
	free(o->net);
	buf_release(&o->plain);
	*o = (struct own){ .n = 0 };
}

/* ---- a text ---- */

/* "[.]" and the like are what is in them. */
static void
make_plain(struct buf *b, struct span s)
{
	const size_t max = b->max;
	size_t i;

	if (!buf_ok(b)) { /* of a text before: that says nothing of this one */
		buf_release(b);
		b->max = max;
	}
	buf_cut(b, 0);
	for (i = 0; i < s.n; i++) {
		bool hidden = i + 2 < s.n && in("[({", s.p[i]) &&
			      in(".:", s.p[i + 1]) && in("])}", s.p[i + 2]);

		if (hidden)
			i++;
		buf_u8(b, s.p[i]);
		i += hidden;
	}
}

static bool
overlaps(const struct own_net *a, const struct own_net *b)
{
	uint8_t x[16], y[16];
	unsigned bits = a->bits < b->bits ? a->bits : b->bits;

	memcpy(x, a->prefix, sizeof(x));
	memcpy(y, b->prefix, sizeof(y));
	mask(x, bits);
	mask(y, bits);
	return a->family == b->family && memcmp(x, y, sizeof(x)) == 0;
}

/* Ours, or a name below it. */
static bool
is_below(struct span name, const char *ours)
{
	size_t n = strlen(ours);

	return name.n >= n &&
	       strncasecmp((const char *)name.p + name.n - n, ours, n) == 0 &&
	       (name.n == n || name.p[name.n - n - 1] == '.');
}

static const char *
find_address(const struct own *o, const struct own_net *of)
{
	size_t i;

	for (i = 0; i < o->n; i++)
		if (overlaps(&o->net[i], of))
			return o->net[i].name;
	return NULL;
}

static const char *
find_name(const struct own *o, struct span name)
{
	size_t i;

	for (i = 0; i < o->n; i++)
		if (o->net[i].family == 0 && is_below(name, o->net[i].name))
			return o->net[i].name;
	return NULL;
}

/* "www.example.my:443." is www.example.my; what it ends with is not its. */
static struct span
trimmed(struct span s)
{
	const uint8_t *colon;

	while (s.n > 0 && in(".:-_", s.p[s.n - 1]) &&
	       !(s.n > 1 && s.p[s.n - 1] == ':' && s.p[s.n - 2] == ':'))
		s = span_cut(s, 0, s.n - 1);
	while (s.n > 0 && in(".-_", s.p[0]))
		s = span_cut(s, 1, s.n);
	colon = s.n > 0 ? memchr(s.p, ':', s.n) : NULL;
	if (colon != NULL &&
	    memchr(colon + 1, ':', s.n - (size_t)(colon + 1 - s.p)) == NULL &&
	    memchr(s.p, '.', s.n) != NULL)
		s = span_cut(s, 0, (size_t)(colon - s.p));
	return s;
}

/* A word, and the digits behind a '/' if there are some. */
static const char *
find_word(const struct own *o, struct span word, struct span bits)
{
	struct own_net of = { .family = 0 };

	word = trimmed(word);
	if (word.n == 0 || (memchr(word.p, '.', word.n) == NULL &&
			       memchr(word.p, ':', word.n) == NULL))
		return NULL;
	if (read_address(&of, word, bits) ||
	    read_address(&of, word, (struct span){ 0 }))
		return find_address(o, &of);
	return is_domain(word) ? find_name(o, word) : NULL;
}

static size_t
word_at(struct span s, size_t from)
{
	size_t n = 0;

	while (from + n < s.n &&
	       (is_letter(s.p[from + n]) || is_digit(s.p[from + n]) ||
		   in(".:-_", s.p[from + n])))
		n++;
	return n;
}

static size_t
digits_at(struct span s, size_t from)
{
	size_t n = 0;

	while (from + n < s.n && is_digit(s.p[from + n]))
		n++;
	return n;
}

const char *
own_find(struct own *o, struct span text)
{
	const char *found = NULL;
	struct span s;
	size_t i, n, bits;

	make_plain(&o->plain, text);
	if (!buf_ok(&o->plain))
		return NULL;
	s = buf_span(&o->plain);
	for (i = 0; found == NULL && i<s.n; i += n> 0 ? n : 1) {
		n = word_at(s, i);
		if (n < 2) /* "::" */
			continue;
		bits = i + n < s.n && s.p[i + n] == '/'
			   ? digits_at(s, i + n + 1)
			   : 0;
		found = find_word(
		    o, span_cut(s, i, n), span_cut(s, i + n + 1, bits));
	}
	return found;
}

bool
own_looked(const struct own *o)
{
	return buf_ok(&o->plain);
}

const char *
own_in_gist(struct own *o, struct span gist)
{
	struct rd r = rd_init(gist);
	struct gist_message m;
	struct gist_field f;
	const char *found = NULL;
	uint32_t i;

	while (found == NULL && gist_message(&r, &m))
		for (i = 0; found == NULL && i < m.nfield && gist_field(&r, &f);
		     i++) {
			found = own_find(o, f.text);
			if (!own_looked(o))
				return NULL;
		}
	return found;
}
