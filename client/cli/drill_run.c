/* SPDX-License-Identifier: ISC */
/* The control of an exercise: injects in their time, and what is said. */
#include "client/cli/drill.h"
#include "client/cli/held.h"
#include "client/cli/print.h"
#include "client/cli/view.h"
#include "client/handle.h"
#include "client/once.h"

#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define SLICE_MS 200  /* how soon a pause of another terminal is seen */
#define LAST_MS 20000 /* for the outbox to become empty at the end */

struct director {
	struct cli *c;
	const char *path;
	struct script s;
	struct tocsin *t;
	struct drill_clock clock;
	struct held lock;
	bool held; /* as was told last */
	/* Of each inject, by its place: the id that it was posted under, or "";
	   and whether there is no more to do for it. */
	char (*id)[TOCSIN_ID_TEXT];
	bool *done;
	size_t posted;
};

static volatile sig_atomic_t stopped;

static void
on_signal(int signal)
{
	(void)signal;
	stopped = 1;
}

/* ---- what is told ---- */

/* "T+1h05m  02:05:00Z  ", and it is flushed: others watch it from a file. */
static void tell(const struct director *d, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static int64_t
over_s(const struct director *d)
{
	return drill_clock_over(&d->clock, drill_now_ms()) / 1000;
}

static void
tell(const struct director *d, const char *fmt, ...)
{
	char at[24], now[TIME_TEXT + 1];
	va_list ap;

	script_at(at, over_s(d));
	time_print(now, cli_now());
	printf("%-10s %s  ", at, now + 11);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
}

/* A line of --json: `o` has what is special of the event. */
static void
tell_json(const struct director *d, const char *event, json_t *o)
{
	json_object_set_new(o, "event", json_string(event));
	json_object_set_new(o, "exercise", json_string(d->s.exercise));
	json_object_set_new(o, "at", json_integer(over_s(d)));
	json_object_set_new(o, "time", view_time(cli_now()));
	print_json(o);
	fflush(stdout);
}

static void
tell_event(const struct director *d, const char *event, const char *says)
{
	if (d->c->json) {
		tell_json(d, event, json_object());
		return;
	}
	tell(d, "%s\n", says);
	fflush(stdout);
}

/* The inject whose ticket that is; NULL: none of ours. */
static const struct script_inject *
inject_of(const struct director *d, const char *thread)
{
	size_t i;

	for (i = 0; i < d->s.ninject; i++)
		if (d->s.inject[i].in == NULL && d->id[i][0] != '\0' &&
		    strcmp(d->id[i], thread) == 0)
			return &d->s.inject[i];
	return NULL;
}

static void
tell_message(const struct director *d, const struct tocsin_message *m)
{
	const struct script_inject *i = inject_of(d, m->thread);
	struct incident in = { .root = NULL };
	bool read = m->json != NULL &&
		    incident_parse(&in, span_of(m->json)) == TOCSIN_OK;
	const char *says = read && in.answer != NULL ? in.answer : m->kind;

	if (d->c->json) {
		tell_json(d, "message",
		    json_pack("{s:o, s:s, s:s, s:s, s:s, s:o}", "inject",
			view_string(i != NULL ? i->name : NULL), "id", m->id,
			"from", m->from, "kind", m->kind, "says", says,
			"reason", view_string(read ? in.reason : NULL)));
	} else {
		tell(d, "  ");
		safe_cell(stdout, m->from, 24);
		printf("  %-12s ", i != NULL ? i->name : "-");
		safe_print(stdout, says);
		if (read && in.reason != NULL) {
			printf(": ");
			safe_title(stdout, in.reason, 40);
		} else if (m->text != NULL && m->text[0] != '\0') {
			printf("  ");
			safe_title(stdout, m->text, 60);
		}
		putchar('\n');
		fflush(stdout);
	}
	incident_release(&in);
}

/* ---- one inject ---- */

/* What says in the message that it is an inject (PROTOCOL.md 8.13). */
static char *
mark_of(const struct director *d, const struct script_inject *i)
{
	char hash[ID_TEXT + 1], *text;
	json_t *o;

	id_print(hash, d->s.hash);
	o = json_pack("{s:{s:s, s:I, s:I, s:i, s:s}}", "drill", "inject",
	    i->name, "at", (json_int_t)i->at, "length", (json_int_t)d->s.length,
	    "speed", (int)d->clock.speed, "script", hash);
	text = o != NULL ? json_dumps(o, JSON_COMPACT) : NULL;
	json_decref(o);
	return text;
}

/* Whom it can be sent to now; of the others it is told why not. */
static size_t
reachable(struct director *d, const struct script_inject *i,
    struct tocsin_draft *draft, const char **to)
{
	struct draft_look look;
	const char *one[2] = { NULL, NULL };
	size_t k, n = 0;
	enum tocsin_err err;

	draft->to = one;
	for (k = 0; k < i->n; k++) {
		one[0] = d->s.player[i->to[k]].member;
		err = draft_look(d->t, draft, &look);
		if (err == TOCSIN_OK)
			to[n++] = one[0];
		else
			cli_note("inject %s cannot be sent to %s: %s [%s]",
			    i->name, one[0], tocsin_error(d->t),
			    tocsin_err_name(err));
	}
	to[n] = NULL;
	draft->to = to;
	return n;
}

static enum tocsin_err
post(struct director *d, const struct script_inject *i, bool *repeated,
    char id[TOCSIN_ID_TEXT], size_t *sent_to)
{
	struct tocsin_attachment files[SCRIPT_FILES];
	char path[SCRIPT_FILES][1024], once[DRILL_KEY];
	const char *to[SCRIPT_PLAYERS + 1] = { NULL };
	char *mark = mark_of(d, i);
	int64_t ackby = (i->ackby + d->clock.speed - 1) / d->clock.speed;
	struct tocsin_draft draft = { .kind = i->kind,
		.to = to,
		.tlp = i->tlp,
		.precedence = i->precedence,
		.exercise = d->s.exercise,
		.thread = i->in != NULL ? d->id[i->in - d->s.inject] : NULL,
		.ackby = i->ackby > 0 ? cli_now() + ackby : 0,
		.subject = i->subject,
		.text = i->text,
		.severity = i->severity,
		.classification = i->classification,
		.json = mark,
		.attachments = files,
		.nattachments = i->nfile,
		.once = once,
		.repeated = repeated };
	enum tocsin_err err = TOCSIN_EINTERNAL;
	size_t k;

	drill_key(once, d->s.exercise, i->name);
	for (k = 0; k < i->nfile; k++) {
		drill_file(path[k], d->path, i->file[k]);
		files[k] = (struct tocsin_attachment){ .path = path[k] };
	}
	for (k = 0; k < i->n; k++)
		to[k] = d->s.player[i->to[k]].member;
	*sent_to = i->n;
	if (mark != NULL)
		err = tocsin_post(d->t, &draft, id);
	if ((err == TOCSIN_ENOTENROLLED || err == TOCSIN_EKEYSEXPIRED ||
		err == TOCSIN_ESUSPENDED) &&
	    (*sent_to = reachable(d, i, &draft, to)) > 0)
		err = tocsin_post(d->t, &draft, id);
	free(mark);
	return err;
}

static void
tell_inject(const struct director *d, const struct script_inject *i,
    size_t sent_to, int64_t late)
{
	const char *id = d->id[i - d->s.inject];
	char brief[TOCSIN_SHORT_TEXT], by[24];

	view_short(brief, id);
	if (d->c->json) {
		tell_json(d, "inject",
		    json_pack("{s:s, s:s, s:s, s:i, s:I}", "inject", i->name,
			"id", id, "short_id", brief, "to", (int)sent_to, "late",
			(json_int_t)late));
		return;
	}
	tell(d, "%s%s%s %s to ", colour(BOLD), i->name, colour(PLAIN), brief);
	if (sent_to == 1)
		safe_print(stdout, d->s.player[i->to[0]].member);
	else
		printf("%zu players", sent_to);
	printf("  ");
	safe_title(stdout, i->subject != NULL ? i->subject : i->in->subject,
	    title_width(60, 60));
	script_at(by, late);
	if (late >= 60)
		printf("  (%s late)", by + 2);
	putchar('\n');
	fflush(stdout);
}

/* An inject of a ticket that was left out has nowhere to go. */
static bool
left_out(const struct director *d, const struct script_inject *i)
{
	return i->at * 1000 < d->clock.from ||
	       (i->in != NULL && d->id[i->in - d->s.inject][0] == '\0');
}

static int
do_inject(struct director *d, size_t at)
{
	const struct script_inject *i = &d->s.inject[at];
	int64_t late = over_s(d) - i->at;
	bool repeated = false;
	enum tocsin_err err;
	size_t sent_to;

	d->done[at] = true;
	if (left_out(d, i)) {
		cli_note("inject %s is left out", i->name);
		return 0;
	}
	err = post(d, i, &repeated, d->id[at], &sent_to);
	if (err == TOCSIN_ENOTENROLLED || err == TOCSIN_EKEYSEXPIRED ||
	    err == TOCSIN_ESUSPENDED) {
		cli_note(
		    "inject %s can be sent to nobody and is left out", i->name);
		return 0;
	}
	if (err != TOCSIN_OK)
		return cli_error(d->t, err);
	d->posted += !repeated;
	if (!repeated)
		tell_inject(d, i, sent_to, late);
	return 0;
}

/* ---- the run ---- */

static bool
all_done(const struct director *d)
{
	size_t i;

	for (i = 0; i < d->s.ninject; i++)
		if (!d->done[i])
			return false;
	return true;
}

/* All whose time has come; *next is that of the one after them. */
static int
do_due(struct director *d, int64_t *next)
{
	const int64_t now = drill_now_ms();
	size_t i;
	int status = 0;

	*next = d->s.length * 1000;
	for (i = 0; status == 0 && i < d->s.ninject; i++) {
		if (d->done[i])
			continue;
		if (!drill_clock_due(
			&d->clock, d->s.inject[i].at * 1000, now)) {
			*next = d->s.inject[i].at * 1000;
			break;
		}
		status = do_inject(d, i);
	}
	return status;
}

/* What another terminal did to the clock. */
static int
look_at_clock(struct director *d)
{
	enum tocsin_err err =
	    drill_clock_load(d->t->parts.desk, d->s.exercise, &d->clock);

	if (err != TOCSIN_OK)
		return cli_fail(err, "the desk: %s", tocsin_err_text(err));
	if (d->clock.held != d->held)
		tell_event(d, d->clock.held ? "paused" : "resumed",
		    d->clock.held ? "-- PAUSED: no inject is posted; `tocsin "
				    "drill resume` goes on"
				  : "-- resumed");
	d->held = d->clock.held;
	return 0;
}

/* The next message, told and behind us; or so long that nothing came. */
static int
listen_for(struct director *d, int64_t next)
{
	int64_t left = drill_clock_when(&d->clock, next) - drill_now_ms();
	struct tocsin_message *m = NULL;
	enum tocsin_err err;

	if (d->clock.held || left > SLICE_MS)
		left = SLICE_MS;
	left = left < 0 ? 0 : left;
	err = tocsin_next(d->t, DRILL_READER, (int)left, &m);
	if (err == TOCSIN_ETIMEOUT)
		return 0;
	if (err == TOCSIN_OK) {
		if (m->refused == TOCSIN_OK && m->exercise != NULL &&
		    strcmp(m->exercise, d->s.exercise) == 0)
			tell_message(d, m);
		err = tocsin_commit(d->t, DRILL_READER, m->number);
	}
	tocsin_message_free(m);
	return err == TOCSIN_OK ? 0 : cli_error(d->t, err);
}

/* Its end is said once; what is in the outbox leaves first. */
static int
finish(struct director *d)
{
	enum tocsin_err err = tocsin_sync(d->t, LAST_MS);

	if (err != TOCSIN_OK)
		cli_note("what was posted last may still be in the outbox: %s "
			 "[%s]",
		    tocsin_error(d->t), tocsin_err_name(err));
	tell_event(d, "end",
	    "-- the time of the exercise is over: `tocsin "
	    "drill report SCRIPT`");
	return 0;
}

static int
direct(struct director *d)
{
	int64_t next = 0;
	int status = 0;

	while (status == 0 && !stopped) {
		status = look_at_clock(d);
		if (status == 0)
			status = do_due(d, &next);
		if (status == 0 && all_done(d) &&
		    drill_clock_over(&d->clock, drill_now_ms()) >=
			d->s.length * 1000)
			return finish(d);
		if (status == 0 && !stopped)
			status = listen_for(d, next);
	}
	if (status == 0)
		cli_note("stopped; its time goes on. `tocsin drill run` posts "
			 "what is due then, `tocsin drill pause` holds it");
	return status;
}

/* ---- the beginning ---- */

/* What one that ended before us has posted: it is known while we are held. */
static void
find_posted(struct director *d)
{
	struct desk_tx *tx = NULL;
	uint8_t id[ID_LEN];
	char key[DRILL_KEY];
	size_t i;

	if (begin_read(d->t, &tx) != TOCSIN_OK)
		return; /* each is found when it is posted again */
	for (i = 0; i < d->s.ninject; i++) {
		drill_key(key, d->s.exercise, d->s.inject[i].name);
		if (once_find(tx, key, id) != TOCSIN_OK)
			continue;
		id_print(d->id[i], id);
		d->done[i] = true;
	}
	desk_end(tx);
}

static int
go_on(struct director *d, unsigned speed, const char *from)
{
	if (speed != 0 && speed != d->clock.speed)
		return cli_usage("%s has begun at --speed %u and goes on so",
		    d->s.exercise, d->clock.speed);
	if (from != NULL)
		return cli_usage("%s has begun, and goes on where it is; "
				 "--from is for its beginning",
		    d->s.exercise);
	d->held = d->clock.held;
	find_posted(d);
	tell_event(d, "again",
	    d->held ? "-- EXERCISE goes on, and is PAUSED"
		    : "-- EXERCISE goes on; what was posted is not posted "
		      "again");
	return 0;
}

/* At its own time if that is to come, but for a rehearsal that is faster. */
static int
begin(struct director *d, unsigned speed, const char *from)
{
	const struct script_inject *first = NULL;
	int64_t now = drill_now_ms();
	enum tocsin_err err;
	char says[256], at[TIME_TEXT + 1];

	if (from != NULL && (first = script_inject(&d->s, from)) == NULL)
		return cli_usage("there is no inject %s in %s", from, d->path);
	if (speed == 0 && d->s.start * 1000 > now)
		now = d->s.start * 1000;
	d->clock = drill_clock_start(
	    now, speed == 0 ? 1 : speed, first != NULL ? first->at * 1000 : 0);
	err = drill_clock_save(d->t->parts.desk, d->s.exercise, &d->clock);
	if (err != TOCSIN_OK)
		return cli_fail(err, "the desk: %s", tocsin_err_text(err));
	time_print(at, now / 1000);
	snprintf(says, sizeof(says), "-- EXERCISE %s begins%s%s, %zu injects",
	    d->s.exercise, now > drill_now_ms() ? " at " : "",
	    now > drill_now_ms() ? at : "", d->s.ninject);
	tell_event(d, "begin", says);
	return 0;
}

static bool
plays(const struct director *d)
{
	return script_player(&d->s, span_of(d->t->parts.keys->member)) !=
	       SIZE_MAX;
}

/* What is live must not be asked to play, nor another exercise. */
static int
check_home(const struct director *d)
{
	const char *of = d->t->parts.keys->exercise;

	if (of[0] == '\0')
		return cli_usage(
		    "this home is live; %s is held in one of its "
		    "own, which `tocsin init --exercise %s --join` "
		    "makes",
		    d->s.exercise, d->s.exercise);
	if (strcmp(of, d->s.exercise) != 0)
		return cli_usage("this home is of the exercise %s, and the "
				 "script of %s",
		    of, d->s.exercise);
	return 0;
}

static int
start(struct director *d, unsigned speed, const char *from)
{
	enum tocsin_err err;
	int status = check_home(d);

	if (status != 0)
		return status;
	if (plays(d))
		return cli_usage("%s is a player: who holds an exercise needs "
				 "a member of its own",
		    d->t->parts.keys->member);
	if ((status = held_drill(&d->lock, d->c)) != 0)
		return status;
	d->id = calloc(d->s.ninject, sizeof(*d->id));
	d->done = calloc(d->s.ninject, sizeof(*d->done));
	if (d->id == NULL || d->done == NULL)
		return cli_fail(TOCSIN_EINTERNAL, "no memory");
	(void)cli_sync(d->c, d->t, 0); /* whose keys are new */
	err = drill_agenda_save(d->t->parts.desk, &d->s);
	if (err != TOCSIN_OK)
		return cli_fail(err, "the desk: %s", tocsin_err_text(err));
	err = drill_clock_load(d->t->parts.desk, d->s.exercise, &d->clock);
	if (err == TOCSIN_OK)
		return go_on(d, speed, from);
	if (err == TOCSIN_ENOTFOUND)
		return begin(d, speed, from);
	return cli_fail(err, "the desk: %s", tocsin_err_text(err));
}

int
drill_run(struct cli *c, int argc, char **argv)
{
	struct director d = { .c = c, .lock = held_none };
	struct sigaction act = { .sa_handler = on_signal };
	const char *fast = NULL, *from = NULL;
	const struct opt opts[] = {
		{ "--speed", OPT_WORD, &fast },
		{ "--from", OPT_WORD, &from },
		{ NULL, OPT_FLAG, NULL },
	};
	unsigned speed = 0;
	int status;

	if (!cli_options(c, argc, argv, opts, 1, 1) ||
	    (fast != NULL &&
		!cli_number("--speed", fast, 1, DRILL_SPEED_MAX, &speed)))
		return 2;
	d.path = c->words[0];
	status = drill_load(c, d.path, &d.s);
	if (status == 0)
		status = drill_files(d.path, &d.s);
	if (status == 0)
		status = cli_open(c, &d.t);
	if (status == 0) {
		sigaction(SIGINT, &act, NULL);
		sigaction(SIGTERM, &act, NULL);
		status = start(&d, speed, from);
	}
	if (status == 0)
		status = direct(&d);
	tocsin_close(d.t);
	held_release(&d.lock);
	free(d.id);
	free(d.done);
	script_release(&d.s);
	return status;
}
