/* SPDX-License-Identifier: ISC */
#include "client/vocab.h"
#include "crypto/ticket.h"
#include "tests/lib/tap.h"

#include <string.h>

static size_t
count(enum vocab v)
{
	size_t n = 0;

	while (vocab_word(v, n) != NULL)
		n++;
	return n;
}

static void
test_lists(void)
{
	enum ticket_tlp tlp;
	enum ticket_precedence p;
	size_t i, good = 0;
	int v;

	for (i = 0; vocab_word(VOCAB_TLP, i) != NULL; i++)
		good +=
		    ticket_tlp_from(&tlp, span_of(vocab_word(VOCAB_TLP, i)));
	ok(good == TICKET_TLPS && i == good,
	    "the TLP labels are those of the header");
	for (i = good = 0; vocab_word(VOCAB_PRECEDENCE, i) != NULL; i++)
		good += ticket_precedence_from(
		    &p, span_of(vocab_word(VOCAB_PRECEDENCE, i)));
	ok(good == TICKET_PRECEDENCES && i == good, "so are the precedences");
	for (v = good = 0; v < VOCABS; v++)
		for (i = 0; vocab_word((enum vocab)v, i) != NULL; i++) {
			const char *w = vocab_word((enum vocab)v, i);

			good += vocab_find((enum vocab)v, w) != w ||
				vocab_nearest((enum vocab)v, w) != w;
		}
	is_int((long long)good, 0, "every word finds itself, and is nearest");
}

/* The published list: 11 classes, 39 types. */
static void
test_rsit(void)
{
	size_t i, classes = 0, types = 0;

	for (i = 0; i < count(VOCAB_RSIT); i++)
		if (strchr(vocab_word(VOCAB_RSIT, i), ':') != NULL)
			types++;
		else
			classes++;
	is_int((long long)classes, 11, "RSIT has its 11 classes");
	is_int((long long)types, 39, "and its 39 types");
	is_str(vocab_find(VOCAB_RSIT, "Malicious-Code:C2-Server"),
	    "malicious-code:c2-server", "case is forgiven");
	ok(vocab_find(VOCAB_RSIT, "c2-server") == NULL,
	    "a type without its class is not taken");
	is_str(vocab_nearest(VOCAB_RSIT, "c2-server"),
	    "malicious-code:c2-server", "but named");
}

/* The two tables of GB/T 20986 that are known to agree on all twelve places. */
static void
test_levels(void)
{
	static const char *const want[3][4] = { { "I", "II", "III", "IV" },
		{ "II", "III", "IV", "IV" }, { "III", "IV", "IV", "IV" } };
	size_t i, j, good = 0;

	for (i = 0; i < count(VOCAB_IMPORTANCE); i++)
		for (j = 0; j < count(VOCAB_LOSS); j++)
			good +=
			    strcmp(strchr(vocab_severity_of(
					      vocab_word(VOCAB_IMPORTANCE, i),
					      vocab_word(VOCAB_LOSS, j)),
				       ':') +
				       1,
				want[i][j]) == 0;
	is_int((long long)good, 12,
	    "importance and loss make the level of the standard");
	is_str(vocab_severity("nis2:RED"), "NIS2:red", "a scale of colours");
	ok(vocab_severity("high") == NULL,
	    "a level of two scales is not guessed");
	is_str(vocab_says(VOCAB_RSIT, "fraud:phishing"), "Phishing",
	    "a word says what it means");
	ok(vocab_says(VOCAB_RSIT, "fraud:fishing") == NULL &&
		vocab_says(VOCAB_RSIT, NULL) == NULL,
	    "a stranger says nothing");
}

static void
test_nearest(void)
{
	is_str(vocab_nearest(VOCAB_TLP, "AMBR"), "AMBER", "a letter missing");
	is_str(vocab_nearest(VOCAB_TLP, "WHITE") != NULL ? "a word" : "none",
	    "a word", "there is always a nearest word");
	is_str(vocab_nearest(VOCAB_PRECEDENCE, "flsah"), "flash",
	    "two letters that changed places");
	is_int(vocab_distance("tlp", "tpl"), 1, "are one edit");
	is_int(vocab_distance("", "abc"), 3, "an empty word is far");
}

static void
test_long(void)
{
	char word[4096];

	memset(word, 'x', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	ok(vocab_find(VOCAB_TLP, word) == NULL &&
		vocab_nearest(VOCAB_TLP, word) != NULL,
	    "a word of any length has an answer");
}

static void
test_severity(void)
{
	is_str(vocab_severity("ii"), "GB/T 20986:II", "II is of our scale");
	is_str(vocab_severity("NCSC:3"), "NCSC:3", "a scale may be named");
	is_str(vocab_severity("severe"), "NCISS:severe",
	    "a level that one scale has is of that scale");
	ok(vocab_severity("medium") == NULL,
	    "a level that two scales have is refused");
	ok(vocab_severity("") == NULL && vocab_severity(":") == NULL,
	    "and so is nothing");
}

int
main(void)
{
	test_lists();
	test_rsit();
	test_levels();
	test_nearest();
	test_long();
	test_severity();
	return tap_done();
}
