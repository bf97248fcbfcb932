/* SPDX-License-Identifier: ISC */
#include "client/desk.h"
#include "tests/lib/tap.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct desk *
fresh(const char *name)
{
	char dir[512];
	struct desk *d = NULL;

	snprintf(dir, sizeof(dir), "%s/%s", scratch(), name);
	if (desk_open(&d, dir) != TOCSIN_OK)
		abort();
	return d;
}

static struct desk_message
message(uint8_t tag)
{
	struct desk_message m = {
		.arrived = 7, .note = span_of("note"), .body = span_of("body")
	};

	memset(m.id, tag, ID_LEN);
	memset(m.thread, 9, ID_LEN);
	return m;
}

static void
test_messages(void)
{
	struct desk *d = fresh("messages");
	struct desk_message m = message(1), n = message(2), got;
	struct desk_tx *tx;
	uint64_t at = 0;
	bool good;

	good = desk_write(d, &tx) == TOCSIN_OK &&
	       desk_put(tx, &m) == TOCSIN_OK && desk_put(tx, &n) == TOCSIN_OK;
	ok(good && m.number == 1 && n.number == 2,
	    "numbers count arrivals from 1");
	is_int(desk_put(tx, &m), TOCSIN_EDUPLICATE, "an id is kept once");
	ok(desk_commit(tx) == TOCSIN_OK, "and is committed");

	good = desk_read(d, &tx) == TOCSIN_OK &&
	       desk_get(tx, 2, &got) == TOCSIN_OK;
	ok(good && span_is(got.note, "note") && span_is(got.body, "body") &&
		got.arrived == 7 && memcmp(got.id, n.id, ID_LEN) == 0,
	    "what was put is what is got");
	ok(desk_thread_next(tx, m.thread, 0, &at) == TOCSIN_OK && at == 1 &&
		desk_thread_next(tx, m.thread, 1, &at) == TOCSIN_OK &&
		at == 2 &&
		desk_thread_next(tx, m.thread, 2, &at) == TOCSIN_ENOTFOUND,
	    "a thread lists its messages in order");
	is_int(desk_thread_next(tx, m.id, 0, &at), TOCSIN_ENOTFOUND,
	    "and only its own");
	desk_end(tx);

	good = desk_write(d, &tx) == TOCSIN_OK;
	n = message(3);
	good = good && desk_put(tx, &n) == TOCSIN_OK;
	desk_end(tx);
	good = good && desk_read(d, &tx) == TOCSIN_OK;
	is_int(good ? desk_get(tx, 3, &got) : 0, TOCSIN_ENOTFOUND,
	    "what was not committed is not there");
	desk_end(tx);
	desk_close(d);
}

static void
test_match(void)
{
	struct desk *d = fresh("match");
	uint8_t ids[2][ID_LEN];
	size_t n;
	struct id_prefix p;
	struct desk_tx *tx;
	struct desk_message m;
	int i;

	if (desk_write(d, &tx) != TOCSIN_OK)
		abort();
	for (i = 0; i < 3; i++) {
		m = message((uint8_t)(0x10 + i));
		m.id[0] = 0; /* four characters 0 0 0 ... then they differ */
		m.id[1] = 0;
		if (desk_put(tx, &m) != TOCSIN_OK)
			abort();
	}
	m = message(0xff);
	if (desk_put(tx, &m) != TOCSIN_OK ||
	    shortid_parse(&p, span_of("000")) == TOCSIN_OK ||
	    shortid_parse(&p, span_of("0008")) != TOCSIN_OK)
		abort();
	ok(desk_match(tx, &p, ids, 2, &n) == TOCSIN_OK && n == 0,
	    "a prefix that fits nothing finds nothing");
	if (shortid_parse(&p, span_of("zzzz")) != TOCSIN_OK)
		abort();
	ok(desk_match(tx, &p, ids, 2, &n) == TOCSIN_OK && n == 1 &&
		ids[0][5] == 0xff,
	    "a prefix finds the id that it fits");
	desk_end(tx);
	desk_close(d);
}

static void
test_boxes(void)
{
	struct desk *d = fresh("boxes");
	struct desk_place p = {
		.kind = 1, .time = 5, .who = span_of("a@b"), .by = span_of("b")
	};
	uint8_t h1[ID_LEN] = { 1 }, h2[ID_LEN] = { 2 }, h[ID_LEN];
	uint64_t n = 0;
	struct desk_tx *tx;
	struct span name = { 0 }, v;
	bool good;

	if (desk_write(d, &tx) != TOCSIN_OK)
		abort();
	good = desk_outbox_add(tx, 3) == TOCSIN_OK &&
	       desk_outbox_add(tx, 300) == TOCSIN_OK &&
	       desk_outbox_next(tx, 0, &n) == TOCSIN_OK && n == 3 &&
	       desk_outbox_next(tx, 3, &n) == TOCSIN_OK && n == 300 &&
	       desk_outbox_done(tx, 3) == TOCSIN_OK &&
	       desk_outbox_next(tx, 0, &n) == TOCSIN_OK && n == 300;
	ok(good, "the outbox gives its numbers in order, until done");
	good = desk_upload_add(tx, h2, 20) == TOCSIN_OK &&
	       desk_upload_add(tx, h1, 10) == TOCSIN_OK &&
	       desk_upload_next(tx, NULL, h, &n) == TOCSIN_OK && n == 10 &&
	       desk_upload_next(tx, h, h, &n) == TOCSIN_OK && n == 20 &&
	       desk_upload_next(tx, h, h, &n) == TOCSIN_ENOTFOUND;
	ok(good, "uploads are walked one by one");
	good = desk_place_put(tx, h1, &p) == TOCSIN_OK;
	p.time = 6;
	good = good && desk_place_put(tx, h1, &p) == TOCSIN_OK &&
	       desk_place_get(tx, h1, 0, &p) == TOCSIN_OK && p.time == 5 &&
	       span_is(p.who, "a@b") && span_is(p.by, "b") &&
	       desk_place_get(tx, h1, 1, &p) == TOCSIN_ENOTFOUND &&
	       desk_place_get(tx, h2, 0, &p) == TOCSIN_ENOTFOUND;
	ok(good, "the first receipt of a kind stands");
	good = desk_value_put(tx, "keys/a", span_of("1")) == TOCSIN_OK &&
	       desk_value_put(tx, "keys/b", span_of("2")) == TOCSIN_OK &&
	       desk_value_put(tx, "z", span_of("3")) == TOCSIN_OK &&
	       desk_value_next(tx, "keys/", &name, &v) == TOCSIN_OK &&
	       span_is(name, "keys/a") && span_is(v, "1") &&
	       desk_value_next(tx, "keys/", &name, &v) == TOCSIN_OK &&
	       span_is(name, "keys/b") && span_is(v, "2") &&
	       desk_value_next(tx, "keys/", &name, &v) == TOCSIN_ENOTFOUND;
	ok(good, "values are listed by the head of their name");
	ok(desk_u64_put(tx, "n", 77) == TOCSIN_OK &&
		desk_u64_get(tx, "n") == 77 && desk_u64_get(tx, "m") == 0,
	    "numbers are values, 0 where there is none");
	desk_end(tx);
	desk_close(d);
}

/* Overwrites the only copy of a body in the file below the database. */
static void
test_damage(void)
{
	struct desk *d = fresh("damage");
	struct desk_message m = message(1), got;
	char path[512];
	struct desk_tx *tx;
	uint8_t *file, *at;
	size_t n;
	int fd;

	m.body = span_of("the body that will be damaged");
	if (desk_write(d, &tx) != TOCSIN_OK || desk_put(tx, &m) != TOCSIN_OK ||
	    desk_commit(tx) != TOCSIN_OK)
		abort();
	desk_close(d);
	snprintf(path, sizeof(path), "%s/damage/data.mdb", scratch());
	file = slurp(path, &n);
	at = memmem(file, n, m.body.p, m.body.n);
	fd = open(path, O_WRONLY);
	if (at == NULL || fd < 0 || pwrite(fd, "T", 1, at - file) != 1)
		abort();
	close(fd);
	free(file);
	d = fresh("damage");
	if (desk_read(d, &tx) != TOCSIN_OK)
		abort();
	is_int(desk_get(tx, 1, &got), TOCSIN_EBODYMISMATCH,
	    "a damaged record is not handed out");
	desk_end(tx);
	desk_close(d);
}

static void
test_wait(void)
{
	struct desk *d = fresh("wait");
	uint64_t seen = desk_changes(d);
	struct desk_message m = message(1);
	int status;
	pid_t pid;

	pid = fork();
	if (pid == 0) {
		struct desk *own = fresh("wait");
		struct desk_tx *tx;

		_exit(desk_write(own, &tx) != TOCSIN_OK ||
		      desk_put(tx, &m) != TOCSIN_OK ||
		      desk_commit(tx) != TOCSIN_OK);
	}
	desk_wait(d, seen, -1);
	ok(desk_changes(d) != seen, "another process's change ends the wait");
	waitpid(pid, &status, 0);
	is_int(status, 0, "and was made by it");
	desk_close(d);
}

/* Of the kernel's count, in kilobytes; -1 if there is none. */
static long
mapped(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[128];
	long kb = -1;

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "RssFile: %ld", &kb) == 1)
			break;
	if (f != NULL)
		fclose(f);
	return kb;
}

static void
test_trim(void)
{
	enum { SIZE = 8 << 20 };
	uint8_t *bytes = malloc(SIZE);
	struct desk *d = fresh("trim");
	struct span got = { 0 };
	struct desk_tx *tx;
	long before, after;
	bool good;

	memset(bytes, 'x', SIZE);
	good = desk_write(d, &tx) == TOCSIN_OK &&
	       desk_value_put(tx, "big", (struct span){ bytes, SIZE }) ==
		   TOCSIN_OK &&
	       desk_commit(tx) == TOCSIN_OK && desk_read(d, &tx) == TOCSIN_OK &&
	       desk_value_get(tx, "big", &got) == TOCSIN_OK;
	ok(good && got.n == SIZE && memcmp(got.p, bytes, SIZE) == 0,
	    "eight megabytes are read");
	before = mapped();
	desk_trim(d);
	after = mapped();
	ok(before < 0 || before - after > (SIZE >> 10) / 2,
	    "and given back (%ld KB, %ld)", before, after);
	ok(memcmp(got.p, bytes, SIZE) == 0,
	    "the snapshot still has what was read");
	desk_end(tx);
	desk_close(d);
	free(bytes);
}

int
main(void)
{
	test_trim();
	test_messages();
	test_match();
	test_boxes();
	test_damage();
	test_wait();
	return tap_done();
}
