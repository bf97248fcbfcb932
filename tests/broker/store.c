/* SPDX-License-Identifier: ISC */
#include "broker/store.h"
#include "tests/lib/tap.h"

#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct store_options options = {
	.map_size = 64 << 20, .prealloc = 1 << 20, .readers = 32
};

static char path[512];

static const char *
folder(const char *name)
{
	snprintf(path, sizeof(path), "%s/%s", scratch(), name);
	return path;
}

static struct store *
open_at(const char *name)
{
	struct store *s = NULL;
	const char *why = NULL;

	if (store_open(&s, folder(name), &options, &why) != TOCSIN_OK) {
		diag("%s: %s", name, why ? why : "?");
		abort();
	}
	return s;
}

static struct store_tx *
begin(struct store *s)
{
	struct store_tx *tx = NULL;

	if (store_begin(s, &tx) != TOCSIN_OK)
		abort();
	return tx;
}

static struct store_rx *
look(struct store *s)
{
	struct store_rx *rx = NULL;

	if (store_read(s, &rx) != TOCSIN_OK)
		abort();
	return rx;
}

/* A signed text is not needed here: a note that parses is. */
static const char note_form[] = "asean.example/test/v1\nnumber %llu\n\n"
				"\xe2\x80\x94 a AAAAAAAA\n";

struct made {
	char note[128];
	uint8_t body[3000];
	struct store_entry e;
};

static const struct store_entry *
entry(struct made *m, uint64_t number, size_t body)
{
	int n = snprintf(
	    m->note, sizeof(m->note), note_form, (unsigned long long)number);
	const char *end = strstr(m->note, "\n\n") + 1;

	memset(m->body, (int)number, sizeof(m->body));
	m->e = (struct store_entry){ .kind = STORE_TICKET,
		.time = 1000 + (int64_t)number,
		.member = span_of("singcert@sg"),
		.note = { (const uint8_t *)m->note, (size_t)n },
		.body = { m->body, body } };
	crypto_hash_sha256(m->e.id, (const uint8_t *)m->note,
	    (unsigned long long)(end - m->note));
	return &m->e;
}

static uint64_t
append(struct store_tx *tx, uint64_t number, size_t body)
{
	struct made m;
	uint64_t seq = 0;

	if (store_append(tx, entry(&m, number, body), &seq) != TOCSIN_OK)
		abort();
	return seq;
}

static bool
is_entry(struct store_rx *rx, uint64_t seq, uint64_t number, size_t body)
{
	struct store_entry got;
	struct made m;

	entry(&m, number, body);
	return store_get(rx, seq, &got) == TOCSIN_OK && got.seq == seq &&
	       got.kind == m.e.kind && got.time == m.e.time &&
	       span_eq(got.member, m.e.member) && got.via.n == 0 &&
	       memcmp(got.id, m.e.id, 32) == 0 && span_eq(got.note, m.e.note) &&
	       span_eq(got.body, m.e.body);
}

static void
test_entries(void)
{
	struct store *s = open_at("entries");
	struct store_tx *tx = begin(s);
	struct store_entry got;
	struct store_rx *rx, *before = look(s);
	struct made m;
	uint64_t seq = 0;
	size_t i;
	bool good = true;

	for (i = 1; i <= 40; i++)
		good = good && append(tx, i, i * 70) == i;
	ok(good, "entries are numbered from 1");
	is_int(store_append(tx, entry(&m, 7, 7 * 70), &seq), TOCSIN_EDUPLICATE,
	    "an id is appended once");
	is_int((long long)seq, 7, "and its place is told");
	rx = store_tx_view(tx);
	ok(is_entry(rx, 3, 3, 3 * 70), "the writer sees what is pending");
	if (store_commit(tx) != TOCSIN_OK)
		abort();
	is_int((long long)store_head(before), 0,
	    "an older snapshot does not move");
	store_read_end(before);
	rx = look(s);
	for (i = 1, good = true; i <= 40; i++)
		good = good && is_entry(rx, i, i, i * 70) &&
		       store_find(rx, entry(&m, i, 0)->id, &seq) == TOCSIN_OK &&
		       seq == i;
	ok(good, "all are read back as they were, by seq and by id");
	is_int(store_get(rx, 41, &got), TOCSIN_ENOTFOUND,
	    "there is none beyond the head");
	store_read_end(rx);

	tx = begin(s);
	append(tx, 41, 10);
	store_abort(tx);
	rx = look(s);
	ok(store_head(rx) == 40 &&
		store_find(rx, entry(&m, 41, 10)->id, &seq) == TOCSIN_ENOTFOUND,
	    "what is aborted leaves nothing");
	store_read_end(rx);
	store_close(s);

	s = open_at("entries");
	rx = look(s);
	ok(store_head(rx) == 40 && is_entry(rx, 40, 40, 2800),
	    "a store that is opened again has it all");
	store_read_end(rx);
	is_int(store_verify(s, NULL, NULL, NULL), TOCSIN_OK, "and verifies");
	store_close(s);
}

/* The engine must find its own bytes, and no zeros of ours, on every page. */
static void
test_prepare(void)
{
	struct store *s = open_at("prepare");
	struct store_tx *tx;
	uint64_t i, n = 0;

	for (i = 0; i < 400; i++) {
		store_prepare(s);
		tx = begin(s);
		store_prepare(s); /* and not while one is open */
		append(tx, ++n, 2900);
		if (i % 50 == 0)
			while (n % 40 != 0)
				append(tx, ++n, 2900);
		if (i % 7 == 0)
			store_abort(tx);
		else if (store_commit(tx) != TOCSIN_OK)
			abort();
	}
	is_int(store_verify(s, NULL, NULL, NULL), TOCSIN_OK,
	    "preparing the file changes nothing in it");
	store_close(s);
	s = open_at("prepare");
	is_int(store_verify(s, NULL, NULL, NULL), TOCSIN_OK,
	    "also when it is opened again");
	store_close(s);
}

static void
test_tree(void)
{
	struct store *s = open_at("tree");
	struct store_tx *tx;
	struct buf proof = { 0 };
	struct merkle_store t;
	struct store_rx *rx;
	uint8_t root[32];
	uint64_t i, j;

	for (i = 0; i < 20; i++) {
		tx = begin(s);
		for (j = 0; j <= i; j++)
			append(tx, i * 100 + j + 1, 5);
		if (store_commit(tx) != TOCSIN_OK)
			abort();
	}
	rx = look(s);
	t = store_tree(rx);
	if (merkle_root(&t, store_head(rx), root) != TOCSIN_OK)
		abort();
	for (i = 1; i <= store_head(rx); i++) {
		struct store_entry e;
		uint8_t leaf[32];

		buf_cut(&proof, 0);
		if (store_get(rx, i, &e) != TOCSIN_OK)
			break;
		merkle_leaf(leaf, SPAN(e.id));
		if (merkle_inclusion(&t, i - 1, store_head(rx), &proof) !=
			TOCSIN_OK ||
		    merkle_verify_inclusion(i - 1, store_head(rx), leaf,
			buf_span(&proof), root) != TOCSIN_OK)
			break;
	}
	ok(i == 211, "every entry is proved to be in the tree (got to %llu)",
	    (unsigned long long)i);
	store_read_end(rx);
	buf_release(&proof);
	store_close(s);
}

static void
test_mail(void)
{
	struct store *s = open_at("mail");
	struct store_tx *tx = begin(s);
	struct span a = span_of("a@sg"), b = span_of("b@sg");
	struct store_rx *rx;
	uint64_t seq = 0, i;
	bool good;

	for (i = 1; i <= 6; i++)
		append(tx, i, 1);
	good = store_mail(tx, a, 1) == TOCSIN_OK &&
	       store_mail(tx, b, 2) == TOCSIN_OK &&
	       store_mail(tx, span_of("*"), 3) == TOCSIN_OK &&
	       store_mail(tx, a, 5) == TOCSIN_OK;
	ok(good && store_commit(tx) == TOCSIN_OK, "mail is put into boxes");
	rx = look(s);
	good = store_mail_next(rx, a, 0, &seq) == TOCSIN_OK && seq == 1 &&
	       store_mail_next(rx, a, 1, &seq) == TOCSIN_OK && seq == 3 &&
	       store_mail_next(rx, a, 3, &seq) == TOCSIN_OK && seq == 5 &&
	       store_mail_next(rx, a, 5, &seq) == TOCSIN_ENOTFOUND;
	ok(good, "a member gets its own and everybody's, in order");
	ok(store_mail_has(rx, b, 3) && !store_mail_has(rx, b, 1),
	    "and nobody else's");
	good = store_mail_next(rx, b, 3, &seq) == TOCSIN_ENOTFOUND &&
	       store_mail_next(rx, b, 0, &seq) == TOCSIN_OK && seq == 2 &&
	       store_mail_next(rx, b, 2, &seq) == TOCSIN_OK && seq == 3;
	ok(good, "also from an earlier place");
	store_read_end(rx);

	tx = begin(s);
	rx = store_tx_view(tx);
	good = store_mail_next(rx, b, 3, &seq) == TOCSIN_ENOTFOUND &&
	       store_mail(tx, span_of("*"), 6) == TOCSIN_OK &&
	       store_mail_next(rx, b, 3, &seq) == TOCSIN_OK && seq == 6 &&
	       store_commit(tx) == TOCSIN_OK;
	ok(good, "the writer sees at once what everybody gets");
	rx = look(s);
	ok(store_mail_next(rx, b, 3, &seq) == TOCSIN_OK && seq == 6,
	    "and the next snapshot does");
	store_read_end(rx);
	store_close(s);
}

static void
test_outbox(void)
{
	struct store *s = open_at("outbox");
	struct store_tx *tx = begin(s);
	struct span my = span_of("my");
	struct store_out out = { 0 };
	struct store_rx *rx;
	uint64_t i;
	bool good = true;

	for (i = 1; i <= 3; i++) {
		out = (struct store_out){ .seq = append(tx, i, 1) };
		good = good && store_out_add(tx, my, 2, &out) == TOCSIN_OK &&
		       out.n == i;
	}
	out = (struct store_out){ .part = { 9 } };
	good =
	    good && store_out_add(tx, my, 4, &out) == TOCSIN_OK && out.n == 1;
	ok(good, "each lane of a peer counts by itself");
	good = store_out_trim(tx, my, 2, 3) == TOCSIN_OK;
	out = (struct store_out){ .seq = 1 };
	good = good && store_out_add(tx, my, 2, &out) == TOCSIN_OK;
	ok(good && out.n == 4, "a number is not used again after trimming");
	if (store_commit(tx) != TOCSIN_OK)
		abort();
	rx = look(s);
	ok(store_out_next(rx, my, 2, 0, &out) == TOCSIN_OK && out.n == 4 &&
		out.seq == 1 &&
		store_out_next(rx, my, 2, 4, &out) == TOCSIN_ENOTFOUND,
	    "trimmed items are gone, later ones stay");
	ok(store_out_next(rx, my, 4, 0, &out) == TOCSIN_OK && out.seq == 0 &&
		out.part[0] == 9,
	    "a part is queued by its hash");
	is_int((long long)store_out_last(rx, my, 2), 4,
	    "the last number of a lane is remembered");
	store_read_end(rx);
	store_close(s);
}

static void
test_parts(void)
{
	struct store *s = open_at("parts");
	struct store_part stat;
	struct buf got = { 0 };
	size_t n = 200000, at, step;
	uint8_t *part = xmalloc(n), hash[32], wrong[32] = { 1 };
	struct store_tx *tx;
	struct store_rx *rx;
	uint64_t have = 0;
	bool good = true;

	randombytes_buf(part, n);
	crypto_hash_sha256(hash, part, n);
	tx = begin(s);
	good = store_part_expect(tx, hash, n, 0) == TOCSIN_OK &&
	       store_part_expect(tx, hash, n, 0) == TOCSIN_OK;
	ok(good, "a part may be expected twice");
	is_int(store_part_expect(tx, hash, n + 1, 0), TOCSIN_EMALFORMED,
	    "but not with another size");
	if (store_commit(tx) != TOCSIN_OK)
		abort();
	for (at = 0, good = true; at < n; at += step) {
		step = n - at < 33333 ? n - at : 33333;
		tx = begin(s);
		good =
		    good &&
		    store_part_write(tx, hash, at,
			(struct span){ part + at, step }, &have) == TOCSIN_OK &&
		    have == at + step && store_commit(tx) == TOCSIN_OK;
		if (at == 33333 * 2) { /* goes on after a restart */
			store_close(s);
			s = open_at("parts");
		}
	}
	rx = look(s);
	ok(good && store_part_stat(rx, hash, &stat) == TOCSIN_OK &&
		stat.complete && stat.have == n,
	    "ranges make a whole part, across a restart");
	ok(store_part_read(rx, hash, 50000, 100000, &got) == TOCSIN_OK &&
		got.n == 100000 && memcmp(got.p, part + 50000, got.n) == 0,
	    "any range of it is read");
	store_read_end(rx);
	tx = begin(s);
	is_int(store_part_write(tx, hash, 5, (struct span){ part, 5 }, &have),
	    TOCSIN_EDUPLICATE, "what is there is not written again");
	if (store_part_expect(tx, wrong, 10, 0) != TOCSIN_OK)
		abort();
	is_int(store_part_write(tx, wrong, 0, span_of("0123456789"), &have),
	    TOCSIN_EBODYMISMATCH, "a part with another hash is refused");
	ok(store_part_stat(store_tx_view(tx), wrong, &stat) == TOCSIN_OK &&
		stat.have == 0,
	    "and emptied");
	store_abort(tx);
	is_int(store_verify(s, NULL, NULL, NULL), TOCSIN_OK, "parts verify");
	store_close(s);
	buf_release(&got);
	free(part);
}

static void
test_lock(void)
{
	struct store *s = open_at("lock"), *second = NULL;
	const char *why = NULL;
	int status;
	pid_t pid;

	is_int(store_open(&second, folder("lock"), &options, &why),
	    TOCSIN_EBUSY, "a store is opened once");
	ok(why != NULL, "the second is told why");
	pid = fork();
	if (pid == 0)
		_exit(store_open(&second, folder("lock"), &options, NULL) !=
		      TOCSIN_EBUSY);
	waitpid(pid, &status, 0);
	is_int(status, 0, "also by another process");
	store_close(s);
}

/* Commits until it is killed, and says what was committed. */
static void
child(int out)
{
	struct store *s = open_at("kill");
	struct store_rx *rx = look(s);
	uint64_t n = store_head(rx);

	store_read_end(rx);
	for (;;) {
		struct store_tx *tx = begin(s);

		n = append(tx, n + 1, 2000);
		if (store_mail(tx, span_of("a@sg"), n) != TOCSIN_OK ||
		    store_commit(tx) != TOCSIN_OK ||
		    write(out, &n, sizeof(n)) != sizeof(n))
			_exit(1);
		store_prepare(s);
	}
}

static void
test_kill(void)
{
	uint64_t acked = 0, n, seq;
	bool good = true;
	int round, p[2], i;

	for (round = 0; round < 20 && good; round++) {
		struct store_rx *rx;
		struct store *s;
		pid_t pid;

		if (pipe(p) != 0)
			abort();
		pid = fork();
		if (pid == 0)
			child(p[1]);
		close(p[1]);
		for (i = 0; i < 5 + round; i++)
			if (read(p[0], &n, sizeof(n)) == sizeof(n))
				acked = n;
		kill(pid, SIGKILL);
		while (read(p[0], &n, sizeof(n)) == sizeof(n))
			acked = n;
		close(p[0]);
		waitpid(pid, NULL, 0);
		s = open_at("kill");
		rx = look(s);
		good = store_head(rx) >= acked &&
		       is_entry(rx, acked, acked, 2000) &&
		       store_mail_next(rx, span_of("a@sg"), acked - 1, &seq) ==
			   TOCSIN_OK &&
		       seq == acked;
		store_read_end(rx);
		good = good && store_verify(s, NULL, NULL, NULL) == TOCSIN_OK;
		store_close(s);
	}
	ok(good, "what was committed survives SIGKILL (%d rounds, %llu)", round,
	    (unsigned long long)acked);
}

/* How many more of a kind are taken, each in a commit of its own. */
static unsigned
still_taken(struct store *s, uint64_t number, enum store_kind kind, bool answer)
{
	enum tocsin_err err = TOCSIN_OK;
	struct store_tx *tx;
	struct made m;
	uint64_t seq;
	unsigned n = 0;

	for (; err == TOCSIN_OK && n < 500; n += err == TOCSIN_OK) {
		tx = begin(s);
		(void)entry(&m, number + n, 500);
		m.e.kind = kind;
		m.e.answer = answer;
		err = store_append(tx, &m.e, &seq);
		if (err == TOCSIN_OK)
			err = store_commit(tx);
		else
			store_abort(tx);
	}
	return err == TOCSIN_ENOSPACE ? n : 0;
}

/* Who may have what, when there is no room for a ticket. */
static void
test_reserve(struct store *s, uint64_t n)
{
	struct store_tx *tx = begin(s);
	struct made m;
	uint64_t seq;
	unsigned answers;

	if (store_append(tx, entry(&m, n + 1, 2500), &seq) != TOCSIN_ENOSPACE)
		abort();
	(void)entry(&m, n + 2, 500);
	m.e.answer = true;
	ok(store_append(tx, &m.e, &seq) == TOCSIN_OK &&
		store_commit(tx) == TOCSIN_OK,
	    "after a ticket is refused, its transaction takes an answer");
	answers = still_taken(s, n + 3, STORE_TICKET, true);
	ok(answers > 0 && answers < 500,
	    "answers go on for a while (%u), and not for ever", answers);
	is_int(still_taken(s, n + 600, STORE_TICKET, false), 0,
	    "no ticket is taken meanwhile");
	ok(still_taken(s, n + 1200, STORE_RECEIPT, false) > 0,
	    "receipts go on when no answer is taken any more");
	is_int(still_taken(s, n + 1800, STORE_TICKET, true), 0,
	    "and answers leave that to them");
}

static void
test_full(void)
{
	const struct store_options small = {
		.map_size = 4 << 20, .prealloc = 1 << 20, .readers = 8
	};
	struct store *s = NULL;
	struct store_rx *rx;
	struct store_tx *tx;
	uint64_t n = 0, seq;
	enum tocsin_err err = TOCSIN_OK;
	struct made m;

	if (store_open(&s, folder("full"), &small, NULL) != TOCSIN_OK)
		abort();
	while (err == TOCSIN_OK && n < 10000) {
		struct store_out out = { 0 };

		tx = begin(s);
		err = store_append(tx, entry(&m, n + 1, 2500), &seq);
		out.seq = seq;
		if (err == TOCSIN_OK)
			err = store_out_add(tx, span_of("my"), 3, &out);
		if (err == TOCSIN_OK)
			err = store_commit(tx);
		else
			store_abort(tx);
		n += err == TOCSIN_OK;
	}
	is_int(err, TOCSIN_ENOSPACE, "a full store says so (after %llu)",
	    (unsigned long long)n);
	rx = look(s);
	ok(store_head(rx) == n && is_entry(rx, n, n, 2500),
	    "and loses nothing");
	store_read_end(rx);
	tx = begin(s);
	ok(store_out_trim(tx, span_of("my"), 3, n) == TOCSIN_OK &&
		store_commit(tx) == TOCSIN_OK,
	    "what was relayed can still be forgotten");
	store_close(s);
	if (store_open(&s, folder("full"), &small, NULL) != TOCSIN_OK)
		abort();
	n += still_taken(s, n + 1, STORE_TICKET, false);
	test_reserve(s, n);
	store_close(s);
}

static void
count_finding(void *arg, const struct store_finding *f)
{
	*(int *)arg += f->seq == 2 && f->what[0] && f->todo[0];
}

/* Flips a byte on disk, `at` bytes behind where `mark` is. */
static void
flip(const char *name, struct span mark, size_t at)
{
	char file[600];
	uint8_t *bytes, *found;
	size_t n;
	int fd;

	snprintf(file, sizeof(file), "%s/log.mdb", folder(name));
	bytes = slurp(file, &n);
	found = memmem(bytes, n, mark.p, mark.n);
	fd = open(file, O_WRONLY);
	if (found == NULL || fd < 0)
		abort();
	found[at] ^= 1;
	if (pwrite(fd, found + at, 1, found + at - bytes) != 1)
		abort();
	close(fd);
	free(bytes);
}

static void
test_damage(void)
{
	struct store *s = open_at("damage");
	struct store_tx *tx = begin(s);
	struct merkle_store tree;
	struct store_entry got;
	struct store_rx *rx;
	uint64_t seqs[STORE_DAMAGED_MAX];
	uint8_t mark[64], leaf[32], id[32];
	struct made m;
	char file[600];
	int found = 0;

	append(tx, 1, 500);
	append(tx, 0x5a, 2900);
	append(tx, 3, 500);
	if (store_commit(tx) != TOCSIN_OK)
		abort();
	store_close(s);
	memset(mark, 0x5a, sizeof(mark));
	flip("damage", SPAN(mark), 32);
	s = open_at("damage");
	rx = look(s);
	is_int(store_get(rx, 2, &got), TOCSIN_EBODYMISMATCH,
	    "a damaged entry is never handed out");
	ok(is_entry(rx, 3, 3, 500), "its neighbours are");
	store_read_end(rx);
	is_int((long long)store_damaged(s, seqs), 1, "and noted");
	tx = begin(s);
	is_int(store_id(store_tx_view(tx), 2, id), TOCSIN_OK,
	    "its id is still known");
	entry(&m, 0x5a, 2900);
	ok(memcmp(id, m.e.id, 32) == 0, "and right");
	m.e.seq = 3;
	is_int(store_mend(tx, &m.e), TOCSIN_EDUPLICATE,
	    "an entry that is in order is not replaced");
	entry(&m, 9, 2900);
	m.e.seq = 2;
	is_int(store_mend(tx, &m.e), TOCSIN_EBODYMISMATCH,
	    "nor a damaged one by another");
	store_abort(tx);
	ok(store_verify(s, count_finding, &found, NULL) ==
		    TOCSIN_EBODYMISMATCH &&
		found == 1,
	    "verify names it");
	tx = begin(s);
	entry(&m, 0x5a, 2900);
	m.e.seq = 2;
	ok(store_mend(tx, &m.e) == TOCSIN_OK && store_commit(tx) == TOCSIN_OK,
	    "but by itself");
	is_int((long long)store_damaged(s, seqs), 0, "then it is mended");
	rx = look(s);
	ok(is_entry(rx, 2, 0x5a, 2900), "and handed out again");
	store_read_end(rx);
	is_int(store_verify(s, NULL, NULL, NULL), TOCSIN_OK,
	    "verify has nothing to say");
	rx = look(s);
	if (store_get(rx, 1, &got) != TOCSIN_OK)
		abort();
	merkle_leaf(leaf, SPAN(got.id));
	store_read_end(rx);
	store_close(s);

	flip("damage", SPAN(leaf), 5);
	s = open_at("damage");
	rx = look(s);
	tree = store_tree(rx);
	is_int(tree.get(tree.arg, merkle_pos(0, 0), leaf), TOCSIN_EBODYMISMATCH,
	    "nor is a damaged node of the tree");
	ok(tree.get(tree.arg, merkle_pos(0, 1), leaf) == TOCSIN_OK &&
		is_entry(rx, 1, 1, 500),
	    "its neighbour is, and the entry");
	store_read_end(rx);
	store_close(s);
	snprintf(file, sizeof(file), "%s/log.mdb", folder("damage"));
	if (truncate(file, 8192 * 2) != 0)
		abort();
	ok(store_open(&s, folder("damage"), &options, NULL) != TOCSIN_OK,
	    "a truncated file is refused");
}

/* A part of three ranges and a bit; an entry names it. */
#define PART_LEN (3 * STORE_RANGE + 1000)

static struct store *
part_put(uint8_t part[PART_LEN], uint8_t hash[32])
{
	struct store *s = open_at("part");
	struct store_tx *tx = begin(s);
	uint64_t have;

	randombytes_buf(part, PART_LEN);
	crypto_hash_sha256(hash, part, PART_LEN);
	append(tx, 1, 100);
	if (store_part_expect(tx, hash, PART_LEN, 1) != TOCSIN_OK ||
	    store_part_write(tx, hash, 0, (struct span){ part, PART_LEN },
		&have) != TOCSIN_OK ||
	    store_commit(tx) != TOCSIN_OK)
		abort();
	return s;
}

static enum tocsin_err
part_range(struct store *s, const uint8_t hash[32], const uint8_t *part,
    uint64_t offset, size_t n)
{
	struct store_rx *rx = look(s);
	struct buf got = { 0 };
	enum tocsin_err err = store_part_read(rx, hash, offset, n, &got);

	store_read_end(rx);
	if (err ? got.n > 0
		: got.n != n || memcmp(got.p, part + offset, n) != 0)
		err = TOCSIN_EINTERNAL;
	buf_release(&got);
	return err;
}

static void
test_part_damage(void)
{
	uint8_t *part = xmalloc(PART_LEN), hash[32], sum[32];
	uint8_t hashes[STORE_DAMAGED_MAX][32];
	struct span range = { part + STORE_RANGE, STORE_RANGE };
	struct store *s = part_put(part, hash);
	struct store_tx *tx;

	store_close(s);
	flip("part", (struct span){ part + STORE_RANGE + 500, 64 }, 9);
	s = open_at("part");
	is_int(part_range(s, hash, part, 0, STORE_RANGE), TOCSIN_OK,
	    "of a damaged part the good ranges are handed out");
	is_int((long long)store_parts_damaged(s, hashes), 0, "and no more");
	is_int(part_range(s, hash, part, STORE_RANGE - 10, 20),
	    TOCSIN_EBODYMISMATCH, "nothing of a damaged one");
	ok(store_parts_damaged(s, hashes) == 1 &&
		memcmp(hashes[0], hash, 32) == 0,
	    "then the part is noted");
	tx = begin(s);
	ok(store_part_sum(store_tx_view(tx), hash, sum) == TOCSIN_OK &&
		memcmp(sum, hash, 32) == 0,
	    "what it must be is known");
	is_int(store_part_mend(tx, hash, 0, (struct span){ part, STORE_RANGE }),
	    TOCSIN_EDUPLICATE, "a range that is in order is not replaced");
	is_int(store_part_mend(
		   tx, hash, STORE_RANGE, span_cut(range, 0, range.n - 1)),
	    TOCSIN_EUSAGE, "nor one by less than it was");
	is_int(store_part_mend(tx, hash, STORE_RANGE + 1, range), TOCSIN_EUSAGE,
	    "nor elsewhere");
	ok(store_part_mend(tx, hash, STORE_RANGE, range) == TOCSIN_OK &&
		store_commit(tx) == TOCSIN_OK,
	    "a damaged one is");
	store_part_mended(s, hash);
	is_int(
	    (long long)store_parts_damaged(s, hashes), 0, "then all is well");
	is_int(part_range(s, hash, part, 0, PART_LEN), TOCSIN_OK,
	    "and it is handed out whole");
	is_int(store_verify(s, NULL, NULL, NULL), TOCSIN_OK,
	    "verify has nothing to say of it");
	store_close(s);
	free(part);
}

static void
test_lacking(void)
{
	struct store *s = open_at("lacking");
	struct store_tx *tx = begin(s);
	struct store_rx *rx = store_tx_view(tx);
	uint8_t hash[4][32] = { { 0 }, { 1 }, { 2 }, { 0 } }, got[32];

	memset(hash[3], 0xff, sizeof(hash[3]));
	append(tx, 1, 100);
	is_int(store_part_lacking(rx, NULL, 9, got), TOCSIN_ENOTFOUND,
	    "where there is no part none is lacking");
	if (store_part_expect(tx, hash[0], 10, 1) != TOCSIN_OK ||
	    store_part_expect(tx, hash[1], 10, 0) != TOCSIN_OK ||
	    store_part_expect(tx, hash[2], 10, 0) != TOCSIN_OK ||
	    store_part_expect(tx, hash[3], 10, 1) != TOCSIN_OK)
		abort();
	ok(store_part_lacking(rx, NULL, 9, got) == TOCSIN_OK &&
		memcmp(got, hash[0], 32) == 0,
	    "a part that is named and not whole is found");
	is_int(store_part_lacking(rx, got, 2, got), TOCSIN_EBUSY,
	    "looking ends after as many as were said");
	ok(store_part_lacking(rx, got, 9, got) == TOCSIN_OK &&
		memcmp(got, hash[3], 32) == 0,
	    "and goes on there, past those that nothing names");
	is_int(store_part_lacking(rx, got, 9, got), TOCSIN_ENOTFOUND,
	    "to the last hash there can be");
	store_abort(tx);
	store_close(s);
}

int
main(void)
{
	test_entries();
	test_prepare();
	test_tree();
	test_mail();
	test_outbox();
	test_parts();
	test_lock();
	test_kill();
	test_full();
	test_damage();
	test_part_damage();
	test_lacking();
	return tap_done();
}
