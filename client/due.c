/* SPDX-License-Identifier: ISC */
#include "client/due.h"

#include "client/keyfile.h"
#include "crypto/text.h"

#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SYSTEM_TABLE "/etc/tocsin/clocks.conf"

const char due_builtin[] =
    "; EU: Directive (EU) 2022/2555 (NIS2), article 23, from awareness on\n"
    "[nis2/early-warning]\n"
    "text = early warning: malicious or not, across borders or not\n"
    "start = detected\n"
    "within = 24h\n"
    "[nis2/notification]\n"
    "text = incident notification\n"
    "start = detected\n"
    "within = 72h\n"
    "[nis2/final-report]\n"
    "text = final report\n"
    "start = after nis2/notification\n"
    "within = 1 month\n"
    "; China: CAC measures in force 2025-11-01, grade larger and above\n"
    "[cac-critical/report]\n"
    "text = critical infrastructure: to its protection department and police\n"
    "start = detected\n"
    "within = 1h\n"
    "[cac-critical/onward]\n"
    "text = major and above: onward\n"
    "start = after cac-critical/report\n"
    "within = 30m\n"
    "[cac-central/report]\n"
    "text = central state body: to its own cyberspace office\n"
    "start = detected\n"
    "within = 2h\n"
    "[cac-central/onward]\n"
    "text = onward\n"
    "start = after cac-central/report\n"
    "within = 1h\n"
    "[cac-other/report]\n"
    "text = others: to the provincial cyberspace office\n"
    "start = detected\n"
    "within = 4h\n"
    "[cac-other/onward]\n"
    "text = onward\n"
    "start = after cac-other/report\n"
    "within = 1h\n";

/* ---- the table ---- */

static bool
parse_start(struct due_clock *c, const char *value)
{
	static const char *const words[DUE_STARTS] = { "occurred", "detected",
		"reported", "opened", "received" };
	size_t i;

	if (strncmp(value, "after ", 6) == 0 && strlen(value) <= DUE_NAME + 6) {
		snprintf(c->after, sizeof(c->after), "%s", value + 6);
		return c->after[0] != '\0';
	}
	c->after[0] = '\0';
	for (i = 0; i < DUE_STARTS; i++)
		if (strcmp(words[i], value) == 0) {
			c->start = (enum due_start)i;
			return true;
		}
	return false;
}

/* "30m", "24h", "3d", "1 month", "2 months" */
static bool
parse_within(struct due_clock *c, const char *value)
{
	static const struct {
		const char *unit;
		int64_t seconds;
		unsigned months;
	} units[] = { { "m", 60, 0 }, { "h", 3600, 0 }, { "d", 86400, 0 },
		{ " month", 0, 1 }, { " months", 0, 1 } };
	size_t i, n = strspn(value, "0123456789");
	uint64_t count;

	if (!num_parse(span_cut(span_of(value), 0, n), &count) || count == 0 ||
	    count > 1000)
		return false;
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(value + n, units[i].unit) == 0) {
			c->seconds = (int64_t)count * units[i].seconds;
			c->months = (unsigned)count * units[i].months;
			return true;
		}
	return false;
}

static bool
copy(char *out, size_t size, const char *value)
{
	return snprintf(out, size, "%s", value) < (int)size;
}

static bool
take_key(struct due_clock *c, const char *key, const char *value)
{
	if (strcmp(key, "text") == 0)
		return copy(c->text, sizeof(c->text), value);
	if (strcmp(key, "start") == 0)
		return parse_start(c, value);
	if (strcmp(key, "within") == 0)
		return parse_within(c, value);
	if (strcmp(key, "precedence") == 0)
		return copy(c->precedence, sizeof(c->precedence), value);
	if (strcmp(key, "severity") == 0)
		return copy(c->severity, sizeof(c->severity), value);
	if (strcmp(key, "always") != 0)
		return false;
	c->always = strcmp(value, "yes") == 0;
	return c->always || strcmp(value, "no") == 0;
}

struct reading {
	struct due_table *t;
	struct due_clock *c;
	struct due_fault *f;
	char section[DUE_NAME + 2];
};

static struct due_clock *
find(const struct due_table *t, const char *name)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		if (strcmp(t->clock[i].name, name) == 0)
			return (struct due_clock *)(uintptr_t)&t->clock[i];
	return NULL;
}

static bool
wrong(struct reading *r, const char *what, const char *value)
{
	if (r->f->what[0] == '\0')
		snprintf(
		    r->f->what, sizeof(r->f->what), "%s: %.80s", what, value);
	return false;
}

/* A section begins its row anew, also one that is built in. */
static bool
begin_clock(struct reading *r, const char *section)
{
	const char *slash = strchr(section, '/');

	if (slash == NULL || slash == section || slash[1] == '\0' ||
	    strlen(section) > DUE_NAME ||
	    strspn(section, "abcdefghijklmnopqrstuvwxyz0123456789-/") !=
		strlen(section))
		return wrong(
		    r, "a clock is [regime/step] in lower case", section);
	r->c = find(r->t, section);
	if (r->c == NULL && r->t->n == DUE_CLOCKS)
		return wrong(r, "too many clocks", section);
	if (r->c == NULL)
		r->c = &r->t->clock[r->t->n++];
	*r->c = (struct due_clock){ .start = DUE_DETECTED };
	snprintf(r->c->name, sizeof(r->c->name), "%s", section);
	snprintf(r->section, sizeof(r->section), "%s", section);
	return true;
}

static int
take(void *arg, const char *section, const char *key, const char *value)
{
	struct reading *r = arg;

	if ((r->c == NULL || strcmp(section, r->section) != 0) &&
	    !begin_clock(r, section))
		return 0;
	return take_key(r->c, key, value) ? 1 : wrong(r, key, value);
}

static bool
whole(struct reading *r)
{
	size_t i;

	for (i = 0; i < r->t->n; i++) {
		const struct due_clock *c = &r->t->clock[i];

		if (c->seconds == 0 && c->months == 0)
			return wrong(r, "it has no `within`", c->name);
		if (c->after[0] != '\0' && find(r->t, c->after) == NULL)
			return wrong(r, "there is no clock", c->after);
	}
	return true;
}

enum tocsin_err
due_parse(struct due_table *t, struct span text, struct due_fault *f)
{
	struct due_table *work = malloc(sizeof(*work));
	char *copied = strndup(text.n > 0 ? (const char *)text.p : "", text.n);
	struct reading r = { .t = work, .f = f };
	enum tocsin_err err = TOCSIN_EINTERNAL;
	int line;

	memset(f, 0, sizeof(*f));
	if (work != NULL && copied != NULL) {
		*work = *t;
		line = ini_parse_string(copied, take, &r);
		f->line = line > 0 ? (unsigned)line : 0;
		if (line > 0)
			wrong(&r, "not understood", "this line");
		err = line == 0 && whole(&r) ? TOCSIN_OK : TOCSIN_EMALFORMED;
		if (err == TOCSIN_OK)
			*t = *work;
	}
	free(copied);
	free(work);
	return err;
}

static enum tocsin_err
load_one(struct due_table *t, const char *path, struct due_fault *f)
{
	struct buf b = { 0 };
	enum tocsin_err err = file_read(path, DUE_FILE_MAX, &b);

	if (err == TOCSIN_OK)
		err = due_parse(t, buf_span(&b), f);
	else if (err != TOCSIN_ENOTFOUND)
		snprintf(f->what, sizeof(f->what), "%s", tocsin_err_text(err));
	buf_release(&b);
	return err == TOCSIN_ENOTFOUND ? TOCSIN_OK : err;
}

enum tocsin_err
due_load(
    struct due_table *t, const char *home, struct due_fault *f, char file[600])
{
	enum tocsin_err err;

	t->n = 0;
	snprintf(file, 600, "%s", SYSTEM_TABLE);
	err = due_parse(t, span_of(due_builtin), f);
	if (err == TOCSIN_OK)
		err = load_one(t, file, f);
	if (err != TOCSIN_OK)
		return err;
	snprintf(file, 600, "%s/clocks.conf", home);
	return load_one(t, file, f);
}

/* ---- time ---- */

static int
days_of(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30,
		31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return month == 1 && leap ? 29 : days[month];
}

int64_t
due_add_months(int64_t t, unsigned months)
{
	time_t when = (time_t)t;
	struct tm tm;
	int last;

	if (gmtime_r(&when, &tm) == NULL)
		return t;
	tm.tm_mon += (int)(months % 12);
	tm.tm_year += (int)(months / 12) + tm.tm_mon / 12;
	tm.tm_mon %= 12;
	last = days_of(tm.tm_year + 1900, tm.tm_mon);
	if (tm.tm_mday > last)
		tm.tm_mday = last;
	return (int64_t)timegm(&tm);
}

/* ---- what runs ---- */

struct folding {
	const struct due_table *t;
	const struct due_ticket *ticket;
	const struct due_mark *mark;
	size_t nmark;
};

static bool
is_regime(const struct due_clock *c, const char *regime)
{
	size_t n = strcspn(c->name, "/");

	return strlen(regime) == n && strncmp(c->name, regime, n) == 0;
}

static bool
later(const struct due_mark *a, const struct due_mark *b)
{
	return a->said != b->said ? a->said > b->said
				  : strcmp(a->id, b->id) > 0;
}

/* The last word on a regime: that it runs, or does not. */
static const struct due_mark *
last_word(const struct folding *f, const struct due_clock *c)
{
	const struct due_mark *last = NULL, *m;
	size_t i;

	for (i = 0; i < f->nmark; i++) {
		m = &f->mark[i];
		if (((m->start != NULL && is_regime(c, m->start)) ||
			(m->stop != NULL && is_regime(c, m->stop))) &&
		    (last == NULL || later(m, last)))
			last = m;
	}
	return last;
}

/* A duty is done once: the earliest time counts. */
static int64_t
done_at(const struct folding *f, const char *name)
{
	int64_t done = 0, at;
	size_t i;

	for (i = 0; i < f->nmark; i++)
		if (f->mark[i].done != NULL &&
		    strcmp(f->mark[i].done, name) == 0) {
			at = f->mark[i].at != 0 ? f->mark[i].at
						: f->mark[i].said;
			if (done == 0 || at < done)
				done = at;
		}
	return done;
}

static bool
has_word(const char *list, const char *word)
{
	size_t n = word != NULL ? strlen(word) : 0, len;

	for (; n > 0 && *list != '\0'; list += len + (list[len] != '\0')) {
		len = strcspn(list, ",");
		while (*list == ' ' && len > 0) {
			list++;
			len--;
		}
		if (len == n && strncmp(list, word, n) == 0)
			return true;
	}
	return false;
}

static bool
runs_by_itself(const struct folding *f, const struct due_clock *c)
{
	return c->always || has_word(c->precedence, f->ticket->precedence) ||
	       has_word(c->severity, f->ticket->severity);
}

static int64_t
first_time(const struct due_ticket *t, enum due_start start)
{
	unsigned i;

	for (i = start; i < DUE_STARTS; i++)
		if (t->start[i] != 0)
			return t->start[i];
	return t->start[DUE_OPENED];
}

static int64_t due_of(const struct folding *f, const struct due_clock *c,
    const struct due_mark *word, unsigned depth, int64_t *started);

/* Done, or when it must be: the next one counts from there. */
static int64_t
start_of(const struct folding *f, const struct due_clock *c,
    const struct due_mark *word, unsigned depth)
{
	const struct due_clock *before =
	    c->after[0] != '\0' ? find(f->t, c->after) : NULL;
	int64_t done, started;

	if (before != NULL && depth < DUE_CLOCKS) { /* a circle ends, too */
		done = done_at(f, before->name);
		return done != 0 ? done
				 : due_of(f, before, word, depth + 1, &started);
	}
	if (word != NULL && word->at != 0)
		return word->at;
	return first_time(f->ticket, c->start);
}

static int64_t
due_of(const struct folding *f, const struct due_clock *c,
    const struct due_mark *word, unsigned depth, int64_t *started)
{
	*started = start_of(f, c, word, depth);
	return c->months > 0 ? due_add_months(*started, c->months)
			     : *started + c->seconds;
}

static int
by_due(const void *a, const void *b)
{
	const struct tocsin_deadline *x = a, *y = b;

	if (x->due != y->due)
		return x->due < y->due ? -1 : 1;
	return strcmp(x->clock, y->clock);
}

enum tocsin_err
due_fold(struct tocsin_deadline **out, size_t *n, const struct due_table *t,
    const struct due_ticket *ticket, const struct due_mark *mark, size_t nmark)
{
	const struct folding f = { t, ticket, mark, nmark };
	size_t i;

	*n = 0;
	*out = calloc(t->n + 1, sizeof(**out));
	if (*out == NULL)
		return TOCSIN_EINTERNAL;
	for (i = 0; i < t->n; i++) {
		const struct due_clock *c = &t->clock[i];
		const struct due_mark *word = last_word(&f, c);
		struct tocsin_deadline *d = &(*out)[*n];

		if (word != NULL ? word->start == NULL : !runs_by_itself(&f, c))
			continue;
		d->clock = c->name;
		d->text = c->text;
		d->due = due_of(&f, c, word, 0, &d->started);
		d->done = done_at(&f, c->name);
		++*n;
	}
	qsort(*out, *n, sizeof(**out), by_due);
	return TOCSIN_OK;
}
