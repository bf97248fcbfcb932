/* SPDX-License-Identifier: ISC */
/* The situation as a page: in a file, or for the browsers of this machine. */
#include "client/cli/cmds.h"
#include "client/cli/figures.h"
#include "client/cli/print.h"
#include "client/cli/serve.h"
#include "client/cli/survey.h"
#include "client/cli/view.h"

#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RENEW_MS 15000 /* ages and times go on without a message, too */
#define SLICE_MS 250
#define LEAST_MS 1000 /* between two pages */
#define SHARE 20      /* and as many times what the last one took to make */
#define LINK_MS 1000  /* for the broker to answer whether it is there */
#define LATE_MAX 4    /* times that it may be slow, or have much to send */

struct board {
	struct cli *c;
	bool metadata, offline, serve;
	const char *file;
	struct keystore config;
	struct desk *desk;
	struct belief belief;
	struct tocsin *t; /* NULL: headers alone */
	struct survey survey;
	struct page_about about;
	char trouble[512];
	unsigned late; /* times in a row that there was no answer in time */
	struct serve server;
};

static volatile sig_atomic_t stopped;

static void
on_signal(int signal)
{
	(void)signal;
	stopped = 1;
}

/* ---- the home ---- */

/*
 * A reader's screen has no need of what is inside, and a home that is locked
 * does not have to be unlocked for figures.
 */
static bool
headers_alone(const struct board *b)
{
	return b->metadata || b->config.role == KEYS_READER ||
	       !cli_unlocked(b->c);
}

static int
open_board(struct board *b)
{
	int status = cli_desk(b->c, &b->config, &b->desk, &b->belief);

	if (status != 0)
		return status;
	b->about.headers = headers_alone(b);
	b->about.federation = b->config.federation;
	b->about.member = b->config.member;
	b->about.exercise = b->config.exercise;
	b->about.served = b->serve;
	if (!b->about.headers)
		return cli_open(b->c, &b->t);
	if (!b->metadata && b->config.role != KEYS_READER)
		cli_note("the home is locked: this is a picture of signed "
			 "headers alone; `tocsin unlock` first for one with "
			 "answers, severity and outlook");
	return 0;
}

static void
close_board(struct board *b)
{
	survey_release(&b->survey);
	serve_stop(&b->server);
	tocsin_close(b->t);
	belief_release(&b->belief);
	desk_close(b->desk);
}

/* Whether the picture may be old, in words that stay until it is not. */
static void
note_link(struct board *b, enum tocsin_err err)
{
	char since[TIME_TEXT + 1];

	if (err == TOCSIN_OK) {
		b->trouble[0] = '\0';
		b->about.trouble = NULL;
		return;
	}
	if (b->about.trouble != NULL)
		return;
	time_print(since, cli_now());
	snprintf(b->trouble, sizeof(b->trouble),
	    "Newer tickets may wait at the broker, which could not be asked at "
	    "%s: %.300s [%s]",
	    since, tocsin_error(b->t), tocsin_err_name(err));
	b->about.trouble = b->trouble;
}

static int
fetch(struct board *b)
{
	enum tocsin_err err;

	if (b->t == NULL || b->offline)
		return 0;
	err = cli_sync(b->c, b->t, 0);
	if (err == TOCSIN_EROSTERUNKNOWN)
		return cli_error(b->t, err);
	note_link(b, err);
	if (err != TOCSIN_OK)
		cli_note("this is what is here; newer tickets may wait at the "
			 "broker: %s [%s]",
		    tocsin_error(b->t), tocsin_err_name(err));
	return 0;
}

/* ---- one picture ---- */

struct drawn {
	struct buf html, policy;
	json_t *figures;
};

static void
drawn_release(struct drawn *d)
{
	buf_release(&d->html);
	buf_release(&d->policy);
	json_decref(d->figures);
}

static enum tocsin_err
look(struct board *b)
{
	enum tocsin_err err = survey_take(&b->survey, b->desk, b->t, cli_now());

	b->about.newest = b->survey.newest;
	b->about.queued = b->survey.queued;
	b->about.left_out = b->survey.left_out;
	return err;
}

static enum tocsin_err
draw(struct board *b, struct drawn *d)
{
	struct picture p;
	enum tocsin_err err =
	    picture_make(&p, b->survey.ticket, b->survey.n, cli_now());

	if (err == TOCSIN_OK)
		err = page_print(&d->html, &p, &b->about);
	if (err == TOCSIN_OK)
		err = page_policy(&d->policy, &p, b->serve);
	if (err == TOCSIN_OK) {
		d->figures = figures_json(&p, &b->about);
		if (d->figures == NULL)
			err = TOCSIN_EINTERNAL;
	}
	picture_release(&p);
	return err;
}

static int
desk_failed(enum tocsin_err err)
{
	return cli_fail(err, "the desk: %s", tocsin_err_text(err));
}

static int
once(struct board *b)
{
	struct drawn d = { .figures = NULL };
	enum tocsin_err err = look(b);
	int status = 0;

	if (err == TOCSIN_OK)
		err = draw(b, &d);
	if (err != TOCSIN_OK)
		status = desk_failed(err);
	else if (b->file != NULL || !b->c->json)
		status = cli_write(b->file, buf_span(&d.html), true);
	if (status == 0 && b->c->json)
		print_json(json_incref(d.figures));
	drawn_release(&d);
	return status;
}

/* ---- for browsers ---- */

static int
put(struct board *b)
{
	struct drawn d = { .figures = NULL };
	enum tocsin_err err = draw(b, &d);
	char *text = NULL;
	int status = 0;

	if (err == TOCSIN_OK) {
		text = json_dumps(d.figures, JSON_COMPACT | JSON_ENSURE_ASCII);
		if (text == NULL)
			err = TOCSIN_EINTERNAL;
	}
	if (err != TOCSIN_OK)
		status = desk_failed(err);
	else if (serve_put(&b->server,
		     &(struct serve_page){ .html = buf_span(&d.html),
			 .json = span_of(text),
			 .policy = buf_span(&d.policy) }) != TOCSIN_OK)
		status = cli_fail(TOCSIN_EUNAVAILABLE,
		    "the server has ended; start this command again");
	free(text);
	drawn_release(&d);
	return status;
}

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Until the desk has changed, or ages have; true: it has changed. */
static bool
rest(struct board *b, uint64_t seen, int64_t began)
{
	int64_t took = now_ms() - began;
	int64_t soon =
	    began + (took * SHARE > LEAST_MS ? took * SHARE : LEAST_MS);
	int64_t last = began + RENEW_MS;
	bool changed = false;

	while (!stopped && now_ms() < (changed ? soon : last)) {
		if (changed)
			usleep(SLICE_MS * 1000);
		else
			desk_wait(b->desk, seen, SLICE_MS);
		changed = desk_changes(b->desk) != seen;
	}
	return changed;
}

/* That it has more to send than fits into a second is no trouble. */
static void
ask_link(struct board *b)
{
	enum tocsin_err err = tocsin_sync(b->t, LINK_MS);

	b->late = err == TOCSIN_ETIMEOUT ? b->late + 1 : 0;
	if (err != TOCSIN_ETIMEOUT || b->late > LATE_MAX)
		note_link(b, err);
}

static int
follow(struct board *b)
{
	bool changed = true;
	int status = 0;

	while (status == 0 && !stopped) {
		int64_t began = now_ms();
		uint64_t seen = desk_changes(b->desk);
		enum tocsin_err err = TOCSIN_OK;

		if (changed)
			err = look(b);
		status = err == TOCSIN_OK ? put(b) : desk_failed(err);
		if (status != 0)
			break;
		changed = rest(b, seen, began);
		if (b->t != NULL && !b->offline && !stopped)
			ask_link(b);
	}
	return status;
}

static int
say_url(struct board *b)
{
	if (b->c->json)
		print_json(json_pack("{s:s}", "url", b->server.url));
	else
		printf("%s\n", b->server.url);
	return fflush(stdout) == 0 ? 0 : 1;
}

/* Before the home is opened: the server never had what is in it. */
static int
start_server(struct board *b)
{
	const char *typed = b->c->nword > 0 ? b->c->words[0] : NULL;
	struct serve_at at;
	char why[256];
	enum tocsin_err err = serve_parse(&at, typed);

	if (err == TOCSIN_EPERMISSIONS)
		return cli_fail(err,
		    "%s: others can reach that address, and the picture is not "
		    "for them; it is served on 127.0.0.1 or [::1] alone",
		    typed);
	if (err != TOCSIN_OK)
		return cli_usage("--serve: %s is no address of this machine; "
				 "write 127.0.0.1:8080 or [::1]:8080",
		    typed);
	err = serve_start(&b->server, &at, why);
	return err == TOCSIN_OK ? 0
				: cli_fail(err, "nothing is served at %s: %s",
				      typed != NULL ? typed : "127.0.0.1", why);
}

/* ---- the command line ---- */

static bool
good_options(const struct board *b)
{
	if (b->serve && b->file != NULL)
		cli_usage("--serve and -o exclude each other");
	else if (!b->serve && b->c->nword > 0)
		cli_usage("%s: an address is for --serve", b->c->words[0]);
	else if (!b->serve && b->file == NULL && !b->c->json &&
		 isatty(STDOUT_FILENO))
		cli_usage("a page is not for a terminal: say -o FILE, --serve "
			  "or --json");
	else
		return true;
	return false;
}

int
cmd_board(struct cli *c, int argc, char **argv)
{
	struct board b = { .c = c };
	struct sigaction act = { .sa_handler = on_signal };
	const struct opt opts[] = {
		{ "--metadata", OPT_FLAG, &b.metadata },
		{ "--offline", OPT_FLAG, &b.offline },
		{ "-o", OPT_WORD, &b.file },
		{ "--serve", OPT_FLAG, &b.serve },
		{ NULL, OPT_FLAG, NULL },
	};
	int status = 0;

	if (!cli_options(c, argc, argv, opts, 0, 1) || !good_options(&b))
		return 2;
	if (b.serve) {
		sigaction(SIGINT, &act, NULL);
		sigaction(SIGTERM, &act, NULL);
		status = start_server(&b);
	}
	if (status == 0)
		status = open_board(&b);
	if (status == 0 && b.serve)
		status = say_url(&b);
	if (status == 0)
		status = fetch(&b);
	if (status == 0)
		status = b.serve ? follow(&b) : once(&b);
	close_board(&b);
	return status;
}
