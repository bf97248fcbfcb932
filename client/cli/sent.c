/* SPDX-License-Identifier: ISC */
#include "client/cli/sent.h"

#include "client/circle.h"
#include "client/cli/print.h"
#include "client/cli/view.h"
#include "client/handle.h"

#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

static const char *
state_of(const struct tocsin_message *m)
{
	if (m->refused != TOCSIN_OK)
		return "refused";
	return m->received != 0 ? "posted" : "queued";
}

json_t *
sent_json(struct tocsin *t, struct tocsin_message *m)
{
	static const char *const kept[] = { "id", "short_id", "thread", "kind",
		"subject", "tlp", "pap", "labels", "exercise", "ackby",
		"deadlines" };
	json_t *all = view_event_json(t, m), *o = json_object();
	size_t i;

	for (i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		json_object_set(o, kept[i], json_object_get(all, kept[i]));
	json_object_set_new(o, "state", json_string(state_of(m)));
	json_object_set_new(o, "reason",
	    m->refused != TOCSIN_OK ? json_string(tocsin_err_name(m->refused))
				    : json_null());
	json_decref(all);
	return o;
}

size_t
sent_queued(struct tocsin *t)
{
	struct desk_tx *tx = NULL;
	uint64_t number = 0;
	size_t n = 0;

	if (desk_read(t->parts.desk, &tx) == TOCSIN_OK)
		while (desk_outbox_next(tx, number, &number) == TOCSIN_OK)
			n++;
	desk_end(tx);
	return n;
}

/* Whether what the broker says now is about us, and not about the moment. */
static bool
unwelcome(enum tocsin_err err)
{
	switch (err) {
	case TOCSIN_OK:
	case TOCSIN_EUNAVAILABLE:
	case TOCSIN_ETIMEOUT:
	case TOCSIN_EBUSY:
	case TOCSIN_EQUOTA:
	case TOCSIN_ENOSPACE:
	case TOCSIN_EINTERNAL:
		return false;
	default:
		return true;
	}
}

/* It is on disk; why it is not at the broker. */
static void
say_queued(enum tocsin_err err)
{
	if (err == TOCSIN_OK || err == TOCSIN_EUNAVAILABLE)
		cli_note("the broker cannot be reached now; it waits in the "
			 "outbox and is sent when it can be [unavailable]");
	else
		cli_note("it is not at the broker yet and waits in the outbox: "
			 "%s [%s]",
		    tocsin_err_text(err), tocsin_err_name(err));
}

bool
ask_first(struct cli *c, struct tocsin *t, enum tocsin_err err)
{
	char why[1024];

	switch (err) {
	case TOCSIN_ENOTFOUND:
	case TOCSIN_ENOTENROLLED:
	case TOCSIN_EKEYSEXPIRED:
	case TOCSIN_EROSTEREXPIRED:
	case TOCSIN_ESUSPENDED:
		break;
	default:
		return false;
	}
	snprintf(why, sizeof(why), "%s", tocsin_error(t));
	if (cli_sync(c, t, 0) == TOCSIN_OK)
		return true;
	(void)fail(err, "%s", why); /* not that nobody could be asked */
	return false;
}

/* As many on a line as fit, so that none is cut. */
static void
say_circle(const struct circle *c)
{
	char line[1024];
	const char *between;
	size_t i = 0, n;

	do {
		n = (size_t)snprintf(line, sizeof(line), "%s is", c->name);
		between = " ";
		for (; i < c->n && n + MEMBER_MAX + 2 < sizeof(line); i++) {
			n += (size_t)snprintf(line + n, sizeof(line) - n,
			    "%s%s", between, c->member[i]);
			between = ", ";
		}
		cli_note("%s", line);
	} while (i < c->n);
}

void
say_circles(struct tocsin *t, const char *const *names)
{
	struct circles all = { .n = 0 };
	const struct circle *c;
	char why[1024];

	for (; names != NULL && *names != NULL; names++) {
		if ((*names)[0] != '@')
			continue;
		if (all.circle == NULL &&
		    circles_load(&all, t->parts.keys->home, why) != TOCSIN_OK)
			break;
		c = circles_find(&all, *names);
		if (c != NULL && c->n > 0)
			say_circle(c);
	}
	circles_release(&all);
}

/* To somebody who looks at it; a program has the status. */
static void
say_sent(const struct cli *c, const struct tocsin_message *m)
{
	if (!c->json && isatty(STDOUT_FILENO) && isatty(STDERR_FILENO))
		cli_note(
		    "our broker has it; `tocsin status %.4s` says who else",
		    m->short_id);
}

int
sent(struct cli *c, struct tocsin *t, const char *id, unsigned busy)
{
	struct tocsin_message *m = NULL;
	enum tocsin_err synced, err;
	int status = 0;

	/* First, so that a user who stops us knows it. */
	err = tocsin_get(t, id, &m);
	if (err != TOCSIN_OK)
		return cli_error(t, err);
	if (!c->json) {
		printf("%s\n", m->short_id);
		fflush(stdout);
	}
	tocsin_message_free(m);
	m = NULL;
	synced = cli_sync(c, t, busy);
	err = tocsin_get(t, id, &m);
	if (err != TOCSIN_OK)
		return cli_error(t, err);
	if (c->json)
		print_json(sent_json(t, m));
	if (m->refused != TOCSIN_OK)
		status = cli_fail(m->refused, "the broker refused it: %s",
		    tocsin_err_text(m->refused));
	else if (m->received == 0 && unwelcome(synced))
		status = cli_fail(synced,
		    "the broker does not take it from us now, and it waits in "
		    "the outbox: %s",
		    tocsin_err_text(synced));
	else if (m->received == 0)
		say_queued(synced);
	else if (synced != TOCSIN_OK && busy == SENT_BUSY_PARTS)
		cli_note("the ticket is sent; its attachments go on when the "
			 "broker can be reached");
	else
		say_sent(c, m);
	tocsin_message_free(m);
	return status;
}
