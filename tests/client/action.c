/* SPDX-License-Identifier: ISC */
#include "client/cli/action.h"
#include "tests/lib/tap.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TICKET "7k2m-9xq4-t0af"

static char why[512];

/* Parsed from a copy of the exact size. */
static bool
parse(struct actions *a, const char *lines)
{
	size_t n = strlen(lines);
	uint8_t *copy = xcopy(lines, n);
	bool good;

	why[0] = '\0';
	good = actions_parse(a, (struct span){ copy, n }, TICKET, why);
	free(copy);
	return good;
}

static void
refused(const char *lines, const char *words, const char *sentence)
{
	struct actions a;
	bool good = parse(&a, lines);

	if (!ok(!good && strstr(why, words) != NULL, "%s", sentence))
		diag("got: %s", why);
	actions_release(&a);
}

static const char all[] =
    "{\"do\":\"ack\",\"answer\":\"accepted\",\"text\":\"Taken.\"}\n"
    "\n"
    "{\"do\":\"note\",\"id\":\"other\",\"text\":\"T\",\"attach\":[\"a\",\"b\"]}"
    "\n"
    "{\"do\":\"escalate\",\"to\":[\"lead@my\"],\"ackby\":\"30m\"}\n"
    "{\"do\":\"close\",\"text\":null}\n"
    "{\"do\":\"post\",\"to\":[\"lacert@la\",\"mycert@my\"],\"tlp\":\"AMBER\","
    "\"subject\":\"S\",\"kind\":\"request\",\"labels\":[\"a\"],"
    "\"class\":\"other:other\",\"content\":{\"x\":1}}\n"
    "{\"do\":\"query\",\"text\":\"Yours?\",\"to\":[\"mycert@my\"],"
    "\"once\":\"alarm 17/query\"}\n"
    "{\"do\":\"close\",\"resolution\":\"resolved\"}";

static void
test_all(void)
{
	const struct tocsin_draft *d;
	struct actions a;

	ok(parse(&a, all) && a.n == 7,
	    "seven actions, an empty line, no last LF");
	d = a.draft;
	ok(strcmp(d[0].kind, "ack") == 0 && strcmp(d[0].thread, TICKET) == 0 &&
		strcmp(d[0].answer, "accepted") == 0 &&
		strcmp(d[0].text, "Taken.") == 0,
	    "an answer is to what is handled");
	ok(strcmp(d[1].kind, "update") == 0 &&
		strcmp(d[1].thread, "other") == 0 && d[1].nattachments == 2 &&
		strcmp(d[1].attachments[1].path, "b") == 0,
	    "a note may be to another, with attachments");
	ok(strcmp(d[2].to[0], "lead@my") == 0 && d[2].to[1] == NULL &&
		d[2].ackby > time(NULL),
	    "an escalation is to somebody, by some time");
	ok(strcmp(d[3].kind, "close") == 0 && d[3].text == NULL,
	    "null is as good as nothing");
	ok(d[4].thread == NULL && strcmp(d[4].kind, "request") == 0 &&
		strcmp(d[4].to[1], "mycert@my") == 0 &&
		strcmp(d[4].labels[0], "a") == 0 &&
		strcmp(d[4].json, "{\"x\":1}") == 0,
	    "a post is a new ticket");
	ok(strcmp(d[5].kind, "query") == 0 &&
		strcmp(d[5].to[0], "mycert@my") == 0 &&
		strcmp(d[6].resolution, "resolved") == 0,
	    "a query asks, a close has a resolution");
	ok(d[5].once != NULL && strcmp(d[5].once, "alarm 17/query") == 0 &&
		d[6].once == NULL,
	    "an action may have a key, under which it is done once");
	actions_release(&a);
	ok(parse(&a, "") && a.n == 0, "nothing is no action");
	actions_release(&a);
}

static void
test_wrong(void)
{
	char many[ACTIONS_MAX * 16 + 64] = "";
	size_t i;

	refused("hello\n", "line 1", "words are refused");
	refused("{\"do\":\"close\"}\n[]\n", "line 2", "and so is an array");
	refused("{}", "\"do\"", "it says what to do");
	refused("{\"do\":\"delete\"}", "\"do\"", "that there is");
	refused("{\"do\":\"ack\",\"to\":[\"a@b\"]}", "to is no member",
	    "with members that it has");
	refused("{\"do\":\"post\",\"id\":\"x\"}", "id is no member",
	    "a new ticket has no id yet");
	refused("{\"do\":\"ack\",\"answer\":true}", "answer", "of their type");
	refused("{\"do\":\"ack\",\"answer\":\"a\",\"answer\":\"b\"}", "line 1",
	    "each once");
	refused("{\"do\":\"escalate\",\"to\":\"lead@my\"}", "to is no array",
	    "several are an array");
	refused(
	    "{\"do\":\"escalate\",\"to\":[1]}", "to is no string", "of texts");
	refused("{\"do\":\"note\",\"text\":\"a\\u0000b\"}", "line 1",
	    "without a NUL");
	refused(
	    "{\"do\":\"escalate\",\"ackby\":\"soon\"}", "ackby", "and times");
	for (i = 0; i <= ACTIONS_MAX; i++)
		strcat(many, "{\"do\":\"close\"}\n");
	refused(many, "too many", "there is an end to it");
}

/* ---- requests ---- */

static enum tocsin_err
request(struct action *a, const char *line)
{
	size_t n = strlen(line);
	uint8_t *copy = xcopy(line, n);
	enum tocsin_err err;

	why[0] = '\0';
	err = action_parse(a, (struct span){ copy, n }, true, why);
	free(copy);
	return err;
}

static void
is_refused(const char *line, enum tocsin_err want, const char *words,
    const char *sentence)
{
	struct action a;
	enum tocsin_err err = request(&a, line);

	if (!ok(err == want && strstr(why, words) != NULL, "%s", sentence))
		diag("got: %s, %s", tocsin_err_name(err), why);
	action_release(&a);
}

static void
test_requests(void)
{
	struct action a;

	ok(request(&a, "{\"tag\":7,\"do\":\"status\",\"id\":\"7k2m\"}") ==
		    TOCSIN_OK &&
		a.word == ACTION_STATUS && !action_says(&a) && a.tag != NULL &&
		strcmp(a.draft.thread, "7k2m") == 0,
	    "a request asks about something");
	action_release(&a);
	ok(request(&a, "{\"do\":\"share\",\"id\":\"7k2m\",\"to\":[\"a@b\"],"
		       "\"clients\":[\"a@b\"],\"tlp\":\"RED\"}") == TOCSIN_OK &&
		action_says(&a) && a.tag == NULL &&
		strcmp(a.draft.kind, "share") == 0 &&
		strcmp(a.draft.clients[0], "a@b") == 0,
	    "or says something");
	action_release(&a);
	ok(request(&a, "{\"do\":\"inbox\",\"mine\":true,\"state\":[\"closed\"],"
		       "\"tlp\":\"amber\",\"since\":\"2h\",\"limit\":3}") ==
		    TOCSIN_OK &&
		a.filter.mine && a.filter.states.n == 1 && a.limit == 3 &&
		strcmp(a.filter.tlp, "AMBER") == 0 &&
		a.filter.since <= time(NULL) - 7199,
	    "or for a list, of some");
	action_release(&a);
	ok(request(&a, "{\"do\":\"post\",\"detected\":\"2h\",\"tag\":null}") ==
		    TOCSIN_OK &&
		a.draft.detected <= time(NULL) - 7199 && a.tag == NULL,
	    "a time that was is so long ago");
	action_release(&a);
	ok(request(&a, "{\"do\":\"ask\",\"id\":\"7k2m\",\"tlp\":\"GREEN\"}") ==
		    TOCSIN_OK &&
		action_says(&a) && strcmp(a.draft.kind, "request") == 0 &&
		strcmp(a.draft.tlp, "GREEN") == 0,
	    "permission is asked for");
	action_release(&a);
	ok(request(&a, "{\"do\":\"due\",\"id\":\"7k2m\",\"done\":\"nis2/24h\","
		       "\"at\":\"1h\",\"once\":\"k\"}") == TOCSIN_OK &&
		action_says(&a) &&
		strcmp(a.draft.clock_done, "nis2/24h") == 0 &&
		a.draft.clock_at <= time(NULL) - 3599,
	    "what is due is said to be done");
	action_release(&a);
	ok(request(&a, "{\"do\":\"due\",\"all\":true}") == TOCSIN_OK &&
		!action_says(&a) && a.all,
	    "or asked for");
	action_release(&a);
	is_refused("{\"do\":\"ask\",\"id\":\"7k2m\"}", TOCSIN_EUSAGE, "tlp",
	    "permission is for something");
	is_refused("{\"do\":\"relabel\",\"id\":\"7k2m\"}", TOCSIN_EUSAGE, "tlp",
	    "a label is said");
	is_refused("{\"do\":\"permit\",\"tlp\":\"GREEN\"}", TOCSIN_EUSAGE, "id",
	    "so is of what it is");
	is_refused("{\"do\":\"due\",\"start\":\"nis2\"}", TOCSIN_EUSAGE, "id",
	    "a clock is of a ticket");
	is_refused("{\"do\":\"due\",\"id\":\"7k2m\",\"start\":\"nis2\","
		   "\"stop\":\"nis2\"}",
	    TOCSIN_EUSAGE, "one of start", "and does one thing");
	is_refused("{\"do\":\"due\",\"at\":\"1h\"}", TOCSIN_EUSAGE, "at ",
	    "a list is of no time");
	is_refused("{\"do\":\"due\",\"id\":\"7k2m\",\"done\":\"nis2/24h\","
		   "\"all\":true}",
	    TOCSIN_EUSAGE, "all is for a list", "and a word no list");
	is_refused("{\"do\":\"note\",\"id\":\"7k2m\"}", TOCSIN_EUSAGE, "text",
	    "a note has a text");
	is_refused("{\"do\":\"escalate\",\"id\":\"7k2m\"}", TOCSIN_EUSAGE, "to",
	    "an escalation is to somebody");
	is_refused("{\"do\":\"ack\",\"id\":\"7k2m\"}", TOCSIN_EUSAGE, "answer",
	    "an ack has an answer");
	is_refused("{\"do\":\"ack\",\"id\":\"7k2m\",\"anser\":\"opened\"}",
	    TOCSIN_EUSAGE, "anser is no member of ack, which has tag, id, ",
	    "who errs is told what there is");
	is_refused("{\"do\":\"note\"}{\"do\":\"note\"}", TOCSIN_EMALFORMED,
	    "more behind the object", "a line is one");
	is_refused("{\"do\":\"note\",", TOCSIN_EMALFORMED,
	    "ends within the object, near byte 13", "and is whole");
	is_refused("{\"do\":\"a\",\"do\":\"b\"}", TOCSIN_EMALFORMED,
	    "a member twice", "with each member once");
	is_refused(
	    "{\"do\":\"\377\"}", TOCSIN_EMALFORMED, "not UTF-8", "in UTF-8");
	is_refused(
	    "{\"do\":\"\\u0000\"}", TOCSIN_EMALFORMED, "NUL", "without a NUL");
	is_refused("{\"tag\":1e999}", TOCSIN_EMALFORMED, "out of range",
	    "and numbers that there are");
	is_refused(
	    "[]", TOCSIN_EMALFORMED, "JSON, and no object", "an array is none");
	is_refused("{\"do\":\"note\",\"id\":\"7k2m\",\"text\":\"T\",\"to\":[]}",
	    TOCSIN_EUSAGE, "to is empty", "a list of nobody is not all");
	is_refused("{\"do\":\"recall\",\"id\":\"7k2m\",\"attachments\":[]}",
	    TOCSIN_EUSAGE, "attachments is empty", "nor is one of nothing");
	ok(request(&a, "{\"do\":\"inbox\",\"limit\":17.0}") == TOCSIN_OK &&
		a.limit == 17,
	    "17.0 is 17");
	action_release(&a);
	is_refused("{\"do\":\"inbox\",\"limit\":17.5}", TOCSIN_EUSAGE,
	    "no whole number", "17.5 is none");
	is_refused("{\"do\":\"inbox\",\"limit\":1e300}", TOCSIN_EUSAGE,
	    "no whole number", "nor is what has gaps");
	is_refused("nonsense", TOCSIN_EMALFORMED, "JSON", "words are none");
	is_refused("[[[[[[[[[[[[[[[[[[[[[[[[", TOCSIN_ETOOLARGE, "deep",
	    "nor what is deep");
	is_refused("{\"do\":\"status\"}", TOCSIN_EUSAGE, "id",
	    "who asks says of what");
	is_refused("{\"do\":\"note\",\"text\":\"T\"}", TOCSIN_EUSAGE, "id",
	    "who says something, too");
	is_refused("{\"do\":\"save\",\"id\":\"7k2m\"}", TOCSIN_EUSAGE, "name",
	    "and which attachment");
	is_refused("{\"do\":\"why\"}", TOCSIN_EUSAGE, "one of id and code",
	    "and why of what");
	is_refused("{\"do\":\"status\",\"id\":\"7k2m\",\"tag\":[1]}",
	    TOCSIN_EUSAGE, "tag", "a tag is a scalar");
	is_refused("{\"do\":\"post\",\"content\":[1]}", TOCSIN_EUSAGE,
	    "content is no object", "a content an object");
	is_refused("{\"do\":\"post\",\"detected\":\"2036-01-01T00:00:00Z\"}",
	    TOCSIN_EUSAGE, "detected", "what was, was");
	ok(request(&a, "{\"tag\":\"x\",\"do\":\"delete\"}") == TOCSIN_EUSAGE &&
		a.tag != NULL && strstr(why, "status") != NULL,
	    "who is refused has his tag, and is told what there is");
	action_release(&a);
	refused("{\"do\":\"status\",\"id\":\"7k2m\"}", "\"do\"",
	    "a handler says, and asks nothing");
	refused("{\"do\":\"due\"}", "one of start", "not what is due either");
	refused("{\"do\":\"due\",\"all\":true,\"done\":\"nis2/24h\"}", "all",
	    "which has no lists");
	refused("{\"do\":\"ack\",\"tag\":1}", "tag is no member",
	    "and has no tags");
}

/* No prefix but those that end with a line has a meaning. */
static void
test_truncated(void)
{
	char cut[sizeof(all)];
	struct actions a;
	size_t n, good = 0;

	for (n = 0; n < sizeof(all) - 1; n++) {
		memcpy(cut, all, n);
		cut[n] = '\0';
		good += parse(&a, cut);
		actions_release(&a);
	}
	is_int((long long)good, 14, "half a line is refused");
}

int
main(void)
{
	test_all();
	test_wrong();
	test_truncated();
	test_requests();
	return tap_done();
}
