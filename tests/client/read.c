/* SPDX-License-Identifier: ISC */
#include "client/handle.h"
#include "client/intake.h"
#include "tests/lib/home.h"
#include "tests/lib/tap.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* We are singcert@sg/desk1; what comes is of mycert@my/desk1. */
static struct fixture f;
static struct tocsin *t;
static char dir[512];
static uint64_t cursor;

static void
begin(void)
{
	fixture_init(&f, "sg my la");
	home_make(dir, &f, "singcert@sg/desk1", HOME_NOBODY);
	if (tocsin_open(&t, dir, NULL) != TOCSIN_OK)
		abort();
	cursor = 0;
}

static void
reopen(void)
{
	tocsin_close(t);
	if (tocsin_open(&t, dir, NULL) != TOCSIN_OK)
		abort();
}

static void
end(void)
{
	tocsin_close(t);
	fixture_release(&f);
}

static void
deliver(const struct fx_ticket *k)
{
	home_give(
	    &t->parts, &f, &cursor, 1, buf_span(&k->note), buf_span(&k->body));
}

static void
in_thread(struct ticket *k, void *arg)
{
	if (arg != NULL) {
		k->has_thread = true;
		memcpy(k->thread, arg, ID_LEN);
		k->kind = TICKET_UPDATE;
	}
}

/* The n-th message of theirs, with a gap before it; its id. */
static void
arrive(uint64_t n, void *thread, uint8_t id[ID_LEN])
{
	uint8_t prev[ID_LEN];
	struct fx_ticket k;

	memset(prev, (int)n, sizeof(prev));
	fixture_ticket(&k, &f, "mycert@my/desk1", "singcert@sg", 2 * n, prev,
	    in_thread, thread);
	deliver(&k);
	if (id != NULL)
		memcpy(id, k.id, ID_LEN);
	fx_ticket_release(&k);
}

/* The number of what a reader gets next; 0 if nothing. */
static uint64_t
next(const char *reader)
{
	struct tocsin_message *m = NULL;
	uint64_t n;

	if (tocsin_next(t, reader, 0, &m) != TOCSIN_OK)
		return 0;
	n = m->number;
	tocsin_message_free(m);
	return n;
}

static bool
commit(const char *reader, uint64_t n)
{
	return tocsin_commit(t, reader, n) == TOCSIN_OK;
}

static void
test_readers(void)
{
	char longest[66];
	uint64_t n;

	begin();
	for (n = 1; n <= 3; n++)
		arrive(n, NULL, NULL);
	ok(next("bot") == 1 && next("bot") == 1,
	    "a reader gets a message until it commits");
	reopen();
	is_int((long long)next("bot"), 1, "also after a crash");
	ok(commit("bot", 1) && next("bot") == 2, "after that the next one");
	reopen();
	is_int((long long)next("bot"), 2, "also after a crash");
	is_int((long long)next("watch"), 1, "another reader has its own place");
	ok(commit("bot", 3) && next("bot") == 0,
	    "a reader may pass over some, and then has seen all");
	is_int(tocsin_next(t, "bot", 0, &(struct tocsin_message *){ NULL }),
	    TOCSIN_ETIMEOUT, "which is a time that is over, no error");
	ok(commit("bot", 1) && next("bot") == 0,
	    "an old commit does not take it back");
	is_int(tocsin_commit(t, "bot", 4), TOCSIN_EUSAGE,
	    "what has not come yet cannot be committed");
	arrive(4, NULL, NULL);
	is_int((long long)next("bot"), 4, "so it is not missed");
	ok(tocsin_rewind(t, "bot") == TOCSIN_OK && next("bot") == 1,
	    "who goes back to the start gets all again");
	memset(longest, 'a', sizeof(longest));
	longest[65] = '\0';
	is_int(tocsin_commit(t, longest, 1), TOCSIN_EUSAGE,
	    "a name that is cut would be another reader's");
	is_int(tocsin_commit(t, "", 1), TOCSIN_EUSAGE, "none is nobody's");
	end();
}

static void *
arrive_later(void *arg)
{
	(void)arg;
	arrive(9, NULL, NULL);
	return NULL;
}

static void
test_wait(void)
{
	struct tocsin_message *m = NULL;
	pthread_t p;

	begin();
	if (pthread_create(&p, NULL, arrive_later, NULL) != 0)
		abort();
	is_int(tocsin_next(t, "bot", -1, &m), TOCSIN_OK,
	    "who waits is woken by what comes");
	is_str(m->subject, "test", "and has it");
	tocsin_message_free(m);
	pthread_join(p, NULL);
	end();
}

static void
test_own(void)
{
	static const char *const to[] = { "mycert@my", NULL };
	const struct tocsin_draft d = {
		.kind = "report", .to = to, .tlp = "GREEN", .subject = "ours"
	};
	struct tocsin_message *m = NULL;
	struct tocsin_list *l = NULL;
	char id[TOCSIN_ID_TEXT];

	begin();
	if (tocsin_post(t, &d, id) != TOCSIN_OK)
		abort();
	is_int((long long)next("bot"), 0,
	    "what this device wrote is not read to it");
	ok(tocsin_get(t, id, &m) == TOCSIN_OK && m->own && m->received == 0 &&
		strcmp(m->subject, "ours") == 0,
	    "it can be had by its id, and is not at a broker yet");
	tocsin_message_free(m);
	ok(tocsin_tickets(t, &l) == TOCSIN_OK && l->n == 1,
	    "and is in the list");
	tocsin_list_free(l);
	end();
}

/* ---- ids ---- */

static void
test_ids(void)
{
	struct tocsin_message *m = NULL;
	char full[ID_TEXT + 1], name[SHORTID_TEXT + 1], head[5], other[5];
	uint8_t id[40][ID_LEN];
	size_t i, k, twins = 0;
	uint64_t n;

	begin();
	for (n = 0; n < 40; n++)
		arrive(n + 1, NULL, id[n]);
	id_print(full, id[3]);
	shortid_print(name, id[3]);
	ok(tocsin_get(t, full, &m) == TOCSIN_OK && m->number == 4,
	    "a message is found by its full id");
	is_str(m->short_id, name, "which is shown short");
	tocsin_message_free(m);
	ok(tocsin_get(t, name, &m) == TOCSIN_OK && m->number == 4,
	    "and found by that");
	tocsin_message_free(m);
	is_int(tocsin_get(t, "abc", &m), TOCSIN_EUSAGE, "three are too few");
	is_int(tocsin_get(t, "u???", &m), TOCSIN_EUSAGE,
	    "and not all characters are some");
	for (i = 0; i < 40; i++) {
		shortid_print(name, id[i]);
		memcpy(head, name, 4);
		head[4] = '\0';
		for (k = 0; k < i; k++) {
			shortid_print(name, id[k]);
			memcpy(other, name, 4);
			other[4] = '\0';
			twins += strcmp(head, other) == 0;
		}
	}
	if (twins == 0)
		is_int(tocsin_get(t, head, &m), TOCSIN_OK,
		    "four are enough where nothing else begins so");
	else
		skip("two of forty ids begin with the same four characters");
	if (twins == 0)
		tocsin_message_free(m);
	end();
}

/* Two ids that a beginning fits, which no hash gives for the asking. */
static void
test_ambiguous(void)
{
	struct tocsin_message *m = NULL;
	struct desk_message row = { .note = span_of("x") };
	struct desk_tx *tx;

	begin();
	if (desk_write(t->parts.desk, &tx) != TOCSIN_OK)
		abort();
	memset(row.id, 0x11, ID_LEN);
	memcpy(row.thread, row.id, ID_LEN);
	if (desk_put(tx, &row) != TOCSIN_OK)
		abort();
	row.id[20] = 0x12;
	memcpy(row.thread, row.id, ID_LEN);
	if (desk_put(tx, &row) != TOCSIN_OK || desk_commit(tx) != TOCSIN_OK)
		abort();
	is_int(tocsin_get(t, "248h", &m), TOCSIN_EAMBIGUOUS,
	    "a beginning that fits two is refused");
	ok(strstr(tocsin_error(t), "248h-248h-248h") != NULL,
	    "and both are named (%s)", tocsin_error(t));
	end();
}

/* Who came into a thread late knows its id, and not its first message. */
static void
test_threads(void)
{
	uint8_t first[ID_LEN] = { 1, 2, 3 }, id[ID_LEN];
	char full[ID_TEXT + 1], name[SHORTID_TEXT + 1];
	struct tocsin_message *m = NULL;
	struct tocsin_list *l = NULL;

	begin();
	arrive(1, first, id);
	arrive(2, first, NULL);
	arrive(3, NULL, NULL);
	id_print(full, first);
	shortid_print(name, first);
	ok(tocsin_get(t, full, &m) == TOCSIN_OK && m->number == 1,
	    "a thread is found although its first message is not here");
	is_str(m->short_id, name, "it is what people call it");
	tocsin_message_free(m);
	ok(tocsin_thread(t, name, &l) == TOCSIN_OK && l->n == 2 &&
		l->message[0]->number == 1 && l->message[1]->number == 2,
	    "and its messages are listed in their order");
	tocsin_list_free(l);
	ok(tocsin_tickets(t, &l) == TOCSIN_OK && l->n == 2,
	    "a list of tickets has each thread once");
	tocsin_list_free(l);
	memset(id, 9, ID_LEN);
	id_print(full, id);
	is_int(tocsin_thread(t, full, &l), TOCSIN_ENOTFOUND,
	    "a thread that is not here is not found");
	end();
}

/* ---- what is refused or damaged ---- */

static void
test_refused(void)
{
	struct tocsin_message *m = NULL;
	struct fx_ticket k;

	begin();
	fixture_ticket(
	    &k, &f, "mycert@my/desk1", "singcert@sg", 1, NULL, NULL, NULL);
	/* Another digit of base64: the line is well-formed, and wrong. */
	k.note.p[k.note.n - 20] = k.note.p[k.note.n - 20] == 'A' ? 'B' : 'A';
	deliver(&k);
	fx_ticket_release(&k);
	is_int(tocsin_next(t, "bot", 0, &m), TOCSIN_OK,
	    "what was refused is told of");
	ok(m->refused == TOCSIN_EBADSIGNATURE && m->subject == NULL &&
		m->json == NULL && m->nparts == 0 && !m->own,
	    "with the reason, and nothing of what is inside");
	tocsin_message_free(m);
	end();
}

static void
test_foreign_epoch(void)
{
	struct tocsin_message *m = NULL;
	char path[640];

	begin();
	arrive(1, NULL, NULL);
	tocsin_close(t);
	snprintf(path, sizeof(path), "%s/keys/recipient.txt", dir);
	unlink(path);
	if (tocsin_open(&t, dir, NULL) != TOCSIN_OK)
		abort();
	ok(tocsin_next(t, "bot", 0, &m) == TOCSIN_OK &&
		m->refused == TOCSIN_ENOTRECIPIENT && m->subject == NULL &&
		strcmp(m->from, "mycert@my/desk1") == 0,
	    "without the epoch's key it is not opened, and says so");
	tocsin_message_free(m);
	end();
}

/* Turns one byte of the only copy on the disk. */
static void
harm(struct span bytes)
{
	char path[640];
	uint8_t *data, *at;
	size_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/desk/data.mdb", dir);
	data = slurp(path, &n);
	at = memmem(data, n, bytes.p, bytes.n);
	fd = open(path, O_WRONLY);
	if (at == NULL || fd < 0 || pwrite(fd, "!", 1, at - data) != 1)
		abort();
	close(fd);
	free(data);
}

static void
test_damaged(void)
{
	struct tocsin_message *m = NULL;
	struct tocsin_list *l = NULL;
	struct fx_ticket k;

	begin();
	fixture_ticket(
	    &k, &f, "mycert@my/desk1", "singcert@sg", 1, NULL, NULL, NULL);
	deliver(&k);
	arrive(5, NULL, NULL);
	tocsin_close(t);
	harm(span_cut(buf_span(&k.body), 300, 64));
	if (tocsin_open(&t, dir, NULL) != TOCSIN_OK)
		abort();
	ok(tocsin_next(t, "bot", 0, &m) == TOCSIN_OK && m->number == 1 &&
		m->refused == TOCSIN_EBODYMISMATCH && m->json == NULL,
	    "a record that is damaged on this disk is told of");
	tocsin_message_free(m);
	ok(commit("bot", 1) && next("bot") == 2,
	    "and does not keep a reader from the next");
	ok(tocsin_tickets(t, &l) == TOCSIN_OK && l->n == 2,
	    "nor a list from the others");
	tocsin_list_free(l);
	cursor = 10;
	deliver(&k);
	ok(next("bot") == 2 && commit("bot", 2) && next("bot") == 3,
	    "when the broker sends it again it is new");
	ok(tocsin_next(t, "bot", 0, &m) == TOCSIN_OK &&
		m->refused == TOCSIN_OK && strcmp(m->subject, "test") == 0,
	    "and whole");
	tocsin_message_free(m);
	fx_ticket_release(&k);
	end();
}

/* ---- homes ---- */

static void
test_open(void)
{
	struct tocsin *a = NULL, *other = NULL;
	struct tocsin_message *m = NULL;
	char path[640];

	begin();
	is_int(tocsin_open(&a, "/nowhere", NULL), TOCSIN_ENOTFOUND,
	    "a folder that is no home");
	ok(strstr(tocsin_error(NULL), "tocsin init") != NULL,
	    "which says how to make one");
	is_str(tocsin_device(t), "singcert@sg/desk1", "a handle has a name");
	if (tocsin_open(&other, dir, NULL) != TOCSIN_OK)
		abort();
	arrive(1, NULL, NULL);
	ok(tocsin_next(other, "bot", 0, &m) == TOCSIN_OK,
	    "two handles of one home share its desk");
	tocsin_message_free(m);
	tocsin_close(other);
	is_int((long long)next("bot"), 1, "and closing one leaves the other");
	snprintf(path, sizeof(path), "%s/keys/device.key", dir);
	if (chmod(path, 0644) != 0)
		abort();
	is_int(tocsin_open(&a, dir, NULL), TOCSIN_EPERMISSIONS,
	    "a key that others may read is not used");
	end();
}

int
main(void)
{
	test_readers();
	test_wait();
	test_own();
	test_ids();
	test_ambiguous();
	test_threads();
	test_refused();
	test_foreign_epoch();
	test_damaged();
	test_open();
	return tap_done();
}
