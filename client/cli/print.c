/* SPDX-License-Identifier: ISC */
#include "client/cli/print.h"

#include "client/cli/lookalike.h"
#include "crypto/text.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define BAD 0xfffdu
#define MARKS_MAX 3 /* combining marks on one letter */
#define TLP_WIDTH 16

/* ---- UTF-8 ---- */

/* The bytes after the first, or BAD. */
static uint32_t
continued(struct span s, size_t *i, uint32_t c, unsigned more, uint32_t least)
{
	size_t at = *i;
	unsigned k;

	for (k = 0; k < more; k++, at++) {
		if (at == s.n || (s.p[at] & 0xc0) != 0x80)
			return BAD;
		c = c << 6 | (s.p[at] & 0x3f);
	}
	if (c < least || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return BAD;
	*i = at;
	return c;
}

/* A bad byte is one bad character: what follows it is read anew. */
uint32_t
utf8_next(struct span s, size_t *i)
{
	uint8_t b = s.p[(*i)++];

	if (b < 0x80)
		return b;
	if (b >= 0xc2 && b <= 0xdf)
		return continued(s, i, b & 0x1f, 1, 0x80);
	if (b >= 0xe0 && b <= 0xef)
		return continued(s, i, b & 0x0f, 2, 0x800);
	if (b >= 0xf0 && b <= 0xf4)
		return continued(s, i, b & 0x07, 3, 0x10000);
	return BAD;
}

/* False: a byte of none. BAD itself is a character of three bytes. */
static bool
next_good(struct span s, size_t *i)
{
	const size_t at = *i;

	return utf8_next(s, i) != BAD || *i - at > 1;
}

bool
utf8_good(struct span s)
{
	size_t i = 0;

	while (i < s.n)
		if (!next_good(s, &i))
			return false;
	return true;
}

void
utf8_mend(struct buf *out, struct span s)
{
	size_t i = 0, at;

	while (i < s.n) {
		at = i;
		if (next_good(s, &i))
			buf_add(out, span_cut(s, at, i - at));
		else
			buf_addz(out, "\xef\xbf\xbd");
	}
}

/* ---- which characters ---- */

struct range {
	uint32_t from, to;
};

/* The ranges ascend. */
static bool
in_ranges(uint32_t c, const struct range *r, size_t n)
{
	size_t half;

	if (c < r[0].from)
		return false;
	for (; n > 0; n = half) {
		half = n / 2;
		if (c > r[half].to) {
			r += half + 1;
			half = n - half - 1;
		} else if (c >= r[half].from)
			return true;
	}
	return false;
}

#define IN(c, table) in_ranges(c, table, sizeof(table) / sizeof((table)[0]))

/* Control, direction, invisible, tag and format characters. */
static const struct range hostile[] = {
	{ 0x0000, 0x001f },   /* C0 */
	{ 0x007f, 0x009f },   /* DEL, C1 */
	{ 0x00ad, 0x00ad },   /* soft hyphen */
	{ 0x034f, 0x034f },   /* grapheme joiner */
	{ 0x061c, 0x061c },   /* Arabic letter mark */
	{ 0x115f, 0x1160 },   /* Hangul fillers */
	{ 0x17b4, 0x17b5 },   /* Khmer inherent vowels */
	{ 0x180b, 0x180f },   /* Mongolian selectors, vowel separator */
	{ 0x200b, 0x200f },   /* zero width, LRM, RLM */
	{ 0x2028, 0x202e },   /* line and paragraph separators, bidi */
	{ 0x2060, 0x206f },   /* joiners, isolates, deprecated formats */
	{ 0x3164, 0x3164 },   /* Hangul filler */
	{ 0xfeff, 0xfeff },   /* byte order mark */
	{ 0xffa0, 0xffa0 },   /* Hangul filler, half width */
	{ 0xfff0, 0xfffb },   /* annotations */
	{ 0xfffe, 0xffff },   /* no characters */
	{ 0x1bca0, 0x1bca3 }, /* shorthand formats */
	{ 0x1d173, 0x1d17a }, /* musical formats */
	{ 0xe0000, 0xe0fff }, /* tags, variation selectors */
};

/* What stacks upon the letter before it. */
static const struct range marks[] = {
	{ 0x0300, 0x036f },
	{ 0x0483, 0x0489 },
	{ 0x0591, 0x05bd },
	{ 0x0610, 0x061a },
	{ 0x064b, 0x065f },
	{ 0x0900, 0x0902 }, /* Devanagari */
	{ 0x093a, 0x093a },
	{ 0x093c, 0x093c },
	{ 0x0941, 0x0948 },
	{ 0x094d, 0x094d },
	{ 0x0951, 0x0957 },
	{ 0x0962, 0x0963 },
	{ 0x0e31, 0x0e31 }, /* Thai */
	{ 0x0e34, 0x0e3a },
	{ 0x0e47, 0x0e4e },
	{ 0x0eb1, 0x0eb1 }, /* Lao */
	{ 0x0eb4, 0x0ebc },
	{ 0x0ec8, 0x0ece },
	{ 0x102d, 0x1030 }, /* Myanmar */
	{ 0x1032, 0x1037 },
	{ 0x1039, 0x103a },
	{ 0x103d, 0x103e },
	{ 0x1058, 0x1059 },
	{ 0x105e, 0x1060 },
	{ 0x1071, 0x1074 },
	{ 0x1082, 0x1082 },
	{ 0x1085, 0x1086 },
	{ 0x108d, 0x108d },
	{ 0x109d, 0x109d },
	{ 0x17b7, 0x17bd }, /* Khmer */
	{ 0x17c6, 0x17c6 },
	{ 0x17c9, 0x17d3 },
	{ 0x17dd, 0x17dd },
	{ 0x1ab0, 0x1aff },
	{ 0x1dc0, 0x1dff },
	{ 0x20d0, 0x20ff },
	{ 0xfe00, 0xfe0f },
	{ 0xfe20, 0xfe2f },
};

bool
char_hostile(uint32_t c)
{
	return (c < 0x20 || c > 0x7e) && IN(c, hostile);
}

/* ---- printing ---- */

/* Walks a text and says what becomes of each character. */
struct walk {
	struct span s;
	size_t at;
	unsigned marks; /* in a row */
	struct lookalike odd;
	bool as_sent; /* letters that stand for others are not shown */
};

static uint32_t
step(struct walk *w, bool *raw)
{
	size_t at = w->at;
	uint32_t c = utf8_next(w->s, &w->at);

	w->marks = IN(c, marks) ? w->marks + 1 : 0;
	*raw = !char_hostile(c) && w->marks <= MARKS_MAX &&
	       (w->as_sent || !lookalike_odd(&w->odd, w->s, at, c));
	return c;
}

static void
put_utf8(FILE *to, uint32_t c)
{
	if (c < 0x80) {
		putc((int)c, to);
		return;
	}
	if (c < 0x800) {
		putc((int)(0xc0 | c >> 6), to);
	} else {
		if (c < 0x10000) {
			putc((int)(0xe0 | c >> 12), to);
		} else {
			putc((int)(0xf0 | c >> 18), to);
			putc((int)(0x80 | (c >> 12 & 0x3f)), to);
		}
		putc((int)(0x80 | (c >> 6 & 0x3f)), to);
	}
	putc((int)(0x80 | (c & 0x3f)), to);
}

static void
put_shown(FILE *to, uint32_t c, bool raw)
{
	if (raw)
		put_utf8(to, c);
	else
		fprintf(to, "<U+%04X>", (unsigned)c);
}

void
safe_span(FILE *to, struct span s, enum safe how)
{
	struct walk w = { .s = s };
	uint32_t c;
	bool raw;

	while (w.at < s.n) {
		c = step(&w, &raw);
		if (how == SAFE_BODY && (c == '\n' || c == '\t'))
			raw = true;
		put_shown(to, c, raw);
	}
}

void
safe_print(FILE *to, const char *s)
{
	if (s != NULL)
		safe_span(to, span_of(s), SAFE_LINE);
}

/* ---- width ---- */

/* What takes two columns. */
static const struct range wide[] = {
	{ 0x1100, 0x115e },
	{ 0x2e80, 0x303e },
	{ 0x3041, 0x4dbf },
	{ 0x4e00, 0xa4cf },
	{ 0xac00, 0xd7a3 },
	{ 0xf900, 0xfaff },
	{ 0xfe30, 0xfe6f },
	{ 0xff00, 0xff60 },
	{ 0xffe0, 0xffe6 },
	{ 0x1f300, 0x1faff },
	{ 0x20000, 0x3fffd },
};

/* Columns of a character as put_shown() writes it. */
static size_t
columns(uint32_t c, bool raw)
{
	if (!raw)
		return c < 0x10000 ? 8 : 10;
	if (c == '\t')
		return 8;
	if (IN(c, marks))
		return 0;
	return IN(c, wide) ? 2 : 1;
}

/* COLUMNS, which a person sets to say so, before what the terminal says. */
static size_t
columns_wanted(void)
{
	const char *typed = getenv("COLUMNS");
	uint64_t n = 0;

	if (typed == NULL || !num_parse(span_of(typed), &n) || n < 40 ||
	    n > 10000)
		return 0;
	return (size_t)n;
}

static size_t
terminal_width(void)
{
	struct winsize w;

	if (columns_wanted() > 0)
		return columns_wanted();
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) != 0 || w.ws_col < 40)
		return 80;
	return w.ws_col;
}

size_t
title_width(size_t column, size_t otherwise)
{
	size_t width = terminal_width();

	if (!isatty(STDOUT_FILENO) && columns_wanted() == 0)
		return otherwise;
	return width > column + 20 ? width - column : 20;
}

/* Gives the columns that it took. */
static size_t
title(FILE *to, const char *s, size_t width)
{
	struct walk w = { .s = span_of(s != NULL ? s : "") };
	size_t n = 0, more;
	uint32_t c;
	bool raw;

	while (w.at < w.s.n) {
		c = step(&w, &raw);
		more = columns(c, raw);
		if (n + more > width || (n + more == width && w.at < w.s.n)) {
			fputs("…", to);
			return n + 1;
		}
		put_shown(to, c, raw);
		n += more;
	}
	return n;
}

void
safe_title(FILE *to, const char *s, size_t width)
{
	(void)title(to, s, width);
}

void
safe_cell(FILE *to, const char *s, size_t width)
{
	size_t n = width > 0 ? title(to, s, width) : 0;

	for (; n < width; n++)
		putc(' ', to);
}

/* Columns up to the next space, or more than `most`. */
static size_t
word_columns(const struct walk *from, size_t most)
{
	struct walk w = *from;
	size_t n = 0;
	uint32_t c;
	bool raw;

	while (w.at < w.s.n && n <= most) {
		c = step(&w, &raw);
		if (c == ' ' || c == '\t')
			break;
		n += columns(c, raw);
	}
	return n;
}

static void
new_line(FILE *to, const char *margin, size_t indent, size_t *column)
{
	fprintf(to, "\n%s%*s", margin, (int)indent, "");
	*column = strlen(margin) + indent;
}

/* One line of theirs as as many of ours as it takes. */
static void
wrap(FILE *to, struct span s, enum safe how, const char *margin, size_t indent,
    size_t column)
{
	struct walk w = { .s = s };
	size_t width = terminal_width(), room;
	uint32_t c;
	bool raw;

	room = width - strlen(margin) - indent;
	while (w.at < s.n) {
		c = step(&w, &raw);
		if (how == SAFE_BODY && c == '\t')
			raw = true;
		if (c == ' ' && column + 1 + word_columns(&w, room) > width &&
		    word_columns(&w, room) <= room) {
			new_line(to, margin, indent, &column);
			continue;
		}
		if (column + columns(c, raw) > width)
			new_line(to, margin, indent, &column);
		put_shown(to, c, raw);
		column += columns(c, raw);
	}
}

void
safe_field(FILE *to, const char *s, size_t column)
{
	if (s != NULL)
		wrap(to, span_of(s), SAFE_LINE, "", column, column);
}

void
safe_body(FILE *to, const char *s, const char *margin)
{
	struct span rest = span_of(s != NULL ? s : "");

	while (rest.n > 0) {
		const uint8_t *lf = memchr(rest.p, '\n', rest.n);
		size_t n = lf != NULL ? (size_t)(lf - rest.p) : rest.n;

		fputs(margin, to);
		wrap(to, span_cut(rest, 0, n), SAFE_BODY, margin, 0,
		    strlen(margin));
		putc('\n', to);
		rest = span_cut(rest, lf != NULL ? n + 1 : n, rest.n);
	}
}

/* ---- JSON and times ---- */

static void
put_escape(FILE *to, uint32_t c)
{
	if (c < 0x10000) {
		fprintf(to, "\\u%04x", (unsigned)c);
		return;
	}
	c -= 0x10000;
	fprintf(to, "\\u%04x\\u%04x", (unsigned)(0xd800 | c >> 10),
	    (unsigned)(0xdc00 | (c & 0x3ff)));
}

void
safe_json(FILE *to, struct span s)
{
	struct walk w = { .s = s, .as_sent = true };
	uint32_t c;
	bool raw;

	while (w.at < s.n) {
		c = step(&w, &raw);
		if (raw)
			put_utf8(to, c);
		else
			put_escape(to, c);
	}
}

static bool lost;

bool
print_lost(void)
{
	return lost;
}

void
print_json(json_t *object)
{
	char *text = json_dumps(object, JSON_COMPACT);

	if (text != NULL) {
		safe_json(stdout, span_of(text));
		putc('\n', stdout);
	} else {
		lost = true;
	}
	free(text);
	json_decref(object);
}

void
print_time(FILE *to, int64_t t)
{
	time_t when = (time_t)t;
	struct tm utc, local;
	char text[64];

	if (t <= 0 || gmtime_r(&when, &utc) == NULL ||
	    localtime_r(&when, &local) == NULL) {
		fputs("-", to);
		return;
	}
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%SZ", &utc);
	fputs(text, to);
	if (local.tm_gmtoff == 0)
		return;
	strftime(text, sizeof(text),
	    local.tm_yday == utc.tm_yday ? " (%H:%M %z)" : " (%F %H:%M %z)",
	    &local);
	fputs(text, to);
}

void
print_span(FILE *to, int64_t seconds)
{
	long long s = seconds < 0 ? -(long long)seconds : seconds;

	if (s < 60)
		fprintf(to, "%llds", s);
	else if (s < 3600)
		fprintf(to, "%lldm", s / 60);
	else if (s < 86400)
		fprintf(to, "%lldh%02lldm", s / 3600, s / 60 % 60);
	else
		fprintf(to, "%lldd%02lldh", s / 86400, s / 3600 % 24);
}

/* ---- colour ---- */

static bool coloured;

void
colours_init(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	coloured = isatty(STDOUT_FILENO) && (no == NULL || no[0] == '\0') &&
		   term != NULL && strcmp(term, "dumb") != 0;
}

const char *
colour(enum colour c)
{
	static const char *const codes[] = { "\033[0m", "\033[1;31m",
		"\033[1;33m", "\033[1;32m", "\033[1;37m", "\033[1m",
		"\033[2m" };

	return coloured ? codes[c] : "";
}

void
print_tlp(FILE *to, const char *tlp)
{
	static const struct {
		const char *word;
		enum colour colour;
	} labels[] = { { "RED", RED }, { "AMBER+STRICT", AMBER },
		{ "AMBER", AMBER }, { "GREEN", GREEN }, { "CLEAR", WHITE } };
	size_t i, n = sizeof(labels) / sizeof(labels[0]);

	for (i = 0; i < n && strcmp(labels[i].word, tlp) != 0; i++)
		;
	/* A label that we don't know is shown as the strictest. */
	fprintf(to, "%sTLP:%s%s", colour(i < n ? labels[i].colour : RED),
	    i < n ? labels[i].word : "RED", colour(PLAIN));
	for (i = 4 + strlen(i < n ? labels[i].word : "RED"); i < TLP_WIDTH; i++)
		putc(' ', to);
}
