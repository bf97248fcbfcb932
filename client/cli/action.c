/* SPDX-License-Identifier: ISC */
#include "client/cli/action.h"

#include "client/cli/view.h"
#include "client/json.h"

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum form {
	WORD,
	LIST,
	SOME,
	WORDS,
	WHEN,
	PAST,
	FILES,
	OBJECT,
	FLAG,
	NUMBER,
	TAG
};

#define AT(member) offsetof(struct action, member)
#define IN(word) (1u << (ACTION_##word))

static const struct {
	const char *name;
	const char *kind; /* NULL: it asks */
} words[ACTIONS] = {
	[ACTION_ACK] = { "ack", "ack" },
	[ACTION_NOTE] = { "note", "update" },
	[ACTION_REQUEST] = { "request", "request" },
	[ACTION_QUERY] = { "query", "query" },
	[ACTION_RESULT] = { "result", "result" },
	[ACTION_ESCALATE] = { "escalate", "escalate" },
	[ACTION_SHARE] = { "share", "share" },
	[ACTION_CLOSE] = { "close", "close" },
	[ACTION_REOPEN] = { "reopen", "reopen" },
	[ACTION_RECALL] = { "recall", "recall" },
	[ACTION_ASK] = { "ask", "request" },
	[ACTION_PERMIT] = { "permit", "result" },
	[ACTION_RELABEL] = { "relabel", "update" },
	[ACTION_POST] = { "post", "report" },
	[ACTION_STATUS] = { "status", NULL },
	[ACTION_SHOW] = { "show", NULL },
	[ACTION_GET] = { "get", NULL },
	[ACTION_INBOX] = { "inbox", NULL },
	[ACTION_SAVE] = { "save", NULL },
	[ACTION_WHY] = { "why", NULL },
	[ACTION_MEMBERS] = { "members", NULL },
	[ACTION_SYNC] = { "sync", NULL },
	[ACTION_DUE] = { "due", "update" },
};

#define ASKS (IN(REQUEST) | IN(QUERY))
#define GRANTS (IN(ASK) | IN(PERMIT))
#define SHOWS (IN(ESCALATE) | IN(SHARE))
#define REPLY                                                         \
	(IN(ACK) | IN(NOTE) | ASKS | IN(RESULT) | SHOWS | IN(CLOSE) | \
	    IN(REOPEN) | IN(RECALL) | GRANTS | IN(RELABEL))
#define SAYS (REPLY | IN(POST))
#define OF_ONE (IN(STATUS) | IN(SHOW) | IN(GET) | IN(SAVE)) /* needs an id */
#define ALL ((1u << ACTIONS) - 1)

/* The members of an action, and in which it may stand. */
static const struct member {
	const char *name;
	enum form form;
	size_t at;
	unsigned in;
} members[] = {
	{ "tag", TAG, AT(tag), ALL },
	{ "id", WORD, AT(draft.thread), REPLY | OF_ONE | IN(WHY) | IN(DUE) },
	{ "once", WORD, AT(draft.once), SAYS | IN(DUE) },
	{ "text", WORD, AT(draft.text), SAYS },
	{ "answer", WORD, AT(draft.answer), IN(ACK) },
	{ "reason", WORD, AT(draft.reason), IN(ACK) },
	{ "resolution", WORD, AT(draft.resolution), IN(CLOSE) },
	{ "to", SOME, AT(draft.to),
	    SHOWS | IN(POST) | IN(NOTE) | ASKS | GRANTS },
	{ "clients", LIST, AT(draft.clients), SHOWS },
	{ "ackby", WHEN, AT(draft.ackby),
	    SHOWS | IN(REOPEN) | IN(POST) | ASKS },
	{ "attach", FILES, AT(draft.attachments),
	    IN(NOTE) | IN(POST) | IN(RESULT) | ASKS },
	{ "attachments", SOME, AT(draft.recall), IN(RECALL) },
	{ "tlp", WORD, AT(draft.tlp),
	    IN(POST) | IN(SHARE) | GRANTS | IN(RELABEL) },
	{ "subject", WORD, AT(draft.subject), IN(POST) },
	{ "kind", WORD, AT(draft.kind), IN(POST) },
	{ "precedence", WORD, AT(draft.precedence), IN(POST) },
	{ "severity", WORD, AT(draft.severity), IN(POST) },
	{ "importance", WORD, AT(draft.importance), IN(POST) },
	{ "loss", WORD, AT(draft.loss), IN(POST) },
	{ "class", WORD, AT(draft.classification), IN(POST) },
	{ "outlook", WORD, AT(draft.outlook), IN(POST) },
	{ "pap", WORD, AT(draft.pap), IN(POST) },
	{ "sectors", LIST, AT(draft.sectors), IN(POST) },
	{ "exercise", WORD, AT(draft.exercise), IN(POST) },
	{ "labels", LIST, AT(draft.labels), IN(POST) },
	{ "occurred", PAST, AT(draft.occurred), IN(POST) },
	{ "detected", PAST, AT(draft.detected), IN(POST) },
	{ "reported", PAST, AT(draft.reported), IN(POST) },
	{ "content", OBJECT, AT(draft.json), IN(POST) },
	{ "unacked", FLAG, AT(filter.unacked), IN(INBOX) },
	{ "overdue", FLAG, AT(filter.overdue), IN(INBOX) },
	{ "mine", FLAG, AT(filter.mine), IN(INBOX) },
	{ "state", WORDS, AT(filter.states), IN(INBOX) },
	{ "from", WORDS, AT(filter.senders), IN(INBOX) },
	{ "tlp", WORD, AT(filter.tlp), IN(INBOX) },
	{ "since", WORD, AT(filter.typed), IN(INBOX) },
	{ "limit", NUMBER, AT(limit), IN(INBOX) },
	{ "name", WORD, AT(name), IN(SAVE) },
	{ "folder", WORD, AT(folder), IN(SAVE) },
	{ "code", WORD, AT(code), IN(WHY) },
	{ "wait", NUMBER, AT(wait), IN(SYNC) },
	{ "start", WORD, AT(draft.clock_start), IN(DUE) },
	{ "stop", WORD, AT(draft.clock_stop), IN(DUE) },
	{ "done", WORD, AT(draft.clock_done), IN(DUE) },
	{ "at", PAST, AT(draft.clock_at), IN(DUE) },
	{ "all", FLAG, AT(all), IN(DUE) },
};

struct reading {
	struct action *a;
	char *why; /* 512 */
	bool tagged;
};

static bool
wrong(const struct reading *r, const char *what, const char *name)
{
	snprintf(r->why, 512, "%.64s%s", name != NULL ? name : "", what);
	return false;
}

const char *
action_name(enum action_word word)
{
	return (unsigned)word < ACTIONS ? words[word].name : NULL;
}

bool
action_says(const struct action *a)
{
	return a->draft.kind != NULL;
}

/* Takes the block over, also when it fails. */
static void *
own(struct reading *r, void *p)
{
	struct action *a = r->a;
	void **grown = realloc(a->owned, (a->nowned + 1) * sizeof(*grown));

	if (grown != NULL)
		a->owned = grown;
	if (grown == NULL || p == NULL) {
		free(p);
		return NULL;
	}
	a->owned[a->nowned++] = p;
	return p;
}

static bool
word(struct reading *r, const json_t *v, const char *name, const char **out)
{
	*out = json_string_value(v);
	return *out != NULL && strlen(*out) == json_string_length(v)
		   ? true
		   : wrong(r, " is no string", name);
}

static bool
list(struct reading *r, const json_t *v, const char *name, struct list *out)
{
	size_t i, n = json_array_size(v);
	const char **all;

	if (!json_is_array(v) || n > ACTION_LIST_MAX)
		return wrong(
		    r, " is no array of strings, of 256 at most", name);
	all = own(r, calloc(n + 1, sizeof(*all)));
	if (all == NULL)
		return wrong(r, "no memory", NULL);
	for (i = 0; i < n; i++)
		if (!word(r, json_array_get(v, i), name, &all[i]))
			return false;
	*out = (struct list){ all, n };
	return true;
}

static bool
files(struct reading *r, const json_t *v, const char *name,
    struct tocsin_draft *d)
{
	struct tocsin_attachment *a;
	struct list paths;
	size_t i;

	if (!list(r, v, name, &paths))
		return false;
	a = own(r, calloc(paths.n + 1, sizeof(*a)));
	if (a == NULL)
		return wrong(r, "no memory", NULL);
	for (i = 0; i < paths.n; i++)
		a[i].path = paths.word[i];
	d->attachments = a;
	d->nattachments = paths.n;
	return true;
}

static bool
when(struct reading *r, const json_t *v, const char *name, int64_t *out)
{
	const char *typed;

	return word(r, v, name, &typed) &&
	       (view_when(NULL, typed, out) ||
		   wrong(r,
		       " is no time to come: write 30m, 2h, 3d or "
		       "2026-11-21T03:14:15Z",
		       name));
}

static bool
past(struct reading *r, const json_t *v, const char *name, int64_t *out)
{
	const char *typed;

	return word(r, v, name, &typed) &&
	       ((view_past(NULL, typed, out) && *out <= cli_now()) ||
		   wrong(r,
		       " is no time that was: write 30m, 2h, 3d or "
		       "2026-11-21T03:14:15Z",
		       name));
}

static bool
number(struct reading *r, const json_t *v, const char *name, uint64_t *out)
{
	return json_whole(v, out) ||
	       wrong(r, " is no whole number from 0 on", name);
}

static bool
flag(struct reading *r, const json_t *v, const char *name, bool *out)
{
	if (!json_is_boolean(v))
		return wrong(r, " is neither true nor false", name);
	*out = json_is_true(v);
	return true;
}

static bool
object(struct reading *r, const json_t *v, const char *name, const char **out)
{
	char *text;

	if (!json_is_object(v))
		return wrong(r, " is no object", name);
	text = own(r, json_dumps(v, JSON_COMPACT));
	*out = text;
	return text != NULL || wrong(r, "no memory", NULL);
}

static bool
scalar(struct reading *r, const json_t *v, const json_t **out)
{
	if (json_is_object(v) || json_is_array(v))
		return wrong(
		    r, "tag is no string, number, true or false", NULL);
	*out = v;
	return true;
}

static bool
member(struct reading *r, const struct member *m, const json_t *v)
{
	void *at = (char *)r->a + m->at;
	struct list words_of;

	switch (m->form) {
	case WORD:
		return word(r, v, m->name, at);
	case LIST:
	case SOME: /* where none given means all */
		if (!list(r, v, m->name, &words_of))
			return false;
		if (m->form == SOME && words_of.n == 0)
			return wrong(r, " is empty: name some, or leave it out",
			    m->name);
		*(const char *const **)at = words_of.word;
		return true;
	case WORDS:
		return list(r, v, m->name, at);
	case WHEN:
		return when(r, v, m->name, at);
	case PAST:
		return past(r, v, m->name, at);
	case FILES:
		return files(r, v, m->name, &r->a->draft);
	case OBJECT:
		return object(r, v, m->name, at);
	case FLAG:
		return flag(r, v, m->name, at);
	case NUMBER:
		return number(r, v, m->name, at);
	case TAG:
		return scalar(r, v, at);
	}
	return false;
}

/* What may be done here, as a sentence. */
static bool
no_such_word(struct reading *r)
{
	const char *name = json_string_value(json_object_get(r->a->root, "do"));
	size_t n = (size_t)snprintf(r->why, 512, "\"do\": %.32s is none of ",
	    name != NULL ? name : "what is no string");
	unsigned i;

	for (i = 0; i < ACTIONS && n < 512; i++)
		if (r->tagged || words[i].kind != NULL)
			n += (size_t)snprintf(r->why + n, 512 - n, "%s%s",
			    i > 0 ? ", " : "", words[i].name);
	return false;
}

static bool
find_word(struct reading *r)
{
	const char *name = json_string_value(json_object_get(r->a->root, "do"));
	unsigned i;

	for (i = 0; name != NULL && i < ACTIONS; i++)
		if (strcmp(words[i].name, name) == 0 &&
		    (r->tagged || words[i].kind != NULL)) {
			r->a->word = (enum action_word)i;
			return true;
		}
	return no_such_word(r);
}

/* What the action has instead. */
static bool
no_such_member(struct reading *r, const char *name)
{
	size_t i, n = (size_t)snprintf(r->why, 512,
		      "%.64s is no member of %s, which has ", name,
		      words[r->a->word].name);
	const char *comma = "";

	for (i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if ((members[i].in >> r->a->word & 1) && n < 512 &&
		    (r->tagged || members[i].form != TAG)) {
			n += (size_t)snprintf(r->why + n, 512 - n, "%s%s",
			    comma, members[i].name);
			comma = ", ";
		}
	return false;
}

static const struct member *
find_member(const struct reading *r, const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if ((members[i].in >> r->a->word & 1) &&
		    strcmp(members[i].name, name) == 0 &&
		    (r->tagged || members[i].form != TAG))
			return &members[i];
	return NULL;
}

/* One of three about a clock, or, if the line may ask, none of them. */
static bool
good_due(struct reading *r)
{
	struct tocsin_draft *d = &r->a->draft;
	int n = (d->clock_start != NULL) + (d->clock_stop != NULL) +
		(d->clock_done != NULL);

	if (n > 1 || (n == 0 && !r->tagged))
		return wrong(r, "say one of start, stop and done", NULL);
	if (n == 1 && r->a->all)
		return wrong(
		    r, "all is for a list, start, stop and done are not", NULL);
	if (n == 0 && (d->clock_at != 0 || d->once != NULL))
		return wrong(
		    r, "at and once are for start, stop and done", NULL);
	if (n == 1 && r->tagged && d->thread == NULL)
		return wrong(r, "say of which ticket or message: id", NULL);
	if (n == 0)
		d->kind = NULL;
	return true;
}

/* What a line must say by its word. */
static bool
judge(struct reading *r)
{
	const struct tocsin_draft *d = &r->a->draft;
	const struct {
		unsigned in;
		bool is_there;
		const char *says;
	} needs[] = {
		{ IN(ACK), d->answer != NULL,
		    "say what the answer is: answer" },
		{ SHOWS, d->to != NULL, "say whom to: to" },
		{ IN(NOTE) | ASKS | IN(RESULT),
		    d->text != NULL || d->nattachments > 0,
		    "say something: text, attach" },
		{ IN(ASK), d->tlp != NULL || d->to != NULL,
		    "say what you want to be let do: to, tlp" },
		{ IN(RELABEL), d->tlp != NULL,
		    "say the label that it has from now on: tlp" },
	};
	size_t i;

	for (i = 0; i < sizeof(needs) / sizeof(needs[0]); i++)
		if ((needs[i].in >> r->a->word & 1) && !needs[i].is_there)
			return wrong(r, needs[i].says, NULL);
	return r->a->word != ACTION_DUE || good_due(r);
}

/* What only a line that stands alone must say. */
static bool
complete(struct reading *r)
{
	const struct action *a = r->a;
	const unsigned bit = 1u << a->word;

	if ((bit & (REPLY | OF_ONE)) && a->draft.thread == NULL)
		return wrong(r, "say of which ticket or message: id", NULL);
	if (a->word == ACTION_WHY &&
	    (a->draft.thread == NULL) == (a->code == NULL))
		return wrong(r, "say one of id and code", NULL);
	if (a->word == ACTION_SAVE && a->name == NULL)
		return wrong(r, "say of which attachment: name", NULL);
	return a->word != ACTION_INBOX ||
	       rows_filter_judge(&r->a->filter, r->why);
}

/* First, so that a line that is refused has its tag in the answer. */
static bool
take_tag(struct reading *r)
{
	json_t *v = json_object_get(r->a->root, "tag");

	return !r->tagged || v == NULL || json_is_null(v) ||
	       scalar(r, v, &r->a->tag);
}

static bool
fill(struct reading *r)
{
	const struct member *m;
	const char *name;
	json_t *v;

	if (!take_tag(r) || !find_word(r))
		return false;
	r->a->draft.kind = words[r->a->word].kind;
	json_object_foreach(r->a->root, name, v)
	{
		if (strcmp(name, "do") == 0 || json_is_null(v))
			continue;
		m = find_member(r, name);
		if (m == NULL)
			return no_such_member(r, name);
		if (!member(r, m, v))
			return false;
	}
	return judge(r) && (!r->tagged || complete(r));
}

enum tocsin_err
action_parse(struct action *out, struct span line, bool tagged, char why[512])
{
	struct reading r = { .a = out, .why = why, .tagged = tagged };
	json_error_t said = { 0 };

	*out = (struct action){ .word = ACTIONS };
	if (line.n > ACTION_LINE_MAX || !json_shallow(line, ACTION_DEPTH)) {
		(void)wrong(&r, "it is too long, or too deep", NULL);
		return TOCSIN_ETOOLARGE;
	}
	out->root = json_loadb(
	    (const char *)line.p, line.n, JSON_REJECT_DUPLICATES, &said);
	if (out->root == NULL)
		json_fault(why, 512, &said);
	else if (!json_is_object(out->root))
		(void)wrong(&r, "it is JSON, and no object", NULL);
	if (!json_is_object(out->root))
		return TOCSIN_EMALFORMED;
	return fill(&r) ? TOCSIN_OK : TOCSIN_EUSAGE;
}

void
action_release(struct action *a)
{
	while (a->nowned > 0)
		free(a->owned[--a->nowned]);
	free(a->owned);
	json_decref(a->root);
	*a = (struct action){ .word = ACTIONS };
}

/* ---- of a handler ---- */

static bool
add_line(struct actions *a, struct span line, const char *ticket, char why[512])
{
	struct action *one = &a->action[a->n];

	if (a->n == ACTIONS_MAX) {
		snprintf(why, 512, "too many actions");
		return false;
	}
	a->n++;
	if (action_parse(one, line, false, why) != TOCSIN_OK)
		return false;
	if (one->draft.thread == NULL && one->word != ACTION_POST)
		one->draft.thread = ticket;
	a->draft[a->n - 1] = one->draft;
	return true;
}

bool
actions_parse(
    struct actions *out, struct span lines, const char *ticket, char why[512])
{
	char said[512];
	unsigned number_of = 0;
	struct span line;
	size_t n;

	memset(out, 0, sizeof(*out));
	while (lines.n > 0) {
		const uint8_t *lf = memchr(lines.p, '\n', lines.n);

		n = lf != NULL ? (size_t)(lf - lines.p) : lines.n;
		line = span_cut(lines, 0, n);
		lines = span_cut(lines, n + (lf != NULL), lines.n);
		number_of++;
		if (line.n > 0 && !add_line(out, line, ticket, said)) {
			snprintf(why, 512, "line %u of its output: %.450s",
			    number_of, said);
			return false;
		}
	}
	return true;
}

void
actions_release(struct actions *a)
{
	while (a->n > 0)
		action_release(&a->action[--a->n]);
}
