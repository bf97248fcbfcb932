/* SPDX-License-Identifier: ISC */
#include "client/cli/view.h"

#include "client/cli/print.h"
#include "client/vocab.h"
#include "crypto/grant.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define MARGIN "  | "
#define TITLE_MAX 60
#define COLUMN 12 /* where the values begin */
#define INDICATORS_MAX 20

/* ---- values ---- */

void
view_short(char out[TOCSIN_SHORT_TEXT], const char *id)
{
	uint8_t raw[ID_LEN];

	out[0] = '\0';
	if (id_parse(span_of(id), raw))
		shortid_print(out, raw);
}

bool
view_same_member(const char *a, const char *b)
{
	size_t n = strcspn(a, "/");

	return n == strcspn(b, "/") && strncmp(a, b, n) == 0;
}

/* "30m" in seconds. */
static bool
duration(const char *typed, int64_t *out)
{
	static const struct {
		char unit;
		int64_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	size_t i, n = strlen(typed);
	uint64_t count;

	for (i = 0; n > 1 && i < sizeof(units) / sizeof(units[0]); i++)
		if (typed[n - 1] == units[i].unit &&
		    num_parse(span_cut(span_of(typed), 0, n - 1), &count) &&
		    count > 0 && count <= 366 * 86400) {
			*out = (int64_t)count * units[i].seconds;
			return true;
		}
	return false;
}

static bool
no_time(const char *option, const char *typed)
{
	if (option != NULL)
		cli_usage("%s: %s is no time: write 30m, 2h, 3d or "
			  "2026-11-21T03:14:15Z",
		    option, typed);
	return false;
}

bool
view_when(const char *option, const char *typed, int64_t *out)
{
	if (time_parse(span_of(typed), out)) {
		if (*out <= cli_now() && option != NULL)
			cli_usage("%s: %s is over", option, typed);
		return *out > cli_now();
	}
	if (!duration(typed, out))
		return no_time(option, typed);
	*out += cli_now();
	return true;
}

bool
view_past(const char *option, const char *typed, int64_t *out)
{
	if (time_parse(span_of(typed), out))
		return true;
	if (!duration(typed, out))
		return no_time(option, typed);
	*out = cli_now() - *out;
	return true;
}

bool
view_been(const char *option, const char *typed, int64_t *out)
{
	if (!view_past(option, typed, out))
		return false;
	if (*out > cli_now())
		cli_usage("%s: %s is still to come, and must have been", option,
		    typed);
	return *out <= cli_now();
}

/* ---- the content ---- */

/* What is shown elsewhere, or says nothing to a person. */
static bool
shown_elsewhere(const char *name)
{
	static const char *const names[] = { "format", "subject", "text", "ack",
		"attachments", "severity", "classification", "outlook", "pap",
		"sectors", "indicators", "original", "resolution", "recall",
		"clock", "occurred", "detected", "reported", "permission",
		"grants", "clients", "action", "claim" };
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static void
print_member(const char *name, const json_t *value)
{
	char *text =
	    json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS);

	printf("  ");
	safe_title(stdout, name, 20);
	printf("\n    ");
	safe_field(
	    stdout, json_is_string(value) ? json_string_value(value) : text, 4);
	putchar('\n');
	free(text);
}

static void
print_time_row(const char *label, int64_t t)
{
	if (t <= 0)
		return;
	printf("  %-9s ", label);
	print_time(stdout, t);
	putchar('\n');
}

/* A text of theirs or about theirs, from the column of values on. */
static void
print_row(const char *label, const char *text)
{
	printf("  %-9s ", label);
	safe_field(stdout, text, COLUMN);
	putchar('\n');
}

/* A word of theirs, as it is to be read, and what it means if that is known. */
static void
print_meant(const char *label, const char *word, const char *says)
{
	char text[512];

	snprintf(text, sizeof(text), "%s%s%s%s", word, says != NULL ? " (" : "",
	    says != NULL ? says : "", says != NULL ? ")" : "");
	print_row(label, text);
}

static void
print_word(const char *label, enum vocab v, const char *word)
{
	if (word != NULL)
		print_meant(label, word, vocab_says(v, word));
}

/* Two members that make one word, as "malicious-code:c2-server". */
static void
print_pair(const char *label, enum vocab v, const json_t *pair,
    const char *head, const char *tail, char between)
{
	const char *first = view_member(pair, head, NULL);
	const char *second = view_member(pair, tail, NULL);
	char word[128], shown[128];

	if (first == NULL)
		return;
	snprintf(word, sizeof(word), "%s%s%s", first, second != NULL ? ":" : "",
	    second != NULL ? second : "");
	snprintf(shown, sizeof(shown), "%s%c%s", first, between,
	    second != NULL ? second : "");
	print_meant(label, second != NULL ? shown : word, vocab_says(v, word));
}

static void
print_severity(const json_t *content)
{
	const json_t *s = json_object_get(content, "severity");

	print_pair("severity", VOCAB_SEVERITY, s, "scale", "level", ' ');
	print_word(
	    "  system", VOCAB_IMPORTANCE, view_member(s, "importance", NULL));
	print_word("  loss", VOCAB_LOSS, view_member(s, "loss", NULL));
}

/* As they wrote it, if it is no time. */
static void
print_when(const char *label, const char *typed)
{
	int64_t t;

	if (typed == NULL)
		return;
	if (time_parse(span_of(typed), &t))
		print_time_row(label, t);
	else
		print_row(label, typed);
}

static void
print_times(const json_t *content)
{
	static const char *const names[] = { "occurred", "detected",
		"reported" };
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		print_when(names[i], view_member(content, names[i], NULL));
}

/* What our own member said of a deadline. */
static void
print_clock(const json_t *content)
{
	static const struct {
		const char *name, *says;
	} words[] = { { "start", "applies" }, { "stop", "does not apply" },
		{ "done", "done" } };
	const json_t *clock = json_object_get(content, "clock");
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (view_member(clock, words[i].name, NULL) != NULL)
			print_meant("deadline",
			    view_member(clock, words[i].name, NULL),
			    words[i].says);
	print_when("  at", view_member(clock, "at", NULL));
}

static void
print_sectors(const json_t *content)
{
	const json_t *list = json_object_get(content, "sectors");
	size_t i;

	for (i = 0; i < json_array_size(list); i++)
		print_word("sector", VOCAB_SECTOR,
		    json_string_value(json_array_get(list, i)));
}

static void
print_indicators(const json_t *content)
{
	const json_t *list = json_object_get(content, "indicators");
	size_t i;

	for (i = 0; i < json_array_size(list) && i < INDICATORS_MAX; i++) {
		const json_t *one = json_array_get(list, i);

		printf("  indicator ");
		safe_field(stdout, view_member(one, "pattern", NULL), COLUMN);
		putchar('\n');
	}
	if (i < json_array_size(list))
		printf("            and %zu more, which --json shows\n",
		    json_array_size(list) - i);
}

/* What a rule did by this message, or says that it will do. */
static void
print_records(const json_t *content)
{
	const json_t *a = json_object_get(content, "action");
	const char *rule = view_member(a, "rule", NULL);
	const char *id = view_member(a, "id", NULL);
	const char *hook = view_member(a, "hook", NULL);
	char text[512];

	if (id != NULL) {
		snprintf(text, sizeof(text), "%s%s%s%s (%s)",
		    rule != NULL ? rule : "?",
		    hook != NULL ? ": the hook " : "", hook != NULL ? hook : "",
		    hook == NULL ? ""
		    : json_is_true(json_object_get(a, "failed"))
			? " has failed for good"
			: " was run",
		    id);
		print_row("by rule", text);
	}
	id = view_member(content, "claim", "id");
	if (id != NULL) {
		snprintf(text, sizeof(text), "%s: this device does it", id);
		print_row("claim", text);
		print_when("  until", view_member(content, "claim", "until"));
	}
}

static void
print_others(json_t *content)
{
	const char *name;
	json_t *value;

	json_object_foreach(content, name, value) if (!shown_elsewhere(name))
	    print_member(name, value);
}

/* ---- messages ---- */

static void
print_size(uint64_t n)
{
	if (n >= 10 * 1024 * 1024)
		printf("%llu MiB", (unsigned long long)(n >> 20));
	else if (n >= 10 * 1024)
		printf("%llu KiB", (unsigned long long)(n >> 10));
	else
		printf("%llu bytes", (unsigned long long)n);
}

/* What is not yet a KiB is no KiB; what is begun of the whole counts. */
static void
of_kib(char out[64], uint64_t here, uint64_t size)
{
	snprintf(out, 64, "%llu of %llu KiB", (unsigned long long)(here >> 10),
	    (unsigned long long)((size + 1023) >> 10));
}

void
view_coming(char out[64], const struct tocsin_message *m)
{
	of_kib(out, m->body_here, m->body_size);
}

void
view_part(char out[64], const struct tocsin_part *p)
{
	if (p->sealed > 0 && p->here == p->sealed) {
		snprintf(out, 64, "complete");
	} else if (p->here > 0) {
		of_kib(out, p->here, p->sealed);
		strncat(out, " here", 63 - strlen(out));
	} else {
		snprintf(out, 64, p->saved > 0 ? "saved" : "not fetched");
	}
}

enum tocsin_err
view_reason(const char *name)
{
	int i;

	for (i = 0; i < TOCSIN_ERR_COUNT; i++)
		if (strcmp(tocsin_err_name((enum tocsin_err)i), name) == 0)
			return (enum tocsin_err)i;
	return TOCSIN_ERR_COUNT;
}

/* The table speaks of "that member"; here it is we whose keys are meant. */
bool
view_turned_away(char out[512], const struct tocsin_place *p)
{
	enum tocsin_err err =
	    p->reason != NULL ? view_reason(p->reason) : TOCSIN_ERR_COUNT;

	if (p->rung != TOCSIN_RUNG_REFUSED || err == TOCSIN_ERR_COUNT ||
	    p->by == NULL || strchr(p->by, '/') != NULL)
		return false;
	if (err == TOCSIN_EKEYSEXPIRED)
		snprintf(out, 512,
		    "%s: the broker %s has no keys of ours that are in force; "
		    "run `tocsin keys publish`, then send it anew",
		    p->member, p->by);
	else
		snprintf(out, 512, "%s: the broker %s refused it: %s",
		    p->member, p->by, tocsin_err_text(err));
	return true;
}

void
view_left_out(const struct tocsin_left *l)
{
	enum tocsin_err err = view_reason(l->reason);

	printf("%s: the broker %s took it without ", l->nation, l->by);
	safe_title(stdout, l->name, TITLE_MAX);
	if (err != TOCSIN_ERR_COUNT)
		printf(": %s", tocsin_err_text(err));
	printf(" [%s]\n", l->reason);
}

bool
view_is_left_by(const struct tocsin_left *l, const struct tocsin_place *p)
{
	const char *at = strchr(p->member, '@');

	return at != NULL && strcmp(l->nation, at + 1) == 0;
}

bool
view_may_pass(const struct tocsin_message *m)
{
	switch (m->refused) {
	case TOCSIN_EROSTERUNKNOWN:
	case TOCSIN_ENOTENROLLED:
	case TOCSIN_EKEYSEXPIRED:
	case TOCSIN_ECLOCKSKEW:
		return !m->own;
	default:
		return false;
	}
}

/* The type of any bytes says nothing. */
static void
print_media(const char *media)
{
	if (strcmp(media, "application/octet-stream") == 0)
		return;
	printf("  ");
	safe_title(stdout, media, 40);
}

static void
print_parts(const struct tocsin_message *m)
{
	char state[64];
	size_t i, k;

	for (i = 0; i < m->nparts; i++) {
		printf("  attached  ");
		if (m->coming) {
			print_size(m->parts[i].sealed);
		} else {
			safe_title(stdout, m->parts[i].name, TITLE_MAX);
			printf("  ");
			print_size(m->parts[i].size);
			print_media(m->parts[i].media);
		}
		view_part(state, &m->parts[i]);
		if (m->parts[i].recalled)
			printf("  %srecalled%s", colour(RED), colour(PLAIN));
		printf("%s%s\n", m->own ? "" : "  ", m->own ? "" : state);
		for (k = 0; k < m->parts[i].nleft; k++) {
			printf("%*s", COLUMN, "");
			view_left_out(&m->parts[i].left[k]);
		}
	}
}

/* The line that every message begins with: the label, then what we vouch for.
 */
static void
print_first_line(const struct tocsin_message *m)
{
	char own[TOCSIN_SHORT_TEXT];

	view_short(own, m->id);
	print_tlp(stdout, m->tlp);
	printf(" %s%s%s  %s  %s  from %s\n", colour(BOLD), own, colour(PLAIN),
	    m->precedence, m->kind, m->from);
	if (m->exercise != NULL)
		printf("  %sEXERCISE EXERCISE EXERCISE%s %s\n", colour(AMBER),
		    colour(PLAIN), m->exercise);
}

/* Of a body that is not here nothing was verified; of its header all was. */
static void
print_coming(const struct tocsin_message *m)
{
	char state[64];

	view_coming(state, m);
	printf("  %sbody still to come%s, %s; not verified or opened yet\n",
	    colour(AMBER), colour(PLAIN), state);
	if (m->refused != TOCSIN_EUNAVAILABLE)
		printf("  %sthe header is not verified%s [%s]: %s\n",
		    colour(RED), colour(PLAIN), tocsin_err_name(m->refused),
		    tocsin_err_text(m->refused));
}

static bool
print_refused(const struct tocsin_message *m)
{
	if (m->coming)
		print_coming(m);
	if (m->coming || m->refused == TOCSIN_OK)
		return m->coming;
	if (m->refused == TOCSIN_ERECALLED) {
		printf("  %srecalled%s: %s\n", colour(RED), colour(PLAIN),
		    tocsin_err_text(m->refused));
		return true;
	}
	printf("  %s%s%s [%s]: %s\n", colour(RED),
	    m->own ? "the broker refused it" : "not opened", colour(PLAIN),
	    tocsin_err_name(m->refused), tocsin_err_text(m->refused));
	return true;
}

static void
print_header(const struct tocsin_message *m)
{
	size_t i;

	printf("  to        ");
	for (i = 0; m->to[i] != NULL; i++)
		printf("%s%s", i > 0 ? ", " : "", m->to[i]);
	putchar('\n');
	print_time_row("written", m->time);
	if (m->own && m->received == 0 && m->refused == TOCSIN_OK)
		printf("  queued    not at the broker yet\n");
	print_time_row("answer by", m->ackby);
}

static void
print_answer(const json_t *content)
{
	const char *state = view_member(content, "ack", "state");
	const char *reason = view_member(content, "ack", "reason");
	const char *how = view_member(content, "resolution", NULL);

	if (how != NULL) {
		printf("  resolved  ");
		safe_title(stdout, how, 40);
		putchar('\n');
	}
	if (state == NULL)
		return;
	printf("  answer    ");
	safe_title(stdout, state, 20);
	if (reason != NULL)
		printf(": ");
	safe_title(stdout, reason, 40);
	putchar('\n');
}

static void
print_content(json_t *content)
{
	print_severity(content);
	print_pair("class", VOCAB_RSIT,
	    json_object_get(content, "classification"), "class", "type", ':');
	print_word(
	    "outlook", VOCAB_OUTLOOK, view_member(content, "outlook", NULL));
	print_word("pap", VOCAB_PAP, view_member(content, "pap", NULL));
	print_sectors(content);
	print_times(content);
	print_clock(content);
	print_records(content);
	print_indicators(content);
	print_others(content);
}

static void
print_list(const char *label, const json_t *list)
{
	char text[512] = "";
	size_t i, n = 0;

	for (i = 0; i < json_array_size(list) && n < sizeof(text); i++)
		if (json_string_value(json_array_get(list, i)) != NULL)
			n += (size_t)snprintf(text + n, sizeof(text) - n,
			    "%s%s", i > 0 ? ", " : "",
			    json_string_value(json_array_get(list, i)));
	if (n > 0)
		print_row(label, text);
}

/* A grant that came in it, as its author signed it; not judged here. */
static void
print_grant(const char *note)
{
	struct note n;
	struct grant *g = malloc(sizeof(*g));
	char text[512];
	size_t i, at;

	if (g != NULL && note != NULL &&
	    note_parse(&n, span_of(note), GRANT_FILE_MAX) == TOCSIN_OK &&
	    grant_parse(g, n.text) == TOCSIN_OK) {
		at = (size_t)snprintf(text, sizeof(text), "%s: %s as TLP:%s",
		    g->from, g->holder[0] ? g->holder : "everybody",
		    ticket_tlp_name(g->tlp));
		for (i = 0; i < g->nto && at < sizeof(text); i++)
			at += (size_t)snprintf(text + at, sizeof(text) - at,
			    "%s%s", i > 0 ? ", " : ", to ", g->to[i]);
		print_row("grant", text);
	}
	free(g);
}

/* What is asked of its author, what he grants, and whether that is so. */
static void
print_permission(const struct tocsin_message *m, const json_t *content)
{
	const json_t *wish = json_object_get(content, "permission");
	const json_t *grants = json_object_get(content, "grants");
	char brief[TOCSIN_SHORT_TEXT];
	size_t i;

	if (json_is_object(wish)) {
		print_list("to show to", json_object_get(wish, "to"));
		if (view_member(wish, "tlp", NULL) != NULL)
			print_row("as TLP", view_member(wish, "tlp", NULL));
		view_short(brief, m->id);
		printf("  asks for permission: `tocsin permit %s`, or `tocsin "
		       "ack %s --refuse`\n",
		    brief, brief);
	}
	print_list("clients", json_object_get(content, "clients"));
	for (i = 0; i < json_array_size(grants); i++)
		print_grant(json_string_value(json_array_get(grants, i)));
	if (m->permitted_by != NULL)
		printf(
		    "  with the permission of %s, signed\n", m->permitted_by);
	if (m->unpermitted)
		printf("  %sthe permission that it comes with does not hold%s: "
		       "ask who wrote it\n",
		    colour(RED), colour(PLAIN));
}

/* The ticket that an escalation brings before others. */
static void
print_original(const json_t *content)
{
	const json_t *o = json_object_get(content, "original");
	json_t *ticket = json_object_get(o, "ticket");
	char brief[TOCSIN_SHORT_TEXT] = "";

	if (!json_is_object(ticket))
		return;
	if (view_member(o, "id", NULL) != NULL)
		view_short(brief, view_member(o, "id", NULL));
	printf("  the ticket that it is about, %s:\n", brief);
	print_content(ticket);
	safe_body(stdout, view_member(ticket, "text", NULL), MARGIN);
}

bool
view_is_claim(const struct tocsin_message *m, int64_t *until)
{
	json_t *content = view_content(m);
	const char *text = view_member(content, "claim", "until");
	bool claim = view_member(content, "claim", "id") != NULL &&
		     m->text == NULL && m->nparts == 0;

	*until = 0;
	if (claim && text != NULL && !time_parse(span_of(text), until))
		*until = 0;
	json_decref(content);
	return claim;
}

void
view_message(const struct tocsin_message *m)
{
	json_t *content = view_content(m);

	print_first_line(m);
	print_header(m);
	(void)print_refused(m);
	if (m->subject != NULL) {
		printf("  subject   %s", colour(BOLD));
		safe_field(stdout, m->subject, COLUMN);
		printf("%s\n", colour(PLAIN));
	}
	print_answer(content);
	print_content(content);
	print_permission(m, content);
	print_parts(m);
	safe_body(stdout, m->text, MARGIN);
	print_original(content);
	json_decref(content);
}

void
view_brief(const struct tocsin_message *m)
{
	json_t *content = view_content(m);
	char ticket[TOCSIN_SHORT_TEXT];

	print_first_line(m);
	if (strcmp(m->id, m->thread) != 0) {
		view_short(ticket, m->thread);
		printf("  ticket    %s\n", ticket);
	}
	print_time_row("written", m->time);
	print_time_row("answer by", m->ackby);
	if (!print_refused(m) && m->subject != NULL) {
		printf("  subject   ");
		safe_title(stdout, m->subject, TITLE_MAX);
		putchar('\n');
	}
	print_answer(content);
	print_permission(m, content);
	print_parts(m);
	if (strcmp(m->id, m->thread) != 0)
		safe_body(stdout, m->text, MARGIN);
	json_decref(content);
}

/* ---- places ---- */

/* Nobody of it has said a word since it was asked. */
bool
view_silent(const struct tocsin_place *p)
{
	return p->rung <= TOCSIN_RUNG_DELIVERED && p->heard < p->asked &&
	       !p->recalled;
}

/* Who is silent stands there since it was asked, which is said below. */
void
view_place(const struct tocsin_place *p)
{
	printf("  %-16s %-11s ", p->member, tocsin_rung_name(p->rung));
	if (view_silent(p)) {
		printf("silent for ");
		print_span(stdout, cli_now() - p->asked);
	} else {
		print_time(stdout, p->since);
	}
	if (p->reason != NULL)
		printf("  ");
	safe_title(stdout, p->reason, TITLE_MAX);
	if (p->recalled)
		printf("  recalled");
	if (p->overdue)
		printf("  %sOVERDUE%s", colour(RED), colour(PLAIN));
	putchar('\n');
}

#define SAME_TIME 2 /* seconds that two good clocks may differ by */

/*
 * Nothing comes before what it answers: whose word is older has another clock
 * than who asked.
 */
static void
print_after(FILE *to, int64_t seconds)
{
	if (seconds < 0 && seconds >= -SAME_TIME)
		seconds = 0;
	putc('+', to);
	if (seconds >= 0) {
		print_span(to, seconds);
	} else {
		fputs("0s (a clock is behind by ", to);
		print_span(to, -seconds);
		putc(')', to);
	}
}

/* Each word with how long after the question it came, and from whom. */
static void
print_step(FILE *to, int64_t asked, const struct tocsin_step *s)
{
	const char *slash = s->by != NULL ? strrchr(s->by, '/') : NULL;

	bool program = s->rung == TOCSIN_RUNG_DELIVERED && s->message != NULL;

	fprintf(to, ", %s ", program ? "received" : tocsin_rung_name(s->rung));
	print_after(to, s->time - asked);
	if (program && slash != NULL)
		fprintf(to, " by %s, a program", slash + 1);
	else if (s->rung >= TOCSIN_RUNG_DELIVERED && slash != NULL)
		fprintf(to, " %s", slash + 1);
	else if (s->rung == TOCSIN_RUNG_DELIVERED && s->by != NULL &&
		 strrchr(s->by, ' ') != NULL)
		fputs(strrchr(s->by, ' '), to);
	else if (s->rung == TOCSIN_RUNG_REFUSED && s->by != NULL)
		fprintf(to, " broker %s", s->by);
	if (s->rung == TOCSIN_RUNG_REFUSED && s->reason != NULL) {
		putc(' ', to);
		safe_title(to, s->reason, 24);
	}
}

/* Brokers speak of what asked first, and it of what asked it last. */
static bool
answers_anew(const struct tocsin_place *p, size_t i)
{
	const struct tocsin_step *s = &p->step[i];

	return p->asked != p->first_asked && s->rung > TOCSIN_RUNG_DELIVERED &&
	       s->message != NULL && s->time >= p->asked;
}

void
view_steps(const struct tocsin_place *p)
{
	char *line = NULL;
	size_t i, n = 0;
	FILE *to = open_memstream(&line, &n);

	if (to == NULL)
		return;
	fputs("asked ", to);
	print_time(to, p->first_asked);
	for (i = 0; i < p->nstep; i++)
		if (p->step[i].rung > TOCSIN_RUNG_POSTED && !answers_anew(p, i))
			print_step(to, p->first_asked, &p->step[i]);
	if (p->asked != p->first_asked) {
		fputs("; asked again ", to);
		print_time(to, p->asked);
	}
	for (i = 0; i < p->nstep; i++)
		if (answers_anew(p, i))
			print_step(to, p->asked, &p->step[i]);
	if (fclose(to) == 0) {
		printf("      %s", colour(DIM));
		safe_field(stdout, line, 6);
		printf("%s\n", colour(PLAIN));
	}
	free(line);
}

/* ---- deadlines ---- */

void
view_left(int64_t due, int64_t done)
{
	int64_t now = cli_now();

	if (done != 0) {
		printf(done > due ? "done late" : "done");
	} else if (now > due) {
		printf("%sLATE by ", colour(RED));
		print_span(stdout, now - due);
		fputs(colour(PLAIN), stdout);
	} else {
		print_span(stdout, due - now);
		printf(" left");
	}
}

void
view_deadlines(const struct tocsin_status *s)
{
	size_t i;

	for (i = 0; i < s->ndeadline; i++) {
		const struct tocsin_deadline *d = &s->deadline[i];

		printf("  due       ");
		view_left(d->due, d->done);
		printf(", ");
		print_time(stdout, d->due);
		printf("\n%*s%s (", COLUMN, "", d->clock);
		safe_title(stdout, d->text, TITLE_MAX);
		printf(")");
		putchar('\n');
	}
}
