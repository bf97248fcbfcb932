/* SPDX-License-Identifier: ISC */
/*
 * desk.c - a desk with many tickets, made without a broker
 *
 * Usage: desk [tickets]. Makes the home of an officer, singcert@sg/desk1, in a
 * new folder below $TMPDIR, whose desk has so many threads (10,000) of three
 * messages: a report of another nation's with a text of a kilobyte, our answer,
 * and an update. Prints the folder, which the caller removes. All is sealed and
 * signed as on the wire, and put into the desk as if it had been judged.
 *
 * One ticket in a thousand has the word "kingfisher" in its text.
 */
#include "client/desk.h"
#include "tests/lib/home.h"
#include "tests/lib/tap.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PER_CHANGE 500
#define TEXT 1000
#define RARE 1000

#define MUST(x)                                                          \
	do {                                                             \
		if (!(x)) {                                              \
			fprintf(stderr, "desk: %s: %d\n", #x, __LINE__); \
			exit(1);                                         \
		}                                                        \
	} while (0)

/* Each writes in its own device's chain. */
static const char *const devices[] = { "singcert@sg/desk1", "mycert@my/desk1",
	"lacert@la/desk1" };
static struct chain {
	uint64_t seq;
	uint8_t prev[ID_LEN];
} chains[3];

static const char *const words[] = { "server", "ministry", "phishing", "bank",
	"credential", "malware", "beacon", "10.0.0.7", "outbound", "traffic",
	"firewall", "Máy chủ", "bị xâm nhập", "ngân hàng", "服务器", "钓鱼邮件",
	"ເຊີບເວີ", "เซิร์ฟเวอร์", "pelayan", "kementerian", "please", "check",
	"logs", "since", "yesterday", "patched", "CVE-2026-1234", "and", "the",
	"of", "was", "from" };
#define WORDS (sizeof(words) / sizeof(words[0]))

static struct fixture f;
static struct desk *desk;
static struct desk_tx *tx;
static unsigned in_change;
static uint32_t dice = 1; /* the same desk each time */

static uint32_t
roll(uint32_t n)
{
	dice = dice * 1664525 + 1013904223;
	return (dice >> 8) % n;
}

static void
add_words(struct buf *b, size_t bytes)
{
	size_t from = b->n;

	while (b->n - from < bytes)
		buf_addf(b, "%s ", words[roll(WORDS)]);
}

/* What is changed of the fixture's draft. */
struct kind {
	enum ticket_kind kind;
	const uint8_t *thread; /* NULL: it opens one */
	unsigned i;
};

static void
edit(struct ticket *t, void *arg)
{
	const struct kind *k = arg;

	t->kind = k->kind;
	t->time = f.now - 60 * (int64_t)k->i;
	t->precedence = (enum ticket_precedence)(k->i % TICKET_PRECEDENCES);
	t->tlp = (enum ticket_tlp)(k->i % TICKET_TLPS);
	t->ackby = k->thread == NULL && k->i % 3 == 0 ? t->time + 3600 : 0;
	if (k->thread != NULL) {
		t->has_thread = true;
		memcpy(t->thread, k->thread, ID_LEN);
		t->nref = 1;
		memcpy(t->ref[0], k->thread, ID_LEN);
	}
}

static void
change(void)
{
	if (tx != NULL && ++in_change < PER_CHANGE)
		return;
	if (tx != NULL)
		MUST(desk_commit(tx) == TOCSIN_OK);
	in_change = 0;
	MUST(desk_write(desk, &tx) == TOCSIN_OK);
}

static void
add(int who, struct kind *k, const struct buf *content, uint8_t id[ID_LEN])
{
	struct chain *c = &chains[who];
	struct desk_message m = { .posted = f.now, .arrived = f.now };
	struct fx_ticket t;

	f.content = (const char *)content->p;
	fixture_ticket(&t, &f, devices[who], "singcert@sg mycert@my lacert@la",
	    c->seq + 1, c->seq > 0 ? c->prev : NULL, edit, k);
	c->seq++;
	memcpy(c->prev, t.id, ID_LEN);
	memcpy(id, t.id, ID_LEN);
	memcpy(m.id, t.id, ID_LEN);
	memcpy(m.thread, k->thread != NULL ? k->thread : t.id, ID_LEN);
	m.own = who == 0;
	m.seq = ++dice;
	m.note = buf_span(&t.note);
	m.body = buf_span(&t.body);
	change();
	MUST(desk_put(tx, &m) == TOCSIN_OK);
	fx_ticket_release(&t);
}

static void
add_thread(unsigned i)
{
	struct buf b = { 0 };
	uint8_t thread[ID_LEN], id[ID_LEN];
	struct kind k = { .kind = TICKET_REPORT, .i = i };
	int who = 1 + (int)(i % 2);

	buf_addf(&b, "{\"subject\":\"%u ", i);
	add_words(&b, 30);
	buf_addf(&b, "\",\"text\":\"%s", i % RARE == 7 ? "Kingfisher " : "");
	add_words(&b, TEXT);
	buf_addz(&b, "\"}");
	buf_u8(&b, 0);
	add(who, &k, &b, thread);

	k = (struct kind){ TICKET_ACK, thread, i };
	buf_cut(&b, 0);
	buf_addz(&b, "{\"ack\":{\"state\":\"accepted\"}}");
	buf_u8(&b, 0);
	add(0, &k, &b, id);

	k.kind = TICKET_UPDATE;
	buf_cut(&b, 0);
	buf_addz(&b, "{\"text\":\"");
	add_words(&b, 200);
	buf_addz(&b, "\"}");
	buf_u8(&b, 0);
	add(who, &k, &b, id);
	MUST(buf_ok(&b));
	buf_release(&b);
}

int
main(int argc, char **argv)
{
	unsigned long n = argc > 1 ? strtoul(argv[1], NULL, 10) : 10000;
	struct home h;
	char dir[512];
	unsigned i;

	MUST(sodium_init() >= 0);
	fixture_init(&f, "sg my la");
	home_make(dir, &f, devices[0], HOME_NOBODY);
	home_open(&h, dir);
	desk = h.desk;
	for (i = 0; i < n; i++)
		add_thread(i);
	if (tx != NULL)
		MUST(desk_commit(tx) == TOCSIN_OK);
	home_close(&h);
	fixture_release(&f);
	printf("%s\n", dir);
	return 0;
}
