/* SPDX-License-Identifier: ISC */
#include "crypto/receipt.h"
#include "tests/lib/fed.h"
#include "tests/lib/tap.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct receipt receipt, back; /* too large for a stack */

static void
fill(void)
{
	uint8_t a[ID_LEN] = { 0xff }, b[ID_LEN] = { 1 };

	receipt_init(&receipt, FED, "my", FED_NOW);
	ok(receipt_stored(&receipt, b, 7) &&
		receipt_delivered(&receipt, a, "mycert@my", "desk1") &&
		receipt_refused(&receipt, b, TOCSIN_EPOLICYDENIED) &&
		receipt_delivered(&receipt, b, "mycert@my", "wall") &&
		receipt_delivered(&receipt, b, "mycert@my", "desk1") &&
		receipt_erased(&receipt, b, a) &&
		receipt_erased(&receipt, b, NULL) &&
		receipt_erased(&receipt, b, a) &&
		receipt_without(&receipt, b, b, TOCSIN_ETOOLARGE) &&
		receipt_without(&receipt, b, a, TOCSIN_EQUOTA) &&
		receipt_stored(&receipt, b, 7),
	    "lines are added as they come");
}

static struct buf
sign_as(const char *name)
{
	struct signer s = signer(name);
	struct buf b = { 0 };

	if (receipt_sign(&b, &receipt, s.sk) != TOCSIN_OK)
		diag("not signed");
	return b;
}

static enum tocsin_err
open_copy(const struct roster *r, struct span s)
{
	uint8_t *copy = xcopy(s.p, s.n);
	enum tocsin_err err =
	    receipt_open(&back, r, (struct span){ copy, s.n });

	free(copy);
	return err;
}

static void
test_open(void)
{
	static const char want[] =
	    FED "/receipt/v1\n"
		"broker my\n"
		"time 2026-11-21T03:00:00Z\n"
		"delivered /wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= "
		"mycert@my desk1\n"
		"delivered AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= "
		"mycert@my desk1\n"
		"delivered AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= "
		"mycert@my wall\n"
		"erased AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= -\n"
		"erased AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= "
		"/wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
		"refused AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= "
		"policy-denied\n"
		"stored AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= 7\n"
		"without AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= "
		"/wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= quota\n"
		"without AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= "
		"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= too-large\n";
	struct roster *r = fed_roster();
	struct buf file;
	struct note n;

	fill();
	file = sign_as("my/sign");
	is_int(open_copy(r, buf_span(&file)), TOCSIN_OK, "a receipt is opened");
	ok(note_parse(&n, buf_span(&file), TEXT_MAX) == TOCSIN_OK &&
		span_is(n.text, want),
	    "its lines are sorted as they are written, and once each");
	is_int((long long)back.nline, 9, "nine of the eleven lines differ");
	ok(back.line[6].kind == RECEIPT_STORED && back.line[6].index == 7,
	    "stored, where");
	ok(!back.line[3].one && back.line[4].one &&
		back.line[4].part[0] == 0xff,
	    "erased, all of it, and a part of it");
	ok(receipt_reason(&back.line[5]) == TOCSIN_EPOLICYDENIED,
	    "refused, why");
	ok(back.line[7].one && back.line[7].part[0] == 0xff &&
		receipt_reason(&back.line[7]) == TOCSIN_EQUOTA,
	    "without which part, and why");
	is_str(back.line[0].member, "mycert@my", "delivered, to whom");
	is_str(back.line[0].device, "desk1", "on which device");
	strcpy(back.line[5].reason, "out-of-cheese");
	is_int(receipt_reason(&back.line[5]), TOCSIN_EINTERNAL,
	    "a reason that we don't know is an internal one");
	buf_release(&file);
	roster_free(r);
}

static void
test_refused(void)
{
	struct roster *r = fed_roster();
	struct roster_revoked gone = {
		.name = "my/sign", .time = FED_NOW, .reason = "stolen"
	};
	struct buf file;

	fill();
	file = sign_as("sg/sign");
	is_int(open_copy(r, buf_span(&file)), TOCSIN_EBADSIGNATURE,
	    "no broker speaks for another");
	buf_release(&file);
	file = sign_as("my/log");
	is_int(open_copy(r, buf_span(&file)), TOCSIN_EBADSIGNATURE,
	    "nor does its log key");
	buf_release(&file);
	receipt_init(&receipt, FED, "la", FED_NOW);
	ok(receipt_stored(&receipt, (uint8_t[ID_LEN]){ 0 }, 1), "la stored it");
	file = sign_as("la/sign");
	is_int(open_copy(r, buf_span(&file)), TOCSIN_ENOTENROLLED,
	    "nor a broker that the roster does not have");
	buf_release(&file);
	receipt_init(&receipt, "other.example", "my", FED_NOW);
	ok(receipt_stored(&receipt, (uint8_t[ID_LEN]){ 0 }, 1), "my stored it");
	file = sign_as("my/sign");
	is_int(open_copy(r, buf_span(&file)), TOCSIN_ENOTENROLLED,
	    "nor one of another federation");
	buf_release(&file);

	fill();
	file = sign_as("my/sign");
	memcpy(gone.id, r->broker[0].sign.id, KEYID_LEN);
	ok(roster_put_revoked(r, &gone) == TOCSIN_OK, "the key is stolen");
	is_int(open_copy(r, buf_span(&file)), TOCSIN_EREVOKED,
	    "a revoked key speaks no more");
	buf_release(&file);
	roster_free(r);
}

struct bent {
	const char *from;
	const char *to;
	const char *why;
};

/* clang-format off */
static const struct bent bents[] = {
	{ "/receipt/v1", "/receipt/v0", "another version" },
	{ "broker my", "broker My", "no broker" },
	{ "time 2026", "time 1926", "no time" },
	{ "mycert@my desk1\n", "mycert@my\n", "a field too few" },
	{ "mycert@my desk1\n", "mycert@my desk1 x\n", "a field too many" },
	{ "mycert@my desk1\n", "mycert desk1\n", "no member" },
	{ "mycert@my desk1\n", "mycert@my mycert@my/desk1\n", "no label" },
	{ "mycert@my wall\n", "mycert@my a1\n", "lines out of order" },
	{ "mycert@my wall\n", "mycert@my desk1\n", "a line twice" },
	{ "= -\n", "= +\n", "no part" },
	{ "= -\n", "=\n", "nothing erased" },
	{ " 7\n", " 07\n", "a leading zero" },
	{ " 7\n", "\n", "no index" },
	{ " 7\n", " 7\nlost x\n", "an unknown line" },
	{ "policy-denied", "Policy", "no token" },
	{ "AQAA", "AQA", "a short id" },
	{ "AAA= 7", "AAB= 7", "an id with loose bits" },
};
/* clang-format on */

static void
test_grammar(void)
{
	struct buf text = { 0 }, bent;
	size_t i;

	fill();
	receipt_print(&text, &receipt);
	is_int(receipt_parse(&back, buf_span(&text)), TOCSIN_OK,
	    "a receipt is read");
	for (i = 0; i < sizeof(bents) / sizeof(bents[0]); i++) {
		bent = edit(buf_span(&text), bents[i].from, bents[i].to);
		is_int(receipt_parse(&back, buf_span(&bent)), TOCSIN_EMALFORMED,
		    "refused: %s", bents[i].why);
		buf_release(&bent);
	}
	buf_release(&text);
}

static void
test_truncated(void)
{
	struct roster *r = fed_roster();
	struct buf file;
	size_t cut;

	fill();
	file = sign_as("my/sign");
	for (cut = 0; cut < file.n; cut++)
		if (open_copy(r, span_cut(buf_span(&file), 0, cut)) ==
		    TOCSIN_OK)
			break;
	ok(cut == file.n, "every proper prefix is refused (got to %zu)", cut);
	buf_release(&file);
	roster_free(r);
}

static void
test_full(void)
{
	char member[MEMBER_MAX + 1], device[LABEL_MAX + 1];
	uint8_t id[ID_LEN] = { 0 };
	struct buf text = { 0 };
	unsigned n;

	receipt_init(&receipt, FED, "my", FED_NOW);
	is_int(receipt_sign(&text, &receipt, signer("my/sign").sk),
	    TOCSIN_EUSAGE, "a receipt of nothing is none");
	receipt_print(&text, &receipt);
	is_int(receipt_parse(&back, buf_span(&text)), TOCSIN_EMALFORMED,
	    "nor is it read");
	buf_release(&text);
	for (n = 0; n < 300; n++) {
		id[0] = (uint8_t)n;
		id[1] = (uint8_t)(n >> 8);
		if (!receipt_stored(&receipt, id, UINT64_MAX))
			break;
	}
	is_int(n, 256, "256 lines are the most");
	receipt_print(&text, &receipt);
	is_int(
	    receipt_parse(&back, buf_span(&text)), TOCSIN_OK, "they are read");
	buf_addz(&text, "stored zzAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= "
			"1\n");
	is_int(receipt_parse(&back, buf_span(&text)), TOCSIN_EMALFORMED,
	    "one more is not");
	buf_release(&text);

	memset(member, 'a', sizeof(member));
	member[LABEL_MAX] = '@';
	member[MEMBER_MAX] = '\0';
	memset(device, 'd', sizeof(device));
	device[LABEL_MAX] = '\0';
	receipt_init(&receipt, FED, "my", FED_NOW);
	for (n = 0; n < 300; n++) {
		id[0] = (uint8_t)n;
		if (!receipt_delivered(&receipt, id, member, device))
			break;
	}
	receipt_print(&text, &receipt);
	ok(n > 200 && n < 256 && text.n <= TEXT_MAX && text.n > TEXT_MAX - 256,
	    "long lines fill a text before 256 (%u, %zu bytes)", n, text.n);
	is_int(receipt_parse(&back, buf_span(&text)), TOCSIN_OK,
	    "and what fits is read");
	buf_release(&text);
}

int
main(void)
{
	if (sodium_init() < 0)
		return 1;
	test_open();
	test_refused();
	test_grammar();
	test_truncated();
	test_full();
	return tap_done();
}
