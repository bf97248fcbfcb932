/* SPDX-License-Identifier: ISC */
/* How far an exercise is, and which inject comes next. */
#include "client/cli/drill.h"
#include "client/cli/held.h"
#include "client/cli/print.h"
#include "client/cli/view.h"
#include "client/drill/agenda.h"
#include "client/once.h"

#include <jansson.h>

struct standing {
	struct cli *c;
	const char *exercise;
	struct drill_clock clock;
	struct agenda agenda;
	bool known; /* the agenda is */
	bool at_work;
	int64_t now, over; /* milliseconds */
};

/* ---- the agenda in the desk ---- */

static void
agenda_name(char out[128], const char *exercise)
{
	snprintf(out, 128, "drill-agenda/%.*s", EXERCISE_MAX, exercise);
}

void
drill_key(char out[DRILL_KEY], const char *exercise, const char *inject)
{
	snprintf(out, DRILL_KEY, "%s/%s", exercise, inject);
}

enum tocsin_err
drill_agenda_save(struct desk *desk, const struct script *s)
{
	struct buf b = { 0 };
	char name[128];
	enum tocsin_err err;

	agenda_name(name, s->exercise);
	agenda_print(&b, s);
	err = drill_keep(desk, name, &b);
	buf_drop(&b);
	return err;
}

/* With what was posted; false: there is none, or it cannot be read. */
static bool
load_agenda(struct agenda *out, struct desk *desk, const char *exercise)
{
	char name[128], key[DRILL_KEY];
	struct desk_tx *tx = NULL;
	uint8_t id[ID_LEN];
	struct span value;
	bool good;
	size_t i;

	*out = (struct agenda){ .length = 0 };
	agenda_name(name, exercise);
	good = desk_read(desk, &tx) == TOCSIN_OK &&
	       desk_value_get(tx, name, &value) == TOCSIN_OK &&
	       agenda_parse(out, value) == TOCSIN_OK;
	for (i = 0; good && i < out->n; i++) {
		drill_key(key, exercise, out->inject[i].name);
		out->inject[i].posted = once_find(tx, key, id) == TOCSIN_OK;
	}
	desk_end(tx);
	return good;
}

/* ---- times ---- */

/* When the clock on the wall will say so; 0: nobody knows while it is held. */
static int64_t
wall(const struct standing *s, int64_t at)
{
	int64_t ms = drill_clock_when(&s->clock, at * 1000);

	if (ms == INT64_MAX || s->clock.held)
		return 0;
	return (ms > s->now ? ms : s->now) / 1000;
}

/* Seconds of the exercise until then, rounded up. */
static int64_t
until(const struct standing *s, int64_t at)
{
	int64_t ms = at * 1000 - s->over;

	return ms > 0 ? (ms + 999) / 1000 : 0;
}

/* 0: it is not, or was before it began, and goes on with that. */
static int64_t
paused_since(const struct standing *s)
{
	return s->clock.held && s->clock.since <= s->now ? s->clock.since / 1000
							 : 0;
}

static size_t
count(const struct standing *s, enum agenda_state state)
{
	return agenda_count(&s->agenda, state, &s->clock, s->now);
}

static bool
is_over(const struct standing *s)
{
	return s->known && s->over >= s->agenda.length * 1000;
}

/* ---- for programs ---- */

static json_t *
inject_json(const struct standing *s, const struct agenda_inject *i)
{
	int64_t time = wall(s, i->at);

	return json_pack("{s:s, s:s, s:I, s:i, s:I, s:o, s:o}", "inject",
	    i->name, "subject", i->subject, "at", (json_int_t)i->at, "to",
	    (int)i->to, "in", (json_int_t)until(s, i->at), "wait",
	    time > 0 ? json_integer(time - s->now / 1000) : json_null(), "time",
	    view_time(time));
}

static json_t *
late_json(const struct standing *s)
{
	json_t *list = json_array();
	size_t k;

	for (k = 0; k < s->agenda.n; k++) {
		const struct agenda_inject *i = &s->agenda.inject[k];

		if (agenda_state(i, &s->clock, s->now) != AGENDA_LATE)
			continue;
		json_array_append_new(
		    list, json_pack("{s:s, s:s, s:I, s:i, s:I}", "inject",
			      i->name, "subject", i->subject, "at",
			      (json_int_t)i->at, "to", (int)i->to, "late",
			      (json_int_t)(s->over / 1000 - i->at)));
	}
	return list;
}

static json_t *
number(const struct standing *s, int64_t n)
{
	return s->known ? json_integer(n) : json_null();
}

static void
print_standing_json(const struct standing *s)
{
	const struct agenda_inject *next =
	    agenda_next(&s->agenda, &s->clock, s->now);
	json_t *o = json_pack("{s:s, s:o, s:I, s:b, s:i, s:b}", "exercise",
	    s->exercise, "begun", view_time(s->clock.begun / 1000), "over",
	    (json_int_t)(s->over / 1000), "paused", s->clock.held, "speed",
	    (int)s->clock.speed, "running", s->at_work);

	json_object_set_new(o, "paused_since", view_time(paused_since(s)));
	json_object_set_new(o, "length", number(s, s->agenda.length));
	json_object_set_new(
	    o, "ends", view_time(s->known ? wall(s, s->agenda.length) : 0));
	json_object_set_new(o, "injects", number(s, (int64_t)s->agenda.n));
	json_object_set_new(
	    o, "posted", number(s, (int64_t)count(s, AGENDA_POSTED)));
	json_object_set_new(
	    o, "left_out", number(s, (int64_t)count(s, AGENDA_LEFT_OUT)));
	json_object_set_new(
	    o, "next", next != NULL ? inject_json(s, next) : json_null());
	json_object_set_new(o, "late", late_json(s));
	print_json(o);
}

/* ---- for people ---- */

static void
print_length(int64_t seconds)
{
	char at[24];

	script_at(at, seconds);
	fputs(seconds > 0 ? at + 2 : "0s", stdout);
}

static void
print_inject(const char *word, const struct agenda_inject *i)
{
	char at[24];

	script_at(at, i->at);
	printf("  %-6s%s%s%s at %s, to %u player%s: ", word, colour(BOLD),
	    i->name, colour(PLAIN), at, i->to, i->to == 1 ? "" : "s");
	safe_title(stdout, i->subject, title_width(44, 76));
	putchar('\n');
}

/* "in 15m of it, 1m30s by the clock, at 2026-11-21 03:14:15Z" */
static void
print_wait(const struct standing *s, int64_t at)
{
	int64_t time = wall(s, at), left = until(s, at);

	printf("        in ");
	print_length(left);
	if (s->clock.held) {
		printf(" of the exercise, which is paused\n");
		return;
	}
	if (s->clock.speed != 1 || time - s->now / 1000 > left + 1) {
		printf(" of the exercise, ");
		print_length(time - s->now / 1000);
		printf(" by the clock");
	}
	printf(", at ");
	print_time(stdout, time);
	putchar('\n');
}

static void
print_late(const struct standing *s)
{
	size_t k;

	for (k = 0; k < s->agenda.n; k++) {
		const struct agenda_inject *i = &s->agenda.inject[k];

		if (agenda_state(i, &s->clock, s->now) != AGENDA_LATE)
			continue;
		print_inject("late", i);
		printf("        by ");
		print_length(s->over / 1000 - i->at);
		printf(" of the exercise, and not posted\n");
	}
}

static void
print_agenda(const struct standing *s)
{
	const struct agenda_inject *next =
	    agenda_next(&s->agenda, &s->clock, s->now);

	printf("  %zu of %zu injects posted", count(s, AGENDA_POSTED),
	    s->agenda.n);
	if (count(s, AGENDA_LEFT_OUT) > 0)
		printf(", %zu left out", count(s, AGENDA_LEFT_OUT));
	putchar('\n');
	print_late(s);
	if (next != NULL) {
		print_inject("next", next);
		print_wait(s, next->at);
	} else if (!is_over(s)) {
		printf("  no inject is to come; it ends\n");
		print_wait(s, s->agenda.length);
	}
}

static void
print_head(const struct standing *s)
{
	char at[24];

	script_at(at, s->over / 1000);
	printf("EXERCISE %s: %s", s->exercise, at);
	if (s->known) {
		printf(" of ");
		print_length(s->agenda.length);
	}
	if (s->clock.held)
		printf(", paused");
	if (paused_since(s) > 0) {
		printf(" since ");
		print_time(stdout, paused_since(s));
	}
	if (s->clock.speed != 1)
		printf(", %u times as fast", s->clock.speed);
	printf("; %s ", s->clock.begun > s->now ? "begins" : "begun");
	print_time(stdout, s->clock.begun / 1000);
	putchar('\n');
}

static void
print_standing(const struct standing *s)
{
	print_head(s);
	if (s->known)
		print_agenda(s);
	if (is_over(s) && count(s, AGENDA_LATE) == 0)
		printf("  its time is over: `tocsin drill report SCRIPT`\n");
	else if (!s->at_work)
		printf("  nobody posts its injects now: `tocsin drill run "
		       "SCRIPT` goes on\n");
	else if (s->clock.held)
		printf("  nothing is posted: `tocsin drill resume` goes on\n");
}

void
drill_standing(struct cli *c, const struct keystore *k, struct desk *desk,
    const struct drill_clock *clock)
{
	struct standing s = { .c = c,
		.exercise = k->exercise,
		.clock = *clock,
		.now = drill_now_ms() };

	s.at_work = held_drill_runs(c);
	s.over = drill_clock_over(clock, s.now);
	s.known = load_agenda(&s.agenda, desk, k->exercise);
	if (!s.known)
		agenda_release(&s.agenda);
	if (c->json)
		print_standing_json(&s);
	else
		print_standing(&s);
	agenda_release(&s.agenda);
}
