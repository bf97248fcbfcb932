/* SPDX-License-Identifier: ISC */
#include "client/drill/script.h"

#include "client/cli/print.h"
#include "client/vocab.h"
#include "crypto/sha256.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const drill_mark_name[DRILL_MARKS] = { "delivered", "opened",
	"accepted", "refused", "answered", "result", "escalated", "closed" };

enum section { NOWHERE, DRILL, PLAYER, INJECT };

struct reader {
	struct script *s;
	struct script_fault *f;
	struct span rest;
	unsigned line;
	enum section in;
	unsigned seen; /* keys of this section, by their rows */
	struct script_player *player;
	struct script_inject *inject;
	const char *tlp, *precedence; /* of injects that say nothing */
	int64_t ackby;
	bool no_memory;
};

/* ---- faults ---- */

static bool wrong(struct reader *r, unsigned line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The first one counts. */
static bool
wrong(struct reader *r, unsigned line, const char *fmt, ...)
{
	va_list ap;

	if (r->f->what[0] != '\0')
		return false;
	va_start(ap, fmt);
	vsnprintf(r->f->what, sizeof(r->f->what), fmt, ap);
	va_end(ap);
	r->f->line = line;
	return false;
}

/* What was typed, as far as a line has room for it, and what it is not. */
static bool
wrong_value(struct reader *r, struct span value, const char *what)
{
	return wrong(r, r->line, "%.*s %s", value.n < 60 ? (int)value.n : 60,
	    (const char *)value.p, what);
}

/* With the word that was meant, if one is near enough to say so. */
static bool
no_such(
    struct reader *r, unsigned line, const char *what, const struct guess *g)
{
	size_t n = strlen(g->typed);

	if (g->best != NULL && g->least <= 1 + n / 3)
		return wrong(r, line, "%s: %.60s; is it %.60s?", what, g->typed,
		    g->best);
	return wrong(r, line, "%s: %.60s", what, g->typed);
}

static bool
out_of_memory(struct reader *r)
{
	r->no_memory = true;
	return wrong(r, r->line, "no memory");
}

/* ---- words ---- */

static struct span
trim(struct span s)
{
	while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = span_cut(s, 1, s.n);
	while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

static const char *
keep(struct reader *r, struct span s)
{
	const char *copy = arena_text(&r->s->arena, s);

	if (copy == NULL)
		(void)out_of_memory(r);
	return copy;
}

/* Up to `stop`, which is taken and not given. */
static struct span
next_part(struct span *rest, char stop)
{
	struct span part = *rest;
	size_t i = 0;

	while (i < rest->n && rest->p[i] != (uint8_t)stop)
		i++;
	part.n = i;
	*rest = span_cut(*rest, i < rest->n ? i + 1 : i, rest->n);
	return trim(part);
}

static struct span
next_word(struct span *rest)
{
	*rest = trim(*rest);
	return next_part(rest, ' ');
}

/* One of a list of the field; a severity may have its scale before it. */
static bool
take_word(struct reader *r, enum vocab v, struct span value, const char **out)
{
	const char *typed = keep(r, value);
	char what[64];
	struct guess g;
	size_t i;

	if (typed == NULL)
		return false;
	*out =
	    v == VOCAB_SEVERITY ? vocab_severity(typed) : vocab_find(v, typed);
	if (*out != NULL)
		return true;
	g = guess_of(typed);
	for (i = 0; vocab_word(v, i) != NULL; i++)
		guess_at(&g, vocab_word(v, i));
	snprintf(
	    what, sizeof(what), "%s has no such word", vocab_list(v)->name);
	return no_such(r, r->line, what, &g);
}

bool
script_span(struct span s, int64_t *out)
{
	static const struct {
		uint8_t unit;
		int64_t seconds;
	} units[] = { { 'd', 86400 }, { 'h', 3600 }, { 'm', 60 }, { 's', 1 } };
	int64_t sum = 0;
	size_t i, n;
	uint64_t count;

	for (i = 0; s.n > 0 && i < sizeof(units) / sizeof(units[0]); i++) {
		for (n = 0; n < s.n && s.p[n] >= '0' && s.p[n] <= '9'; n++)
			;
		if (n == 0 || n > 8 || n == s.n)
			return false;
		if (s.p[n] != units[i].unit)
			continue;
		for (count = 0; n > 0; n--, s = span_cut(s, 1, s.n))
			count = count * 10 + (s.p[0] - '0');
		s = span_cut(s, 1, s.n);
		sum += (int64_t)count * units[i].seconds;
	}
	if (s.n > 0 || sum <= 0 || sum > SCRIPT_LENGTH)
		return false;
	*out = sum;
	return true;
}

void
script_at(char out[24], int64_t seconds)
{
	static const struct {
		char unit;
		int64_t seconds;
	} units[] = { { 'd', 86400 }, { 'h', 3600 }, { 'm', 60 }, { 's', 1 } };
	size_t i, n = (size_t)snprintf(out, 24, "T+");
	bool begun = false;

	for (i = 0; i < 4 && n < 24; i++) {
		long long count = seconds / units[i].seconds;

		seconds %= units[i].seconds;
		if (count > 0)
			n += (size_t)snprintf(out + n, 24 - n,
			    begun && units[i].unit != 'd' ? "%02lld%c"
							  : "%lld%c",
			    count, units[i].unit);
		begun |= count > 0;
	}
	if (!begun)
		snprintf(out, 24, "T+0");
}

static bool
take_span(struct reader *r, struct span value, int64_t *out)
{
	if (script_span(value, out))
		return true;
	return wrong_value(r, value,
	    "is no time: write 45s, 30m, 1h30m or 2d, of 60d at most");
}

/* ---- keys of [drill] ---- */

static bool
take_title(struct reader *r, struct span value)
{
	if (value.n > SCRIPT_TITLE)
		return wrong(
		    r, r->line, "a title has %d bytes at most", SCRIPT_TITLE);
	return (r->s->title = keep(r, value)) != NULL;
}

static bool
take_exercise(struct reader *r, struct span value)
{
	if (!name_exercise(value))
		return wrong_value(r, value,
		    "cannot be an exercise's name: letters, digits, dots and "
		    "dashes, as in acid-2026");
	return (r->s->exercise = keep(r, value)) != NULL;
}

static bool
take_start(struct reader *r, struct span value)
{
	if (time_parse(value, &r->s->start) && r->s->start > 0)
		return true;
	return wrong_value(
	    r, value, "is no time in UTC: write 2026-11-21T01:00:00Z");
}

static bool
take_length(struct reader *r, struct span value)
{
	return take_span(r, value, &r->s->length);
}

/* ---- keys of [player] ---- */

static bool
take_name(struct reader *r, struct span value)
{
	return (r->player->name = keep(r, value)) != NULL;
}

static bool
take_contact(struct reader *r, struct span value)
{
	return (r->player->contact = keep(r, value)) != NULL;
}

/* ---- keys of [inject], some of which [drill] gives a default ---- */

static bool
take_tlp(struct reader *r, struct span value)
{
	if (value.n > 4 && memcmp(value.p, "TLP:", 4) == 0)
		value = span_cut(value, 4, value.n);
	return take_word(
	    r, VOCAB_TLP, value, r->in == DRILL ? &r->tlp : &r->inject->tlp);
}

static bool
take_precedence(struct reader *r, struct span value)
{
	return take_word(r, VOCAB_PRECEDENCE, value,
	    r->in == DRILL ? &r->precedence : &r->inject->precedence);
}

static bool
take_ackby(struct reader *r, struct span value)
{
	int64_t *out = r->in == DRILL ? &r->ackby : &r->inject->ackby;

	if (r->in == INJECT && span_is(value, "none")) {
		*out = 0;
		return true;
	}
	return take_span(r, value, out);
}

static bool
take_at(struct reader *r, struct span value)
{
	int64_t *out = &r->inject->at;

	if (value.n > 2 && value.p[0] == 'T' && value.p[1] == '+') {
		*out = 0;
		if (span_is(value, "T+0") ||
		    script_span(span_cut(value, 2, value.n), out))
			return true;
	}
	return wrong_value(
	    r, value, "is no time after the start: write T+0, T+5m or T+1h30m");
}

static bool
take_kind(struct reader *r, struct span value)
{
	static const char *const kinds[] = { "report", "request", "query",
		"update", "close" };
	const char *typed = keep(r, value);
	struct guess g;
	size_t i;

	if (typed == NULL)
		return false;
	g = guess_of(typed);
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		guess_at(&g, kinds[i]);
		if (strcmp(kinds[i], typed) == 0)
			r->inject->kind = kinds[i];
	}
	return r->inject->kind != NULL ||
	       no_such(r, r->line, "an inject is no such kind of message", &g);
}

static bool
take_in(struct reader *r, struct span value)
{
	r->inject->line_in = r->line;
	return (r->inject->typed_in = keep(r, value)) != NULL;
}

static bool
take_to(struct reader *r, struct span value)
{
	r->inject->line_to = r->line;
	return (r->inject->typed_to = keep(r, value)) != NULL;
}

static bool
take_severity(struct reader *r, struct span value)
{
	return take_word(r, VOCAB_SEVERITY, value, &r->inject->severity);
}

static bool
take_class(struct reader *r, struct span value)
{
	return take_word(r, VOCAB_RSIT, value, &r->inject->classification);
}

static bool
take_subject(struct reader *r, struct span value)
{
	if (value.n > SCRIPT_TITLE)
		return wrong(
		    r, r->line, "a subject has %d bytes at most", SCRIPT_TITLE);
	return (r->inject->subject = keep(r, value)) != NULL;
}

static bool
take_note(struct reader *r, struct span value)
{
	return (r->inject->note = keep(r, value)) != NULL;
}

static bool
take_attach(struct reader *r, struct span value)
{
	if (r->inject->nfile == SCRIPT_FILES)
		return wrong(r, r->line, "an inject has %d attachments at most",
		    SCRIPT_FILES);
	return (r->inject->file[r->inject->nfile++] = keep(r, value)) != NULL;
}

static bool
take_mark(struct reader *r, struct script_expect *e, struct span value)
{
	const char *typed = keep(r, value);
	struct guess g;
	size_t i;

	if (typed == NULL)
		return false;
	g = guess_of(typed);
	for (i = 0; i < DRILL_MARKS; i++) {
		guess_at(&g, drill_mark_name[i]);
		if (strcmp(drill_mark_name[i], typed) == 0) {
			e->mark = (enum drill_mark)i;
			return true;
		}
	}
	return no_such(r, r->line, "nothing of the kind can be expected", &g);
}

/* "accepted within 30m by mycert@my, thaicert@th", "escalated by any" */
static bool
take_expect(struct reader *r, struct span value)
{
	struct script_inject *i = r->inject;
	struct script_expect *e = &i->expect[i->nexpect];
	struct span word;

	if (i->nexpect == SCRIPT_EXPECTS)
		return wrong(r, r->line,
		    "an inject has %d expectations at most", SCRIPT_EXPECTS);
	e->line = r->line;
	if (!take_mark(r, e, next_word(&value)))
		return false;
	word = next_word(&value);
	if (span_is(word, "within")) {
		if (!take_span(r, next_word(&value), &e->within))
			return false;
		word = next_word(&value);
	}
	value = trim(value);
	if (span_is(word, "by") && value.n > 0) {
		i->typed_by[i->nexpect] = keep(r, value);
		value.n = word.n = 0;
	}
	if (word.n > 0 || value.n > 0)
		return wrong(r, r->line,
		    "write what, within when, by whom: accepted within 30m by "
		    "mycert@my, or by any");
	i->nexpect++;
	return true;
}

/* ---- texts of several lines ---- */

/* How much of a line the first one is moved in by. */
static size_t
indent_of(struct span line)
{
	size_t n = 0;

	while (n < line.n && (line.p[n] == ' ' || line.p[n] == '\t'))
		n++;
	return n;
}

static struct span
peek_line(const struct reader *r)
{
	struct rd rd = rd_init(r->rest);

	return rd_text_line(&rd);
}

static struct span
take_line(struct reader *r)
{
	struct rd rd = rd_init(r->rest);
	struct span line = rd_text_line(&rd);

	r->rest = rd.rest;
	r->line++;
	return line;
}

/* Lines that are moved in, and empty ones between them. */
static bool
take_text(struct reader *r, struct span value)
{
	struct buf text = { .max = SCRIPT_TEXT };
	unsigned began = r->line, empty = 0;
	size_t first = SIZE_MAX, n;
	bool good;

	buf_add(&text, value);
	while (r->rest.n > 0) {
		struct span line = peek_line(r);

		n = indent_of(line);
		if (n == 0 && line.n > 0)
			break;
		(void)take_line(r);
		if (n == line.n) {
			empty++;
			continue;
		}
		first = first == SIZE_MAX ? n : first;
		for (; text.n > 0 && empty > 0; empty--)
			buf_u8(&text, '\n');
		empty = 0;
		if (text.n > 0)
			buf_u8(&text, '\n');
		buf_add(&text, span_cut(line, n < first ? n : first, line.n));
	}
	good = buf_ok(&text);
	if (!good)
		wrong(r, began, "a text has %d KiB at most; attach it",
		    SCRIPT_TEXT / 1024);
	else if (text.n == 0)
		good = wrong(r, began,
		    "the text is empty; its lines begin with a tab or a space");
	else
		good = (r->inject->text = keep(r, buf_span(&text))) != NULL;
	buf_drop(&text);
	return good;
}

/* ---- lines ---- */

#define IN(s) (1u << (s))

static const struct key {
	const char *name;
	unsigned where;
	bool many;  /* may be said more than once */
	bool empty; /* its value may follow in lines of their own */
	bool (*take)(struct reader *r, struct span value);
} keys[] = {
	{ "title", IN(DRILL), false, false, take_title },
	{ "exercise", IN(DRILL), false, false, take_exercise },
	{ "start", IN(DRILL), false, false, take_start },
	{ "length", IN(DRILL), false, false, take_length },
	{ "name", IN(PLAYER), false, false, take_name },
	{ "contact", IN(PLAYER), false, false, take_contact },
	{ "at", IN(INJECT), false, false, take_at },
	{ "to", IN(INJECT), false, false, take_to },
	{ "kind", IN(INJECT), false, false, take_kind },
	{ "in", IN(INJECT), false, false, take_in },
	{ "tlp", IN(DRILL) | IN(INJECT), false, false, take_tlp },
	{ "precedence", IN(DRILL) | IN(INJECT), false, false, take_precedence },
	{ "ackby", IN(DRILL) | IN(INJECT), false, false, take_ackby },
	{ "severity", IN(INJECT), false, false, take_severity },
	{ "class", IN(INJECT), false, false, take_class },
	{ "subject", IN(INJECT), false, false, take_subject },
	{ "text", IN(INJECT), false, true, take_text },
	{ "attach", IN(INJECT), true, false, take_attach },
	{ "expect", IN(INJECT), true, false, take_expect },
	{ "note", IN(INJECT), false, false, take_note },
};

#define KEYS (sizeof(keys) / sizeof(keys[0]))

static bool
no_key(struct reader *r, const char *typed)
{
	struct guess g = guess_of(typed);
	size_t i;

	for (i = 0; i < KEYS; i++)
		if (keys[i].where & IN(r->in))
			guess_at(&g, keys[i].name);
	return no_such(r, r->line, "there is no such key here", &g);
}

static bool
take_key(struct reader *r, struct span line)
{
	struct span rest = line, name = next_part(&rest, '=');
	unsigned at = r->line;
	const char *typed;
	size_t i;

	if (name.n == line.n)
		return wrong(r, at,
		    "a line is [section], key = value or a "
		    "comment behind ;");
	if (r->in == NOWHERE)
		return wrong(r, at, "a section comes first: [drill]");
	rest = trim(rest);
	for (i = 0; i < KEYS; i++)
		if ((keys[i].where & IN(r->in)) && span_is(name, keys[i].name))
			break;
	if (i == KEYS)
		return (typed = keep(r, name)) != NULL && no_key(r, typed);
	if (!keys[i].many && (r->seen & IN(i)))
		return wrong(r, at, "%s was said before", keys[i].name);
	if (rest.n == 0 && !keys[i].empty)
		return wrong(r, at, "%s has no value", keys[i].name);
	r->seen |= IN(i);
	return keys[i].take(r, rest);
}

/* ---- sections ---- */

static bool
begin_player(struct reader *r, struct span name)
{
	size_t i;

	if (!name_member(name))
		return wrong(r, r->line,
		    "a player is a member, as in [player mycert@my]");
	if (r->s->nplayer == SCRIPT_PLAYERS)
		return wrong(r, r->line, "there are more than %d players",
		    SCRIPT_PLAYERS);
	i = script_player(r->s, name);
	if (i != SIZE_MAX)
		return wrong(r, r->line, "%s is in line %u already",
		    r->s->player[i].member, r->s->player[i].line);
	r->player = &r->s->player[r->s->nplayer++];
	*r->player = (struct script_player){ .line = r->line };
	return (r->player->member = keep(r, name)) != NULL;
}

static bool
begin_inject(struct reader *r, struct span name)
{
	const struct script_inject *known;

	if (!name_label(name))
		return wrong(r, r->line,
		    "an inject has a name of small letters, digits and dashes: "
		    "[inject phishing-1]");
	if (r->s->ninject == SCRIPT_INJECTS)
		return wrong(r, r->line, "there are more than %d injects",
		    SCRIPT_INJECTS);
	r->inject = &r->s->inject[r->s->ninject];
	*r->inject =
	    (struct script_inject){ .line = r->line, .at = -1, .ackby = -1 };
	r->inject->name = keep(r, name);
	if (r->inject->name == NULL)
		return false;
	known = script_inject(r->s, r->inject->name);
	if (known != NULL)
		return wrong(r, r->line, "%s is in line %u already",
		    known->name, known->line);
	r->s->ninject++;
	return true;
}

static bool
begin_drill(struct reader *r, struct span name)
{
	(void)name;
	return r->s->title == NULL && r->s->exercise == NULL &&
		       r->s->length == 0
		   ? true
		   : wrong(r, r->line, "[drill] was there before");
}

static bool
take_section(struct reader *r, struct span line)
{
	static const struct {
		const char *name;
		enum section in;
		bool named;
		bool (*begin)(struct reader *r, struct span name);
	} rows[] = {
		{ "drill", DRILL, false, begin_drill },
		{ "player", PLAYER, true, begin_player },
		{ "inject", INJECT, true, begin_inject },
	};
	struct span rest, word;
	struct guess g;
	size_t i;

	if (line.p[line.n - 1] != ']')
		return wrong(r, r->line, "a section ends with ]");
	rest = trim(span_cut(line, 1, line.n - 2));
	word = next_word(&rest);
	rest = trim(rest);
	for (i = 0; i < 3; i++)
		if (span_is(word, rows[i].name)) {
			if ((rest.n > 0) != rows[i].named)
				return wrong(r, r->line,
				    rows[i].named ? "[%s NAME]" : "[%s]",
				    rows[i].name);
			r->in = rows[i].in;
			r->seen = 0;
			return rows[i].begin(r, rest);
		}
	g = guess_of(keep(r, word));
	if (g.typed == NULL)
		return false;
	for (i = 0; i < 3; i++)
		guess_at(&g, rows[i].name);
	return no_such(r, r->line, "there is no such section", &g);
}

/* No control character, and UTF-8: it is shown, and sent. */
static bool
is_text(struct span line)
{
	size_t i;

	for (i = 0; i < line.n; i++)
		if ((line.p[i] < 0x20 && line.p[i] != '\t') ||
		    line.p[i] == 0x7f)
			return false;
	return utf8_good(line);
}

static bool
all_text(struct reader *r)
{
	struct span all = r->rest;
	bool good = true;

	while (good && r->rest.n > 0)
		if (!is_text(take_line(r)))
			good =
			    wrong(r, r->line, "this line is no text in UTF-8");
	r->rest = all;
	r->line = 0;
	return good;
}

static bool
read_lines(struct reader *r)
{
	while (r->rest.n > 0) {
		struct span line = take_line(r), bare = trim(line);

		if (bare.n == 0 || bare.p[0] == ';' || bare.p[0] == '#')
			continue;
		if (indent_of(line) > 0)
			return wrong(r, r->line,
			    "this line is moved in, and belongs to no text");
		if (!(bare.p[0] == '[' ? take_section(r, bare)
				       : take_key(r, bare)))
			return false;
	}
	return true;
}

/* ---- names to places ---- */

size_t
script_player(const struct script *s, struct span member)
{
	size_t i;

	for (i = 0; i < s->nplayer; i++)
		if (span_is(member, s->player[i].member))
			return i;
	return SIZE_MAX;
}

const struct script_inject *
script_inject(const struct script *s, const char *name)
{
	size_t i;

	for (i = 0; i < s->ninject; i++)
		if (strcmp(s->inject[i].name, name) == 0)
			return &s->inject[i];
	return NULL;
}

static bool
no_player(struct reader *r, unsigned line, struct span member)
{
	const char *typed = keep(r, member);
	struct guess g;
	size_t i;

	if (typed == NULL)
		return false;
	g = guess_of(typed);
	for (i = 0; i < r->s->nplayer; i++)
		guess_at(&g, r->s->player[i].member);
	return no_such(r, line, "there is no such [player]", &g);
}

/* A list with commas, as places in the list of players, ascending. */
static bool
take_members(struct reader *r, unsigned line, const char *typed,
    const size_t **out, size_t *count)
{
	bool *in = arena_array(&r->s->arena, r->s->nplayer + 1, sizeof(*in));
	size_t *list =
	    arena_array(&r->s->arena, r->s->nplayer + 1, sizeof(*list));
	struct span rest = span_of(typed);
	size_t i, n = 0;
	bool all = strcmp(typed, "all") == 0;

	if (in == NULL || list == NULL)
		return out_of_memory(r);
	while (!all && rest.n > 0) {
		struct span member = next_part(&rest, ',');

		i = script_player(r->s, member);
		if (i == SIZE_MAX)
			return no_player(r, line, member);
		if (in[i])
			return wrong(r, line, "%s stands there twice",
			    r->s->player[i].member);
		in[i] = true;
	}
	for (i = 0; i < r->s->nplayer; i++)
		if (all || in[i])
			list[n++] = i;
	*out = list;
	*count = n;
	return n > 0 || wrong(r, line, "nobody is named");
}

static bool
is_to(const struct script_inject *i, size_t player)
{
	size_t k;

	for (k = 0; k < i->n; k++)
		if (i->to[k] == player)
			return true;
	return false;
}

/* ---- what must hold of it as a whole ---- */

static bool
resolve_in(struct reader *r, struct script_inject *i)
{
	const struct script_inject *root;
	struct guess g = guess_of(i->typed_in);
	size_t k;

	for (k = 0; k < r->s->ninject; k++)
		if (r->s->inject[k].typed_in == NULL)
			guess_at(&g, r->s->inject[k].name);
	root = script_inject(r->s, i->typed_in);
	if (root == NULL)
		return no_such(r, i->line_in, "there is no such inject", &g);
	if (root->typed_in != NULL)
		return wrong(r, i->line_in,
		    "%s opens no ticket, but goes on in that of %s", root->name,
		    root->typed_in);
	if (root >= i) /* they are in order of time by now */
		return wrong(
		    r, i->line_in, "%s comes after this one", root->name);
	i->in = root;
	return true;
}

static bool
resolve_to(struct reader *r, struct script_inject *i)
{
	size_t k;

	if (i->typed_to == NULL && i->in != NULL) {
		i->to = i->in->to;
		i->n = i->in->n;
		return true;
	}
	if (i->typed_to == NULL)
		return wrong(r, i->line,
		    "inject %s is to nobody: to = all, or members", i->name);
	if (!take_members(r, i->line_to, i->typed_to, &i->to, &i->n))
		return false;
	for (k = 0; i->in != NULL && k < i->n; k++)
		if (!is_to(i->in, i->to[k]))
			return wrong(r, i->line_to,
			    "%s has not got the ticket of %s",
			    r->s->player[i->to[k]].member, i->in->name);
	return true;
}

static bool
resolve_by(struct reader *r, struct script_inject *i, size_t at)
{
	struct script_expect *e = &i->expect[at];
	size_t k;

	e->any = i->typed_by[at] != NULL && strcmp(i->typed_by[at], "any") == 0;
	if (i->typed_by[at] == NULL || e->any) {
		e->by = i->to;
		e->n = i->n;
	} else if (!take_members(r, e->line, i->typed_by[at], &e->by, &e->n)) {
		return false;
	}
	for (k = 0; k < e->n; k++)
		if (!is_to(i, e->by[k]))
			return wrong(r, e->line, "%s does not get this inject",
			    r->s->player[e->by[k]].member);
	if (e->within > r->s->length - i->at)
		return wrong(r, e->line, "the exercise ends before that");
	return true;
}

static bool
check_kind(struct reader *r, struct script_inject *i)
{
	bool opens;

	if (i->kind == NULL)
		i->kind = i->in != NULL ? "update" : "report";
	opens = strcmp(i->kind, "update") != 0 && strcmp(i->kind, "close") != 0;
	if (i->in == NULL && !opens)
		return wrong(r, i->line,
		    "inject %s: %s goes on in a ticket: say in = INJECT",
		    i->name, i->kind);
	if (i->in != NULL && strcmp(i->kind, "report") == 0)
		return wrong(r, i->line,
		    "inject %s: a report opens a ticket of its own; update, "
		    "request, query and close go on in one",
		    i->name);
	return true;
}

static bool
check_inject(struct reader *r, struct script_inject *i)
{
	size_t k;

	if (i->typed_in != NULL && !resolve_in(r, i))
		return false;
	if (!check_kind(r, i) || !resolve_to(r, i))
		return false;
	if (i->subject == NULL && i->in == NULL)
		return wrong(r, i->line, "inject %s has no subject", i->name);
	if (i->tlp == NULL && i->in == NULL)
		i->tlp = r->tlp;
	if (i->tlp == NULL && i->in == NULL)
		return wrong(r, i->line,
		    "inject %s has no tlp, nor has [drill]", i->name);
	if (i->precedence == NULL)
		i->precedence = r->precedence;
	if (i->ackby < 0)
		i->ackby = script_asks(i) ? r->ackby : 0;
	if (i->ackby > 0 && !script_asks(i))
		return wrong(r, i->line,
		    "inject %s: %s asks for no answer, so it has no ackby",
		    i->name, i->kind);
	for (k = 0; k < i->nexpect; k++)
		if (!resolve_by(r, i, k))
			return false;
	return true;
}

static bool
check_times(struct reader *r)
{
	size_t i;

	for (i = 0; i < r->s->ninject; i++) {
		const struct script_inject *in = &r->s->inject[i];

		if (in->at < 0)
			return wrong(r, in->line,
			    "inject %s has no time: at = T+5m", in->name);
		if (in->at >= r->s->length)
			return wrong(r, in->line,
			    "inject %s comes when the exercise is over",
			    in->name);
	}
	return true;
}

static int
by_time(const void *a, const void *b)
{
	const struct script_inject *x = a, *y = b;

	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	return x->line < y->line ? -1 : x->line > y->line;
}

static bool
check_all(struct reader *r)
{
	struct script *s = r->s;
	size_t i;

	if (s->title == NULL)
		return wrong(r, 0, "[drill] has no title");
	if (s->exercise == NULL)
		return wrong(r, 0, "[drill] names no exercise");
	if (s->length == 0)
		return wrong(r, 0, "[drill] has no length: length = 4h");
	if (s->nplayer == 0)
		return wrong(r, 0, "nobody plays: [player mycert@my]");
	if (s->ninject == 0)
		return wrong(r, 0, "nothing happens: [inject phishing-1]");
	if (!check_times(r))
		return false;
	qsort(s->inject, s->ninject, sizeof(*s->inject), by_time);
	for (i = 0; i < s->ninject; i++)
		if (!check_inject(r, &s->inject[i]))
			return false;
	return true;
}

/* ---- all ---- */

/* At least as many as there are sections. */
static size_t
count_sections(struct span file)
{
	struct rd r = rd_init(file);
	size_t n = 1;

	while (r.rest.n > 0) {
		struct span line = trim(rd_text_line(&r));

		n += line.n > 0 && line.p[0] == '[';
	}
	return n;
}

static bool
make_room(struct reader *r, struct span file)
{
	size_t n = count_sections(file);
	struct script *s = r->s;

	s->player = arena_array(&s->arena,
	    n < SCRIPT_PLAYERS ? n : SCRIPT_PLAYERS, sizeof(*s->player));
	s->inject = arena_array(&s->arena,
	    n < SCRIPT_INJECTS ? n : SCRIPT_INJECTS, sizeof(*s->inject));
	return s->player != NULL && s->inject != NULL ? true : out_of_memory(r);
}

enum tocsin_err
script_parse(struct script *out, struct span file, struct script_fault *f)
{
	struct reader r = { .s = out,
		.f = f,
		.rest = file,
		.tlp = NULL,
		.precedence = "routine" };
	bool good;

	*out = (struct script){ .start = 0 };
	*f = (struct script_fault){ .line = 0 };
	if (file.n > SCRIPT_FILE_MAX)
		good = wrong(&r, 0, "a script has %zu KiB at most",
		    SCRIPT_FILE_MAX / 1024);
	else
		good = all_text(&r) && make_room(&r, file) && read_lines(&r) &&
		       check_all(&r);
	if (good)
		sha256(out->hash, file);
	else
		script_release(out);
	return good ? TOCSIN_OK
		    : (r.no_memory ? TOCSIN_EINTERNAL : TOCSIN_EMALFORMED);
}

void
script_release(struct script *s)
{
	arena_release(&s->arena);
	*s = (struct script){ .start = 0 };
}

bool
script_asks(const struct script_inject *i)
{
	return strcmp(i->kind, "update") != 0 && strcmp(i->kind, "close") != 0;
}
