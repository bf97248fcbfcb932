/* SPDX-License-Identifier: ISC */
#include "client/circle.h"

#include "client/keyfile.h"
#include "client/vocab.h"
#include "crypto/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SYSTEM_FILE "/etc/tocsin/circles.conf"

/* ---- a file ---- */

struct reading {
	struct circles *c;
	struct circle *at; /* NULL: before the first */
	unsigned file;
	struct circle_fault *f;
};

static bool
wrong(struct reading *r, const char *what, struct span about)
{
	snprintf(r->f->what, sizeof(r->f->what), "%.*s: %s",
	    (int)(about.n < 64 ? about.n : 64), (const char *)about.p, what);
	return false;
}

static bool
is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == ',';
}

static struct span
trimmed(struct span s)
{
	while (s.n > 0 && is_blank(s.p[0]))
		s = span_cut(s, 1, s.n);
	while (s.n > 0 && is_blank(s.p[s.n - 1]))
		s = span_cut(s, 0, s.n - 1);
	return s;
}

static struct circle *
find(const struct circles *c, struct span name)
{
	size_t i;

	for (i = 0; i < c->n; i++)
		if (span_is(name, c->circle[i].name))
			return &c->circle[i];
	return NULL;
}

static bool
grow(struct circles *c)
{
	size_t room = c->room > 0 ? c->room * 2 : 8;
	struct circle *grown;

	if (c->n < c->room)
		return true;
	grown = realloc(c->circle, room * sizeof(*grown));
	if (grown == NULL)
		return false;
	c->circle = grown;
	c->room = room;
	return true;
}

/* "[@asean]": a new one, or one in the place of the machine's. */
static bool
begin_circle(struct reading *r, struct span line)
{
	struct span name = span_cut(line, 1, line.n - 2);
	struct circle *c;

	if (line.n < 3 || line.p[line.n - 1] != ']' || !name_circle(name))
		return wrong(
		    r, "a circle begins with its name, like [@asean]", line);
	c = find(r->c, name);
	if (c != NULL && c->file == r->file)
		return wrong(r, "the circle stands twice in the file", name);
	if (c == NULL) {
		if (r->c->n == CIRCLES_MAX || !grow(r->c))
			return wrong(r, "that are too many circles", name);
		c = &r->c->circle[r->c->n++];
	}
	memset(c, 0, sizeof(*c));
	snprintf(c->name, sizeof(c->name), "%.*s", (int)name.n,
	    (const char *)name.p);
	c->file = r->file;
	r->at = c;
	return true;
}

/* In its place, so that they ascend; one that stands twice is there once. */
static bool
add_member(struct reading *r, struct span name)
{
	struct circle *c = r->at;
	char member[MEMBER_MAX + 1];
	size_t i = 0;

	if (!name_member(name))
		return wrong(r,
		    "it is no member: a member is team@nation, and "
		    "a circle has no circles in it",
		    name);
	snprintf(
	    member, sizeof(member), "%.*s", (int)name.n, (const char *)name.p);
	while (i < c->n && strcmp(c->member[i], member) < 0)
		i++;
	if (i < c->n && strcmp(c->member[i], member) == 0)
		return true;
	if (c->n == TICKET_TO_MAX)
		return wrong(r, "the circle has too many members", name);
	memmove(c->member[i + 1], c->member[i],
	    (c->n++ - i) * sizeof(c->member[0]));
	memcpy(c->member[i], member, sizeof(member));
	return true;
}

static bool
add_members(struct reading *r, struct span value)
{
	bool good = true;
	size_t n;

	while (good && (value = trimmed(value)).n > 0) {
		for (n = 0; n < value.n && !is_blank(value.p[n]); n++)
			;
		good = add_member(r, span_cut(value, 0, n));
		value = span_cut(value, n, value.n);
	}
	return good;
}

static bool
take_line(struct reading *r, struct span line)
{
	const uint8_t *eq;
	struct span key, value;

	if (line.n == 0 || line.p[0] == ';' || line.p[0] == '#')
		return true;
	if (line.p[0] == '[')
		return begin_circle(r, line);
	eq = line.n > 0 ? memchr(line.p, '=', line.n) : NULL;
	if (eq == NULL || r->at == NULL)
		return wrong(r, "this line is not understood", line);
	key = trimmed(span_cut(line, 0, (size_t)(eq - line.p)));
	value = trimmed(span_cut(line, (size_t)(eq - line.p) + 1, line.n));
	if (span_is(key, "members"))
		return add_members(r, value);
	if (!span_is(key, "text"))
		return wrong(
		    r, "a circle has `text` and `members`, no other", key);
	if (value.n >= sizeof(r->at->text) ||
	    (value.n > 0 && memchr(value.p, 0, value.n)))
		return wrong(r, "it is too long", key);
	if (value.n > 0)
		memcpy(r->at->text, value.p, value.n);
	r->at->text[value.n] = '\0';
	return true;
}

static bool
take_all(struct reading *r, struct span text)
{
	bool good = true;

	while (good && text.n > 0) {
		const uint8_t *lf = memchr(text.p, '\n', text.n);
		size_t n = lf != NULL ? (size_t)(lf - text.p) : text.n;

		r->f->line++;
		good = take_line(r, trimmed(span_cut(text, 0, n)));
		text = span_cut(text, n + (lf != NULL), text.n);
	}
	return good;
}

enum tocsin_err
circles_parse(
    struct circles *c, struct span text, unsigned file, struct circle_fault *f)
{
	struct circles work = *c;
	struct reading r = { .c = &work, .file = file, .f = f };

	memset(f, 0, sizeof(*f));
	work.room = c->n;
	work.circle = calloc(c->n + 1, sizeof(*work.circle));
	if (work.circle == NULL)
		return TOCSIN_EINTERNAL;
	if (c->n > 0)
		memcpy(work.circle, c->circle, c->n * sizeof(*work.circle));
	if (!take_all(&r, text)) {
		free(work.circle);
		return TOCSIN_EMALFORMED;
	}
	free(c->circle);
	*c = work;
	return TOCSIN_OK;
}

static enum tocsin_err
load_one(struct circles *c, unsigned file, char why[1024])
{
	struct circle_fault f = { 0 };
	struct buf b = { 0 };
	enum tocsin_err err = file_read(c->file[file], CIRCLE_FILE_MAX, &b);

	if (err == TOCSIN_ENOTFOUND)
		err = TOCSIN_OK;
	else if (err != TOCSIN_OK)
		snprintf(why, 1024, "%s: %s", c->file[file], file_text(err));
	else if ((err = circles_parse(c, buf_span(&b), file, &f)) != TOCSIN_OK)
		snprintf(why, 1024,
		    "%s, line %u: %s; until that is mended, no circle is used",
		    c->file[file], f.line,
		    f.what[0] != '\0' ? f.what : "no memory");
	buf_release(&b);
	return err;
}

enum tocsin_err
circles_load(struct circles *c, const char *home, char why[1024])
{
	enum tocsin_err err;

	*c = (struct circles){ .n = 0 };
	snprintf(c->file[0], sizeof(c->file[0]), "%s", SYSTEM_FILE);
	snprintf(c->file[1], sizeof(c->file[1]), "%s/circles.conf", home);
	err = load_one(c, 0, why);
	return err == TOCSIN_OK ? load_one(c, 1, why) : err;
}

void
circles_release(struct circles *c)
{
	free(c->circle);
	c->circle = NULL;
	c->n = c->room = 0;
}

const struct circle *
circles_find(const struct circles *c, const char *name)
{
	return find(c, span_of(name));
}

/* ---- who that is now ---- */

bool
circle_is_nation(const struct roster *r, const char *name)
{
	size_t i;

	name += name[0] == '@';
	for (i = 0; r != NULL && i < r->nmember; i++)
		if (span_is(member_nation(span_of(r->member[i].name)), name))
			return true;
	return false;
}

enum tocsin_err
circle_check(const struct circles *all, const struct circle *c,
    const struct roster *r, char why[1024])
{
	const char *file = all->file[c->file];
	const struct roster_member *m;
	size_t i;

	if (circle_is_nation(r, c->name)) {
		snprintf(why, 1024,
		    "%s is a nation, and a circle in %s: give the circle "
		    "another name",
		    c->name, file);
		return TOCSIN_EUSAGE;
	}
	if (c->n == 0) {
		snprintf(why, 1024,
		    "the circle %s has no members, so it is nobody; %s names "
		    "them",
		    c->name, file);
		return TOCSIN_EUSAGE;
	}
	for (i = 0; r != NULL && i < c->n; i++) {
		m = roster_member(r, span_of(c->member[i]));
		if (m != NULL && !m->suspended)
			continue;
		snprintf(why, 1024,
		    "%s of the circle %s %s roster %llu; take it out of %s, or "
		    "name the others one by one",
		    c->member[i], c->name,
		    m == NULL ? "is not in" : "is suspended in",
		    (unsigned long long)r->serial, file);
		return m == NULL ? TOCSIN_ENOTENROLLED : TOCSIN_ESUSPENDED;
	}
	return TOCSIN_OK;
}

/* ---- expanding ---- */

static enum tocsin_err
no_circle(const struct circles *c, const struct roster *r, const char *typed,
    char why[1024])
{
	struct guess g = guess_of(typed);
	size_t i;

	for (i = 0; i < c->n; i++)
		guess_at(&g, c->circle[i].name);
	if (circle_is_nation(r, typed))
		snprintf(why, 1024,
		    "%s is a nation, and no circle: say which of its members, "
		    "team%s",
		    typed, typed);
	else if (g.best == NULL)
		snprintf(why, 1024,
		    "there is no circle %s, nor any other; %s would name them",
		    typed, c->file[CIRCLE_FILES - 1]);
	else
		snprintf(why, 1024,
		    "there is no circle %s; the nearest is %s, and `tocsin "
		    "circles` lists all",
		    typed, g.best);
	return TOCSIN_EUSAGE;
}

static enum tocsin_err
add_name(struct circle_names *out, const char *name)
{
	const char **grown;
	size_t i;

	for (i = 0; i < out->n; i++)
		if (strcmp(out->name[i], name) == 0)
			return TOCSIN_OK;
	grown = realloc(out->name, (out->n + 2) * sizeof(*grown));
	if (grown == NULL)
		return TOCSIN_EINTERNAL;
	out->name = grown;
	out->name[out->n++] = name;
	out->name[out->n] = NULL;
	return TOCSIN_OK;
}

static enum tocsin_err
add_circle(struct circle_names *out, const struct circles *c,
    const struct roster *r, const char *typed, char why[1024])
{
	const struct circle *of = circles_find(c, typed);
	enum tocsin_err err;
	size_t i;

	if (of == NULL)
		return no_circle(c, r, typed, why);
	err = circle_check(c, of, r, why);
	for (i = 0; err == TOCSIN_OK && i < of->n; i++)
		err = add_name(out, of->member[i]);
	return err;
}

enum tocsin_err
circles_expand(const struct circles *c, const struct roster *r,
    const char *const *typed, struct circle_names *out, char why[1024])
{
	enum tocsin_err err = TOCSIN_OK;

	*out = (struct circle_names){ NULL, 0 };
	snprintf(why, 1024, "no memory");
	for (; err == TOCSIN_OK && typed != NULL && *typed != NULL; typed++)
		err = (*typed)[0] == '@' ? add_circle(out, c, r, *typed, why)
					 : add_name(out, *typed);
	if (err != TOCSIN_OK)
		circle_names_release(out);
	return err;
}

void
circle_names_release(struct circle_names *names)
{
	free(names->name);
	*names = (struct circle_names){ NULL, 0 };
}
