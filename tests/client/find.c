/* SPDX-License-Identifier: ISC */
#include "client/cli/find.h"
#include "client/cli/letters.h"
#include "client/cli/print.h"
#include "tests/lib/tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char text[1024];

static const char *
plain(const char *s)
{
	struct buf b = { 0 };

	plain_add(&b, span_of(s));
	snprintf(text, sizeof(text), "%.*s", (int)b.n,
	    b.n > 0 ? (const char *)b.p : "");
	buf_release(&b);
	return text;
}

static void
test_plain(void)
{
	uint32_t c, bad = 0;

	is_str(plain("Phishing BANK"), "phishing bank", "case is gone");
	is_str(plain("Hà Nội, Đà Nẵng"), "ha noi, da nang",
	    "so are the marks of Vietnamese");
	is_str(plain("Ha\xcc\x80 No\xcc\xa3\xcc\x82i"), "ha noi",
	    "also where they are written apart");
	is_str(plain("ÅNGSTRÖM Ĳ"), "angstrom ĳ", "and others of Latin");
	is_str(plain("ΆΣΑΣ ЁЖ"), "ασασ еж", "Greek and Cyrillic have case");
	is_str(plain("ＷＩＤＥ　１０"), "wide 10", "wide letters are narrow");
	is_str(plain("钓鱼邮件 เซิร์ฟเวอร์ ເຊີບ"), "钓鱼邮件 เซิร์ฟเวอร์ ເຊີບ",
	    "other scripts stay");
	is_str(plain("a \t\n  b"), "a b", "all spacing is one space");
	is_str(plain("a\xe2\x80\x8b\xc2\xad"
		     "b\x01"),
	    "ab", "what is invisible is nothing");
	is_str(plain("a\xff"
		     "b\xc3"),
	    "a\xef\xbf\xbd"
	    "b\xef\xbf\xbd",
	    "what is no UTF-8 is shown as such");
	for (c = 0; c < 0x110000; c++) {
		uint32_t p = letter_plain(c);

		bad += p != 0 && letter_plain(p) != p;
	}
	is_int(bad, 0, "what is plain stays so");
}

/* Every character of a text, found again. */
static void
test_where(void)
{
	const char *s = "A  B\xe2\x80\x8b"
			"C Đà \xff z\n\n ñ";
	struct span all = span_of(s), at;
	struct buf b = { 0 };
	size_t i, bad = 0;

	plain_add(&b, all);
	for (i = 0; i < b.n; i++) {
		struct buf one = { 0 };

		if ((b.p[i] & 0xc0) == 0x80)
			continue;
		at = plain_where(all, i, 1);
		bad += at.n == 0 || at.p < all.p || at.p + at.n > all.p + all.n;
		plain_add(&one, at);
		bad += one.n == 0 || one.p[0] != b.p[i];
		buf_release(&one);
	}
	is_int((long long)bad, 0, "what is plain is found where it came from");
	at = plain_where(all, b.n, 1);
	is_int((long long)at.n, 0, "and beyond the end is nothing");
	buf_release(&b);
}

/* ---- a thread ---- */

static void
add_string(struct buf *b, const char *s)
{
	buf_u32(b, (uint32_t)strlen(s));
	buf_addz(b, s);
}

static void
add_message(struct buf *b, const char *subject, const char *said)
{
	uint8_t id[ID_LEN] = { 7 };

	buf_add(b, SPAN(id));
	buf_u64(b, 1795219200);
	add_string(b, "mycert@my/desk1");
	add_string(b, "report");
	add_string(b, "AMBER");
	buf_u32(b, 2);
	add_string(b, "subject");
	add_string(b, subject);
	add_string(b, "text");
	add_string(b, said);
}

static const char *
search(const struct buf *gist, const char *one, const char *other)
{
	struct find f = { 0 };
	struct find_hit hit[2];
	bool all = false;
	size_t n = 0, i, at;

	if (!find_word(&f, one) || (other != NULL && !find_word(&f, other))) {
		find_release(&f);
		return "no word";
	}
	if (find_in(&f, buf_span(gist), &all, hit, 2, &n) != TOCSIN_OK)
		abort();
	at = (size_t)snprintf(
	    text, sizeof(text), "%s %zu", all ? "all" : "not", n);
	for (i = 0; i < n && i < 2; i++)
		at +=
		    (size_t)snprintf(text + at, sizeof(text) - at, " %.*s:%.*s",
			(int)hit[i].f.name.n, (const char *)hit[i].f.name.p,
			(int)hit[i].at.n, (const char *)hit[i].at.p);
	find_release(&f);
	return text;
}

static void
test_search(void)
{
	struct buf g = { 0 }, cut = { 0 };
	size_t i, bad = 0;

	add_message(&g, "Phishing", "seen at the BANK");
	add_message(&g, "more", "the bank again, and a Bankér");
	is_str(search(&g, "phish", NULL), "all 1 subject:Phish",
	    "a part of a word is found, as it is written");
	is_str(search(&g, "bank", "phishing"),
	    "all 3 subject:Phishing text:BANK", "words of several messages");
	is_str(search(&g, "banker", NULL), "all 1 text:Bankér",
	    "with what its letters carry");
	is_str(search(&g, "bank", "nowhere"), "not 2 text:BANK text:bank",
	    "all words must be there");
	is_str(search(&g, "the  bank ", NULL),
	    "all 2 text:the BANK text:the bank", "spacing is one");
	is_str(search(&g, " ", NULL), "no word", "a space is no word");
	for (i = 0; i < g.n; i++) { /* of the exact size, for ASan */
		cut.p = xcopy(g.p, i);
		cut.n = i;
		bad += strncmp(search(&cut, "again", NULL), "not", 3) != 0 &&
		       i < g.n - 8;
		free(cut.p);
	}
	is_int((long long)bad, 0, "what was cut is read as far as it goes");
	buf_release(&g);
}

int
main(void)
{
	test_plain();
	test_where();
	test_search();
	return tap_done();
}
