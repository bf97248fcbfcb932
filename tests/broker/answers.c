/* SPDX-License-Identifier: ISC */
#include "broker/answers.h"

#include "tests/lib/tap.h"

static void
test_what_is_one(void)
{
	struct ticket t = { .kind = TICKET_ACK };
	int kind, n = 0;

	ok(answers_is(&t, ANSWER_MAX), "a small ack is an answer");
	ok(!answers_is(&t, ANSWER_MAX + 1), "one byte more is not small");
	t.npart = 1;
	ok(!answers_is(&t, 100), "what has a part is none");
	t.npart = 0;
	for (kind = 0; kind < TICKET_KINDS; kind++) {
		t.kind = (enum ticket_kind)kind;
		n += answers_is(&t, 100);
	}
	is_int(n, 3, "three kinds are answers");
	t.kind = TICKET_CLOSE;
	ok(answers_is(&t, 100), "close is the other");
}

static unsigned
flood(struct answers *a, const char *member)
{
	unsigned n = 0;

	while (n < 1000 && answers_take(a, span_of(member), 5000))
		n++;
	answers_keep(a);
	return n;
}

int
main(void)
{
	struct answers *small = answers_new(100), *a = answers_new(8 << 20);

	test_what_is_one();
	is_int(flood(small, "a@sg"), ANSWERS_LEAST / 5000,
	    "where there is little to share, a member has the least");
	is_int(flood(a, "a@sg"), (1 << 20) / 5000,
	    "else an eighth of what is to be shared");
	is_int(flood(a, "a@sg"), 0, "and no more in the next batch");
	is_int(flood(a, "b@sg"), (1 << 20) / 5000,
	    "who floods leaves the others theirs");
	answers_forget(a);
	ok(answers_take(a, span_of("a@sg"), 1 << 20),
	    "when there is room again, all of it is forgotten");
	ok(!answers_take(a, span_of("a@sg"), 1), "what a batch takes counts");
	answers_drop(a);
	ok(answers_take(a, span_of("a@sg"), 1), "until it is given up");
	ok(!answers_take(NULL, span_of("a@sg"), 1), "nobody has no share");
	answers_free(small);
	answers_free(a);
	return tap_done();
}
