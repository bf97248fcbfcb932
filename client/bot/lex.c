/* SPDX-License-Identifier: ISC */
#include "client/bot/lex.h"

#include "client/vocab.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define GUESSED 40 /* bytes of a word that are compared */

/* ---- faults ---- */

/* Bytes that a terminal would obey don't get into a fault. */
static void
plain(char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			*s = '?';
}

static void
add(struct rules_faults *faults, const char *file, unsigned line,
    unsigned column, const char *instead, const char *fmt, va_list ap)
{
	struct rules_fault *f;

	if (faults->n == RULES_FAULTS)
		return;
	f = &faults->fault[faults->n++];
	memset(f, 0, sizeof(*f));
	f->line = line;
	f->column = column;
	snprintf(f->file, sizeof(f->file), "%s", file);
	snprintf(f->instead, sizeof(f->instead), "%s", instead);
	vsnprintf(f->what, sizeof(f->what), fmt, ap);
	plain(f->file);
	plain(f->instead);
	plain(f->what);
}

void
faults_add(struct rules_faults *faults, const char *file, unsigned line,
    unsigned column, const char *instead, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(faults, file, line, column, instead, fmt, ap);
	va_end(ap);
}

bool
lex_fault_at(struct lex *l, const struct lex_token *t, const char *instead,
    const char *fmt, ...)
{
	va_list ap;

	if (t->kind == LEX_BAD) /* was said */
		return false;
	va_start(ap, fmt);
	add(l->faults, l->file, t->line, t->column, instead, fmt, ap);
	va_end(ap);
	return false;
}

bool
lex_unknown(struct lex *l, const struct lex_token *t, const char *what,
    const char *best)
{
	char instead[160];

	snprintf(instead, sizeof(instead), "%s", best != NULL ? best : "");
	if (t->kind == LEX_LINE || t->kind == LEX_END)
		return lex_fault_at(
		    l, t, instead, "the line ends where %s should be", what);
	return lex_fault_at(l, t, instead, "`%.*s` is not %s",
	    t->s.n > 60 ? 60 : (int)t->s.n, (const char *)t->s.p, what);
}

void
rules_fault_print(
    struct buf *out, const char *file, const struct rules_fault *f)
{
	buf_addf(out, "%s:%u:%u: %s", f->file[0] != '\0' ? f->file : file,
	    f->line, f->column, f->what);
	if (f->instead[0] != '\0')
		buf_addf(out, "; right would be: %s", f->instead);
}

/* ---- tokens ---- */

struct lex
lex_init(struct span text, const char *file, struct rules_faults *faults,
    struct arena *arena)
{
	return (struct lex){ .all = text,
		.line = 1,
		.t = { .kind = LEX_LINE },
		.faults = faults,
		.file = file,
		.arena = arena };
}

static int
at(const struct lex *l, size_t i)
{
	return i < l->all.n ? l->all.p[i] : -1;
}

static bool
is_end(int c)
{
	return c == -1 || c == '\n';
}

static bool
is_blank(int c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Where blanks and a comment end: at a token, a line's end, or the end. */
static size_t
past_blanks(const struct lex *l, size_t i)
{
	while (is_blank(at(l, i)))
		i++;
	if (at(l, i) == '#')
		while (!is_end(at(l, i)))
			i++;
	return i;
}

static bool
is_word_byte(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') ||
	       (c > 0 && strchr("_@./:+*-{}%", c) != NULL);
}

/* A colon that nothing follows is none of the word's; an arrow neither. */
static size_t
word_end(const struct lex *l, size_t i)
{
	for (; is_word_byte(at(l, i)); i++) {
		if (at(l, i) == ':' && !is_word_byte(at(l, i + 1)))
			break;
		if (at(l, i) == '-' && at(l, i + 1) == '>')
			break;
	}
	return i;
}

static bool
word_is(const struct lex *l, size_t i, const char *word)
{
	size_t n = word_end(l, i) - i;

	return n == strlen(word) && memcmp(l->all.p + i, word, n) == 0;
}

/* Does the statement go on in the next line that has something? */
static bool
goes_on(const struct lex *l)
{
	size_t i = l->at;

	switch (l->t.kind) {
	case LEX_COMMA:
	case LEX_COLON:
	case LEX_ARROW:
	case LEX_OPEN:
		return true;
	case LEX_WORD:
		if (lex_is(l, "and") || lex_is(l, "or") || lex_is(l, "not"))
			return true;
		break;
	default:
		break;
	}
	while (at(l, i) == '\n')
		i = past_blanks(l, i + 1);
	if (l->depth > 0)
		return at(l, i) != '[' && at(l, i) != -1;
	return word_is(l, i, "and") || word_is(l, i, "or");
}

static void
give(struct lex *l, enum lex_kind kind, size_t end)
{
	l->t.kind = kind;
	l->t.s = span_cut(l->all, l->at, end - l->at);
	l->at = end;
}

static void
new_line(struct lex *l)
{
	l->at++;
	l->line++;
	l->line_start = l->at;
}

static void
give_text(struct lex *l)
{
	size_t i = l->at + 1;

	while (!is_end(at(l, i)) && at(l, i) != '"')
		i += at(l, i) == '\\' && !is_end(at(l, i + 1)) ? 2 : 1;
	if (at(l, i) == '"' && i + 1 - l->at <= RULES_TEXT) {
		give(l, LEX_TEXT, i + 1);
		return;
	}
	lex_fault_at(l, &l->t, at(l, i) == '"' ? "" : "\"...\"",
	    at(l, i) == '"' ? "a text of more than %u bytes"
			    : "a text is not closed before the line ends",
	    RULES_TEXT);
	give(l, LEX_BAD, is_end(at(l, i)) ? i : i + 1);
}

/* A single one, or one that a word processor has made of it. */
static bool
is_quote(const struct lex *l, size_t i)
{
	static const char *const quotes[] = { "'", "\xe2\x80\x98",
		"\xe2\x80\x99", "\xe2\x80\x9c", "\xe2\x80\x9d", "\xe2\x80\x9e",
		"\xc2\xab", "\xc2\xbb" };
	size_t k;

	for (k = 0; k < sizeof(quotes) / sizeof(quotes[0]); k++)
		if (l->all.n - i >= strlen(quotes[k]) &&
		    memcmp(l->all.p + i, quotes[k], strlen(quotes[k])) == 0)
			return true;
	return false;
}

/* What is left of the line is bad: what it was meant to be is not known. */
static void
give_rest(struct lex *l)
{
	size_t i = l->at;

	while (!is_end(at(l, i)))
		i++;
	give(l, LEX_BAD, i);
}

static void
give_sign(struct lex *l, int c)
{
	static const char signs[] = "(),:]";
	static const enum lex_kind kinds[] = { LEX_OPEN, LEX_CLOSE, LEX_COMMA,
		LEX_COLON, LEX_SECTION_END };
	const char *found = c > 0 ? strchr(signs, c) : NULL;

	if (found != NULL) {
		give(l, kinds[found - signs], l->at + 1);
		l->depth += c == '(';
		l->depth -= c == ')' && l->depth > 0;
		return;
	}
	if (is_quote(l, l->at)) {
		lex_fault_at(l, &l->t, "\"...\"",
		    "a text needs the quotes of a keyboard");
		give_rest(l);
		return;
	}
	lex_fault_at(l, &l->t,
	    !l->arguments && c > 0 && strchr("<>=!&|", c) != NULL
		? "is, is not, at least, at most, and, or, not"
	    : l->arguments ? "quotes around it; no shell reads this line"
			   : "put it into quotes",
	    c > ' ' && c < 0x7f ? "`%c` has no meaning here"
				: "a letter that has no meaning here",
	    c);
	give(l, LEX_BAD, l->at + 1);
}

void
lex_next(struct lex *l)
{
	bool first = l->t.kind == LEX_LINE;
	int c;

	l->last_end = l->at;
	for (;;) {
		l->at = past_blanks(l, l->at);
		c = at(l, l->at);
		if (c != '\n' || (!first && !goes_on(l)))
			break;
		new_line(l);
	}
	l->t.line = l->line;
	l->t.column = (unsigned)(l->at - l->line_start) + 1;
	if (c == -1) {
		/* An end is the end of a statement, too. */
		give(l, first ? LEX_END : LEX_LINE, l->at);
	} else if (c == '\n') {
		l->depth = 0;
		give(l, LEX_LINE, l->at);
	} else if (c == '"') {
		give_text(l);
	} else if (c == '[' && first) {
		give(l, LEX_SECTION, l->at + 1);
	} else if (c == '-' && at(l, l->at + 1) == '>') {
		give(l, LEX_ARROW, l->at + 2);
	} else if (word_end(l, l->at) > l->at) {
		give(l, LEX_WORD, word_end(l, l->at));
	} else {
		give_sign(l, c);
	}
}

void
lex_skip(struct lex *l)
{
	while (!is_end(at(l, l->at)))
		l->at++;
	l->depth = 0;
	l->t.kind = LEX_LINE;
	lex_next(l);
}

bool
lex_is(const struct lex *l, const char *word)
{
	return l->t.kind == LEX_WORD && span_is(l->t.s, word);
}

bool
lex_take(struct lex *l, const char *word)
{
	if (!lex_is(l, word))
		return false;
	lex_next(l);
	return true;
}

bool
lex_take_kind(struct lex *l, enum lex_kind kind)
{
	if (l->t.kind != kind)
		return false;
	lex_next(l);
	return true;
}

/* Where no word is near: all of them, if they are few. */
static const char *
listed(const char *(*name)(const void *arg, size_t i), const void *arg,
    const char *other, size_t n, char out[160])
{
	size_t i, at = 0;

	if (n == 0)
		return other;
	out[0] = '\0';
	for (i = 0; i < n && at + strlen(name(arg, i)) + 3 < 160; i++)
		at += (size_t)snprintf(out + at, 160 - at, "%s%s",
		    i > 0 ? ", " : "", name(arg, i));
	return i == n	       ? out
	       : other != NULL ? other
			       : "a word of tocsin-rules(5)";
}

int
lex_choose(struct lex *l, const char *(*name)(const void *arg, size_t i),
    const void *arg, const char *what, const char *other)
{
	char word[GUESSED + 1], all[160];
	struct guess g;
	size_t i;

	for (i = 0; name(arg, i) != NULL; i++)
		if (lex_take(l, name(arg, i)))
			return (int)i;
	snprintf(word, sizeof(word), "%.*s",
	    l->t.s.n > GUESSED ? GUESSED : (int)l->t.s.n,
	    l->t.s.n > 0 ? (const char *)l->t.s.p : "");
	g = guess_of(word);
	for (i = 0; name(arg, i) != NULL; i++)
		guess_at(&g, name(arg, i));
	if (2 * g.least > strlen(word)) /* nobody means that */
		g.best = listed(name, arg, other, i, all);
	lex_unknown(l, &l->t, what, g.best);
	return -1;
}

/* ---- strings ---- */

const char *
lex_text(struct lex *l, const struct lex_token *t)
{
	bool text = t->kind == LEX_TEXT;
	struct span s = text ? span_cut(t->s, 1, t->s.n - 2) : t->s;
	char *out = arena_text(l->arena, s);
	size_t i, n = 0;

	if (out == NULL) {
		l->no_memory = true;
		return NULL;
	}
	if (!text)
		return out;
	for (i = 0; i < s.n; i++) {
		char c = (char)s.p[i];

		if (c == '\\' && i + 1 < s.n) {
			c = (char)s.p[++i];
			c = c == 'n' ? '\n' : c;
		}
		out[n++] = c;
	}
	out[n] = '\0';
	return out;
}

const char *
lex_since(struct lex *l, const struct lex_token *from)
{
	size_t start = (size_t)(from->s.p - l->all.p), i, n = 0;
	char *out;

	if (l->last_end < start)
		return "";
	out =
	    arena_text(l->arena, span_cut(l->all, start, l->last_end - start));
	if (out == NULL) {
		l->no_memory = true;
		return "";
	}
	for (i = 0; out[i] != '\0'; i++) { /* one line, single blanks */
		bool blank = is_blank(out[i]) || out[i] == '\n';

		if (blank && n > 0 && out[n - 1] == ' ')
			continue;
		out[n++] = blank ? ' ' : out[i];
	}
	while (n > 0 && out[n - 1] == ' ')
		n--;
	out[n] = '\0';
	return out;
}
