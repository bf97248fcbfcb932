/* SPDX-License-Identifier: ISC */
/*
 * log.h - the one writer of logs
 *
 * One event is one line and one write(2), so lines of several threads and of
 * the door, which shares our stderr, never mix:
 *
 *     time=2024-05-01T12:34:56.789Z level=warn event=session-refused
 *         peer="192.0.2.7:4711" reason=bad-signature		(one line)
 *
 * Texts may come from an enemy, who would like to write lines of his own. A
 * value of letters, digits and -._:/@+ stands bare; any other is quoted, and
 * within the quotes stand printable ASCII characters only: " and \ with a \
 * before, every other byte as \xHH, and after LOG_TEXT_MAX bytes \+N for the N
 * that were left out. So no text can end its value, let alone its line.
 *
 * Never log a key, a token, a plaintext or a signed text. Logging cannot fail
 * for its caller: a line that cannot be written is lost, errno is kept, nothing
 * is allocated. All may be called from any thread, in callbacks too.
 */
#ifndef TOCSIN_BROKER_LOG_H
#define TOCSIN_BROKER_LOG_H

#include "crypto/tocsin_err.h"
#include "crypto/wire.h"

#include <pthread.h>

#define LOG_TEXT_MAX 64	  /* bytes of another's text */
#define LOG_OWN_MAX 256	  /* bytes of a text of ours: a path, a reason */
#define LOG_HEX_MAX 32	  /* bytes shown as hex: a digest */
#define LOG_LINE_MAX 2048 /* fields beyond it are left out: cut=1 */

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

enum log_type {
	LOG_T_NONE,
	LOG_T_TEXT,
	LOG_T_OWN,
	LOG_T_UINT,
	LOG_T_INT,
	LOG_T_HEX,
	LOG_T_ERR,
	LOG_T_ERRNO,
};

struct log_field {
	const char *key; /* a literal of ours: [a-z0-9-]+ */
	enum log_type type;
	union {
		struct span span;
		uint64_t u;
		int64_t i;
	} v;
};

/*
 * The fields of an event. S takes a span that may hold anything, Z a C string
 * of our own making, X bytes to be shown as hex, ERR an enum tocsin_err
 * (reason=NAME), ERRNO an errno value (error="No such file or directory").
 */
#define LOG_S(k, s) LOG_FIELD(k, LOG_T_TEXT, .span = (s))
#define LOG_Z(k, z) LOG_FIELD(k, LOG_T_OWN, .span = span_of(z))
#define LOG_U(k, n) LOG_FIELD(k, LOG_T_UINT, .u = (n))
#define LOG_I(k, n) LOG_FIELD(k, LOG_T_INT, .i = (n))
#define LOG_X(k, s) LOG_FIELD(k, LOG_T_HEX, .span = (s))
#define LOG_ERR(e) LOG_FIELD("reason", LOG_T_ERR, .i = (e))
#define LOG_ERRNO(e) LOG_FIELD("error", LOG_T_ERRNO, .i = (e))
#define LOG_END ((struct log_field){ .type = LOG_T_NONE })
#define LOG_FIELD(k, t, ...) \
	((struct log_field){ .key = (k), .type = (t), .v = { __VA_ARGS__ } })

/*
 *     log_event(LOG_WARN, "session-refused", LOG_S("peer", addr),
 *         LOG_ERR(err), LOG_END);
 *
 * An event without fields has LOG_END alone.
 */
#define log_event(level, event, ...)                     \
	log_fields(level, event, LOG_COUNT(__VA_ARGS__), \
	    (const struct log_field[]){ __VA_ARGS__ })
#define LOG_COUNT(...) \
	(sizeof((struct log_field[]){ __VA_ARGS__ }) / sizeof(struct log_field))

void log_fields(enum log_level level, const char *event, size_t n,
    const struct log_field *fields);

/*
 * An event that an enemy can cause at will is limited: `burst` lines in each
 * window, and the first of a later window carries suppressed=N. One limit per
 * event, static:
 *
 *     static struct log_limit limit = LOG_LIMIT(10, 60000);
 *     log_limited(&limit, LOG_WARN, "session-refused", ..., LOG_END);
 */
struct log_limit {
	pthread_mutex_t lock;
	uint32_t burst;
	uint32_t window_ms;
	int64_t opened; /* ms of CLOCK_MONOTONIC; 0 before the first event */
	uint32_t used;
	uint64_t suppressed;
};

#define LOG_LIMIT(n, ms)                                         \
	{                                                        \
		.lock = PTHREAD_MUTEX_INITIALIZER, .burst = (n), \
		.window_ms = (ms)                                \
	}

#define log_limited(limit, level, event, ...)                \
	do {                                                 \
		uint64_t log_missed_ = 0;                    \
		if (log_allow(limit, &log_missed_))          \
			log_event(level, event, __VA_ARGS__, \
			    log_missed(log_missed_));        \
	} while (0)

/* False: be silent. Else *missed is what was left out since the last line. */
bool log_allow(struct log_limit *limit, uint64_t *missed);
struct log_field log_missed(uint64_t n); /* suppressed=N; for 0, nothing */

/* Before the first thread. Defaults: fd 2, LOG_INFO. Lower levels are mute. */
void log_open(int fd, enum log_level level);

/* "debug", "info", "warn", "error"; false for anything else. */
bool log_level_parse(const char *name, enum log_level *level);

#endif
