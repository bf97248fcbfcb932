/* SPDX-License-Identifier: ISC */
#include "client/bot/rules_read.h"

#include "client/cli/print.h"
#include "client/vocab.h"
#include "crypto/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY INT64_C(86400)
#define GOOD_FOR (330 * DAY) /* calendars are read for some more */
#define CLAIM_LEAST 10
#define CLAIM_MOST 3600

enum section {
	SECTION_NONE,
	SECTION_RULE,
	SECTION_HOOK,
	SECTION_CHAIN,
	SECTION_CALENDAR,
	SECTION_DUTY,
	SECTIONS
};

static const struct {
	const char *word;
	const struct statement *statements;
	bool (*other)(struct reader *r);
	bool (*end)(struct reader *r);
} sections[SECTIONS] = {
	[SECTION_RULE] = { "rule", rule_statements, rule_before, rule_end },
	[SECTION_HOOK] = { "hook", hook_statements, NULL, hook_end },
	[SECTION_CHAIN] = { "chain", chain_statements, chain_other, chain_end },
	[SECTION_CALENDAR] = { "calendar", calendar_statements, NULL,
	    calendar_end },
	[SECTION_DUTY] = { "duty", duty_statements, NULL, duty_end },
};

/* ---- what readers share ---- */

void *
reader_memory(struct reader *r, size_t count, size_t size)
{
	void *p = arena_array(r->lex.arena, count, size);

	r->lex.no_memory |= p == NULL;
	return p;
}

bool
zone_read(struct reader *r, struct zone *z)
{
	struct lex *l = &r->lex;
	struct lex_token t = l->t;
	const char *name;

	if (t.kind != LEX_WORD || !zone_name(t.s))
		return lex_unknown(
		    l, &t, "a time zone", "Asia/Kuala_Lumpur, UTC");
	name = lex_text(l, &t);
	if (name == NULL)
		return false;
	lex_next(l);
	r->has_zone = true;
	*z = (struct zone){ .n = 1 };
	if (strcmp(name, "UTC") != 0 &&
	    (r->io == NULL || r->io->zone == NULL ||
		r->io->zone(r->io->arg, name, z) != TOCSIN_OK))
		return lex_fault_at(l, &t,
		    "a name of /usr/share/zoneinfo, from the package tzdata",
		    "this machine knows no time zone `%s`", name);
	snprintf(z->name, sizeof(z->name), "%s", name);
	return true;
}

bool
file_name_read(struct reader *r)
{
	struct lex *l = &r->lex;
	struct named_file *f = &r->file[r->nfile];

	if (l->t.kind != LEX_WORD && l->t.kind != LEX_TEXT)
		return lex_unknown(l, &l->t, "a file's name", "duty.txt");
	if (r->nfile == READ_FILES)
		return lex_fault_at(
		    l, &l->t, "", "more than %u files", READ_FILES);
	f->token = l->t;
	f->name = lex_text(l, &l->t);
	if (f->name == NULL)
		return false;
	r->nfile++;
	lex_next(l);
	return true;
}

bool
member_list_read(struct reader *r, const char *const **out)
{
	struct lex *l = &r->lex;
	const char **to = reader_memory(r, COND_VALUES + 1, sizeof(*to));
	size_t n = 0;

	if (to == NULL)
		return false;
	do {
		if (l->t.kind != LEX_WORD ||
		    (!name_member(l->t.s) && !name_circle(l->t.s)))
			return lex_unknown(l, &l->t, "a member or a circle",
			    "mycert@my or @asean");
		if (n == COND_VALUES)
			return lex_fault_at(l, &l->t, "a circle",
			    "more than %u members", COND_VALUES);
		to[n] = lex_text(l, &l->t);
		if (to[n++] == NULL)
			return false;
		lex_next(l);
	} while (lex_take_kind(l, LEX_COMMA));
	*out = to;
	return true;
}

static const char *const text_fields[TEXT_FIELDS] = {
	[TEXT_SHORT_ID] = "short_id",
	[TEXT_ID] = "id",
	[TEXT_SUBJECT] = "subject",
	[TEXT_FROM] = "from",
	[TEXT_SEVERITY] = "severity",
	[TEXT_CLASS] = "class",
	[TEXT_PRECEDENCE] = "precedence",
	[TEXT_TLP] = "tlp",
	[TEXT_EXERCISE] = "exercise",
	[TEXT_SINCE] = "since",
	[TEXT_ARMED] = "armed",
	[TEXT_DUE] = "due",
	[TEXT_RULE] = "rule",
	[TEXT_TURN] = "turn",
	[TEXT_DUTY] = "duty",
	[TEXT_MEMBER] = "member",
	[TEXT_STATE] = "state",
	[TEXT_TARGET] = "target",
};

enum text_field
text_field_at(const char *text, size_t *i, struct span *name, struct span *arg)
{
	size_t n = strcspn(text + *i, "}"), colon;
	struct span all = span_cut(span_of(text + *i), 1, n - 1);
	unsigned f;

	colon = 0;
	while (colon < all.n && all.p[colon] != ':')
		colon++;
	*name = span_cut(all, 0, colon);
	*arg = colon < all.n ? span_cut(all, colon + 1, all.n)
			     : (struct span){ 0 };
	*i += n + (text[*i + n] == '}');
	for (f = 0; f < TEXT_FIELDS; f++)
		if (span_is(*name, text_fields[f]) &&
		    (arg->n > 0) == (f == TEXT_DUTY))
			return (enum text_field)f;
	return TEXT_FIELDS;
}

static bool
duty_known(const struct reader *r, struct span name)
{
	size_t i;

	for (i = 0; i < r->rules->nduty; i++)
		if (span_is(name, r->rules->duty[i].name))
			return true;
	return false;
}

/* The nearest field, in braces. */
static bool
no_field(struct reader *r, const struct lex_token *t, struct span name)
{
	char typed[40], instead[64];
	struct guess g;
	size_t i;

	snprintf(typed, sizeof(typed), "%.*s", (int)(name.n > 39 ? 39 : name.n),
	    name.n > 0 ? (const char *)name.p : "");
	g = guess_of(typed);
	for (i = 0; i < TEXT_FIELDS; i++)
		guess_at(&g, text_fields[i]);
	snprintf(instead, sizeof(instead),
	    strcmp(g.best, "duty") == 0 ? "{duty:NAME} of a [duty NAME]"
					: "{%s}; for a brace alone, {{",
	    g.best);
	return lex_fault_at(
	    &r->lex, t, instead, "there is no field {%s}", typed);
}

bool
template_check(struct reader *r, const struct lex_token *t, const char *text,
    bool of_place)
{
	struct span name, arg;
	size_t i = 0;

	while (text[i] != '\0') {
		enum text_field f;

		if (text[i] != '{' || text[i + 1] == '{') {
			i += text[i] == '{' ? 2 : 1;
			continue;
		}
		if (strchr(text + i, '}') == NULL)
			return lex_fault_at(&r->lex, t,
			    "{short_id}; for a brace alone, {{",
			    "a { that no } closes");
		f = text_field_at(text, &i, &name, &arg);
		if (f == TEXT_FIELDS || (f == TEXT_DUTY && !duty_known(r, arg)))
			return no_field(r, t, name);
		if (f >= TEXT_MEMBER && !of_place)
			return lex_fault_at(&r->lex, t,
			    "`for each recipient` in the rule",
			    "{%s} is of a recipient", text_fields[f]);
	}
	return true;
}

/* ---- sections ---- */

/* The array of a kind, its element's size, and how many there are. */
struct list {
	void **array;
	size_t *n;
	size_t size;
};

static struct list
list_of(struct rules *r, enum section s)
{
	switch (s) {
	case SECTION_RULE:
		return (struct list){ (void **)&r->rule, &r->nrule,
			sizeof(*r->rule) };
	case SECTION_HOOK:
		return (struct list){ (void **)&r->hook, &r->nhook,
			sizeof(*r->hook) };
	case SECTION_CHAIN:
		return (struct list){ (void **)&r->chain, &r->nchain,
			sizeof(*r->chain) };
	case SECTION_CALENDAR:
		return (struct list){ (void **)&r->calendar, &r->ncalendar,
			sizeof(*r->calendar) };
	default:
		return (struct list){ (void **)&r->duty, &r->nduty,
			sizeof(*r->duty) };
	}
}

static enum section
section_of(struct span word)
{
	unsigned s;

	for (s = SECTION_RULE; s < SECTIONS; s++)
		if (span_is(word, sections[s].word))
			return (enum section)s;
	return SECTION_NONE;
}

/* All structs of sections begin with their name. */
static const char **
name_at(struct list l, size_t i)
{
	return (const char **)(void *)((char *)*l.array + i * l.size);
}

/* "[kind name]", of which the bracket was seen; leaves the next line. */
static enum section
head_read(struct lex *l, struct lex_token *name)
{
	struct lex_token kind;
	enum section s;

	lex_next(l);
	kind = l->t;
	s = kind.kind == LEX_WORD ? section_of(kind.s) : SECTION_NONE;
	if (s == SECTION_NONE) {
		lex_unknown(l, &kind, "a section of a rules file",
		    "[rule NAME], [hook NAME], [chain NAME], [calendar NAME], "
		    "[duty NAME]");
		return s;
	}
	lex_next(l);
	*name = l->t;
	if (name->kind != LEX_WORD || !name_token(name->s)) {
		lex_unknown(l, name, "a name for it",
		    "small letters, digits and -, at most 32");
		return SECTION_NONE;
	}
	lex_next(l);
	if (!lex_take_kind(l, LEX_SECTION_END) || l->t.kind != LEX_LINE) {
		lex_unknown(l, &l->t, "the end of a section's line",
		    l->t.kind == LEX_WORD ? "a name of one word, as no-answer"
					  : "]");
		return SECTION_NONE;
	}
	lex_next(l);
	return s;
}

/*
 * Sections may name each other in any order, so all names come first. What is
 * wrong is said when it is read again.
 */
static bool
declare(struct reader *r, struct span text)
{
	struct rules_faults *unsaid = calloc(1, sizeof(*unsaid));
	struct lex l = lex_init(text, "", unsaid, r->lex.arena);
	size_t most[SECTIONS] = { 0 };
	struct lex_token name;
	enum section s;
	unsigned i;

	if (unsaid == NULL)
		return false;
	for (lex_next(&l); l.t.kind != LEX_END;) {
		if (l.t.kind == LEX_SECTION)
			most[head_read(&l, &name)]++;
		else
			lex_skip(&l);
	}
	free(unsaid);
	for (i = SECTION_RULE; i < SECTIONS; i++) {
		struct list all = list_of(r->rules, (enum section)i);

		if (most[i] > RULES_MAX)
			most[i] = RULES_MAX;
		*all.array = reader_memory(r, most[i], all.size);
		if (*all.array == NULL)
			return false;
	}
	unsaid = calloc(1, sizeof(*unsaid));
	if (unsaid == NULL)
		return false;
	l = lex_init(text, "", unsaid, r->lex.arena);
	for (lex_next(&l); l.t.kind != LEX_END;) {
		struct list all;

		if (l.t.kind != LEX_SECTION) {
			lex_skip(&l);
			continue;
		}
		s = head_read(&l, &name);
		if (s == SECTION_NONE)
			continue;
		all = list_of(r->rules, s);
		if (*all.n < most[s])
			*name_at(all, (*all.n)++) = lex_text(&l, &name);
	}
	free(unsaid);
	return !l.no_memory;
}

static bool
set_open(struct reader *r, enum section s, void *entry)
{
	r->rule = s == SECTION_RULE ? entry : NULL;
	r->hook = s == SECTION_HOOK ? entry : NULL;
	r->chain = s == SECTION_CHAIN ? entry : NULL;
	r->calendar = s == SECTION_CALENDAR ? entry : NULL;
	r->duty = s == SECTION_DUTY ? entry : NULL;
	r->step = NULL;
	r->row = NULL;
	r->has_since = r->has_until = r->has_zone = r->has_late = false;
	r->nfile = r->nholiday = r->nshift = 0;
	memset(&r->cond.needs_place, 0, sizeof(r->cond.needs_place));
	return true;
}

static void
set_line(struct reader *r)
{
	unsigned line = r->head.line;

	if (r->rule != NULL)
		r->rule->line = line;
	else if (r->hook != NULL)
		r->hook->line = line;
	else if (r->chain != NULL)
		r->chain->line = line;
	else if (r->calendar != NULL)
		r->calendar->line = line;
	else
		r->duty->line = line;
}

/* seen[s] of its kind were before this one. */
static enum section
open_section(struct reader *r, size_t seen[SECTIONS])
{
	struct lex *l = &r->lex;
	enum section s = head_read(l, &r->head);
	struct list all = list_of(r->rules, s);
	size_t i;

	if (s == SECTION_NONE)
		return s;
	if (seen[s] >= *all.n) {
		lex_fault_at(l, &r->head, "", "more than %u [%s ...]",
		    RULES_MAX, sections[s].word);
		return SECTION_NONE;
	}
	for (i = 0; i < seen[s]; i++)
		if (span_is(r->head.s, *name_at(all, i)))
			lex_fault_at(l, &r->head, "another name",
			    "a second [%s %s]", sections[s].word,
			    *name_at(all, i));
	set_open(r, s, (char *)*all.array + seen[s]++ * all.size);
	set_line(r);
	return s;
}

/* ---- statements ---- */

static const char *
statement_word(const void *arg, size_t i)
{
	const struct statement *table = arg;

	return table[i].word;
}

/* A line that begins with none of the words of its section. */
static bool
is_other(const struct reader *r, enum section s)
{
	const struct statement *table = sections[s].statements;
	int64_t seconds;

	if (s == SECTION_RULE)
		return r->lex.t.kind == LEX_WORD &&
		       duration_parse(r->lex.t.s, &seconds);
	return table[0].word == NULL;
}

/* What may stand where a line should have ended. */
static const char *
after_line(const struct lex *l, bool condition, char out[80])
{
	if (condition)
		return "and, or, or a new line";
	if (l->t.kind == LEX_COMMA)
		return "`and`, or a new line";
	if (l->t.kind != LEX_WORD || l->t.s.n > 40)
		return "a new line, or a # before";
	snprintf(out, 80, "\"%.*s\", if it is a text; or a new line",
	    (int)l->t.s.n, (const char *)l->t.s.p);
	return out;
}

static bool
read_statement(struct reader *r, enum section s)
{
	const struct statement *table = sections[s].statements;
	struct lex *l = &r->lex;
	bool good, condition = false;
	char instead[80];
	int i;

	if (is_other(r, s)) {
		good = sections[s].other(r);
	} else {
		i = lex_choose(l, statement_word, table,
		    "a word that such a line begins with", NULL);
		good = i >= 0 && table[i].read(r);
		condition = good && (strcmp(table[i].word, "when") == 0 ||
					strcmp(table[i].word, "until") == 0);
	}
	if (good && l->t.kind != LEX_LINE)
		good = lex_unknown(l, &l->t, "part of this line",
		    after_line(l, condition, instead));
	return good;
}

/* claim 2m: of no section, for it is of all rules. */
static bool
read_claim(struct reader *r)
{
	struct lex *l = &r->lex;
	struct lex_token t = l->t;

	if (r->has_claim)
		return lex_fault_at(l, &t, "one `claim`", "a second `claim`");
	r->has_claim = true;
	lex_next(l);
	t = l->t;
	if (!duration_read(l, &r->rules->claim))
		return false;
	if (r->rules->claim < CLAIM_LEAST || r->rules->claim > CLAIM_MOST)
		return lex_fault_at(l, &t, "2m", "a claim is 10s to 1h");
	return l->t.kind == LEX_LINE ||
	       lex_unknown(l, &l->t, "part of this line", "a new line");
}

static void
read_sections(struct reader *r)
{
	enum section s = SECTION_NONE;
	size_t seen[SECTIONS] = { 0 };
	struct lex *l = &r->lex;
	bool told = false;

	while (l->t.kind != LEX_END && !l->no_memory &&
	       l->faults->n < RULES_FAULTS) {
		if (l->t.kind == LEX_SECTION) {
			if (s != SECTION_NONE)
				sections[s].end(r);
			s = open_section(r, seen);
			told = s == SECTION_NONE;
			if (s == SECTION_NONE && l->t.kind != LEX_SECTION &&
			    l->t.kind != LEX_END)
				lex_skip(l);
			continue;
		}
		if (s == SECTION_NONE && !told && lex_is(l, "claim")) {
			if (read_claim(r))
				lex_next(l);
			else
				lex_skip(l);
			continue;
		}
		if (s == SECTION_NONE && !told)
			lex_fault_at(l, &l->t, "[rule NAME] before it",
			    "a line that is in no section");
		told |= s == SECTION_NONE;
		if (s == SECTION_NONE || !read_statement(r, s))
			lex_skip(l);
		else
			lex_next(l);
	}
	if (s != SECTION_NONE)
		sections[s].end(r);
}

/* ---- the file ---- */

/*
 * Bytes that no text has; where they are, nothing else is said. What the rules
 * write goes into tickets, which are UTF-8 (PROTOCOL.md 8.4): it would fail in
 * the night in which it is needed.
 */
static bool
is_text(struct span text, struct rules_faults *faults)
{
	unsigned line = 1;
	size_t i, at, start = 0;

	if (text.n > RULES_FILE_MAX) {
		faults_add(faults, "", 1, 1, "",
		    "a rules file has at most %u bytes", RULES_FILE_MAX);
		return false;
	}
	for (i = 0; i < text.n;) {
		uint8_t c = text.p[at = i];
		bool good = utf8_next(text, &i) != 0xfffd || i - at > 1;

		if (c == '\n') {
			line++;
			start = i;
		} else if (!good) {
			faults_add(faults, "", line, (unsigned)(at - start) + 1,
			    "the file saved as UTF-8",
			    "a byte %02x that is not UTF-8", c);
			return false;
		} else if ((c < ' ' && c != '\t' && c != '\r') || c == 0x7f) {
			faults_add(faults, "", line, (unsigned)(at - start) + 1,
			    "", "a byte %02x, which no text has", c);
			return false;
		}
	}
	return true;
}

enum tocsin_err
rules_parse(struct rules *out, struct span text, const struct rules_io *io,
    struct rules_faults *faults)
{
	struct reader *r = calloc(1, sizeof(*r));
	enum tocsin_err err = TOCSIN_EINTERNAL;

	*out = (struct rules){ .claim = RULES_CLAIM, .good_until = NEVER };
	faults->n = 0;
	if (r == NULL)
		return err;
	if (text.n >= 3 && memcmp(text.p, "\xef\xbb\xbf", 3) == 0)
		text = span_cut(text, 3, text.n);
	r->rules = out;
	r->io = io;
	r->lex = lex_init(text, "", faults, &out->arena);
	r->cond = (struct cond_reader){ .lex = &r->lex, .rules = out };
	if (is_text(text, faults) && !declare(r, text))
		r->lex.no_memory = true;
	if (faults->n == 0 && !r->lex.no_memory) {
		lex_next(&r->lex);
		read_sections(r);
	}
	out->words = r->cond.words;
	if (out->ncalendar + out->nduty > 0 && io != NULL)
		out->good_until = io->now + GOOD_FOR;
	if (faults->n > 0)
		err = TOCSIN_EMALFORMED;
	else if (!r->lex.no_memory)
		err = TOCSIN_OK;
	free(r->shift);
	free(r);
	if (err != TOCSIN_OK)
		rules_release(out);
	return err;
}

void
rules_release(struct rules *r)
{
	arena_release(&r->arena);
	*r = (struct rules){ .good_until = NEVER };
}

const struct rule *
rules_find(const struct rules *r, const char *name)
{
	size_t i;

	for (i = 0; i < r->nrule; i++)
		if (strcmp(r->rule[i].name, name) == 0)
			return &r->rule[i];
	return NULL;
}
