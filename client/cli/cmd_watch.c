/* SPDX-License-Identifier: ISC */
#include "client/cli/cmds.h"
#include "client/cli/print.h"
#include "client/cli/view.h"

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <string.h>

#define SLICE_MS 500 /* how soon a signal is noticed */

struct watching {
	struct cli *c;
	struct tocsin *t;
	const char *reader;
	unsigned count; /* 0: for ever */
	bool from_start;
};

static volatile sig_atomic_t stopped;

static void
on_signal(int signal)
{
	(void)signal;
	stopped = 1;
}

/* The reader moves on only when the line has left us. */
static int
print_one(struct watching *w, const struct tocsin_message *m)
{
	enum tocsin_err err;

	if (w->c->json) {
		print_json(view_message_json(m));
	} else {
		view_brief(m);
		putchar('\n');
	}
	if (fflush(stdout) != 0 || ferror(stdout))
		return cli_fail(
		    TOCSIN_EINTERNAL, "stdout: %s", strerror(errno));
	err = tocsin_commit(w->t, w->reader, m->number);
	return err == TOCSIN_OK ? 0 : cli_error(w->t, err);
}

static int
next_one(struct watching *w, int64_t end, bool *got)
{
	struct tocsin_message *m = NULL;
	enum tocsin_err err;
	int status = 0;

	*got = false;
	do {
		err = tocsin_next(w->t, w->reader,
		    w->c->wait_given && w->c->wait == 0 ? 0 : SLICE_MS, &m);
	} while (err == TOCSIN_ETIMEOUT && !stopped &&
		 !(w->c->wait_given && cli_now() >= end));
	if (err == TOCSIN_OK) {
		status = print_one(w, m);
		*got = status == 0;
		tocsin_message_free(m);
	} else if (err != TOCSIN_ETIMEOUT) {
		status = cli_error(w->t, err);
	}
	return status;
}

/* With --wait, the time that one message may take to come. */
static int
watch(struct watching *w)
{
	unsigned seen = 0;
	int status = 0;
	bool got = true;

	while (status == 0 && got && (w->count == 0 || seen < w->count)) {
		status = next_one(w, cli_now() + (int64_t)w->c->wait, &got);
		seen += got;
	}
	if (status == 0 && !stopped && w->count > 0 && seen < w->count)
		status = cli_fail(TOCSIN_ETIMEOUT,
		    "%u of %u messages came in time", seen, w->count);
	return status;
}

static int
start(struct watching *w)
{
	enum tocsin_err err = TOCSIN_OK;
	int status = cli_open(w->c, &w->t);

	if (status != 0)
		return status;
	if (w->from_start)
		err = tocsin_rewind(w->t, w->reader);
	if (err != TOCSIN_OK)
		return cli_error(w->t, err);
	err = tocsin_sync(w->t, 0);
	if (err == TOCSIN_EROSTERUNKNOWN)
		return cli_error(w->t, err);
	return watch(w);
}

int
cmd_watch(struct cli *c, int argc, char **argv)
{
	struct watching w = { .c = c };
	struct sigaction act = { .sa_handler = on_signal };
	const char *count = NULL;
	const struct opt opts[] = {
		{ "-n", OPT_WORD, &count },
		{ "--reader", OPT_WORD, &w.reader },
		{ "--from-start", OPT_FLAG, &w.from_start },
		{ NULL, OPT_FLAG, NULL },
	};
	int status;

	if (!cli_options(c, argc, argv, opts, 0, 0) ||
	    (count != NULL &&
		!cli_number("-n", count, 1, 1000000000, &w.count)))
		return 2;
	if (w.reader == NULL)
		w.reader = "watch";
	if (!name_token(span_of(w.reader)))
		return cli_usage("--reader: %s is no word of lower case, "
				 "digits and '-'",
		    w.reader);
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	status = start(&w);
	tocsin_close(w.t);
	return status;
}
