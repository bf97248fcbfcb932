/* SPDX-License-Identifier: ISC */
/* What a nation refuses at its border. */
#include "broker/accept.h"
#include "tests/lib/tap.h"

#include <string.h>

#define WORD(text) ((struct span){ (const uint8_t *)(text), strlen(text) })

static void
test_words(void)
{
	static const char *const bad[] = { "", " ", "query  share", "Query",
		"query,share", "query ", "nonsense" };
	struct msg_accept a;
	size_t i;

	accept_all(&a);
	ok(accept_kinds(&a, "query share"), "a list of kinds");
	is_int(a.kinds_refused, 1 << TICKET_QUERY | 1 << TICKET_SHARE,
	    "is a bit for each");
	ok(accept_kinds(&a, "-") && a.kinds_refused == 0, "- is none");
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ok(!accept_kinds(&a, bad[i]), "\"%s\" is no list", bad[i]);
	ok(accept_labels(&a, "personal-data finance") && a.nlabel == 2,
	    "a list of labels");
	is_str(a.label[1], "finance", "each by itself");
	ok(accept_labels(&a, "-") && a.nlabel == 0, "- is none");
	ok(!accept_labels(&a, "a b c d e f g h i j k l m n o p q"),
	    "seventeen are too many");
	ok(accept_labels(&a, "a b c d e f g h i j k l m n o p"),
	    "sixteen are not");
	ok(!accept_labels(&a, "Personal"), "a label is a token");
}

static void
test_ticket(void)
{
	struct ticket t = { .kind = TICKET_REPORT, .body_size = 5000 };
	struct msg_accept a;

	t.label[0] = WORD("finance");
	t.label[1] = WORD("personal-data");
	t.nlabel = 2;
	accept_all(&a);
	is_int(accept_ticket(&a, &t), TOCSIN_OK, "all is taken");
	a.body = 5000;
	is_int(accept_ticket(&a, &t), TOCSIN_OK, "the largest body is");
	a.body = 4999;
	is_int(accept_ticket(&a, &t), TOCSIN_ETOOLARGE, "a larger one is not");
	accept_all(&a);
	ok(accept_labels(&a, "health personal-data"), "labels are refused");
	is_int(accept_ticket(&a, &t), TOCSIN_EPOLICYDENIED,
	    "a ticket with one of them is");
	t.nlabel = 1;
	is_int(accept_ticket(&a, &t), TOCSIN_OK, "one without is not");
	ok(accept_kinds(&a, "report"), "a kind is refused");
	is_int(accept_ticket(&a, &t), TOCSIN_EKINDNOTALLOWED,
	    "a ticket of that kind is");
	t.kind = TICKET_ACK;
	is_int(accept_ticket(&a, &t), TOCSIN_OK, "another is not");
}

int
main(void)
{
	test_words();
	test_ticket();
	return tap_done();
}
