/* SPDX-License-Identifier: ISC */
/* What is done to a ticket: what is asked for it, typed, and chosen from. */
#include "client/cli/desk_model_impl.h"

#include "client/cli/view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SURE (ASKS(ASK_LOOK) | ASKS(ASK_SURE))

/* clang-format off */
const struct deed deeds[] = {
	{ 's', "seen", "ack", "opened", 0,
	    "acknowledge: we have it, nobody acts yet" },
	{ 'a', "accept", "ack", "accepted", 0, "we take it" },
	{ 'w', "working", "ack", "in-progress", 0, "we are at work on it" },
	{ 'd', "defer", "ack", "deferred", 0, "we take it later" },
	{ 'r', "refuse", "ack", "refused",
	    ASKS(ASK_REASON) | ASKS(ASK_TEXT) | SURE,
	    "we do not take it; asks why" },
	{ 'i', "invalid", "ack", "invalid", ASKS(ASK_TEXT) | SURE,
	    "it is no report that anybody can use" },
	{ 'e', "escalate", "escalate", NULL,
	    ASKS(ASK_TO) | ASKS(ASK_TEXT) | SURE,
	    "bring it before others; asks whom" },
	{ 'g', "share", "share", NULL, ASKS(ASK_TO) | ASKS(ASK_TEXT) | SURE,
	    "give it to further members; asks whom" },
	{ 'h', "request", "request", NULL,
	    ASKS(ASK_LOOK) | ASKS(ASK_TEXT) | ASKS(ASK_WHEN),
	    "ask for help with it; asks by when" },
	{ 'n', "note", "update", NULL, ASKS(ASK_LOOK) | ASKS(ASK_TEXT),
	    "add a text" },
	{ 'x', "close", "close", NULL,
	    ASKS(ASK_RESOLUTION) | ASKS(ASK_TEXT) | SURE,
	    "end it; asks how it ended" },
	{ 'u', "reopen", "reopen", NULL, ASKS(ASK_TEXT) | SURE,
	    "take it up again" },
	{ 'v', "save", NULL, NULL, ASKS(ASK_PART) | ASKS(ASK_FOLDER),
	    "save an attachment; asks which, and the folder" },
	{ 0, NULL, NULL, NULL, 0, NULL },
};
/* clang-format on */

const struct deed *
model_deed(const char *word)
{
	const struct deed *d;

	for (d = deeds; d->word != NULL; d++)
		if (strcmp(d->word, word) == 0)
			return d;
	return NULL;
}

const struct deed *
model_deed_of(uint32_t key)
{
	const struct deed *d;

	for (d = deeds; d->word != NULL; d++)
		if (d->key == key)
			return d;
	return NULL;
}

/* ---- what is typed ---- */

static size_t
utf8_of(char out[4], uint32_t c)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

void
model_set_input(struct model *m, const char *s)
{
	snprintf(m->input, sizeof(m->input), "%s", s);
	m->ninput = strlen(m->input);
}

static void
type(struct model *m, uint32_t c)
{
	char bytes[4];
	size_t n;

	if (c == '\r')
		c = '\n'; /* of what is pasted */
	if (c == '\t')
		c = ' ';
	if (c == '\n' && (m->mode != MODE_ASK || m->asking != ASK_TEXT))
		c = ' ';
	if (c > 0x10ffff || (c < 0x20 && c != '\n') || c == 0x7f)
		return;
	n = utf8_of(bytes, c);
	if (m->ninput + n >= sizeof(m->input)) {
		model_say(m, true,
		    "that is all that fits in here; attach the "
		    "rest with `tocsin note --attach`");
		return;
	}
	memcpy(m->input + m->ninput, bytes, n);
	m->ninput += n;
	m->input[m->ninput] = '\0';
}

static void
erase(struct model *m)
{
	while (m->ninput > 0 && ((uint8_t)m->input[--m->ninput] & 0xc0) == 0x80)
		;
	m->input[m->ninput] = '\0';
}

/* True if the key changed what is typed. */
bool
model_edit(struct model *m, uint32_t key)
{
	if (key == KEY_OF_BACKSPACE)
		erase(m);
	else if (key == KEY_OF_WIPE)
		model_set_input(m, "");
	else if (key < KEY_OF_ENTER)
		type(m, key);
	else
		return false;
	return true;
}

/* ---- the members and words that may be typed ---- */

const struct word *
model_choices(const struct model *m)
{
	if (m->mode != MODE_ASK)
		return NULL;
	if (m->asking == ASK_REASON)
		return vocab_list(VOCAB_REFUSAL)->words;
	return m->asking == ASK_RESOLUTION ? vocab_list(VOCAB_RESOLUTION)->words
					   : NULL;
}

/* The i-th word that may be typed now; NULL at the end. */
static const char *
choice(const struct model *m, size_t i)
{
	const struct word *w = model_choices(m);

	if (w != NULL)
		return w[i].word;
	if (m->asking == ASK_PART)
		return m->draft.part[i];
	return m->asking == ASK_TO ? m->members[i] : NULL;
}

/* The word as it is spelt, whatever the case, or by its place: "2". */
static const char *
chosen_word(const struct model *m, const char *typed)
{
	unsigned place;
	const char *c;
	size_t i;
	char end;

	for (i = 0; (c = choice(m, i)) != NULL; i++)
		if (strcasecmp(c, typed) == 0)
			return c;
	if (m->asking == ASK_TO || sscanf(typed, "%u%c", &place, &end) != 1)
		return NULL;
	for (i = 0; (c = choice(m, i)) != NULL; i++)
		if (place == i + 1)
			return c;
	return NULL;
}

static const char *
nearest(const struct model *m, const char *typed)
{
	const char *c, *best = NULL;
	unsigned least = 0;
	size_t i;

	for (i = 0; (c = choice(m, i)) != NULL; i++) {
		unsigned d = vocab_distance(c, typed);

		if (strncasecmp(c, typed, strlen(typed)) == 0)
			d = 0; /* it is only not at its end yet */
		if (best == NULL || d < least) {
			best = c;
			least = d;
		}
	}
	return best;
}

/* The last word that is typed, which Tab completes. */
static size_t
last_word(const struct model *m)
{
	size_t at = m->ninput;

	while (m->asking == ASK_TO && at > 0 && m->input[at - 1] != ' ' &&
	       m->input[at - 1] != ',')
		at--;
	return m->asking == ASK_TO ? at : 0;
}

/* As far as all that fit agree. */
void
model_complete(struct model *m)
{
	size_t at = last_word(m), n = m->ninput - at, i, fit = 0, same = 0;
	const char *c, *first = NULL;

	for (i = 0; (c = choice(m, i)) != NULL; i++) {
		if (strncasecmp(c, m->input + at, n) != 0)
			continue;
		if (fit++ == 0) {
			first = c;
			same = strlen(c);
		}
		while (same > n && strncasecmp(c, first, same) != 0)
			same--;
	}
	if (first == NULL || at + same + 1 >= sizeof(m->input))
		return;
	memcpy(m->input + at, first, same);
	m->ninput = at + same;
	m->input[m->ninput] = '\0';
	if (fit == 1 && m->asking == ASK_TO)
		type(m, ' ');
}

/* ---- a deed, question by question ---- */

static void
draft_release(struct model_draft *d)
{
	size_t i;

	for (i = 0; d->part != NULL && d->part[i] != NULL; i++)
		free((void *)(uintptr_t)d->part[i]);
	free(d->part);
	free(d->folder);
	free(d->subject);
	free(d->text);
	buf_release(&d->goes);
	*d = (struct model_draft){ 0 };
}

void
model_drop(struct model *m)
{
	if (m->mode == MODE_ASK || m->mode == MODE_SURE)
		m->mode = m->under;
	draft_release(&m->draft);
	memset(m->input, 0, sizeof(m->input));
	m->ninput = 0;
}

/* The next question from `from` on, or the deed itself. */
static enum want
ask(struct model *m, enum ask from)
{
	for (m->asking = from; m->asking <= ASK_SURE; m->asking++)
		if (m->draft.deed->asks & ASKS(m->asking))
			break;
	model_set_input(m, "");
	if (m->asking == ASK_LOOK)
		return WANT_LOOK;
	if (m->asking == ASK_PART && m->draft.part == NULL)
		return WANT_PARTS;
	if (m->asking > ASK_SURE)
		return m->draft.deed->kind != NULL ? WANT_POST : WANT_SAVE;
	if (m->asking == ASK_FOLDER)
		model_set_input(m, m->folder != NULL ? m->folder : ".");
	m->mode = m->asking == ASK_SURE ? MODE_SURE : MODE_ASK;
	return WANT_NOTHING;
}

bool
model_may_open(struct model *m, const struct row *r)
{
	if (r == NULL)
		model_say(m, true, "there is no ticket to do that to");
	else if (model_is_damaged(r))
		model_say(
		    m, true, "it is damaged on this disk and cannot be read");
	else
		return true;
	return false;
}

/* What cannot be answered is not asked about. */
static bool
may_begin(struct model *m, const struct row *r)
{
	if (!model_may_open(m, r))
		return false;
	if (r->m->coming)
		model_say(m, true,
		    "only its header is here; what it says is still to come");
	return !r->m->coming;
}

enum want
model_begin(struct model *m, const struct deed *d)
{
	const struct row *r = model_row(m);
	struct model_draft *draft = &m->draft;

	if (!may_begin(m, r))
		return WANT_NOTHING;
	draft_release(draft);
	draft->deed = d;
	m->under = m->mode;
	snprintf(draft->id, sizeof(draft->id), "%s", r->m->thread);
	snprintf(
	    draft->short_id, sizeof(draft->short_id), "%s", r->m->short_id);
	snprintf(draft->tlp, sizeof(draft->tlp), "%s", r->m->tlp);
	draft->subject = r->m->subject != NULL ? strdup(r->m->subject) : NULL;
	return ask(m, ASK_TO);
}

/* A word that is none is answered with the nearest, which Enter takes. */
static bool
take_word(struct model *m, const char **out, bool needed)
{
	const char *best;
	char said[512];

	*out = NULL;
	if (m->ninput == 0 && !needed)
		return true;
	*out = chosen_word(m, m->input);
	if (*out != NULL)
		return true;
	best = nearest(m, m->input);
	snprintf(said, sizeof(said),
	    m->ninput == 0 ? "it must be one of these words"
			   : "that is none of the words; the nearest is %s: "
			     "Enter takes it",
	    best);
	model_say(m, true, said);
	if (m->ninput > 0)
		model_set_input(m, best);
	return false;
}

/* One member of those typed; what it replaces is said. */
static bool
take_member(struct model *m, char *typed)
{
	size_t n = 0, at = (size_t)(typed - m->input);
	const char *c = chosen_word(m, typed), *best;
	char said[512];

	while (n < MODEL_TO && m->draft.to[n] != NULL)
		n++;
	if (c != NULL && n < MODEL_TO) {
		m->draft.to[n] = c;
		return true;
	}
	best = nearest(m, typed);
	if (best == NULL || c != NULL) {
		model_say(m, true,
		    c != NULL ? "too many members at once"
			      : "there is no roster here that says who is a "
				"member");
		return false;
	}
	snprintf(said, sizeof(said),
	    "there is no member %.64s; the nearest is %s: Enter takes it",
	    typed, best);
	model_say(m, true, said);
	m->input[at] = '\0';
	m->ninput = at;
	strncat(m->input, best, sizeof(m->input) - m->ninput - 1);
	m->ninput = strlen(m->input);
	return false;
}

/* Words with spaces or commas between them. */
static bool
take_members(struct model *m)
{
	char typed[MODEL_INPUT], *at = typed, *word;
	char good[MODEL_INPUT] = "";

	memset(m->draft.to, 0, sizeof(m->draft.to));
	memcpy(typed, m->input, m->ninput + 1);
	for (word = strtok_r(typed, " ,", &at); word != NULL;
	     word = strtok_r(NULL, " ,", &at)) {
		snprintf(m->input, sizeof(m->input), "%s%s", good, word);
		m->ninput = strlen(m->input);
		if (!take_member(m, m->input + strlen(good))) {
			if (at != NULL && *at != '\0') {
				type(m, ' ');
				strncat(m->input, at,
				    sizeof(m->input) - m->ninput - 1);
				m->ninput = strlen(m->input);
			}
			return false;
		}
		strncat(good, word, sizeof(good) - strlen(good) - 2);
		strcat(good, " ");
	}
	if (m->draft.to[0] == NULL)
		model_say(m, true, "say whom: Tab completes a member's name");
	return m->draft.to[0] != NULL;
}

static bool
take_text(struct model *m)
{
	bool needed = !(m->draft.deed->asks & ASKS(ASK_SURE));
	char said[128];

	free(m->draft.text);
	m->draft.text = NULL;
	if (m->ninput == 0 && needed) {
		snprintf(said, sizeof(said),
		    "a %s needs a text; Esc gives it up", m->draft.deed->word);
		model_say(m, true, said);
		return false;
	}
	if (m->ninput > 0)
		m->draft.text = strdup(m->input);
	return m->ninput == 0 || m->draft.text != NULL;
}

/* A time to come, or none. */
static bool
take_when(struct model *m)
{
	m->draft.ackby = 0;
	if (m->ninput == 0 || view_when(NULL, m->input, &m->draft.ackby))
		return true;
	model_say(m, true,
	    "that is no time to come: write 30m, 2h, 3d or "
	    "2026-11-21T03:14:15Z, or nothing");
	return false;
}

static bool
take_folder(struct model *m)
{
	free(m->draft.folder);
	free(m->folder);
	m->folder = NULL;
	m->draft.folder = m->ninput > 0 ? strdup(m->input) : NULL;
	if (m->ninput == 0)
		model_say(m, true, "say which folder; Esc gives it up");
	else
		m->folder = strdup(m->input);
	return m->draft.folder != NULL;
}

enum want
model_answer(struct model *m)
{
	struct model_draft *d = &m->draft;
	bool good = false;

	switch (m->asking) {
	case ASK_TO:
		good = take_members(m);
		break;
	case ASK_REASON:
		good = take_word(m, &d->reason, true);
		break;
	case ASK_RESOLUTION:
		good = take_word(m, &d->resolution, false);
		break;
	case ASK_PART:
		good = take_word(m, &d->chosen, true);
		break;
	case ASK_FOLDER:
		good = take_folder(m);
		break;
	case ASK_WHEN:
		good = take_when(m);
		break;
	default:
		good = take_text(m);
	}
	return good ? ask(m, m->asking + 1) : WANT_NOTHING;
}

enum want
model_looked(struct model *m, const char *tlp, const char *const *to, size_t n)
{
	struct model_draft *d = &m->draft;
	size_t i;

	snprintf(d->tlp, sizeof(d->tlp), "%s", tlp);
	buf_release(&d->goes);
	for (i = 0; i < n; i++)
		if (n == 1 || strcmp(to[i], m->own) != 0)
			buf_addf(
			    &d->goes, "%s%s", d->goes.n > 0 ? ", " : "", to[i]);
	buf_u8(&d->goes, '\0');
	return ask(m, ASK_LOOK + 1);
}

enum want
model_parts(struct model *m, const char *const *names, size_t n)
{
	struct model_draft *d = &m->draft;
	size_t i, got = 0;

	d->part = calloc(n + 1, sizeof(*d->part));
	for (i = 0; d->part != NULL && i < n; i++) {
		d->part[got] = strdup(names[i]);
		got += d->part[got] != NULL;
	}
	if (got == 0) {
		model_failed(m, "there is no attachment in it that could be "
				"saved");
		return WANT_NOTHING;
	}
	(void)ask(m, ASK_PART);
	if (got == 1)
		model_set_input(m, d->part[0]);
	return WANT_NOTHING;
}

void
model_told(struct model *m, const char *sentence)
{
	model_drop(m);
	model_say(m, false, sentence);
}

void
model_failed(struct model *m, const char *sentence)
{
	model_drop(m);
	model_say(m, true, sentence);
}

void
model_draft_of(const struct model_draft *d, struct tocsin_draft *out)
{
	*out = (struct tocsin_draft){ .kind = d->deed->kind,
		.answer = d->deed->answer,
		.thread = d->id,
		.reason = d->reason,
		.resolution = d->resolution,
		.text = d->text,
		.ackby = d->ackby,
		.to = d->to[0] != NULL ? d->to : NULL };
}

void
model_question(const struct model *m, struct buf *out)
{
	static const char *const questions[] = {
		[ASK_TO] = "to whom?",
		[ASK_PART] = "which attachment?",
		[ASK_FOLDER] = "into which folder?",
		[ASK_REASON] = "why?",
		[ASK_RESOLUTION] = "how did it end? (or nothing)",
		[ASK_TEXT] = "what is to be said? (or nothing)",
		[ASK_WHEN] = "by when, 30m, 2h, 3d? (or nothing)",
		[ASK_SURE] = "is that right? y or n",
	};

	if (m->asking == ASK_TEXT && !(m->draft.deed->asks & ASKS(ASK_SURE)))
		buf_addf(out, "%s: the text", m->draft.deed->word);
	else if (m->asking == ASK_TO &&
		 strcmp(m->draft.deed->word, "escalate") == 0)
		buf_addf(out, "%s: before whom?", m->draft.deed->word);
	else
		buf_addf(
		    out, "%s: %s", m->draft.deed->word, questions[m->asking]);
	buf_u8(out, '\0');
}
