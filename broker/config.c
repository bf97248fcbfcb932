/* SPDX-License-Identifier: ISC */
#include "broker/config.h"

#include "broker/accept.h"
#include "broker/door.h"
#include "broker/exercise.h"
#include "broker/file.h"
#include "broker/log.h"

#include <ini.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a value is; those up to EXERCISES are strings. */
enum type {
	FEDERATION,
	NATION,
	LABEL,
	FOLDER,
	ADDRESS,
	URL,
	KINDS,
	LABELS,
	EXERCISES,
	LEVEL,
	YESNO,
	COUNT,
	SIZE,
	TIME,
	RATE,
};

#define K UINT64_C(1024)
#define M (K * K)
#define G (K * M)
#define T (K * G)
#define SECOND UINT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define KBIT UINT64_C(1000)
#define MBIT (1000 * KBIT)
#define GBIT (1000 * MBIT)

struct row {
	const char *section;
	const char *key;
	enum type type;
	const char *preset; /* NULL: must be given */
	uint64_t min;
	uint64_t max;
	size_t at;
	const char *help;
};

#define ROW(section, key, field, type, preset, min, max, help) \
	{                                                      \
		section, key, type, preset, min, max,          \
		    offsetof(struct config, field), help       \
	}
#define TEXT(section, key, type, preset, help) \
	ROW(section, #key, key, type, preset, 0, 0, help)

/* Order of tocsind.conf(5), which a test compares with this. */
/* clang-format off */
static const struct row rows[] = {
	TEXT("broker", federation, FEDERATION, NULL,
	    "The federation, as the roster names it."),
	TEXT("broker", nation, NATION, NULL,
	    "The nation that this broker serves."),
	TEXT("broker", name, LABEL, NULL,
	    "This broker, as the roster names it."),
	TEXT("broker", state, FOLDER, NULL,
	    "Folder of keys, store and sockets; an absolute path, mode 0700."),
	TEXT("broker", listen, ADDRESS, "0.0.0.0:7401",
	    "Where clients and other brokers are let in, host:port."),
	TEXT("broker", url, URL, NULL,
	    "How they dial it, tcp://host:port; - if nobody can."),
	ROW("broker", "log", log, LEVEL, "info", 0, 0,
	    "Least level that is logged: debug, info, warn or error."),
	ROW("broker", "canary", canary, YESNO, "yes", 0, 1,
	    "End, to be restarted, when the transport library is stuck."),

	ROW("store", "map", map, SIZE, "64g", 16 * M, 16 * T,
	    "Largest size of the log; posts are refused beyond it."),
	ROW("store", "prealloc", prealloc, SIZE, "0", 0, 16 * T,
	    "What is reserved on the disk at the start."),
	ROW("store", "readers", readers, COUNT, "64", 16, 65536,
	    "Readers of the log at the same time."),
	ROW("store", "batch", batch, COUNT, "200", 1, 4096,
	    "Posts in one commit at most."),
	ROW("store", "keep", keep, TIME, "400d", SECOND, 36500 * DAY,
	    "Tickets older than this are erased; keep.LABEL: those of a label."),
	ROW("store", "keep-unread", keep_unread, TIME, "800d", SECOND,
	    36500 * DAY,
	    "What a member or peer has not fetched is kept until this age."),
	ROW("store", "check", check, TIME, "7d", 0, 36500 * DAY,
	    "All of the log is read for damage once in this time, 0: never."),

	ROW("limits", "contexts", contexts, COUNT, "1024", 16, 65536,
	    "Requests in hand at once, those that wait included."),
	ROW("limits", "reserve", reserve, COUNT, "128", 4, 65536,
	    "Of these, kept for requests that don't wait."),
	ROW("limits", "connections", connections, COUNT, "8192", 4, 1000000,
	    "Connections."),
	ROW("limits", "per-source", per_source, COUNT, "512", 1, 1000000,
	    "Connections from one IPv4 address or IPv6 /64."),
	ROW("limits", "source-rate", source_rate, COUNT, "200", 1, 1000000,
	    "New connections from one source per second ..."),
	ROW("limits", "source-burst", source_burst, COUNT, "800", 1, 1000000,
	    "... after this many at once."),
	ROW("limits", "idle", idle, TIME, "10m", MINUTE, DAY,
	    "A connection that says nothing for so long is ended."),
	ROW("limits", "handshakes", handshakes, COUNT, "1000", 1, 1000000,
	    "New links per second."),
	ROW("limits", "half-open", half_open, COUNT, "4096", 16, 1000000,
	    "Links that are being opened."),
	ROW("limits", "sessions", sessions, COUNT, "65536", 16, 10000000,
	    "Links."),
	ROW("limits", "strangers", strangers, COUNT, "1024", 1, 1000000,
	    "Links of devices that are not announced yet."),
	ROW("limits", "per-device", per_device, COUNT, "16", 1, 1024,
	    "Links of one device or broker."),
	ROW("limits", "parks", parks, COUNT, "4", 1, 64,
	    "Requests of one device that wait for news."),
	ROW("limits", "queue", queue, COUNT, "4096", 16, 1000000,
	    "Posts that wait for a commit."),
	ROW("limits", "post-rate", post_rate, COUNT, "0", 0, 1000000,
	    "Posts of one member per second, 0: any number ..."),
	ROW("limits", "post-burst", post_burst, COUNT, "2000", 1, 1000000,
	    "... after this many at once."),
	ROW("limits", "member-day", member_day, SIZE, "16g", 0, 16 * T,
	    "Bytes that one member may post in a day, 0: any number."),
	ROW("limits", "part-max", part_max, SIZE, "4g", 4 * K, 4 * G,
	    "Size of one part of a ticket."),
	ROW("limits", "staged", staged, COUNT, "16", 0, 4096,
	    "Bodies of one member that were put and are not posted yet ..."),
	ROW("limits", "staged-for", staged_for, TIME, "1d", MINUTE, 30 * DAY,
	    "... which are dropped after this time."),

	ROW("relay", "window", window, SIZE, "1m", 32 * K, 64 * M,
	    "Bytes that another broker may have on the way to this one."),

	ROW("exercise", "carry", carry, EXERCISES, "all", 0, 0,
	    "Exercises that are carried: all, none, or their names."),
	ROW("exercise", "live", live, YESNO, "yes", 0, 1,
	    "Carry what is real; no: a broker for exercises alone."),
	ROW("exercise", "quota", exercise_quota, SIZE, "2g", 0, 16 * T,
	    "Bytes kept of all exercises together, 0: any number."),
	ROW("exercise", "post-rate", exercise_rate, COUNT, "10", 0, 1000000,
	    "Posts of one member in exercises per second, 0: any number ..."),
	ROW("exercise", "post-burst", exercise_burst, COUNT, "200", 1, 1000000,
	    "... after this many at once."),

	ROW("accept", "largest-body", largest_body, SIZE, "1m", 8 * K, M,
	    "Size of a ticket's body from another broker."),
	ROW("accept", "largest-part", largest_part, SIZE, "4g", 0, 4 * G,
	    "Size of a part from another broker, 0: none is taken."),
	ROW("accept", "refuse-kinds", kinds_refused, KINDS, "-", 0, 0,
	    "Kinds of messages that are not taken from abroad."),
	ROW("accept", "refuse-labels", labels_refused, LABELS, "-", 0, 0,
	    "Labels of tickets that are not taken from abroad."),
	ROW("accept", "quota", quota, SIZE, "16g", 0, 16 * T,
	    "Bytes kept of what one broker abroad sent, 0: any number."),
	ROW("accept", "member-quota", member_quota, SIZE, "8g", 0, 16 * T,
	    "Bytes kept of what one member abroad sent, 0: any number."),
};
/* clang-format on */

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

/* Of a section "peer NAME"; `at` is within struct config_peer. */
static const struct row peer_rows[] = {
	{ "peer NAME", "rate", RATE, "0", 0, 1000 * GBIT,
	    offsetof(struct config_peer, rate),
	    "Bits per second that go to that broker, 0: any number." },
	{ "peer NAME", "quota", SIZE, "0", 0, 16 * T,
	    offsetof(struct config_peer, quota),
	    "Bytes kept of what that broker sent, 0: as [accept] says." },
};

enum { PEER_ROWS = sizeof(peer_rows) / sizeof(peer_rows[0]) };

static const char *const levels[] = { "debug", "info", "warn", "error" };

static const struct {
	enum type type;
	const char *unit;
	uint64_t factor;
} units[] = {
	{ SIZE, "g", G },
	{ SIZE, "m", M },
	{ SIZE, "k", K },
	{ SIZE, "", 1 },
	{ TIME, "d", DAY },
	{ TIME, "h", HOUR },
	{ TIME, "m", MINUTE },
	{ TIME, "s", SECOND },
	{ TIME, "ms", 1 },
	{ COUNT, "", 1 },
	{ RATE, "gbit", GBIT },
	{ RATE, "mbit", MBIT },
	{ RATE, "kbit", KBIT },
	{ RATE, "bit", 1 },
};

enum { UNITS = sizeof(units) / sizeof(units[0]) };

static enum tocsin_err __attribute__((format(printf, 2, 3)))
fault_set(struct config_fault *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);
	return TOCSIN_EMALFORMED;
}

/* ---- values ---- */

static char *
text_at(void *base, const struct row *r)
{
	return (char *)base + r->at;
}

static void
number_set(void *base, const struct row *r, uint64_t v)
{
	memcpy((char *)base + r->at, &v, sizeof(v));
}

static uint64_t
number_get(const void *base, const struct row *r)
{
	uint64_t v;

	memcpy(&v, (const char *)base + r->at, sizeof(v));
	return v;
}

static bool
is_folder(struct span s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (s.p[i] < 0x20 || s.p[i] == 0x7f)
			return false;
	return s.n > 0 && s.n <= CONFIG_PATH_MAX && s.p[0] == '/';
}

/* As a url's, but port 0 is any that is free, and the host may be left out. */
static bool
is_address(struct span s)
{
	char url[URL_MAX + 16];
	size_t n = s.n;

	if (n > URL_MAX)
		return false;
	if (n > 2 && s.p[n - 1] == '0' && s.p[n - 2] == ':')
		n--;
	snprintf(url, sizeof(url), "tcp://%s%.*s%s",
	    s.n > 0 && s.p[0] == ':' ? "any" : "", (int)n, (const char *)s.p,
	    n < s.n ? "1" : "");
	return name_url(span_of(url));
}

static bool
is_list(struct span s, bool (*take)(struct msg_accept *, const char *))
{
	struct msg_accept a;
	char words[CONFIG_WORDS_MAX + 1];

	if (s.n == 0 || s.n >= sizeof(words))
		return false;
	memcpy(words, s.p, s.n);
	words[s.n] = '\0';
	return take(&a, words);
}

static bool
is_kinds(struct span s)
{
	return is_list(s, accept_kinds);
}

static bool
is_labels(struct span s)
{
	return is_list(s, accept_labels);
}

static bool
is_exercises(struct span s)
{
	struct exercise_rules r;
	char words[CONFIG_EXERCISES_MAX + 1];

	if (s.n == 0 || s.n >= sizeof(words))
		return false;
	memcpy(words, s.p, s.n);
	words[s.n] = '\0';
	return exercise_rules_parse(&r, words);
}

/* clang-format off */
static const struct string_type {
	bool (*is)(struct span s);
	size_t size;
	const char *what;
} string_types[] = {
	[FEDERATION] = { name_federation, FEDERATION_MAX + 1,
	    "a federation's name, such as asean.example" },
	[NATION] = { name_nation, NATION_MAX + 1,
	    "a nation's code in lower case, such as my" },
	[LABEL] = { name_broker, LABEL_MAX + 1,
	    "a broker's name, such as my or my-2" },
	[FOLDER] = { is_folder, CONFIG_PATH_MAX + 1,
	    "an absolute path" },
	[ADDRESS] = { is_address, URL_MAX + 1,
	    "host:port, such as 0.0.0.0:7401 or [::]:7401" },
	[URL] = { name_url_opt, URL_MAX + 1,
	    "tcp://host:port, or -" },
	[KINDS] = { is_kinds, CONFIG_WORDS_MAX + 1,
	    "a list of kinds, such as \"query share\", or -" },
	[LABELS] = { is_labels, CONFIG_WORDS_MAX + 1,
	    "a list of up to 16 labels, such as \"personal-data\", or -" },
	[EXERCISES] = { is_exercises, CONFIG_EXERCISES_MAX + 1,
	    "all, none, or up to 16 names, such as \"Tabletop.2026\"" },
};
/* clang-format on */

static enum tocsin_err
string_parse(
    void *base, const struct row *r, const char *value, struct config_fault *f)
{
	const struct string_type *t = &string_types[r->type];

	if (!t->is(span_of(value)))
		return fault_set(f, "[%s] %s: \"%.80s\" is not %s", r->section,
		    r->key, value, t->what);
	snprintf(text_at(base, r), t->size, "%s", value);
	return TOCSIN_OK;
}

static bool
word_parse(const struct row *r, const char *value, uint64_t *v)
{
	enum log_level level;

	if (r->type == LEVEL) {
		if (!log_level_parse(value, &level))
			return false;
		*v = level;
		return true;
	}
	*v = strcmp(value, "yes") == 0;
	return *v == 1 || strcmp(value, "no") == 0;
}

/* Digits and one of the type's units. */
static bool
number_parse(enum type type, const char *value, uint64_t *v)
{
	size_t n = strspn(value, "0123456789"), i;

	if (!num_parse((struct span){ (const uint8_t *)value, n }, v))
		return false;
	if ((type == TIME || type == RATE) && strcmp(value, "0") == 0)
		return true;
	for (i = 0; i < UNITS; i++)
		if (units[i].type == type &&
		    strcmp(value + n, units[i].unit) == 0)
			return !__builtin_mul_overflow(*v, units[i].factor, v);
	return false;
}

static void
number_print(struct buf *b, enum type type, uint64_t v)
{
	size_t i;

	if (type == LEVEL || type == YESNO) {
		buf_addz(b, type == LEVEL ? levels[v & 3] : (v ? "yes" : "no"));
		return;
	}
	for (i = 0; i < UNITS; i++)
		if (units[i].type == type && v % units[i].factor == 0 &&
		    (v > 0 || units[i].factor == 1))
			break;
	buf_addf(b, "%" PRIu64 "%s", v / units[i].factor,
	    v > 0 ? units[i].unit : "");
}

static enum tocsin_err
range_fault(const struct row *r, const char *value, struct config_fault *f)
{
	struct buf b = { 0 };

	number_print(&b, r->type, r->min);
	buf_addz(&b, " to ");
	number_print(&b, r->type, r->max);
	if (buf_ok(&b))
		fault_set(f, "[%s] %s: \"%.80s\" is not within %.*s",
		    r->section, r->key, value, (int)b.n, (const char *)b.p);
	buf_release(&b);
	return TOCSIN_EMALFORMED;
}

static enum tocsin_err
value_parse(
    void *base, const struct row *r, const char *value, struct config_fault *f)
{
	static const char *const what[] = {
		[LEVEL] = "debug, info, warn or error",
		[YESNO] = "yes or no",
		[COUNT] = "a number",
		[SIZE] = "a size, such as 64k, 16m or 2g",
		[TIME] = "a duration, such as 500ms, 30s, 5m, 12h or 1d",
		[RATE] = "a rate, such as 64kbit, 2mbit or 1gbit",
	};
	uint64_t v;

	if (r->type <= EXERCISES)
		return string_parse(base, r, value, f);
	if (!(r->type <= YESNO ? word_parse(r, value, &v)
			       : number_parse(r->type, value, &v)))
		return fault_set(f, "[%s] %s: \"%.80s\" is not %s", r->section,
		    r->key, value, what[r->type]);
	if (r->type >= COUNT && (v < r->min || v > r->max))
		return range_fault(r, value, f);
	number_set(base, r, v);
	return TOCSIN_OK;
}

/* ---- keys ---- */

static const struct row *
row_find(const char *section, const char *key)
{
	const struct row *r;

	for (r = rows; r < rows + ROWS; r++)
		if (strcmp(r->section, section) == 0 &&
		    strcmp(r->key, key) == 0)
			return r;
	return NULL;
}

/* How many letters must be changed, added or left out (Levenshtein). */
static unsigned
distance(const char *a, const char *b)
{
	unsigned row[64], i, j, up, corner;
	size_t na = strlen(a), nb = strlen(b);

	if (na >= 64 || nb >= 64)
		return 64;
	for (j = 0; j <= nb; j++)
		row[j] = j;
	for (i = 1; i <= na; i++) {
		corner = row[0];
		row[0] = i;
		for (j = 1; j <= nb; j++) {
			up = row[j];
			row[j] = corner + (a[i - 1] != b[j - 1]);
			if (row[j] > up + 1)
				row[j] = up + 1;
			if (row[j] > row[j - 1] + 1)
				row[j] = row[j - 1] + 1;
			corner = up;
		}
	}
	return row[nb];
}

/* A key in the wrong section is one step away. */
static enum tocsin_err
unknown_key(const char *section, const char *key, struct config_fault *f)
{
	const struct row *r, *near = rows;
	unsigned least = 64, d;

	for (r = rows; r < rows + ROWS; r++) {
		d = distance(r->key, key) + (strcmp(r->section, section) != 0);
		if (d < least) {
			least = d;
			near = r;
		}
	}
	return fault_set(f,
	    "there is no key \"%.64s\" in [%.64s]; the nearest is %s in [%s]",
	    key, section, near->key, near->section);
}

/* ---- [peer NAME] ---- */

static const char *
peer_of(const char *section)
{
	return strncmp(section, "peer ", 5) == 0 ? section + 5 : NULL;
}

static struct config_peer *
peer_find(struct config *c, const char *name)
{
	size_t i;

	for (i = 0; i < c->npeer; i++)
		if (strcmp(c->peer[i].name, name) == 0)
			return &c->peer[i];
	return NULL;
}

static const struct row *
peer_row(const char *key)
{
	size_t i;

	for (i = 0; i < PEER_ROWS; i++)
		if (strcmp(peer_rows[i].key, key) == 0)
			return &peer_rows[i];
	return NULL;
}

static enum tocsin_err
peer_set(struct config *c, const char *name, const char *key, const char *value,
    struct config_fault *f)
{
	const struct row *r = peer_row(key);
	struct config_peer *p = peer_find(c, name);

	if (!name_broker(span_of(name)))
		return fault_set(f, "[peer %.64s]: that is not %s", name,
		    string_types[LABEL].what);
	if (!r)
		return fault_set(f,
		    "there is no key \"%.64s\" in [peer %.64s]; there are %s "
		    "and %s",
		    key, name, peer_rows[0].key, peer_rows[1].key);
	if (!p && c->npeer == CONFIG_PEERS)
		return fault_set(
		    f, "[peer %.64s]: more than %d peers", name, CONFIG_PEERS);
	if (!p) {
		p = &c->peer[c->npeer++];
		snprintf(p->name, sizeof(p->name), "%s", name);
	}
	return value_parse(p, r, value, f);
}

/* keep.LABEL = TIME, which stands beside the table: labels are open. */
#define KEEP "keep."

static bool
is_keep(const char *section, const char *key)
{
	return strcmp(section, "store") == 0 &&
	       strncmp(key, KEEP, strlen(KEEP)) == 0;
}

static enum tocsin_err
keep_set(struct config *c, const char *key, const char *value,
    struct config_fault *f)
{
	const char *label = key + strlen(KEEP);
	struct config_keep *k = &c->keep_label[c->nkeep];
	uint64_t ms;
	size_t i;

	if (!name_token(span_of(label)))
		return fault_set(
		    f, "[store] %.80s: \"%.60s\" is not a label", key, label);
	for (i = 0; i < c->nkeep; i++)
		if (strcmp(c->keep_label[i].label, label) == 0)
			return fault_set(f, "[store] %s: given twice", key);
	if (c->nkeep == CONFIG_LABELS)
		return fault_set(
		    f, "[store] %s: at most %d labels", key, CONFIG_LABELS);
	if (!number_parse(TIME, value, &ms) || ms < SECOND)
		return fault_set(f,
		    "[store] %s: \"%.80s\" is not a duration, such as 30d", key,
		    value);
	snprintf(k->label, sizeof(k->label), "%s", label);
	k->ms = ms;
	c->nkeep++;
	return TOCSIN_OK;
}

static void
keeps_print(struct buf *b, const struct config *c)
{
	size_t i;

	for (i = 0; i < c->nkeep; i++) {
		buf_addf(b, "\n" KEEP "%s = ", c->keep_label[i].label);
		number_print(b, TIME, c->keep_label[i].ms);
		buf_addz(b, "\n");
	}
}

enum tocsin_err
config_set(struct config *c, const char *section, const char *key,
    const char *value, struct config_fault *f)
{
	const struct row *r = row_find(section, key);
	const char *peer = peer_of(section);

	f->line = 0;
	if (peer)
		return peer_set(c, peer, key, value, f);
	if (is_keep(section, key))
		return keep_set(c, key, value, f);
	return r ? value_parse(c, r, value, f) : unknown_key(section, key, f);
}

void
config_defaults(struct config *c)
{
	struct config_fault f;
	const struct row *r;

	memset(c, 0, sizeof(*c));
	for (r = rows; r < rows + ROWS; r++)
		if (r->preset && value_parse(c, r, r->preset, &f))
			abort(); /* a row contradicts itself */
}

/* ---- the file ---- */

/*
 * inih hands over no line numbers, but asks for one line at a time, so the line
 * that it asked for last is the one that it talks about.
 */
struct reading {
	struct config *c;
	struct config_fault *fault;
	struct span rest;
	unsigned line;
	bool seen[ROWS];
	bool seen_peer[CONFIG_PEERS][PEER_ROWS];
	bool bad;
};

static void
spoil(struct reading *in, enum tocsin_err err)
{
	if (err && !in->bad) {
		in->bad = true;
		in->fault->line = in->line;
	}
}

/* Without leading blanks: to inih an indented line continues a value. */
static char *
next_line(char *out, int size, void *arg)
{
	struct reading *in = arg;
	const uint8_t *end;
	struct span line;

	if (in->rest.n == 0 || in->bad)
		return NULL;
	in->line++;
	end = memchr(in->rest.p, '\n', in->rest.n);
	line = span_cut(
	    in->rest, 0, end ? (size_t)(end - in->rest.p) : in->rest.n);
	in->rest = span_cut(in->rest, line.n + 1, in->rest.n);
	while (line.n > 0 && (line.p[0] == ' ' || line.p[0] == '\t'))
		line = span_cut(line, 1, line.n);
	if (line.n + 2 > (size_t)size ||
	    (line.n > 0 && memchr(line.p, 0, line.n)))
		spoil(in,
		    fault_set(in->fault, "the line is too long, or binary"));
	if (in->bad)
		return NULL;
	if (line.n > 0)
		memcpy(out, line.p, line.n);
	memcpy(out + line.n, "\n", 2);
	return out;
}

/* Where it is noted that a key was given; NULL: there is no such key. */
static bool *
note_of(struct reading *in, const char *section, const char *key)
{
	const char *name = peer_of(section);
	const struct row *r = name ? peer_row(key) : row_find(section, key);
	struct config_peer *p = name ? peer_find(in->c, name) : NULL;

	if (!r || (name && !p))
		return NULL;
	return name ? &in->seen_peer[p - in->c->peer][r - peer_rows]
		    : &in->seen[r - rows];
}

static bool
seen(struct reading *in, const char *section, const char *key)
{
	const bool *note = note_of(in, section, key);

	return note && *note;
}

static void
mark_seen(struct reading *in, const char *section, const char *key)
{
	bool *note = note_of(in, section, key);

	if (note)
		*note = true;
}

static int
take(void *arg, const char *section, const char *key, const char *value)
{
	struct reading *in = arg;
	enum tocsin_err err;

	if (in->bad)
		return 0;
	if (seen(in, section, key))
		err =
		    fault_set(in->fault, "[%s] %s: given twice", section, key);
	else
		err = config_set(in->c, section, key, value, in->fault);
	mark_seen(in, section, key);
	spoil(in, err);
	return err == TOCSIN_OK;
}

enum tocsin_err
config_parse(struct config *c, struct span text, struct config_fault *f)
{
	struct reading in = { .c = c, .fault = f, .rest = text };
	int line;

	memset(f, 0, sizeof(*f));
	config_defaults(c);
	line = ini_parse_stream(next_line, &in, take, &in);
	if (line < 0)
		return TOCSIN_EINTERNAL;
	if (!in.bad && line > 0) {
		f->line = (unsigned)line;
		return fault_set(
		    f, "this is neither [section] nor key = value");
	}
	return in.bad ? TOCSIN_EMALFORMED : config_check(c, f);
}

enum tocsin_err
config_read(struct config *c, const char *path, struct config_fault *f)
{
	struct buf b = { 0 };
	enum tocsin_err err;

	memset(f, 0, sizeof(*f));
	err = file_read(path, CONFIG_FILE_MAX, &b);
	if (!err)
		err = config_parse(c, buf_span(&b), f);
	buf_release(&b);
	return err;
}

enum tocsin_err
config_check(const struct config *c, struct config_fault *f)
{
	const char *longest = "/run/relay.ipc";
	const struct row *r;

	f->line = 0;
	for (r = rows; r < rows + ROWS; r++)
		if (!r->preset && *((const char *)c + r->at) == '\0')
			return fault_set(
			    f, "[%s] %s is missing", r->section, r->key);
	if (strlen(c->state) + strlen(longest) >= DOOR_PATH_MAX)
		return fault_set(f,
		    "[broker] state: at most %zu bytes, for the sockets in it",
		    DOOR_PATH_MAX - 1 - strlen(longest));
	if (c->reserve >= c->contexts)
		return fault_set(
		    f, "[limits] reserve: must be less than contexts");
	if (c->prealloc > c->map)
		return fault_set(f, "[store] prealloc: must not be above map");
	return TOCSIN_OK;
}

static void
row_print(struct buf *b, const struct row *r, const void *base)
{
	struct buf value = { 0 };

	if (r->type <= EXERCISES)
		buf_addz(&value, (const char *)base + r->at);
	else
		number_print(&value, r->type, number_get(base, r));
	buf_addf(b, "\n# %s\n", r->help);
	if (r->preset)
		buf_addf(b, "# Default: %s\n", r->preset);
	/* What is as it would be anyway stays a comment. */
	buf_addf(b, "%s%s = ",
	    r->preset && span_is(buf_span(&value), r->preset) ? "#" : "",
	    r->key);
	buf_add(b, buf_span(&value));
	buf_addz(b, "\n");
	if (!buf_ok(&value))
		b->failed = true;
	buf_release(&value);
}

/* How it would look, as a comment. */
static void
peer_print_none(struct buf *b)
{
	const struct config_peer none = { .rate = 0 };
	const struct row *r;

	buf_addz(b, "\n#[peer NAME]\n");
	for (r = peer_rows; r < peer_rows + PEER_ROWS; r++)
		row_print(b, r, &none);
}

void
config_print(struct buf *b, const struct config *c)
{
	const char *section = "";
	const struct row *r;
	size_t i;

	buf_addz(b, "# Configuration of tocsind(8); see tocsind.conf(5).\n"
		    "# After a change: tocsind check, and restart.\n");
	for (r = rows; r < rows + ROWS; r++) {
		if (strcmp(section, r->section) != 0)
			buf_addf(b, "\n[%s]\n", r->section);
		section = r->section;
		row_print(b, r, c);
		if (r->at == offsetof(struct config, keep_unread))
			keeps_print(b, c);
	}
	if (c->npeer == 0)
		peer_print_none(b);
	for (i = 0; i < c->npeer; i++) {
		buf_addf(b, "\n[peer %s]\n", c->peer[i].name);
		for (r = peer_rows; r < peer_rows + PEER_ROWS; r++)
			row_print(b, r, &c->peer[i]);
	}
}

void
config_path(
    char out[CONFIG_PATH_MAX + 1], const struct config *c, const char *name)
{
	if (snprintf(out, CONFIG_PATH_MAX + 1, "%s/%s", c->state, name) >
	    CONFIG_PATH_MAX)
		out[0] = '\0'; /* config_check() let no such path in */
}

bool
config_key(size_t i, struct config_key *out)
{
	const struct row *r = i < ROWS ? &rows[i] : &peer_rows[i - ROWS];

	if (i >= ROWS + PEER_ROWS)
		return false;
	*out = (struct config_key){ r->section, r->key, r->preset, r->help };
	return true;
}
