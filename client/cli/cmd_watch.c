/* SPDX-License-Identifier: ISC */
/* Messages as they come: printed, or each handled by a command. */
#include "client/backoff.h"
#include "client/cli/action.h"
#include "client/cli/cmds.h"
#include "client/cli/exec.h"
#include "client/cli/flight.h"
#include "client/cli/print.h"
#include "client/cli/progress.h"
#include "client/cli/ready.h"
#include "client/cli/sent.h"
#include "client/cli/view.h"
#include "client/glance.h"
#include "client/handle.h"
#include "client/own.h"

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SLICE_MS 500 /* how soon a signal is noticed */
#define ATTEMPTS 5
#define ATTEMPTS_MAX 1000000
#define EXEC_SECONDS 60
#define BACKOFF_MAX 60 /* seconds */
#define WINDOW 100     /* messages that are not committed */
#define BEAT_MAX 86400 /* seconds */

struct watching {
	struct cli *c;
	struct tocsin *t;
	const char *reader;
	unsigned count; /* 0: for ever */
	bool from_start;
	const char *typed_since;
	int64_t since; /* of the reader; 0: where it is */

	bool commits; /* what is printed counts when it is committed */
	unsigned window;
	struct flight *flight;
	uint64_t passed;   /* beyond what is under way; 0: none */
	bool told_end;	   /* why no more is committed */
	unsigned beat;	   /* seconds between heartbeats; 0: none */
	int64_t next_beat; /* in ms of the monotonic clock */
	int64_t link_since;
	bool linked;

	char **command; /* NULL: print */
	char home[512];
	bool apply;
	unsigned seconds, attempts;
	struct held held;
	struct tocsin_status *status; /* of the message's ticket, or NULL */

	bool aside; /* list what was set aside */
	struct list retry;

	bool headers;		      /* print what is coming as JSON too */
	char (*told)[TOCSIN_ID_TEXT]; /* of what is coming */
	size_t ntold;
	struct progress progress;
	bool only_own;
	struct own own;
};

static volatile sig_atomic_t stopped;

static void
on_signal(int signal)
{
	(void)signal;
	stopped = 1;
}

/* ---- heartbeats ---- */

/* Since when there is a link, or none, as far as this process knows. */
static void
look_at_link(struct watching *w)
{
	bool linked = w->t->sync != NULL && sync_link(w->t->sync) == TOCSIN_OK;

	if (w->link_since == 0 || w->linked != linked)
		w->link_since = cli_now();
	w->linked = linked;
}

static uint64_t
newest(struct tocsin *t)
{
	struct desk_tx *tx = NULL;
	uint64_t n = 0;

	if (begin_read(t, &tx) != TOCSIN_OK || desk_last(tx, &n) != TOCSIN_OK)
		n = 0;
	desk_end(tx);
	return n;
}

static json_t *
beat_json(struct watching *w)
{
	enum tocsin_err held = TOCSIN_EUNAVAILABLE;
	uint64_t at = 0;

	if (w->linked)
		held = sync_trouble(w->t->sync);
	if (tocsin_place_of(w->t, w->reader, &at) != TOCSIN_OK)
		at = 0;
	return json_pack("{s:o, s:I, s:I, s:i, s:i, s:b, s:o, s:o}",
	    "heartbeat", view_time(cli_now()), "at", (json_int_t)at, "newest",
	    (json_int_t)newest(w->t), "in_flight",
	    w->flight != NULL ? (int)flight_count(w->flight) : 0, "queued",
	    (int)sent_queued(w->t), "linked", w->linked, "since",
	    view_time(w->link_since), "trouble",
	    held != TOCSIN_OK ? json_string(tocsin_err_name(held))
			      : json_null());
}

static int
beat(struct watching *w)
{
	int64_t now = backoff_now();

	if (w->beat == 0)
		return 0;
	look_at_link(w);
	if (now < w->next_beat)
		return 0;
	w->next_beat = now + (int64_t)w->beat * 1000;
	print_json(beat_json(w));
	if (fflush(stdout) != 0 || ferror(stdout))
		return cli_fail(
		    TOCSIN_EINTERNAL, "stdout: %s", strerror(errno));
	return 0;
}

/* For how long nothing else is to be done. */
static int
slice(const struct watching *w)
{
	int64_t left = w->next_beat - backoff_now();

	if (w->c->wait_given && w->c->wait == 0)
		return 0;
	if (w->beat == 0 || left >= SLICE_MS)
		return SLICE_MS;
	return left > 0 ? (int)left : 0;
}

/* ---- printing ---- */

/* The reader moves on only when the line has left us, or is committed. */
static int
print_one(struct watching *w, struct tocsin_message *m)
{
	struct tocsin_status *s = NULL;
	enum tocsin_err err;

	if (w->flight != NULL)
		flight_give(w->flight, m->number);
	if (w->c->json) {
		print_json(view_event_json(w->t, m));
	} else {
		/* For its label, which may be another than it was sent with. */
		if (tocsin_refresh(w->t, m, cli_now(), &s) == TOCSIN_OK)
			tocsin_status_free(s);
		view_brief(m);
		putchar('\n');
	}
	if (fflush(stdout) != 0 || ferror(stdout))
		return cli_fail(
		    TOCSIN_EINTERNAL, "stdout: %s", strerror(errno));
	if (w->flight != NULL)
		return 0;
	err = tocsin_commit(w->t, w->reader, m->number);
	return err == TOCSIN_OK ? 0 : cli_error(w->t, err);
}

/* ---- a command for each ---- */

/* Enough of a message to find it again. */
static void
name_it(char out[64], const struct tocsin_message *m)
{
	snprintf(out, 64, "message %llu (%.14s)", (unsigned long long)m->number,
	    m->id);
}

static int
committed(struct watching *w, const struct tocsin_message *m)
{
	enum tocsin_err err = tocsin_commit(w->t, w->reader, m->number);

	return err == TOCSIN_OK ? 0 : cli_error(w->t, err);
}

/* What nobody may open is no command's business; the officer may ask why. */
static int
pass_over(struct watching *w, const struct tocsin_message *m)
{
	char name[64];

	name_it(name, m);
	cli_note("%s was not opened (%s) and is passed over; `tocsin why %s` "
		 "says more",
	    name, tocsin_err_name(m->refused), m->id);
	return committed(w, m);
}

static void
print_posted(struct watching *w, const char *id)
{
	struct tocsin_message *m = NULL;

	if (tocsin_get(w->t, id, &m) != TOCSIN_OK)
		return;
	if (w->c->json)
		print_json(view_event_json(w->t, m));
	else
		printf("%s %s\n", m->short_id, m->kind);
	fflush(stdout);
	tocsin_message_free(m);
}

/* With the step, all that it wants said, or nothing. */
static enum tocsin_err
post_all(struct watching *w, const struct tocsin_message *m, struct actions *a,
    struct ready *r, char (*ids)[TOCSIN_ID_TEXT])
{
	enum tocsin_err err = TOCSIN_OK;
	size_t i, n;

	for (n = 0; err == TOCSIN_OK && n < a->n; n++) {
		err = ready_make(&r[n], w->t, &a->action[n]);
		a->draft[n] = r[n].draft;
	}
	if (err == TOCSIN_OK)
		err = tocsin_commit_post(
		    w->t, w->reader, m->number, a->draft, a->n, ids);
	for (i = 0; i < n; i++)
		ready_release(&r[i]);
	return err;
}

/* What the command wants said and that it is done: one change, or none. */
static bool
apply(struct watching *w, const struct tocsin_message *m, struct exec_end *end)
{
	struct actions *a = calloc(1, sizeof(*a));
	struct ready *r = calloc(ACTIONS_MAX, sizeof(*r));
	char ids[ACTIONS_MAX][TOCSIN_ID_TEXT];
	enum tocsin_err err = TOCSIN_OK;
	size_t i;

	end->handled = a != NULL && r != NULL &&
		       actions_parse(a, buf_span(&end->kept), m->id, end->why);
	if (end->handled)
		err = post_all(w, m, a, r, ids);
	if (err != TOCSIN_OK)
		snprintf(end->why, sizeof(end->why),
		    "what it wants is refused: %.400s [%s]", tocsin_error(w->t),
		    tocsin_err_name(err));
	end->handled = end->handled && err == TOCSIN_OK;
	for (i = 0; end->handled && i < a->n; i++)
		print_posted(w, ids[i]);
	if (a != NULL)
		actions_release(a);
	free(r);
	free(a);
	return end->handled;
}

static int
set_aside(struct watching *w, const struct tocsin_message *m, const char *why)
{
	enum tocsin_err err;
	char name[64];

	err = tocsin_set_aside(w->t, w->reader, m->number, why);
	if (err != TOCSIN_OK)
		return cli_error(w->t, err);
	name_it(name, m);
	cli_note("%s is set aside; `tocsin watch --reader %s --retry %s` tries "
		 "it again",
	    name, w->reader, m->id);
	return 0;
}

/* 1, 2, 4 ... seconds, or until a signal. */
static void
rest(unsigned failed)
{
	const struct timespec slice = { 0, 100 * 1000000L };
	unsigned seconds = failed < 7 ? 1u << (failed - 1) : BACKOFF_MAX;
	unsigned i;

	for (i = 0; i < seconds * 10 && !stopped; i++)
		nanosleep(&slice, NULL);
}

/* One start of the command, and what comes of it. */
static int
attempt(struct watching *w, const struct tocsin_message *m, unsigned n,
    unsigned left, bool *handled)
{
	const struct exec x = { .argv = w->command,
		.home = w->home,
		.reader = w->reader,
		.held = &w->held,
		.status = w->status,
		.seconds = w->seconds,
		.keep = w->apply };
	struct exec_end end;
	char name[64];
	int status = 0;

	exec_run(&x, m, n, &end);
	*handled = end.handled;
	if (end.handled && w->apply)
		*handled = apply(w, m, &end);
	else if (end.handled)
		status = committed(w, m);
	if (!*handled) {
		name_it(name, m);
		cli_note("%s: %s: attempt %u failed: %s", name, w->command[0],
		    n, end.why);
		if (left == 0)
			status = set_aside(w, m, end.why);
	}
	buf_release(&end.kept);
	return status;
}

/* Until it is handled or set aside, or somebody stops us. */
static int
handle(struct watching *w, const struct tocsin_message *m, bool *done)
{
	unsigned n, left, failed = 0;
	bool handled = false;
	enum tocsin_err err;
	int status = 0;

	while (status == 0 && !*done && !stopped) {
		err = tocsin_begin(
		    w->t, w->reader, m->number, w->attempts, &n, &left);
		if (err != TOCSIN_OK)
			return cli_error(w->t, err);
		if (n == 0) {
			status = set_aside(w, m,
			    "its command was started as often as it may be, "
			    "and tocsin ended before it");
			*done = status == 0;
			break;
		}
		status = attempt(w, m, n, left, &handled);
		*done = status == 0 && (handled || left == 0);
		if (status == 0 && !*done)
			rest(++failed);
	}
	return status;
}

/* What the command is told of the ticket stays the same in all attempts. */
static int
hand_over(struct watching *w, struct tocsin_message *m, bool *done)
{
	int status;

	if (tocsin_refresh(w->t, m, cli_now(), &w->status) != TOCSIN_OK)
		w->status = NULL;
	status = handle(w, m, done);
	tocsin_status_free(w->status);
	w->status = NULL;
	return status;
}

static int
one(struct watching *w, struct tocsin_message *m, bool *done)
{
	int status;

	if (w->command != NULL && m->refused == TOCSIN_OK)
		return hand_over(w, m, done);
	status = w->command != NULL ? pass_over(w, m) : print_one(w, m);
	*done = status == 0;
	return status;
}

/* ---- what is coming ---- */

static bool
was_told(const struct watching *w, const char *id)
{
	size_t i;

	for (i = 0; i < w->ntold; i++)
		if (strcmp(w->told[i], id) == 0)
			return true;
	return false;
}

/* No step of the reader: it is told again after a restart, if need be. */
static void
tell_one(struct watching *w, const struct tocsin_message *m)
{
	if (w->command != NULL || (w->c->json && !w->headers) ||
	    was_told(w, m->id))
		return;
	progress_wipe(&w->progress);
	if (w->c->json) {
		print_json(view_message_json(m, NULL));
	} else {
		view_brief(m);
		putchar('\n');
	}
}

/* What is not coming any more needs no place in the list. */
static bool
remember(struct watching *w, const struct tocsin_list *l)
{
	char(*told)[TOCSIN_ID_TEXT] = calloc(l->n + 1, sizeof(*told));
	size_t i;

	if (told == NULL)
		return false;
	for (i = 0; i < l->n; i++)
		memcpy(told[i], l->message[i]->id, TOCSIN_ID_TEXT);
	free(w->told);
	w->told = told;
	w->ntold = l->n;
	return true;
}

static int
tell_coming(struct watching *w)
{
	struct tocsin_list *l = NULL;
	enum tocsin_err err = tocsin_coming(w->t, &l);
	int status = 0;
	size_t i;

	if (err != TOCSIN_OK)
		return cli_error(w->t, err);
	for (i = 0; i < l->n; i++)
		tell_one(w, l->message[i]);
	if (fflush(stdout) != 0 || ferror(stdout))
		status =
		    cli_fail(TOCSIN_EINTERNAL, "stdout: %s", strerror(errno));
	if (status == 0 && !remember(w, l))
		status = cli_fail(TOCSIN_EINTERNAL, "no memory");
	if (l->n > 0)
		progress_show(&w->progress, l->message[0]->from,
		    l->message[0]->body_here, l->message[0]->body_size);
	else
		progress_wipe(&w->progress);
	tocsin_list_free(l);
	return status;
}

/* What its ticket says is about us, or nobody can tell (own.h). */
static bool
concerns_us(struct watching *w, const struct tocsin_message *m)
{
	struct gists *g = NULL;
	struct span gist;
	bool ours = true;

	if (!w->only_own || m->refused != TOCSIN_OK ||
	    gists_begin(&g, w->t) != TOCSIN_OK)
		return true;
	if (gists_of(g, m->thread, &gist) == TOCSIN_OK)
		ours =
		    own_in_gist(&w->own, gist) != NULL || !own_looked(&w->own);
	gists_end(g);
	return ours;
}

/* A signal, or the program that commits has no more to say. */
static bool
ended(struct watching *w, int *status)
{
	enum tocsin_err err = TOCSIN_OK;
	char why[512];

	if (w->flight == NULL || !flight_over(w->flight, &err, why))
		return stopped;
	if (err == TOCSIN_OK)
		return true;
	*status = tocsin_err_exit(err);
	if (!w->told_end)
		cli_fail(err, "%s", why);
	w->told_end = true;
	return true;
}

/* The next one, if there is room for it. */
static enum tocsin_err
take(struct watching *w, int64_t *end, struct tocsin_message **m)
{
	uint64_t after = w->passed;

	if (w->flight != NULL && !flight_room(w->flight)) {
		flight_wait(w->flight, slice(w));
		*end = cli_now() + (int64_t)w->c->wait;
		return TOCSIN_ETIMEOUT;
	}
	if (w->flight != NULL && flight_last(w->flight) > after)
		after = flight_last(w->flight);
	return tocsin_next_after(w->t, w->reader, after, slice(w), m);
}

/*
 * Not for this reader. A commit is of all before it, so while some of these are
 * under way it is only remembered.
 */
static int
pass_by(struct watching *w, const struct tocsin_message *m)
{
	if (w->flight == NULL || flight_count(w->flight) == 0)
		return committed(w, m);
	w->passed = m->number;
	return 0;
}

/* They are not under way any more. */
static int
pass_all(struct watching *w)
{
	enum tocsin_err err;

	if (w->passed == 0 || flight_count(w->flight) > 0)
		return 0;
	err = tocsin_commit(w->t, w->reader, w->passed);
	w->passed = 0;
	return err == TOCSIN_OK ? 0 : cli_error(w->t, err);
}

static int
next_one(struct watching *w, bool *got)
{
	int64_t end = cli_now() + (int64_t)w->c->wait;
	struct tocsin_message *m = NULL;
	enum tocsin_err err = TOCSIN_ETIMEOUT;
	int status = tell_coming(w);

	*got = false;
	while (status == 0 && err == TOCSIN_ETIMEOUT && !ended(w, &status)) {
		status = beat(w);
		if (status == 0)
			status = pass_all(w);
		if (status == 0)
			err = take(w, &end, &m);
		if (err == TOCSIN_OK && !concerns_us(w, m)) {
			status = pass_by(w, m);
			tocsin_message_free(m);
			m = NULL;
			err = TOCSIN_ETIMEOUT;
			continue;
		}
		if (err != TOCSIN_ETIMEOUT || status != 0)
			break;
		if (w->c->wait_given && cli_now() >= end)
			break;
		status = tell_coming(w);
	}
	progress_wipe(&w->progress);
	if (status == 0 && err == TOCSIN_OK)
		status = one(w, m, got);
	else if (status == 0 && err != TOCSIN_ETIMEOUT)
		status = cli_error(w->t, err);
	tocsin_message_free(m);
	return status;
}

/* All that was asked for is printed; now it is committed. */
static int
land(struct watching *w)
{
	int status = 0;

	while (status == 0 && w->flight != NULL &&
	       flight_count(w->flight) > 0 && !ended(w, &status)) {
		if (status == 0)
			status = beat(w);
		flight_wait(w->flight, SLICE_MS);
	}
	return status;
}

/* With --wait, the time that one message may take to come. */
static int
watch(struct watching *w)
{
	unsigned seen = 0;
	int status = 0;
	bool got = true, over = false;

	while (status == 0 && got && (w->count == 0 || seen < w->count)) {
		status = next_one(w, &got);
		seen += got;
	}
	if (status == 0)
		status = land(w);
	if (status == 0)
		status = pass_all(w);
	/* What was answered may not wait for the next one to run. */
	if (status == 0 && w->apply && cli_sync(w->c, w->t, 0) != TOCSIN_OK)
		cli_note("not all answers are at the broker yet; they wait in "
			 "the outbox");
	over = ended(w, &status);
	if (status == 0 && !over && w->count > 0 && seen < w->count)
		status = cli_fail(TOCSIN_ETIMEOUT,
		    "%u of %u messages came in time", seen, w->count);
	return status;
}

/* ---- what was set aside ---- */

static void
print_aside(const struct watching *w, const struct tocsin_aside *a)
{
	json_t *o;

	if (w->c->json) {
		o = view_event_json(w->t, a->message);
		json_object_set_new(o, "attempts", json_integer(a->attempts));
		json_object_set_new(o, "since", view_time(a->since));
		json_object_set_new(o, "why", view_string(a->why));
		json_object_set_new(o, "again", json_boolean(a->again));
		print_json(o);
		return;
	}
	view_brief(a->message);
	printf("\n    %s",
	    a->again ? "to be tried again; set aside" : "set aside");
	if (a->attempts > 0) /* a program that commits has none */
		printf(" after %u attempt%s", a->attempts,
		    a->attempts == 1 ? "" : "s");
	printf(", since ");
	print_time(stdout, a->since);
	fputs(": ", stdout);
	safe_title(stdout, a->why, 200);
	printf("\n    %s\n", a->message->id);
}

static int
list_aside(struct watching *w)
{
	struct tocsin_asides *l = NULL;
	enum tocsin_err err = tocsin_asides(w->t, w->reader, &l);
	size_t i;

	if (err != TOCSIN_OK)
		return cli_error(w->t, err);
	for (i = 0; i < l->n; i++)
		print_aside(w, &l->aside[i]);
	tocsin_asides_free(l);
	return 0;
}

/* Whoever watches as this reader, now or later, takes them first. */
static int
retry(struct watching *w)
{
	enum tocsin_err err = TOCSIN_OK;
	size_t i;

	for (i = 0; err == TOCSIN_OK && i < w->retry.n; i++)
		err = tocsin_again(w->t, w->reader, w->retry.word[i]);
	return err == TOCSIN_OK ? 0 : cli_error(w->t, err);
}

/* ---- the command line ---- */

static int
hold(struct watching *w)
{
	int status = held_watch(&w->held, w->c, w->reader);

	return status == 0 && w->command != NULL
		   ? held_run(&w->held, w->c, w->reader, w->seconds, &stopped)
		   : status;
}

static int
start(struct watching *w)
{
	enum tocsin_err err = TOCSIN_OK;
	int status = cli_open(w->c, &w->t);
	char why[1024];

	if (status == 0 && w->retry.n > 0)
		status = retry(w);
	if (status == 0 && w->aside)
		status = list_aside(w);
	if (status != 0 || w->aside || (w->retry.n > 0 && w->command == NULL))
		return status;
	if (w->only_own)
		err = own_load(&w->own, w->t->parts.keys->home, why);
	if (err != TOCSIN_OK)
		return cli_fail(err, "%s", why);
	status = hold(w);
	if (status != 0 || stopped)
		return status;
	if (w->from_start || w->since > 0)
		err = tocsin_seek(w->t, w->reader, w->since);
	if (err != TOCSIN_OK)
		return cli_error(w->t, err);
	err = tocsin_sync(w->t, 0);
	if (err == TOCSIN_EROSTERUNKNOWN)
		return cli_error(w->t, err);
	if (w->commits) {
		w->flight = flight_start(w->t, w->reader, w->window);
		if (w->flight == NULL)
			return cli_fail(
			    TOCSIN_EINTERNAL, "no memory, or too many threads");
	}
	status = watch(w);
	flight_stop(w->flight);
	return status;
}

/* All that follows --exec is the command's, options too. */
static int
split_exec(struct watching *w, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		if (strcmp(argv[i], "--exec") == 0) {
			w->command = argv + i + 1;
			return i;
		}
	return argc;
}

/* What was typed, to be judged. */
struct typed {
	const char *count, *timeout, *attempts, *reader, *cursor, *window,
	    *beat;
};

static bool
good_reader(struct watching *w, const struct typed *o)
{
	w->reader = o->reader != NULL ? o->reader : o->cursor;
	if (w->reader == NULL)
		w->reader = "watch";
	if (o->reader != NULL && o->cursor != NULL) {
		cli_usage("--cursor is another word for --reader");
		return false;
	}
	if (!name_token(span_of(w->reader))) {
		cli_usage("--reader: %s is no word of lower case, digits and "
			  "'-'",
		    w->reader);
		return false;
	}
	if (w->from_start && w->typed_since != NULL) {
		cli_usage("--from-start and --since exclude each other");
		return false;
	}
	return w->typed_since == NULL ||
	       view_been("--since", w->typed_since, &w->since);
}

/* Options that are of no use in the form that was chosen. */
static bool
good_form(struct watching *w, const struct typed *o)
{
	const bool prints = w->command == NULL;
	const struct {
		bool given, may;
		const char *why;
	} rules[] = {
		{ w->command != NULL, !prints && w->command[0] != NULL,
		    "--exec needs a command, and ends the options" },
		{ w->apply, !prints, "--apply is for --exec" },
		{ o->timeout != NULL, !prints, "--exec-timeout is for --exec" },
		{ o->attempts != NULL, !prints, "--attempts is for --exec" },
		{ w->headers, prints,
		    "--headers is not for --exec: a command gets a message "
		    "once, when all of it is here" },
		{ w->commits, prints && w->c->json,
		    "--commit is for --json, and not for --exec" },
		{ o->beat != NULL, prints && w->c->json,
		    "--heartbeat is for --json, and not for --exec" },
		{ o->window != NULL, w->commits, "--window is for --commit" },
	};
	size_t i;

	for (i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (rules[i].given && !rules[i].may) {
			cli_usage("%s", rules[i].why);
			return false;
		}
	return true;
}

static bool
good_options(struct watching *w, const struct typed *o)
{
	const struct {
		const char *name, *typed;
		unsigned most, *out;
	} numbers[] = {
		{ "-n", o->count, 1000000000, &w->count },
		{ "--exec-timeout", o->timeout, 86400, &w->seconds },
		{ "--attempts", o->attempts, ATTEMPTS_MAX, &w->attempts },
		{ "--window", o->window, FLIGHT_MAX, &w->window },
		{ "--heartbeat", o->beat, BEAT_MAX, &w->beat },
	};
	size_t i;

	if (!good_reader(w, o) || !good_form(w, o))
		return false;
	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (numbers[i].typed != NULL &&
		    !cli_number(numbers[i].name, numbers[i].typed, 1,
			numbers[i].most, numbers[i].out))
			return false;
	return true;
}

int
cmd_watch(struct cli *c, int argc, char **argv)
{
	struct watching w = { .c = c,
		.seconds = EXEC_SECONDS,
		.attempts = ATTEMPTS,
		.window = WINDOW,
		.held = held_none };
	struct sigaction act = { .sa_handler = on_signal };
	struct typed o = { 0 };
	const struct opt opts[] = {
		{ "-n", OPT_WORD, &o.count },
		{ "--reader", OPT_WORD, &o.reader },
		{ "--cursor", OPT_WORD, &o.cursor },
		{ "--from-start", OPT_FLAG, &w.from_start },
		{ "--own", OPT_FLAG, &w.only_own },
		{ "--since", OPT_WORD, &w.typed_since },
		{ "--commit", OPT_FLAG, &w.commits },
		{ "--window", OPT_WORD, &o.window },
		{ "--heartbeat", OPT_WORD, &o.beat },
		{ "--headers", OPT_FLAG, &w.headers },
		{ "--exec-timeout", OPT_WORD, &o.timeout },
		{ "--attempts", OPT_WORD, &o.attempts },
		{ "--apply", OPT_FLAG, &w.apply },
		{ "--aside", OPT_FLAG, &w.aside },
		{ "--retry", OPT_LIST, &w.retry },
		{ NULL, OPT_FLAG, NULL },
	};
	int status;

	argc = split_exec(&w, argc, argv);
	if (!cli_options(c, argc, argv, opts, 0, 0) || !good_options(&w, &o))
		return 2;
	if (w.command != NULL && !cli_home(c, w.home))
		return 2;
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	progress_begin(&w.progress);
	status = start(&w);
	tocsin_close(w.t);
	free(w.told);
	own_release(&w.own);
	held_release(&w.held);
	return status;
}
