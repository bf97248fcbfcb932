/* SPDX-License-Identifier: ISC */
/*
 * Requests of a program, a JSON object on each line, and an answer for each.
 *
 * One at a time, in order: the next line is read when the answer to this one
 * has been taken. So nothing waits here, however fast the one and however slow
 * the other end is.
 */
#include "client/backoff.h"
#include "client/cli/action.h"
#include "client/cli/cmds.h"
#include "client/cli/lines.h"
#include "client/cli/print.h"
#include "client/cli/ready.h"
#include "client/cli/saving.h"
#include "client/cli/sent.h"
#include "client/cli/view.h"
#include "client/handle.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define INBOX_LIMIT 1000
#define INBOX_MOST 10000
#define SYNC_MOST 3600 /* seconds */

struct doing {
	struct cli *c;
	struct tocsin *t;
	struct action a;
	char why[512];
	unsigned refused; /* how many requests */
	unsigned busy;	  /* seconds that what was said may take to leave */
};

static int stop_fd = -1;

static void
on_signal(int number)
{
	const uint64_t one = 1;

	(void)number;
	(void)!write(stop_fd, &one, sizeof(one));
}

/* Whoever ends us does not wait until an answer has all that it waits for. */
static bool
is_stopped(void)
{
	struct pollfd p = { .fd = stop_fd, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

/* Refused here, with a sentence of ours. */
static enum tocsin_err
refuse(struct doing *d, enum tocsin_err err, const char *why)
{
	snprintf(d->why, sizeof(d->why), "%s", why);
	return err;
}

/* ---- what is said ---- */

static void
add_sent(struct doing *d, const char *id, json_t *o)
{
	struct tocsin_message *m = NULL;
	json_t *told;

	json_object_set_new(o, "id", json_string(id));
	if (tocsin_get(d->t, id, &m) != TOCSIN_OK)
		return; /* it is posted, whatever fails now */
	told = sent_json(d->t, m);
	json_object_update(o, told);
	json_decref(told);
	tocsin_message_free(m);
}

static enum tocsin_err
post(struct doing *d, bool *repeated, char id[TOCSIN_ID_TEXT])
{
	struct ready r;
	enum tocsin_err err = ready_make(&r, d->t, &d->a);

	r.draft.repeated = repeated;
	if (err == TOCSIN_OK)
		err = tocsin_post(d->t, &r.draft, id);
	ready_release(&r);
	return err;
}

static enum tocsin_err
say(struct doing *d, json_t *o)
{
	bool repeated = false;
	char id[TOCSIN_ID_TEXT];
	enum tocsin_err err = post(d, &repeated, id);

	if (ask_first(d->c, d->t, err))
		err = post(d, &repeated, id);
	if (err != TOCSIN_OK)
		return err;
	if (!repeated && d->busy < SENT_BUSY)
		d->busy = SENT_BUSY;
	if (!repeated && d->a.draft.nattachments > 0)
		d->busy = SENT_BUSY_PARTS;
	add_sent(d, id, o);
	json_object_set_new(o, "repeated", json_boolean(repeated));
	return TOCSIN_OK;
}

/* ---- what is asked ---- */

static enum tocsin_err
status(struct doing *d, json_t *o)
{
	struct tocsin_status *s = NULL;
	json_t *places = json_array();
	enum tocsin_err err;
	size_t i;

	err = tocsin_status(d->t, d->a.draft.thread, cli_now(), &s);
	for (i = 0; err == TOCSIN_OK && i < s->n; i++)
		json_array_append_new(places, view_place_json(s, &s->place[i]));
	json_object_set_new(o, "places", places);
	json_object_set_new(o, "deadlines", view_deadlines_json(s));
	tocsin_status_free(s);
	return err;
}

static enum tocsin_err
show(struct doing *d, json_t *o)
{
	struct tocsin_status *s = NULL;
	struct tocsin_list *l = NULL;
	json_t *all = json_array();
	enum tocsin_err err = tocsin_thread(d->t, d->a.draft.thread, &l);
	size_t i;

	if (err == TOCSIN_OK && l->n == 0)
		err =
		    refuse(d, TOCSIN_ENOTFOUND, "no message here has that id");
	if (err == TOCSIN_OK &&
	    tocsin_status_of(d->t, l->message[0], cli_now(), &s) != TOCSIN_OK)
		s = NULL;
	for (i = 0; err == TOCSIN_OK && i < l->n; i++)
		json_array_append_new(all, view_message_json(l->message[i], s));
	json_object_set_new(o, "messages", all);
	tocsin_status_free(s);
	tocsin_list_free(l);
	return err;
}

static enum tocsin_err
get(struct doing *d, json_t *o)
{
	struct tocsin_message *m = NULL;
	enum tocsin_err err = tocsin_get(d->t, d->a.draft.thread, &m);

	if (err == TOCSIN_OK)
		json_object_set_new(o, "message", view_event_json(d->t, m));
	tocsin_message_free(m);
	return err;
}

/* Of many the newest, which stand last. */
static enum tocsin_err
inbox(struct doing *d, json_t *o)
{
	struct rows *rows = NULL;
	json_t *all = json_array();
	size_t most = d->a.limit != 0 ? d->a.limit : INBOX_LIMIT, i, from = 0;
	enum tocsin_err err = TOCSIN_OK;

	if (most > INBOX_MOST)
		err = refuse(d, TOCSIN_EUSAGE,
		    "limit: one answer has 10000 tickets at most");
	if (err == TOCSIN_OK)
		err = rows_load(d->t, &d->a.filter, cli_now(), &rows);
	if (err == TOCSIN_OK && rows->n > most)
		from = rows->n - most;
	for (i = from; err == TOCSIN_OK && i < rows->n; i++)
		json_array_append_new(all, rows_json(&rows->row[i]));
	json_object_set_new(o, "tickets", all);
	json_object_set_new(o, "left_out", json_integer((json_int_t)from));
	rows_free(rows);
	return err;
}

static bool
goes_on(void *arg, uint64_t done, uint64_t total)
{
	(void)arg;
	(void)done;
	(void)total;
	return !is_stopped();
}

static enum tocsin_err
save(struct doing *d, json_t *o)
{
	const struct action *a = &d->a;
	const char *folder = a->folder != NULL ? a->folder : ".";
	char id[TOCSIN_ID_TEXT];
	enum tocsin_err err;

	if (!saving_folder(folder))
		return refuse(d, TOCSIN_ENOTFOUND, "folder: there is none");
	err = saving_find(d->t, a->draft.thread, a->name, id);
	if (err == TOCSIN_OK)
		err =
		    tocsin_save(d->t, id, a->name, folder, NULL, goes_on, NULL);
	if (err != TOCSIN_OK)
		return err;
	json_object_set_new(o, "id", json_string(id));
	json_object_set_new(o, "name", json_string(a->name));
	json_object_set_new(o, "folder", json_string(folder));
	return TOCSIN_OK;
}

static enum tocsin_err
why(struct doing *d, json_t *o)
{
	json_t *list = json_array(), *code;
	enum tocsin_err err = TOCSIN_OK;

	if (d->a.code == NULL) {
		err = why_message(d->t, d->a.draft.thread, list);
	} else {
		code = why_code(d->a.code);
		if (code == NULL)
			err = refuse(
			    d, TOCSIN_EUSAGE, "code: it is no reason code");
		else
			json_array_append_new(list, code);
	}
	json_object_set_new(o, "why", list);
	return err;
}

static enum tocsin_err
due(struct doing *d, json_t *o)
{
	json_t *all = json_array();
	enum tocsin_err err = due_list(d->t, d->a.draft.thread, d->a.all, all);

	json_object_set_new(o, "due", all);
	return err;
}

static json_t *
member_json(const struct belief *b, const struct roster_member *m)
{
	const struct keys *k = belief_keys(b, span_of(m->name));

	return json_pack("{s:s, s:b, s:o}", "member", m->name, "suspended",
	    m->suspended, "keys", k != NULL ? keys_json(k) : json_null());
}

static enum tocsin_err
members(struct doing *d, json_t *o)
{
	struct desk_tx *tx = NULL;
	json_t *all = json_array();
	struct belief *b = &d->t->belief;
	enum tocsin_err err;
	size_t i;

	pthread_mutex_lock(&d->t->lock);
	err = begin_read(d->t, &tx);
	if (err == TOCSIN_OK)
		err = belief_load(b, tx);
	for (i = 0; err == TOCSIN_OK && b->roster && i < b->roster->nmember;
	     i++)
		json_array_append_new(
		    all, member_json(b, &b->roster->member[i]));
	desk_end(tx);
	pthread_mutex_unlock(&d->t->lock);
	json_object_set_new(o, "members", all);
	return err == TOCSIN_OK
		   ? err
		   : fail(err, "the desk's roster: %s", tocsin_err_text(err));
}

/* That something waits is no failure: it is what was asked. */
static enum tocsin_err
synchronise(struct doing *d, json_t *o)
{
	struct cli c = { .wait = d->a.wait > 0, .wait_given = true };
	enum tocsin_err err;
	int64_t end;

	if (d->a.wait > SYNC_MOST)
		return refuse(d, TOCSIN_EUSAGE,
		    "wait: an answer takes 3600 seconds at most");
	end = backoff_now() + (int64_t)d->a.wait * 1000;
	do /* a second at a time */
		err = cli_sync(&c, d->t, 0);
	while (err != TOCSIN_OK && err != TOCSIN_EROSTERUNKNOWN &&
	       backoff_now() < end && !is_stopped());
	json_object_set_new(o, "linked",
	    json_boolean(
		d->t->sync != NULL && sync_link(d->t->sync) == TOCSIN_OK));
	json_object_set_new(
	    o, "queued", json_integer((json_int_t)sent_queued(d->t)));
	json_object_set_new(o, "trouble",
	    err == TOCSIN_OK ? json_null() : json_string(tocsin_err_name(err)));
	return TOCSIN_OK;
}

static enum tocsin_err (*const asks[ACTIONS])(struct doing *, json_t *) = {
	[ACTION_STATUS] = status,
	[ACTION_SHOW] = show,
	[ACTION_GET] = get,
	[ACTION_INBOX] = inbox,
	[ACTION_SAVE] = save,
	[ACTION_WHY] = why,
	[ACTION_MEMBERS] = members,
	[ACTION_SYNC] = synchronise,
	[ACTION_DUE] = due,
};

/* ---- answers ---- */

static json_t *
new_answer(const struct doing *d, bool good)
{
	const json_t *tag = d->a.tag;
	json_t *o = json_object();

	json_object_set_new(
	    o, "tag", tag != NULL ? json_deep_copy(tag) : json_null());
	json_object_set_new(o, "ok", json_boolean(good));
	json_object_set_new(o, "do", view_string(action_name(d->a.word)));
	return o;
}

/* False: no memory; then another answer takes its place. */
static bool
put(json_t *o)
{
	char *text = json_dumps(o, JSON_COMPACT);

	if (text != NULL) {
		safe_json(stdout, span_of(text));
		putchar('\n');
	}
	free(text);
	json_decref(o);
	return text != NULL;
}

static void
answer_refused(struct doing *d, enum tocsin_err err)
{
	json_t *o = new_answer(d, false);
	const char *text = d->why[0] != '\0' ? d->why : tocsin_error(d->t);

	d->refused++;
	json_object_set_new(o, "reason", json_string(tocsin_err_name(err)));
	json_object_set_new(o, "exit", json_integer(tocsin_err_exit(err)));
	json_object_set_new(o, "text", view_string(text));
	if (!put(o))
		print_json(NULL); /* the command fails, and says so */
}

static void
perform(struct doing *d)
{
	json_t *o = new_answer(d, true);
	enum tocsin_err err =
	    action_says(&d->a) ? say(d, o) : asks[d->a.word](d, o);

	if (err == TOCSIN_OK && put(o))
		return;
	if (err == TOCSIN_OK)
		err = refuse(d, TOCSIN_EINTERNAL,
		    "it was done, and cannot be told: no memory");
	else
		json_decref(o);
	answer_refused(d, err);
}

static bool
is_blank(struct span line)
{
	size_t i;

	for (i = 0; i < line.n; i++)
		if (strchr(" \t\r", line.p[i]) == NULL || line.p[i] == '\0')
			return false;
	return true;
}

static int
answer(struct doing *d, struct span line)
{
	enum tocsin_err err;

	if (is_blank(line))
		return 0;
	d->why[0] = '\0';
	err = action_parse(&d->a, line, true, d->why);
	if (err == TOCSIN_OK)
		perform(d);
	else
		answer_refused(d, err);
	action_release(&d->a);
	if (fflush(stdout) != 0 || ferror(stdout))
		return cli_fail(
		    TOCSIN_EINTERNAL, "stdout: %s", strerror(errno));
	return 0;
}

static int
answer_long(struct doing *d)
{
	d->a = (struct action){ .word = ACTIONS };
	(void)refuse(d, TOCSIN_ETOOLARGE, "a request has at most 1 MiB");
	answer_refused(d, TOCSIN_ETOOLARGE);
	return fflush(stdout) == 0
		   ? 0
		   : cli_fail(TOCSIN_EINTERNAL, "stdout: %s", strerror(errno));
}

/* ---- the stream ---- */

static int
serve(struct doing *d)
{
	struct lines in = {
		.fd = STDIN_FILENO, .stop = stop_fd, .max = ACTION_LINE_MAX
	};
	struct span line;
	bool more = true;
	int failed = 0;

	while (failed == 0 && more) {
		switch (lines_next(&in, &line)) {
		case LINES_ONE:
			failed = answer(d, line);
			break;
		case LINES_LONG:
			failed = answer_long(d);
			break;
		case LINES_FAILED:
			failed = cli_fail(
			    TOCSIN_EINTERNAL, "stdin: %s", strerror(errno));
			break;
		case LINES_END:
		case LINES_STOP:
			more = false;
			break;
		}
	}
	lines_release(&in);
	return failed;
}

/* What was said is on this disk; whether it has left is worth some waiting. */
static void
leave(struct doing *d)
{
	size_t queued;

	if (d->busy == 0)
		return;
	(void)cli_sync(d->c, d->t, d->busy);
	queued = sent_queued(d->t);
	if (queued > 0)
		cli_note("%zu message%s in the outbox, sent when the broker "
			 "can be reached [unavailable]",
		    queued, queued == 1 ? " waits" : "s wait");
}

static int
work(struct doing *d)
{
	enum tocsin_err err = cli_sync(d->c, d->t, 0);
	int failed;

	if (err == TOCSIN_EROSTERUNKNOWN)
		return cli_error(d->t, err);
	failed = serve(d);
	leave(d);
	return failed == 0 && d->refused > 0 ? 1 : failed;
}

int
cmd_do(struct cli *c, int argc, char **argv)
{
	const struct opt none[] = { { NULL, OPT_FLAG, NULL } };
	struct sigaction act = { .sa_handler = on_signal };
	struct doing d = { .c = c };
	int failed;

	if (!cli_options(c, argc, argv, none, 0, 0))
		return 2;
	failed = cli_open(c, &d.t);
	if (failed != 0)
		return failed;
	stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	failed = work(&d);
	tocsin_close(d.t);
	return failed;
}
