/* SPDX-License-Identifier: ISC */
#include "client/cli/cmds.h"
#include "client/cli/print.h"
#include "client/cli/view.h"
#include "client/vocab.h"

#include <jansson.h>
#include <string.h>

static void
explain(const struct cli *c, const char *member, enum tocsin_err err)
{
	if (c->json) {
		print_json(json_pack("{s:o, s:s, s:s, s:i, s:i}", "member",
		    view_string(member), "reason", tocsin_err_name(err), "text",
		    tocsin_err_text(err), "code", (int)err, "exit",
		    tocsin_err_exit(err)));
		return;
	}
	if (member != NULL)
		printf("%s: ", member);
	printf("%s: %s\n", tocsin_err_name(err), tocsin_err_text(err));
}

static enum tocsin_err
find_reason(const char *name)
{
	int i;

	for (i = 0; i < TOCSIN_ERR_COUNT; i++)
		if (strcmp(tocsin_err_name((enum tocsin_err)i), name) == 0)
			return (enum tocsin_err)i;
	return TOCSIN_ERR_COUNT;
}

/* What brokers said of single recipients; words of people stay theirs. */
static bool
explain_places(const struct cli *c, struct tocsin *t, const char *id)
{
	struct tocsin_status *s = NULL;
	bool any = false;
	size_t i;

	if (tocsin_status(t, id, cli_now(), &s) != TOCSIN_OK)
		return false;
	for (i = 0; i < s->n; i++) {
		const struct tocsin_place *p = &s->place[i];
		enum tocsin_err err = p->reason != NULL ? find_reason(p->reason)
							: TOCSIN_ERR_COUNT;

		if (p->rung != TOCSIN_RUNG_REFUSED)
			continue;
		any = true;
		if (err < TOCSIN_ERR_COUNT)
			explain(c, p->member, err);
		else if (c->json)
			print_json(view_place_json(s, p));
		else
			view_place(p);
	}
	tocsin_status_free(s);
	return any;
}

static int
explain_message(struct cli *c, const char *id)
{
	struct tocsin_message *m = NULL;
	struct tocsin *t = NULL;
	enum tocsin_err err;
	int status = cli_open(c, &t);

	if (status != 0)
		return status;
	err = tocsin_get(t, id, &m);
	if (err != TOCSIN_OK)
		status = cli_error(t, err);
	else if (m->refused != TOCSIN_OK)
		explain(c, NULL, m->refused);
	else if (!explain_places(c, t, id) && !c->json)
		printf("nobody has refused it\n");
	tocsin_message_free(m);
	tocsin_close(t);
	return status;
}

/* A word of letters and '-' without a digit is meant as a code. */
static int
no_such_code(const char *typed)
{
	enum tocsin_err best = TOCSIN_OK;
	unsigned least = 1000;
	int i;

	for (i = 0; i < TOCSIN_ERR_COUNT; i++) {
		unsigned d =
		    vocab_distance(tocsin_err_name((enum tocsin_err)i), typed);

		if (d < least) {
			least = d;
			best = (enum tocsin_err)i;
		}
	}
	return cli_usage("%s is no reason code and no id; the nearest code is "
			 "%s",
	    typed, tocsin_err_name(best));
}

int
cmd_why(struct cli *c, int argc, char **argv)
{
	const struct opt none[] = { { NULL, OPT_FLAG, NULL } };
	struct id_prefix prefix;
	enum tocsin_err err;
	const char *word;
	uint8_t id[ID_LEN];

	if (!cli_options(c, argc, argv, none, 1, 1))
		return 2;
	word = c->words[0];
	err = find_reason(word);
	if (err < TOCSIN_ERR_COUNT) {
		explain(c, NULL, err);
		return 0;
	}
	if (!id_parse(span_of(word), id) &&
	    shortid_parse(&prefix, span_of(word)) != TOCSIN_OK)
		return no_such_code(word);
	return explain_message(c, word);
}
