/* SPDX-License-Identifier: ISC */
/* What people do with a ticket: ack, note, escalate, close. */
#include "client/cli/cmds.h"
#include "client/cli/sent.h"
#include "client/cli/view.h"

#include <stdlib.h>
#include <string.h>

struct reply {
	struct cli *c;
	struct tocsin_draft d;
	struct list to, attach;
	const char *ackby;
};

/* One message in the thread that the command's word names. */
static int
reply(struct reply *r)
{
	struct tocsin_attachment *a = calloc(r->attach.n + 1, sizeof(*a));
	struct tocsin *t = NULL;
	char id[TOCSIN_ID_TEXT];
	enum tocsin_err err;
	size_t i;
	int status;

	if (a == NULL)
		return cli_fail(TOCSIN_EINTERNAL, "no memory");
	for (i = 0; i < r->attach.n; i++)
		a[i].path = r->attach.word[i];
	r->d.thread = r->c->words[0];
	r->d.to = r->to.word;
	r->d.attachments = a;
	r->d.nattachments = r->attach.n;
	status = cli_open(r->c, &t);
	if (status == 0) {
		err = tocsin_post(t, &r->d, id);
		if (ask_first(r->c, t, err))
			err = tocsin_post(t, &r->d, id);
		status =
		    err == TOCSIN_OK
			? sent(r->c, t, id,
			      r->attach.n > 0 ? SENT_BUSY_PARTS : SENT_BUSY)
			: cli_error(t, err);
	}
	tocsin_close(t);
	free(a);
	return status;
}

int
cmd_note(struct cli *c, int argc, char **argv)
{
	struct reply r = { .c = c, .d.kind = "update" };
	const struct opt opts[] = {
		{ "-m", OPT_WORD, &r.d.text },
		{ "--attach", OPT_LIST, &r.attach },
		{ NULL, OPT_FLAG, NULL },
	};

	if (!cli_options(c, argc, argv, opts, 1, 1))
		return 2;
	if (r.d.text == NULL && r.attach.n == 0)
		return cli_usage("a note needs a text: -m TEXT");
	return reply(&r);
}

int
cmd_escalate(struct cli *c, int argc, char **argv)
{
	struct reply r = { .c = c, .d.kind = "escalate" };
	const struct opt opts[] = {
		{ "--to", OPT_MANY, &r.to },
		{ "-m", OPT_WORD, &r.d.text },
		{ "--ackby", OPT_WORD, &r.ackby },
		{ NULL, OPT_FLAG, NULL },
	};

	if (!cli_options(c, argc, argv, opts, 1, 1))
		return 2;
	if (r.to.n == 0)
		return cli_usage("say whom to: --to lacert@la");
	if (r.ackby != NULL && !view_when("--ackby", r.ackby, &r.d.ackby))
		return 2;
	return reply(&r);
}

int
cmd_close(struct cli *c, int argc, char **argv)
{
	struct reply r = { .c = c, .d.kind = "close" };
	const struct opt opts[] = {
		{ "-m", OPT_WORD, &r.d.text },
		{ NULL, OPT_FLAG, NULL },
	};

	return cli_options(c, argc, argv, opts, 1, 1) ? reply(&r) : 2;
}

/* ---- ack ---- */

struct acking {
	bool accept, defer, invalid;
	const char *refuse, *text;
	enum tocsin_answer answer;
};

static bool
one_answer(struct acking *a)
{
	int n = a->accept + a->defer + a->invalid + (a->refuse != NULL);

	a->answer = a->accept	 ? TOCSIN_ACCEPTED
		    : a->defer	 ? TOCSIN_DEFERRED
		    : a->invalid ? TOCSIN_INVALID
				 : TOCSIN_REFUSED;
	if (n != 1)
		cli_usage("say one of --accept, --defer, --refuse REASON and "
			  "--invalid");
	return n == 1;
}

int
cmd_ack(struct cli *c, int argc, char **argv)
{
	struct acking a = { 0 };
	const struct opt opts[] = {
		{ "--accept", OPT_FLAG, &a.accept },
		{ "--defer", OPT_FLAG, &a.defer },
		{ "--refuse", OPT_WORD, &a.refuse },
		{ "--invalid", OPT_FLAG, &a.invalid },
		{ "-m", OPT_WORD, &a.text },
		{ NULL, OPT_FLAG, NULL },
	};
	struct tocsin *t = NULL;
	char id[TOCSIN_ID_TEXT];
	enum tocsin_err err;
	int status;

	if (!cli_options(c, argc, argv, opts, 1, 1) || !one_answer(&a))
		return 2;
	status = cli_open(c, &t);
	if (status != 0)
		return status;
	err = tocsin_ack(t, c->words[0], a.answer, a.refuse, a.text, id);
	if (ask_first(c, t, err))
		err =
		    tocsin_ack(t, c->words[0], a.answer, a.refuse, a.text, id);
	status =
	    err == TOCSIN_OK ? sent(c, t, id, SENT_BUSY) : cli_error(t, err);
	tocsin_close(t);
	return status;
}
