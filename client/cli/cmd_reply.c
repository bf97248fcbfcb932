/* SPDX-License-Identifier: ISC */
/* What people say in a ticket: ack, note, request, ..., close, reopen. */
#include "client/cli/cmds.h"
#include "client/cli/sent.h"
#include "client/cli/view.h"

#include <stdlib.h>
#include <string.h>

struct reply {
	struct cli *c;
	struct tocsin_draft d;
	struct list to, attach, recall, client;
	const char *ackby;
};

/* A client is one whom it is to. NULL: to all that have it. */
static bool
recipients(struct reply *r, const char ***to)
{
	size_t i, n = 0;

	*to = NULL;
	if (r->to.n + r->client.n == 0)
		return true;
	*to = calloc(r->to.n + r->client.n + 1, sizeof(**to));
	for (i = 0; *to != NULL && i < r->to.n; i++)
		(*to)[n++] = r->to.word[i];
	for (i = 0; *to != NULL && i < r->client.n; i++)
		(*to)[n++] = r->client.word[i];
	return *to != NULL;
}

/* One message in the thread that the command's word names. */
static int
reply(struct reply *r)
{
	struct tocsin_attachment *a = calloc(r->attach.n + 1, sizeof(*a));
	const char **to = NULL;
	struct tocsin *t = NULL;
	char id[TOCSIN_ID_TEXT];
	enum tocsin_err err;
	size_t i;
	int status;

	if (a == NULL || !recipients(r, &to)) {
		free(a);
		return cli_fail(TOCSIN_EINTERNAL, "no memory");
	}
	for (i = 0; i < r->attach.n; i++)
		a[i].path = r->attach.word[i];
	r->d.thread = r->c->words[0];
	r->d.to = to;
	r->d.clients = r->client.word;
	r->d.recall = r->recall.word;
	r->d.attachments = a;
	r->d.nattachments = r->attach.n;
	status = cli_open(r->c, &t);
	if (status == 0) {
		say_circles(t, r->d.to);
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
	free(to);
	free(a);
	return status;
}

/* ---- one row for each kind ---- */

#define TEXT 1u	    /* -m */
#define TO 2u	    /* --to, more members or fewer */
#define ATTACH 4u   /* --attach */
#define ACKBY 8u    /* --ackby */
#define TLP 16u	    /* --tlp */
#define RESULT 32u  /* --resolution */
#define SAYS 64u    /* a text or an attachment is needed */
#define PARTS 256u  /* --attachment */
#define WHOM 128u   /* --to is needed */
#define CLIENT 512u /* --client */

static const struct saying {
	const char *command;
	const char *kind;
	unsigned takes;
} sayings[] = {
	{ "note", "update", TEXT | TO | ATTACH | SAYS },
	{ "request", "request", TEXT | TO | ATTACH | ACKBY | SAYS },
	{ "query", "query", TEXT | TO | ATTACH | ACKBY | SAYS },
	{ "result", "result", TEXT | ATTACH | SAYS },
	{ "escalate", "escalate", TEXT | TO | ACKBY | WHOM | CLIENT },
	{ "share", "share", TEXT | TO | ACKBY | TLP | WHOM | CLIENT },
	{ "recall", "recall", TEXT | PARTS },
	{ "close", "close", TEXT | RESULT },
	{ "reopen", "reopen", TEXT | ACKBY },
};

static const struct saying *
find(const char *command)
{
	size_t i = 0;

	while (strcmp(sayings[i].command, command) != 0)
		i++;
	return &sayings[i];
}

/* The options of a row, and no others. */
static void
options(struct opt *out, struct reply *r, unsigned takes)
{
	const struct {
		unsigned bit;
		struct opt opt;
	} all[] = {
		{ TEXT, { "-m", OPT_WORD, &r->d.text } },
		{ TO, { "--to", OPT_MANY, &r->to } },
		{ ATTACH, { "--attach", OPT_LIST, &r->attach } },
		{ ACKBY, { "--ackby", OPT_WORD, &r->ackby } },
		{ TLP, { "--tlp", OPT_WORD, &r->d.tlp } },
		{ PARTS, { "--attachment", OPT_LIST, &r->recall } },
		{ CLIENT, { "--client", OPT_LIST, &r->client } },
		{ RESULT, { "--resolution", OPT_WORD, &r->d.resolution } },
	};
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (takes & all[i].bit)
			*out++ = all[i].opt;
	*out = (struct opt){ NULL, OPT_FLAG, NULL };
}

/* argv[0], the command's name, chooses the row. */
int
cmd_say(struct cli *c, int argc, char **argv)
{
	const struct saying *s = find(argv[0]);
	struct reply r = { .c = c, .d.kind = s->kind };
	struct opt opts[9];

	options(opts, &r, s->takes);
	if (!cli_options(c, argc, argv, opts, 1, 1))
		return 2;
	if ((s->takes & SAYS) && r.d.text == NULL && r.attach.n == 0)
		return cli_usage("a %s needs a text: -m TEXT", s->command);
	if ((s->takes & WHOM) && r.to.n + r.client.n == 0)
		return cli_usage("say whom to: --to lacert@la");
	if (r.ackby != NULL && !view_when("--ackby", r.ackby, &r.d.ackby))
		return 2;
	return reply(&r);
}

/* ---- ack ---- */

struct acking {
	bool accept, defer, invalid, working, received;
	const char *refuse, *text;
	enum tocsin_answer answer;
};

static bool
one_answer(struct acking *a)
{
	int n = a->accept + a->defer + a->invalid + a->working + a->received +
		(a->refuse != NULL);

	a->answer = a->accept	  ? TOCSIN_ACCEPTED
		    : a->defer	  ? TOCSIN_DEFERRED
		    : a->invalid  ? TOCSIN_INVALID
		    : a->working  ? TOCSIN_IN_PROGRESS
		    : a->received ? TOCSIN_RECEIVED
				  : TOCSIN_REFUSED;
	if (n != 1)
		cli_usage("say one of --accept, --defer, --refuse REASON, "
			  "--invalid, --in-progress and --received");
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
		{ "--in-progress", OPT_FLAG, &a.working },
		{ "--received", OPT_FLAG, &a.received },
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
