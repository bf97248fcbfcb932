/* SPDX-License-Identifier: ISC */
#include "client/cli/action.h"

#include "client/cli/view.h"

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum form { WORD, LIST, WHEN, FILES, OBJECT };

#define AT(member) offsetof(struct tocsin_draft, member)
#define IN(action) (1u << (action))

enum { ACK, NOTE, ESCALATE, CLOSE, POST, REQUEST, QUERY, RESULT, ACTIONS };

static const struct {
	const char *name;
	const char *kind;
} actions[ACTIONS] = {
	[ACK] = { "ack", "ack" },
	[NOTE] = { "note", "update" },
	[ESCALATE] = { "escalate", "escalate" },
	[CLOSE] = { "close", "close" },
	[POST] = { "post", "report" },
	[REQUEST] = { "request", "request" },
	[QUERY] = { "query", "query" },
	[RESULT] = { "result", "result" },
};

#define ASK (IN(REQUEST) | IN(QUERY))
#define REPLY (IN(ACK) | IN(NOTE) | IN(ESCALATE) | IN(CLOSE) | IN(RESULT) | ASK)

/* The members of an action, and in which it may stand. */
static const struct {
	const char *name;
	enum form form;
	size_t at;
	unsigned in;
} members[] = {
	{ "id", WORD, AT(thread), REPLY },
	{ "once", WORD, AT(once), REPLY | IN(POST) },
	{ "text", WORD, AT(text), REPLY | IN(POST) },
	{ "answer", WORD, AT(answer), IN(ACK) },
	{ "reason", WORD, AT(reason), IN(ACK) },
	{ "resolution", WORD, AT(resolution), IN(CLOSE) },
	{ "to", LIST, AT(to), IN(ESCALATE) | IN(POST) | ASK },
	{ "ackby", WHEN, AT(ackby), IN(ESCALATE) | IN(POST) | ASK },
	{ "attach", FILES, AT(attachments),
	    IN(NOTE) | IN(POST) | IN(RESULT) | ASK },
	{ "tlp", WORD, AT(tlp), IN(POST) },
	{ "subject", WORD, AT(subject), IN(POST) },
	{ "kind", WORD, AT(kind), IN(POST) },
	{ "precedence", WORD, AT(precedence), IN(POST) },
	{ "severity", WORD, AT(severity), IN(POST) },
	{ "importance", WORD, AT(importance), IN(POST) },
	{ "loss", WORD, AT(loss), IN(POST) },
	{ "class", WORD, AT(classification), IN(POST) },
	{ "outlook", WORD, AT(outlook), IN(POST) },
	{ "pap", WORD, AT(pap), IN(POST) },
	{ "sectors", LIST, AT(sectors), IN(POST) },
	{ "exercise", WORD, AT(exercise), IN(POST) },
	{ "labels", LIST, AT(labels), IN(POST) },
	{ "content", OBJECT, AT(json), IN(POST) },
};

struct reading {
	struct actions *a;
	char *why; /* 512 */
	unsigned line;
	const char *ticket;
};

static bool
wrong(const struct reading *r, const char *what, const char *name)
{
	snprintf(r->why, 512, "line %u of its output: %s%s", r->line,
	    name != NULL ? name : "", what);
	return false;
}

/* Takes the block over, also when it fails. */
static void *
own(struct reading *r, void *p)
{
	struct actions *a = r->a;
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
		   : wrong(r, " is no text, or has a NUL in it", name);
}

static bool
list(struct reading *r, const json_t *v, const char *name,
    const char *const **out)
{
	size_t i, n = json_array_size(v);
	const char **words;

	if (!json_is_array(v) || n > ACTION_LIST_MAX)
		return wrong(r, " is no array, or a long one", name);
	words = own(r, calloc(n + 1, sizeof(*words)));
	if (words == NULL)
		return wrong(r, "no memory", NULL);
	for (i = 0; i < n; i++)
		if (!word(r, json_array_get(v, i), name, &words[i]))
			return false;
	*out = words;
	return true;
}

static bool
files(struct reading *r, const json_t *v, const char *name,
    struct tocsin_draft *d)
{
	const char *const *paths;
	struct tocsin_attachment *a;
	size_t i, n;

	if (!list(r, v, name, &paths))
		return false;
	n = json_array_size(v);
	a = own(r, calloc(n + 1, sizeof(*a)));
	if (a == NULL)
		return wrong(r, "no memory", NULL);
	for (i = 0; i < n; i++)
		a[i].path = paths[i];
	d->attachments = a;
	d->nattachments = n;
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
member(struct reading *r, struct tocsin_draft *d, size_t i, const json_t *v)
{
	const char *name = members[i].name;
	void *at = (char *)d + members[i].at;
	char *text;

	switch (members[i].form) {
	case WORD:
		return word(r, v, name, at);
	case LIST:
		return list(r, v, name, at);
	case WHEN:
		return when(r, v, name, at);
	case FILES:
		return files(r, v, name, d);
	case OBJECT:
		text = own(r, json_dumps(v, JSON_COMPACT));
		d->json = text;
		return text != NULL || wrong(r, " is no object", name);
	}
	return false;
}

static bool
find_action(struct reading *r, const json_t *o, unsigned *out)
{
	const char *name = json_string_value(json_object_get(o, "do"));
	unsigned i;

	for (i = 0; name != NULL && i < ACTIONS; i++)
		if (strcmp(actions[i].name, name) == 0) {
			*out = i;
			return true;
		}
	return wrong(r,
	    "\"do\" is none of ack, note, request, query, result, escalate, "
	    "close and post",
	    NULL);
}

static bool
fill(struct reading *r, struct tocsin_draft *d, json_t *o)
{
	const size_t n = sizeof(members) / sizeof(members[0]);
	const char *name;
	unsigned action;
	json_t *v;
	size_t i;

	if (!find_action(r, o, &action))
		return false;
	d->kind = actions[action].kind;
	if (IN(action) & REPLY)
		d->thread = r->ticket;
	json_object_foreach(o, name, v)
	{
		for (i = 0; i < n; i++)
			if ((members[i].in & IN(action)) &&
			    strcmp(members[i].name, name) == 0)
				break;
		if (strcmp(name, "do") == 0 || json_is_null(v))
			continue;
		if (i == n)
			return wrong(r, " is no member of that action", name);
		if (!member(r, d, i, v))
			return false;
	}
	return true;
}

static bool
parse_line(struct reading *r, struct span line)
{
	struct actions *a = r->a;
	json_t *o;

	if (a->n == ACTIONS_MAX)
		return wrong(r, "too many actions", NULL);
	o = json_loadb(
	    (const char *)line.p, line.n, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(o)) {
		json_decref(o);
		return wrong(r, "it is no JSON object", NULL);
	}
	a->root[a->n] = o;
	return fill(r, &a->draft[a->n++], o);
}

bool
actions_parse(
    struct actions *out, struct span lines, const char *ticket, char why[512])
{
	struct reading r = { .a = out, .why = why, .ticket = ticket };
	struct span line;
	size_t n;

	memset(out, 0, sizeof(*out));
	while (lines.n > 0) {
		const uint8_t *lf = memchr(lines.p, '\n', lines.n);

		n = lf != NULL ? (size_t)(lf - lines.p) : lines.n;
		line = span_cut(lines, 0, n);
		lines = span_cut(lines, n + (lf != NULL), lines.n);
		r.line++;
		if (line.n > 0 && !parse_line(&r, line))
			return false;
	}
	return true;
}

void
actions_release(struct actions *a)
{
	while (a->n > 0)
		json_decref(a->root[--a->n]);
	while (a->nowned > 0)
		free(a->owned[--a->nowned]);
	free(a->owned);
	a->owned = NULL;
}
