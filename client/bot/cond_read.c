/* SPDX-License-Identifier: ISC */
#include "client/bot/cond.h"

#include "client/bot/cond_field.h"
#include "crypto/shortid.h"
#include "crypto/text.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define SIZE_MOST 1000000 /* of a unit */

#define IS FOLLOWS_IS
#define ORDER (FOLLOWS_IS | FOLLOWS_ORDER)
#define AGO FOLLOWS_AGO
#define FREE (FOLLOWS_HAS | FOLLOWS_IS | FOLLOWS_KNOWN)

/* clang-format off */
static const struct cond_field fields[] = {
	{ "mine", FIELD_MINE, FOLLOWS_NOTHING, false, VOCABS },
	{ "closed", FIELD_CLOSED, FOLLOWS_NOTHING, false, VOCABS },
	{ "exercise", FIELD_EXERCISE, FOLLOWS_NOTHING | IS, false, VOCABS },
	{ "escalated", FIELD_ESCALATED, ORDER, false, VOCABS },
	{ "severity", FIELD_SEVERITY, ORDER | FOLLOWS_KNOWN, false, VOCAB_SEVERITY },
	{ "class", FIELD_CLASS, IS | FOLLOWS_KNOWN, false, VOCAB_RSIT },
	{ "outlook", FIELD_OUTLOOK, IS | FOLLOWS_KNOWN, false, VOCAB_OUTLOOK },
	{ "pap", FIELD_PAP, ORDER | FOLLOWS_KNOWN, false, VOCAB_PAP },
	{ "tlp", FIELD_TLP, ORDER, false, VOCAB_TLP },
	{ "precedence", FIELD_PRECEDENCE, ORDER, false, VOCAB_PRECEDENCE },
	{ "kind", FIELD_KIND, IS, false, VOCAB_KIND },
	{ "label", FIELD_LABEL, IS, false, VOCABS },
	{ "sector", FIELD_SECTOR, IS, false, VOCAB_SECTOR },
	{ "from", FIELD_FROM, IS, false, VOCABS },
	{ "to", FIELD_TO, IS, false, VOCABS },
	{ "nation", FIELD_NATION, IS, false, VOCABS },
	{ "id", FIELD_ID, IS, false, VOCABS },
	{ "subject", FIELD_SUBJECT, FOLLOWS_HAS | FOLLOWS_KNOWN, false, VOCABS },
	{ "text", FIELD_TEXT, FOLLOWS_HAS | FOLLOWS_KNOWN, false, VOCABS },
	{ "words", FIELD_WORDS, FOLLOWS_HAS, false, VOCABS },
	{ "indicator", FIELD_INDICATOR, FREE, false, VOCABS },
	{ "reference", FIELD_REFERENCE, FREE, false, VOCABS },
	{ "field", FIELD_NAMED, FREE, false, VOCABS },
	{ "attachments", FIELD_ATTACHMENTS, ORDER | FOLLOWS_KNOWN, false, VOCABS },
	{ "attachment", FIELD_ATTACHMENT, FOLLOWS_SIZE, false, VOCABS },
	{ "resolution", FIELD_RESOLUTION, IS | FOLLOWS_KNOWN, false, VOCAB_RESOLUTION },
	{ "unopened", FIELD_UNOPENED, FOLLOWS_NOTHING | IS, false, VOCABS },
	{ "clock", FIELD_CLOCK, 0, false, VOCABS },
	{ "working", FIELD_WORKING, 0, false, VOCABS },
	{ "holiday", FIELD_HOLIDAY, 0, false, VOCABS },
	{ "duty", FIELD_DUTY, 0, false, VOCABS },
	{ "recipient", FIELD_RECIPIENT, IS, true, VOCABS },
	{ "reason", FIELD_REASON, IS | FOLLOWS_KNOWN, true, VOCAB_REFUSAL },
	{ "state", FIELD_STATE, ORDER, true, VOCABS },
	{ "answered", FIELD_DONE, FOLLOWS_NOTHING | AGO, true, VOCABS },
	{ "asked", FIELD_EVENT, AGO, true, VOCABS },
	{ "read", FIELD_EVENT, AGO, true, VOCABS },
	{ "heard", FIELD_EVENT, AGO, true, VOCABS },
	{ "ackby", FIELD_EVENT, AGO, true, VOCABS },
	{ "moved", FIELD_EVENT, AGO, true, VOCABS },
	{ "written", FIELD_EVENT, AGO, false, VOCABS },
	{ "received", FIELD_EVENT, AGO, false, VOCABS },
	{ "occurred", FIELD_EVENT, AGO, false, VOCABS },
	{ "detected", FIELD_EVENT, AGO, false, VOCABS },
	{ "reported", FIELD_EVENT, AGO, false, VOCABS },
	{ "turned", FIELD_EVENT, AGO, false, VOCABS },
};
/* clang-format on */

/* Behind `attachment`. */
static const struct cond_field attachment_name = { "attachment name",
	FIELD_ATTACHMENT_NAME, FOLLOWS_HAS | IS, false, VOCABS };
static const struct cond_field attachment_type = { "attachment type",
	FIELD_ATTACHMENT_TYPE, FOLLOWS_HAS | IS, false, VOCABS };
static const struct cond_field attachment_size = { "attachment",
	FIELD_ATTACHMENT_SIZE, FOLLOWS_SIZE, false, VOCABS };

static const struct cond_field event_field = { "", FIELD_EVENT, AGO, false,
	VOCABS };

/* What stands where a word is missing, cut to what a fault can hold. */
static const char *
typed(const struct lex *l, char out[80])
{
	snprintf(out, 80, "%.*s", l->t.s.n > 48 ? 48 : (int)l->t.s.n,
	    l->t.s.n > 0 ? (const char *)l->t.s.p : "");
	return out;
}

/* ---- numbers and names ---- */

bool
duration_parse(struct span s, int64_t *seconds)
{
	static const char units[] = "smhdw";
	static const int64_t worth[] = { 1, 60, 3600, 86400, 604800 };
	int64_t all = 0, count = 0, last = INT64_MAX;
	bool digit = false;
	size_t i;

	for (i = 0; i < s.n; i++) {
		const char *unit;

		if (s.p[i] >= '0' && s.p[i] <= '9') {
			count = count * 10 + (s.p[i] - '0');
			digit = true;
			if (count > RULES_LONGEST)
				return false;
			continue;
		}
		unit = s.p[i] != '\0' ? strchr(units, s.p[i]) : NULL;
		if (!digit || unit == NULL || worth[unit - units] >= last)
			return false;
		last = worth[unit - units];
		all += count * last;
		count = 0;
		digit = false;
	}
	*seconds = all;
	return s.n > 0 && !digit && all <= RULES_LONGEST;
}

void
duration_print(struct buf *out, int64_t seconds)
{
	static const char units[] = "dhms";
	static const int64_t worth[] = { 86400, 3600, 60, 1 };
	size_t i;

	if (seconds == 0)
		buf_addz(out, "0s");
	for (i = 0; i < 4; i++) {
		if (seconds >= worth[i])
			buf_addf(out, "%lld%c", (long long)(seconds / worth[i]),
			    units[i]);
		seconds %= worth[i];
	}
}

bool
duration_read(struct lex *l, int64_t *seconds)
{
	if (l->t.kind != LEX_WORD || !duration_parse(l->t.s, seconds))
		return lex_unknown(
		    l, &l->t, "a length of time", "15m, 2h, 1h30m, 3d");
	lex_next(l);
	return true;
}

bool
count_read(struct lex *l, int64_t most, const char *what, int64_t *out)
{
	uint64_t n;
	char instead[64];

	snprintf(instead, sizeof(instead), "1 to %lld", (long long)most);
	if (l->t.kind != LEX_WORD || !num_parse(l->t.s, &n) || n == 0 ||
	    n > (uint64_t)most)
		return lex_unknown(l, &l->t, what, instead);
	*out = (int64_t)n;
	lex_next(l);
	return true;
}

static const char *
calendar_name(const void *arg, size_t i)
{
	const struct rules *r = arg;

	return i < r->ncalendar ? r->calendar[i].name : NULL;
}

const struct calendar *
calendar_read(struct cond_reader *r)
{
	int i = lex_choose(r->lex, calendar_name, r->rules,
	    "a [calendar ...] of this file",
	    "a section [calendar NAME] with zone and hours");

	return i >= 0 ? &r->rules->calendar[i] : NULL;
}

static const char *
duty_name(const void *arg, size_t i)
{
	const struct rules *r = arg;

	return i < r->nduty ? r->duty[i].name : NULL;
}

const struct duty *
duty_read(struct cond_reader *r)
{
	int i =
	    lex_choose(r->lex, duty_name, r->rules, "a [duty ...] of this file",
		"a section [duty NAME] with zone and roster");

	return i >= 0 ? &r->rules->duty[i] : NULL;
}

static bool
clock_name(struct span s)
{
	bool slash = false;
	size_t i;

	for (i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];

		slash |= c == '/';
		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
		    c != '-' && c != '/')
			return false;
	}
	return slash && s.n <= 64;
}

static bool
clock_read(struct cond_reader *r, struct rule_since *out)
{
	struct lex *l = r->lex;

	if (l->t.kind != LEX_WORD || !clock_name(l->t.s))
		return lex_unknown(l, &l->t, "the name of a clock",
		    "nis2/early-warning; `tocsin due` lists them");
	out->event = EVENT_CLOCK;
	out->clock = lex_text(l, &l->t);
	lex_next(l);
	return out->clock != NULL;
}

static void
of_place(struct cond_reader *r, const struct lex_token *t)
{
	if (!r->of_place && r->needs_place.s.n == 0)
		r->needs_place = *t;
}

static const char *
name_of_event(const void *arg, size_t i)
{
	(void)arg;
	return i < EVENT_CLOCK ? event_name((enum fact_event)i) : NULL;
}

bool
since_read(struct cond_reader *r, struct rule_since *out)
{
	struct lex *l = r->lex;
	struct lex_token t = l->t;
	int e;

	*out = (struct rule_since){ .event = EVENT_ASKED };
	if (t.kind == LEX_WORD && clock_name(t.s))
		return clock_read(r, out);
	e = lex_choose(l, name_of_event, NULL, "an event or a clock", NULL);
	if (e < 0)
		return false;
	out->event = (enum fact_event)e;
	if (event_of_place(out->event))
		of_place(r, &t);
	return true;
}

/* ---- values ---- */

/* A scale may have a blank: GB/T 20986:II is two words. */
static const char *
severity_read(struct lex *l)
{
	char word[80], two[170];
	const char *found;

	typed(l, word);
	if (l->t.kind == LEX_WORD && strcasecmp(word, "GB/T") == 0) {
		lex_next(l);
		snprintf(two, sizeof(two), "GB/T %.*s",
		    l->t.s.n > 79 ? 79 : (int)l->t.s.n,
		    l->t.s.n > 0 ? (const char *)l->t.s.p : "");
		found = vocab_severity(two);
	} else if (l->t.kind == LEX_TEXT) {
		found = lex_text(l, &l->t);
		snprintf(two, sizeof(two), "%s", found != NULL ? found : "");
		found = vocab_severity(two);
	} else {
		snprintf(two, sizeof(two), "%s", word);
		found = vocab_severity(two);
	}
	if (found == NULL)
		lex_unknown(l, &l->t, "a severity of one scale",
		    vocab_nearest(VOCAB_SEVERITY, two));
	return found;
}

static bool
member_or_nation(struct span s, bool device)
{
	if (s.n > 2 && s.p[0] == '*' && s.p[1] == '@')
		return name_nation(span_cut(s, 2, s.n));
	return name_member(s) || (device && name_device(s));
}

static bool
is_reason(struct span s)
{
	unsigned e;

	for (e = 0; e < 256; e++)
		if (span_is(
			s, tocsin_err_name(tocsin_err_from_wire((uint16_t)e))))
			return true;
	return false;
}

/* As it is shown, or in full. */
static bool
is_id(struct span s)
{
	struct id_prefix p;
	uint8_t id[ID_LEN];

	return id_parse(s, id) ||
	       (s.n == SHORTID_TEXT && shortid_parse(&p, s) == TOCSIN_OK);
}

static const char *
name_of_rung(const void *arg, size_t i)
{
	(void)arg;
	return i <= TOCSIN_RUNG_CLOSED ? tocsin_rung_name((enum tocsin_rung)i)
				       : NULL;
}

static const char *
rung_read(struct lex *l, int64_t *rung)
{
	int i =
	    lex_choose(l, name_of_rung, NULL, "a state of a recipient", NULL);

	*rung = i;
	return i >= 0 ? tocsin_rung_name((enum tocsin_rung)i) : NULL;
}

/* The nearest word, if somebody may have meant it; else where all stand. */
static const char *
word_meant(enum vocab v, const char *word, char list[80])
{
	const char *best = vocab_nearest(v, word);

	if (best != NULL && (2 * vocab_distance(word, best) <= strlen(word) ||
				strcasestr(best, word) != NULL))
		return best;
	snprintf(
	    list, 80, "one that `tocsin words %s` lists", vocab_list(v)->name);
	return list;
}

static const char *
vocab_read(struct lex *l, enum vocab v)
{
	char word[80], what[100], list[80];
	const char *found = l->t.kind == LEX_WORD || l->t.kind == LEX_TEXT
				? vocab_find(v, typed(l, word))
				: NULL;

	snprintf(
	    what, sizeof(what), "a word of the list `%s`", vocab_list(v)->name);
	if (found == NULL)
		lex_unknown(
		    l, &l->t, what, word_meant(v, typed(l, word), list));
	return found;
}

static bool
name_good(const struct cond_field *f, struct span s)
{
	switch (f->what) {
	case FIELD_FROM:
		return member_or_nation(s, true);
	case FIELD_TO:
	case FIELD_RECIPIENT:
		return member_or_nation(s, false);
	case FIELD_NATION:
		return name_nation(s);
	case FIELD_EXERCISE:
		return name_exercise(s);
	case FIELD_ID:
		return is_id(s);
	case FIELD_UNOPENED:
		return is_reason(s);
	default:
		return name_token(s);
	}
}

static const char *
name_read(struct lex *l, const struct cond_field *f)
{
	static const char *const instead[] = { [FIELD_FROM] =
						   "mycert@my, mycert@my/bot "
						   "or *@my",
		[FIELD_TO] = "mycert@my or *@my",
		[FIELD_RECIPIENT] = "mycert@my or *@my",
		[FIELD_NATION] = "my",
		[FIELD_LABEL] = "personal-data",
		[FIELD_EXERCISE] = "Tabletop.2026",
		[FIELD_ID] = "7k2m-9xq4-t0af, as `tocsin inbox` has it",
		[FIELD_UNOPENED] = "not-recipient, recalled ..." };

	if (l->t.kind == LEX_WORD && name_good(f, l->t.s))
		return lex_text(l, &l->t);
	lex_unknown(l, &l->t, "such a name", instead[f->what]);
	return NULL;
}

/* Whatever somebody may have written. */
static const char *
free_read(struct lex *l)
{
	if (l->t.kind == LEX_WORD || l->t.kind == LEX_TEXT)
		return lex_text(l, &l->t);
	lex_unknown(l, &l->t, "a word or a text in quotes", "\"...\"");
	return NULL;
}

/* A reason may be a word of RID's, or one of ours: any token. */
static const char *
value_read(struct cond_reader *r, const struct cond_field *f, int64_t *number)
{
	struct lex *l = r->lex;
	const char *v;

	if (field_counts(f->what))
		return count_read(l, 1000, "a number", number) ? "" : NULL;
	if (f->what == FIELD_STATE)
		return rung_read(l, number);
	if (f->what == FIELD_SEVERITY)
		v = severity_read(l);
	else if ((f->follows & FOLLOWS_HAS) != 0)
		v = free_read(l);
	else if (f->what == FIELD_REASON && l->t.kind == LEX_WORD &&
		 name_token(l->t.s))
		v = lex_text(l, &l->t);
	else if (f->vocab != VOCABS)
		v = vocab_read(l, f->vocab);
	else
		v = name_read(l, f);
	if (v != NULL)
		lex_next(l);
	return v;
}

/* "(a, b, c)", or one */
static bool
values_read(struct cond_reader *r, struct cond *c, bool list)
{
	const char **v =
	    arena_array(r->lex->arena, list ? COND_VALUES : 1, sizeof(*v));
	struct lex *l = r->lex;

	if (v == NULL) {
		l->no_memory = true;
		return false;
	}
	c->value = v;
	if (list && !lex_take_kind(l, LEX_OPEN))
		return lex_unknown(l, &l->t, "a list", "in (a, b)");
	do {
		if (c->nvalue == COND_VALUES)
			return lex_fault_at(
			    l, &l->t, "", "more than %u values", COND_VALUES);
		v[c->nvalue] = value_read(r, c->field, &c->number);
		if (v[c->nvalue++] == NULL)
			return false;
	} while (list && lex_take_kind(l, LEX_COMMA));
	if (list && !lex_take_kind(l, LEX_CLOSE))
		return lex_unknown(l, &l->t, "a comma or a )", ")");
	return true;
}

/* ---- tests ---- */

static bool
ago_read(struct cond_reader *r, struct cond *c)
{
	struct lex *l = r->lex;

	if (lex_take(l, "known")) {
		c->cmp = CMP_KNOWN;
		return true;
	}
	c->cmp = lex_is(l, "over") ? CMP_OVER : CMP_UNDER;
	if (!lex_take(l, "over") && !lex_take(l, "under"))
		return lex_unknown(
		    l, &l->t, "what follows a time", "over 2h ago");
	if (!duration_read(l, &c->number))
		return false;
	if (!lex_take(l, "ago"))
		return lex_unknown(l, &l->t, "`ago`", "over 2h ago");
	return true;
}

static bool
event_read(struct cond_reader *r, struct cond *c)
{
	unsigned e;

	for (e = 0; e < EVENT_CLOCK; e++)
		if (strcmp(event_name((enum fact_event)e), c->field->name) == 0)
			c->since.event = (enum fact_event)e;
	c->field = &event_field;
	return ago_read(r, c);
}

static bool
clock_test_read(struct cond_reader *r, struct cond *c)
{
	static const struct {
		const char *word;
		enum cond_cmp cmp;
	} words[] = { { "running", CMP_RUNNING }, { "done", CMP_DONE },
		{ "missed", CMP_MISSED } };
	struct lex *l = r->lex;
	size_t i;

	if (!clock_read(r, &c->since))
		return false;
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (lex_take(l, words[i].word)) {
			c->cmp = words[i].cmp;
			return true;
		}
	c->cmp = lex_is(l, "over") ? CMP_OVER : CMP_UNDER;
	if (!lex_take(l, "over") && !lex_take(l, "under"))
		return lex_unknown(l, &l->t, "what follows a clock",
		    "under 4h left, over 4h left, running, done, missed");
	if (!duration_read(l, &c->number))
		return false;
	if (!lex_take(l, "left"))
		return lex_unknown(l, &l->t, "`left`", "under 4h left");
	return true;
}

static bool
duty_test_read(struct cond_reader *r, struct cond *c)
{
	struct lex *l = r->lex;
	const char **who = arena_array(l->arena, 1, sizeof(*who));

	c->duty = duty_read(r);
	if (c->duty == NULL || who == NULL)
		return false;
	c->cmp = CMP_IN;
	if (lex_take(l, "known")) {
		c->cmp = CMP_KNOWN;
		return true;
	}
	if (!lex_take(l, "is"))
		return lex_unknown(
		    l, &l->t, "what follows a duty", "is ali, or known");
	c->negated = lex_take(l, "not");
	if (l->t.kind != LEX_WORD && l->t.kind != LEX_TEXT)
		return lex_unknown(l, &l->t, "somebody's name", "\"Siti\"");
	*who = lex_text(l, &l->t);
	c->value = who;
	c->nvalue = 1;
	lex_next(l);
	return *who != NULL;
}

/* What was typed as it should have been. */
static const char *
in_quotes(const struct lex *l, char out[84])
{
	char word[80];

	if (l->t.kind != LEX_WORD)
		return "\"power\"";
	snprintf(out, 84, "\"%s\"", typed(l, word));
	return out;
}

/* "power", or ("power", "energy") */
static bool
has_read(struct cond_reader *r, struct cond *c)
{
	struct lex *l = r->lex;
	const char **v = arena_array(l->arena, COND_VALUES, sizeof(*v));
	bool list = lex_take_kind(l, LEX_OPEN);
	char word[84];

	c->cmp = CMP_HAS;
	c->value = v;
	do {
		if (v == NULL || l->t.kind != LEX_TEXT)
			return lex_unknown(
			    l, &l->t, "a text in quotes", in_quotes(l, word));
		if (c->nvalue == COND_VALUES)
			return lex_fault_at(
			    l, &l->t, "", "more than %u values", COND_VALUES);
		v[c->nvalue] = lex_text(l, &l->t);
		if (v[c->nvalue] == NULL)
			return false;
		if (v[c->nvalue++][0] == '\0')
			return lex_fault_at(
			    l, &l->t, "known", "everything has \"\" in it");
		lex_next(l);
	} while (list && lex_take_kind(l, LEX_COMMA));
	if (list && !lex_take_kind(l, LEX_CLOSE))
		return lex_unknown(l, &l->t, "a comma or a )", ")");
	return true;
}

/* "500", "10K", "10M", "1G": of 1,024 */
static bool
size_parse(struct span s, int64_t *bytes)
{
	static const char units[] = "KMG";
	const char *unit = NULL;
	uint64_t n;

	if (s.n > 1 && s.p[s.n - 1] != '\0')
		unit = strchr(units, s.p[s.n - 1]);
	if (!num_parse(span_cut(s, 0, unit != NULL ? s.n - 1 : s.n), &n) ||
	    n > SIZE_MOST)
		return false;
	*bytes = (int64_t)(n << (unit != NULL ? 10 * (unit - units + 1) : 0));
	return true;
}

static bool
size_read(struct cond_reader *r, struct cond *c)
{
	struct lex *l = r->lex;

	c->field = &attachment_size;
	c->cmp = lex_is(l, "over") ? CMP_OVER : CMP_UNDER;
	lex_next(l);
	if (l->t.kind != LEX_WORD || !size_parse(l->t.s, &c->number))
		return lex_unknown(l, &l->t, "a size", "500K, 10M, 1G");
	lex_next(l);
	return true;
}

static bool compare_read(struct cond_reader *r, struct cond *c);

static bool
attachment_read(struct cond_reader *r, struct cond *c)
{
	struct lex *l = r->lex;

	if (lex_is(l, "over") || lex_is(l, "under"))
		return size_read(r, c);
	if (lex_take(l, "name"))
		c->field = &attachment_name;
	else if (lex_take(l, "type"))
		c->field = &attachment_type;
	else
		return lex_unknown(l, &l->t, "what follows `attachment`",
		    "name has \"...\", type is ..., over 10M, under 10M");
	return compare_read(r, c);
}

/* "field severity is ..." */
static bool
named_read(struct cond_reader *r, struct cond *c)
{
	struct lex *l = r->lex;

	if (l->t.kind != LEX_WORD && l->t.kind != LEX_TEXT)
		return lex_unknown(l, &l->t, "the name of a field",
		    "severity, as `tocsin show --json` has it");
	c->name = lex_text(l, &l->t);
	lex_next(l);
	return c->name != NULL && compare_read(r, c);
}

/* What may come behind the name of this one, for a fault. */
static bool
wrong_end(struct cond_reader *r, const struct cond_field *f)
{
	static const struct {
		unsigned follows;
		const char *words;
	} rows[] = { { FOLLOWS_IS, "is, is not, in (...)" },
		{ FOLLOWS_ORDER, "at least, at most" },
		{ FOLLOWS_HAS, "has \"...\"" }, { FOLLOWS_KNOWN, "known" } };
	char what[80], may[100] = "";
	size_t i, n = 0;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if ((f->follows & rows[i].follows) != 0)
			n += (size_t)snprintf(may + n, sizeof(may) - n, "%s%s",
			    n > 0 ? ", " : "", rows[i].words);
	snprintf(what, sizeof(what), "what follows `%s`", f->name);
	return lex_unknown(r->lex, &r->lex->t, what, may);
}

static bool
compare_read(struct cond_reader *r, struct cond *c)
{
	struct lex *l = r->lex;
	unsigned may = c->field->follows;

	c->cmp = CMP_IN;
	if ((may & FOLLOWS_IS) != 0 && lex_take(l, "is")) {
		c->negated = lex_take(l, "not");
		return values_read(r, c, false);
	}
	if ((may & FOLLOWS_IS) != 0 && !field_counts(c->field->what) &&
	    (lex_is(l, "in") || lex_is(l, "not"))) {
		c->negated = lex_take(l, "not");
		if (!lex_take(l, "in"))
			return wrong_end(r, c->field);
		return values_read(r, c, true);
	}
	if ((may & FOLLOWS_ORDER) != 0 && lex_take(l, "at")) {
		c->cmp = lex_is(l, "least") ? CMP_LEAST : CMP_MOST;
		if (!lex_take(l, "least") && !lex_take(l, "most"))
			return lex_unknown(
			    l, &l->t, "`least` or `most`", "at least");
		return values_read(r, c, false);
	}
	if ((may & FOLLOWS_HAS) != 0 && lex_take(l, "has"))
		return has_read(r, c);
	if ((may & FOLLOWS_KNOWN) != 0 && lex_take(l, "known")) {
		c->cmp = CMP_KNOWN;
		return true;
	}
	c->cmp = CMP_HOLDS;
	return (may & FOLLOWS_NOTHING) != 0 || wrong_end(r, c->field);
}

static bool
test_read(struct cond_reader *r, struct cond *c)
{
	switch (c->field->what) {
	case FIELD_EVENT:
		return event_read(r, c);
	case FIELD_DONE:
		if (lex_is(r->lex, "over") || lex_is(r->lex, "under") ||
		    lex_is(r->lex, "known"))
			return event_read(r, c);
		return compare_read(r, c);
	case FIELD_CLOCK:
		return clock_test_read(r, c);
	case FIELD_WORKING:
	case FIELD_HOLIDAY:
		c->calendar = calendar_read(r);
		return c->calendar != NULL;
	case FIELD_DUTY:
		return duty_test_read(r, c);
	case FIELD_ATTACHMENT:
		return attachment_read(r, c);
	case FIELD_NAMED:
		return named_read(r, c);
	default:
		return compare_read(r, c);
	}
}

/* ---- the tree ---- */

static struct cond *
node(struct cond_reader *r, enum cond_kind kind)
{
	struct cond *c = arena_get(r->lex->arena, sizeof(*c));

	if (++r->nodes > COND_NODES) {
		lex_fault_at(r->lex, &r->lex->t, "",
		    "more than %u conditions in a file", COND_NODES);
		return NULL;
	}
	if (c == NULL)
		r->lex->no_memory = true;
	else
		c->kind = kind;
	return c;
}

static const char *
name_of_field(const void *arg, size_t i)
{
	(void)arg;
	return i < sizeof(fields) / sizeof(fields[0]) ? fields[i].name : NULL;
}

/* "tlp is RED or AMBER", which begs to be written so. */
static bool
stands_alone(struct cond_reader *r)
{
	const struct cond_field *f = r->last;
	struct lex *l = r->lex;
	char word[80], instead[140];

	if (f == NULL || f->vocab == VOCABS || l->t.kind != LEX_WORD ||
	    (f->follows & FOLLOWS_IS) == 0 ||
	    vocab_find(f->vocab, typed(l, word)) == NULL)
		return false;
	snprintf(instead, sizeof(instead), "%s in (..., %s)", f->name, word);
	lex_fault_at(l, &l->t, instead, "`%s` stands alone", word);
	return true;
}

static const struct cond *
one_test(struct cond_reader *r)
{
	struct lex *l = r->lex;
	struct lex_token t = l->t;
	struct cond *c = node(r, COND_TEST);
	int i;

	if (c == NULL)
		return NULL;
	if (stands_alone(r))
		return NULL;
	i = lex_choose(l, name_of_field, NULL, "a condition",
	    "a condition of tocsin-rules(5)");
	if (i < 0)
		return NULL;
	c->field = r->last = &fields[i];
	if (c->field->of_place)
		of_place(r, &t);
	r->words |= field_of_words(c->field->what);
	if (!test_read(r, c))
		return NULL;
	c->text = lex_since(l, &t);
	return c;
}

static const struct cond *any_of(struct cond_reader *r);

static const struct cond *
in_parentheses(struct cond_reader *r)
{
	struct lex *l = r->lex;
	struct lex_token open = l->t;
	const struct cond *c;

	lex_next(l);
	c = any_of(r);
	if (c == NULL || lex_take_kind(l, LEX_CLOSE))
		return c;
	lex_fault_at(l, &l->t, ")",
	    "the ( of line %u is not closed before this", open.line);
	return NULL;
}

static const struct cond *
quantified(struct cond_reader *r, enum cond_kind kind)
{
	struct cond *c = node(r, kind);
	struct lex *l = r->lex;
	bool before = r->of_place;

	lex_next(l);
	if (c == NULL)
		return NULL;
	if (before || !lex_take(l, "recipient") || l->t.kind != LEX_OPEN) {
		lex_unknown(l, &l->t, "what follows `some` or `every`",
		    "recipient ( ... ), and not within another");
		return NULL;
	}
	r->of_place = true;
	c->a = in_parentheses(r);
	r->of_place = before;
	return c->a != NULL ? c : NULL;
}

static const struct cond *
primary(struct cond_reader *r)
{
	struct lex *l = r->lex;
	const struct cond *c = NULL;
	struct cond *n;

	if (++r->depth > COND_DEPTH) {
		lex_fault_at(l, &l->t, "fewer parentheses",
		    "conditions more than %u deep", COND_DEPTH);
	} else if (l->t.kind == LEX_OPEN) {
		c = in_parentheses(r);
	} else if (lex_take(l, "not")) {
		n = node(r, COND_NOT);
		if (n != NULL && (n->a = primary(r)) != NULL)
			c = n;
	} else if (lex_is(l, "some")) {
		c = quantified(r, COND_SOME);
	} else if (lex_is(l, "every")) {
		c = quantified(r, COND_EVERY);
	} else {
		c = one_test(r);
	}
	r->depth--;
	return c;
}

/* c is the first of several; all of them are primaries. */
static const struct cond *
chain_on(struct cond_reader *r, const struct cond *c, const char *word,
    enum cond_kind kind)
{
	while (c != NULL && lex_take(r->lex, word)) {
		struct cond *n = node(r, kind);

		if (n == NULL)
			return NULL;
		n->a = c;
		n->b = primary(r);
		c = n->b != NULL ? n : NULL;
	}
	return c;
}

/* `and` beside `or` is read in two ways by two officers: neither is guessed. */
static const struct cond *
any_of(struct cond_reader *r)
{
	struct lex *l = r->lex;
	struct lex_token t = l->t;
	const struct cond *c = primary(r);

	if (c != NULL && lex_is(l, "or"))
		c = chain_on(r, c, "or", COND_OR);
	else if (c != NULL && lex_is(l, "and"))
		c = chain_on(r, c, "and", COND_AND);
	if (c == NULL || (!lex_is(l, "or") && !lex_is(l, "and")))
		return c;
	lex_fault_at(l, &l->t, "(a and b) or c, or: a and (b or c)",
	    "`and` and `or` beside each other, from column %u on", t.column);
	return NULL;
}

const struct cond *
cond_read(struct cond_reader *r)
{
	r->last = NULL;
	return any_of(r);
}
