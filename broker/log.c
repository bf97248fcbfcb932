/* SPDX-License-Identifier: ISC */
#include "broker/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const level_names[] = { "debug", "info", "warn", "error" };

static _Atomic int out_fd = STDERR_FILENO;
static _Atomic int least = LOG_INFO;

/* A line being made. What does not fit as a whole is undone by the caller. */
struct line {
	char text[LOG_LINE_MAX];
	size_t n;
	size_t room; /* of text; the end is kept for cut=1 and the newline */
	bool full;
};

static void
put(struct line *l, const char *s, size_t n)
{
	if (l->full || n > l->room - l->n) {
		l->full = true;
		return;
	}
	memcpy(l->text + l->n, s, n);
	l->n += n;
}

static void
putz(struct line *l, const char *s)
{
	put(l, s, strlen(s));
}

static void __attribute__((format(printf, 2, 3)))
putf(struct line *l, const char *fmt, ...)
{
	char s[64];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(s, sizeof(s), fmt, ap);
	va_end(ap);
	if (n > 0)
		put(l, s, (size_t)n < sizeof(s) ? (size_t)n : sizeof(s) - 1);
}

static bool
stands_bare(struct span s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (!(s.p[i] >= '0' && s.p[i] <= '9') &&
		    !(s.p[i] >= 'a' && s.p[i] <= 'z') &&
		    !(s.p[i] >= 'A' && s.p[i] <= 'Z') &&
		    (s.p[i] == '\0' || strchr("-._:/@+", s.p[i]) == NULL))
			return false;
	return s.n > 0;
}

static void
put_text(struct line *l, struct span s, size_t max)
{
	size_t i, shown = s.n < max ? s.n : max;

	if (s.n <= max && stands_bare(s)) {
		put(l, (const char *)s.p, s.n);
		return;
	}
	put(l, "\"", 1);
	for (i = 0; i < shown; i++) {
		char c = (char)s.p[i];

		if (c == '"' || c == '\\')
			putf(l, "\\%c", c);
		else if (c >= 0x20 && c <= 0x7e)
			put(l, &c, 1);
		else
			putf(l, "\\x%02x", s.p[i]);
	}
	if (shown < s.n)
		putf(l, "\\+%zu", s.n - shown);
	put(l, "\"", 1);
}

static void
put_hex(struct line *l, struct span s)
{
	size_t i, shown = s.n < LOG_HEX_MAX ? s.n : LOG_HEX_MAX;

	for (i = 0; i < shown; i++)
		putf(l, "%02x", s.p[i]);
	if (shown < s.n)
		putf(l, "+%zu", s.n - shown);
}

static void
put_errno(struct line *l, int e)
{
	char text[128];

	/* The GNU strerror_r, which may answer with a text of its own. */
	put_text(l, span_of(strerror_r(e, text, sizeof(text))), LOG_OWN_MAX);
}

static void
put_value(struct line *l, const struct log_field *f)
{
	switch (f->type) {
	case LOG_T_NONE:
		break;
	case LOG_T_TEXT:
		put_text(l, f->v.span, LOG_TEXT_MAX);
		break;
	case LOG_T_OWN:
		put_text(l, f->v.span, LOG_OWN_MAX);
		break;
	case LOG_T_UINT:
		putf(l, "%" PRIu64, f->v.u);
		break;
	case LOG_T_INT:
		putf(l, "%" PRId64, f->v.i);
		break;
	case LOG_T_HEX:
		put_hex(l, f->v.span);
		break;
	case LOG_T_ERR:
		putz(l, tocsin_err_name((enum tocsin_err)f->v.i));
		break;
	case LOG_T_ERRNO:
		put_errno(l, (int)f->v.i);
		break;
	}
}

/* All of a field or nothing: half of a value could read as another one. */
static void
put_field(struct line *l, const struct log_field *f)
{
	size_t before = l->n;

	if (f->type == LOG_T_NONE || l->full)
		return;
	put(l, " ", 1);
	putz(l, f->key);
	put(l, "=", 1);
	put_value(l, f);
	if (l->full)
		l->n = before;
}

static void
put_start(struct line *l, enum log_level level, const char *event)
{
	struct timespec now;
	struct tm tm;
	char day[32];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
	putf(l, "time=%s.%03ldZ level=%s event=", day, now.tv_nsec / 1000000,
	    level_names[level]);
	putz(l, event);
}

void
log_fields(enum log_level level, const char *event, size_t n,
    const struct log_field *fields)
{
	static const char cut[] = " cut=1";
	int kept = errno;
	struct line l;
	size_t i;

	if ((int)level < least)
		return;
	l.n = 0;
	l.full = false;
	l.room = sizeof(l.text) - sizeof(cut) - 1;
	put_start(&l, level, event);
	for (i = 0; i < n; i++)
		put_field(&l, &fields[i]);
	l.room = sizeof(l.text);
	if (l.full) {
		l.full = false;
		putz(&l, cut);
	}
	put(&l, "\n", 1);
	while (write(out_fd, l.text, l.n) < 0 && errno == EINTR)
		;
	errno = kept;
}

bool
log_allow(struct log_limit *limit, uint64_t *missed)
{
	struct timespec ts;
	int64_t now;
	bool allow;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	now = (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000 + 1;

	pthread_mutex_lock(&limit->lock);
	if (limit->opened == 0 || now - limit->opened >= limit->window_ms) {
		limit->opened = now;
		limit->used = 0;
	}
	allow = limit->used < limit->burst;
	if (allow) {
		limit->used++;
		*missed = limit->suppressed;
		limit->suppressed = 0;
	} else {
		limit->suppressed++;
	}
	pthread_mutex_unlock(&limit->lock);
	return allow;
}

struct log_field
log_missed(uint64_t n)
{
	return n > 0 ? LOG_U("suppressed", n) : LOG_END;
}

void
log_open(int fd, enum log_level level)
{
	out_fd = fd;
	least = (int)level;
}

bool
log_level_parse(const char *name, enum log_level *level)
{
	size_t i;

	for (i = 0; i < sizeof(level_names) / sizeof(level_names[0]); i++)
		if (strcmp(name, level_names[i]) == 0) {
			*level = (enum log_level)i;
			return true;
		}
	return false;
}
