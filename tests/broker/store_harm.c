/* SPDX-License-Identifier: ISC */
/*
 * What a disk can do to the store: flip bits, lose the end of the file, be
 * full. SEED and FLIPS in the environment choose which flips and how many.
 */
#include "broker/store.h"

#include "tests/lib/entries.h"
#include "tests/lib/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MY span_of("mycert@my")
#define SG span_of("sg")
#define ENTRIES 60
#define NOBODYS 39 /* an entry that is in no mailbox */
#define PART_SIZE 150000

static const struct store_options opts = {
	.map_size = 16 << 20,
	.prealloc = 1 << 20,
	.readers = 4,
};

static uint8_t part[PART_SIZE], part_hash[32];

static const char *
path(const char *name)
{
	static char p[512];

	snprintf(p, sizeof(p), "%s/%s", scratch(), name);
	return p;
}

static size_t
size_of(uint64_t i)
{
	return (size_t)(i * 397 % 6000);
}

static enum tocsin_err
add(struct store_tx *tx, uint64_t i, size_t size, uint64_t *seq)
{
	enum tocsin_err err;
	struct made m;

	made_init(&m, i, size);
	err = store_append(tx, &m.e, seq);
	made_release(&m);
	return err;
}

static void
must(enum tocsin_err err)
{
	if (err) {
		diag("%s", tocsin_err_name(err));
		abort();
	}
}

/* ---- flips ---- */

static void
fill(const char *dir)
{
	struct store_out out = { 0 };
	struct store_tx *tx;
	struct store *s;
	uint64_t i, seq, have;

	must(store_open(&s, dir, &opts, NULL));
	for (i = 1; i <= ENTRIES; i++) {
		must(store_begin(s, &tx));
		must(add(tx, i, size_of(i), &seq));
		if (i != NOBODYS)
			must(store_mail(tx, i % 5 ? MY : span_of("*"), seq));
		out.seq = seq;
		must(store_out_add(tx, SG, i % 4, &out));
		must(store_value_put(tx, SG, SPAN((uint8_t[1]){ 9 })));
		if (i == ENTRIES / 2) {
			must(store_part_expect(tx, part_hash, PART_SIZE, i));
			must(store_part_write(
			    tx, part_hash, 0, SPAN(part), &have));
		}
		must(store_commit(tx));
	}
	store_close(s);
}

enum verdict {
	ALL_RIGHT = 0,
	NOTICED = 10, /* an error was returned, nothing wrong handed out */
	MISSING,      /* a row was not found, and verify says why */
	HIDDEN,	      /* the same, and verify finds nothing */
	WRONG,	      /* wrong data with TOCSIN_OK */
	FELL,	      /* the engine over its own pages, and it was caught */
	CRASHED,      /* it was not */
	VERDICTS
};

struct look {
	bool error, missing, wrong;
};

static void
saw(struct look *l, enum tocsin_err err, bool right)
{
	if (err == TOCSIN_ENOTFOUND)
		l->missing = true;
	else if (err)
		l->error = true;
	else if (!right)
		l->wrong = true;
}

static void
look_entries(struct look *l, struct store_rx *rx)
{
	struct store_entry e;
	enum tocsin_err err;
	uint64_t i, seq;
	struct made m;

	for (i = 1; i <= ENTRIES; i++) {
		err = store_get(rx, i, &e);
		saw(l, err, !err && e.seq == i && made_is(&e, i, size_of(i)));
		made_init(&m, i, 0);
		err = store_find(rx, m.e.id, &seq);
		saw(l, err, !err && seq == i);
		made_release(&m);
	}
	l->missing |= store_head(rx) < ENTRIES;
	l->wrong |= store_head(rx) > ENTRIES;
}

/* What comes must be there; what does not come is missing. */
static void
look_rows(struct look *l, struct store_rx *rx)
{
	struct store_out out;
	enum tocsin_err err;
	struct span value;
	uint64_t seq = 0, n, count = 0;
	unsigned lane;

	while ((err = store_mail_next(rx, MY, seq, &n)) == TOCSIN_OK) {
		l->wrong |= n <= seq || n > ENTRIES || n == NOBODYS;
		seq = n;
		if (++count > ENTRIES)
			break;
	}
	l->error |= err && err != TOCSIN_ENOTFOUND;
	l->missing |= count < ENTRIES - 1;
	l->wrong |= count > ENTRIES - 1;
	for (lane = 0; lane < 4; lane++)
		for (n = 1; n <= ENTRIES / 4; n++) {
			err = store_out_next(rx, SG, lane, n - 1, &out);
			if (!err && out.n > n)
				err = TOCSIN_ENOTFOUND;
			saw(l, err,
			    !err && out.n == n &&
				out.seq == (n - (lane ? 1 : 0)) * 4 + lane);
		}
	err = store_value_get(rx, SG, &value);
	saw(l, err, !err && value.n == 1 && value.p[0] == 9);
}

static void
look_part(struct look *l, struct store_rx *rx)
{
	struct buf b = { 0 };
	enum tocsin_err err;

	err = store_part_read(rx, part_hash, 0, PART_SIZE, &b);
	if (!err && b.n < PART_SIZE)
		err = TOCSIN_ENOTFOUND;
	saw(l, err, !err && memcmp(b.p, part, PART_SIZE) == 0);
	buf_release(&b);
}

static enum verdict
examine(const char *dir)
{
	struct look l = { 0 };
	struct store_rx *rx;
	struct store *s;

	if (store_open(&s, dir, &opts, NULL) != TOCSIN_OK)
		return NOTICED;
	if (store_read(s, &rx) != TOCSIN_OK)
		return NOTICED;
	look_entries(&l, rx);
	look_rows(&l, rx);
	look_part(&l, rx);
	store_read_end(rx);
	if (l.wrong)
		return WRONG;
	if (l.missing && !l.error)
		return store_verify(s, NULL, NULL, NULL) == TOCSIN_OK ? HIDDEN
								      : MISSING;
	return l.error ? NOTICED : ALL_RIGHT;
}

static void
ignore(void *arg, const struct store_finding *f)
{
	(void)arg;
	(void)f;
}

static bool
keep_none(void *arg, struct span name)
{
	(void)arg;
	(void)name;
	return false;
}

/* What is left after a repair; rows that it left out are HIDDEN then. */
static enum verdict
repair(const char *dir)
{
	struct store_repair how = { .done = ignore, .keep = keep_none };
	struct store_options harmed = opts;
	struct store_tx *tx = NULL;
	struct store *s;
	enum tocsin_err err;

	harmed.harmed = true;
	if (store_open(&s, dir, &harmed, NULL) != TOCSIN_OK)
		return NOTICED;
	err = store_begin(s, &tx);
	if (!err)
		err = store_repair(tx, &how);
	if (!err)
		err = store_repair_parts(tx, &how);
	if (!err)
		err = store_commit(tx);
	else
		store_abort(tx);
	store_close(s);
	return err ? NOTICED : examine(dir);
}

/* As tocsind does it: an end that can say what to do. */
static void
on_fatal(const char *what)
{
	(void)what;
	_exit(FELL);
}

static void
on_fault(int sig)
{
	_exit(sig == SIGBUS || store_inside() ? FELL : CRASHED);
}

/* In a child: the engine may die of its own pages, or walk in circles. */
static enum verdict
apart(enum verdict (*look)(const char *dir), const char *dir)
{
	int status, null;
	pid_t pid = fork();

	if (pid < 0)
		abort();
	if (pid == 0) {
		null = open("/dev/null", O_WRONLY);
		if (null < 0 || dup2(null, 2) < 0)
			_exit(1);
		alarm(30);
		store_on_fatal(on_fatal);
		signal(SIGSEGV, on_fault);
		signal(SIGBUS, on_fault);
		_exit(look(dir));
	}
	waitpid(pid, &status, 0);
	if (!WIFEXITED(status))
		return CRASHED;
	status = WEXITSTATUS(status);
	if (status == ALL_RIGHT || (status >= NOTICED && status < CRASHED))
		return (enum verdict)status;
	return CRASHED; /* how a sanitizer ends */
}

static enum verdict
examine_apart(const char *dir)
{
	return apart(examine, dir);
}

static void
write_file(const char *name, const uint8_t *p, size_t n)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || write(fd, p, n) != (ssize_t)n || close(fd) != 0)
		abort();
}

static uint64_t
number(const char *name, uint64_t otherwise)
{
	const char *v = getenv(name);

	return v != NULL ? strtoull(v, NULL, 10) : otherwise;
}

/* A bit anywhere, or in the head of a page, where the engine's own data is. */
static size_t
choose(const uint8_t noise[16], size_t used, bool head)
{
	uint64_t r;

	memcpy(&r, noise, sizeof(r));
	if (!head)
		return (size_t)(r % used);
	return (size_t)(r % (used / 4096)) * 4096 + noise[8] % 80;
}

static void
test_flips(void)
{
	uint64_t seed = number("SEED", 3), flips = number("FLIPS", 200), i;
	uint8_t key[randombytes_SEEDBYTES] = { 0 }, *noise, *bytes;
	unsigned count[VERDICTS] = { 0 }, repaired[VERDICTS] = { 0 };
	enum verdict verdict;
	size_t n, used, at;

	memcpy(key, &seed, sizeof(seed));
	noise = xmalloc(flips * 16);
	randombytes_buf_deterministic(noise, flips * 16, key);
	fill(path("flips"));
	is_int(examine_apart(path("flips")), ALL_RIGHT,
	    "an undamaged store is all right");
	bytes = slurp(path("flips/log.mdb"), &n);
	for (used = n; used > 4096 && bytes[used - 1] == 0; used--)
		;
	used = (used + 4095) / 4096 * 4096;
	for (i = 0; i < flips; i++) {
		at = choose(noise + i * 16, used, i % 2);
		bytes[at] ^= (uint8_t)(1 << noise[i * 16 + 9] % 8);
		write_file(path("flips/log.mdb"), bytes, n);
		verdict = examine_apart(path("flips"));
		count[verdict]++;
		if (verdict == HIDDEN || verdict == WRONG || verdict == CRASHED)
			diag("%s by bit %u at %zu",
			    verdict == CRASHED ? "dead" : "fooled",
			    noise[i * 16 + 9] % 8U, at);
		if (verdict == NOTICED || verdict == MISSING) {
			verdict = apart(repair, path("flips"));
			repaired[verdict]++;
			if (verdict == WRONG || verdict == CRASHED)
				diag("repair %s by bit %u at %zu",
				    verdict == WRONG ? "fooled" : "died",
				    noise[i * 16 + 9] % 8U, at);
		}
		bytes[at] ^= (uint8_t)(1 << noise[i * 16 + 9] % 8);
	}
	printf("# SEED=%llu, %llu flips: %u harmless, %u noticed, %u missing, "
	       "%u engine fell, %u died\n",
	    (unsigned long long)seed, (unsigned long long)flips,
	    count[ALL_RIGHT], count[NOTICED], count[MISSING], count[FELL],
	    count[CRASHED]);
	printf("# repaired: %u all of it, %u rows left out, %u records lost, "
	       "%u engine fell\n",
	    repaired[ALL_RIGHT], repaired[HIDDEN],
	    repaired[NOTICED] + repaired[MISSING], repaired[FELL]);
	is_int(repaired[WRONG] + repaired[CRASHED], 0,
	    "a repair makes nothing wrong, and no fall of the engine is left "
	    "uncaught");
	ok(repaired[ALL_RIGHT] + repaired[HIDDEN] > 0, "and it repairs");
	is_int(count[WRONG], 0, "no flipped bit is handed out as data");
	is_int(count[CRASHED], 0, "no fall of the engine is left uncaught");
	is_int(count[HIDDEN], 0, "what a flip hides, verify finds");
	ok(count[NOTICED] > 0, "flips were noticed (%u)", count[NOTICED]);
	free(bytes);
	free(noise);
}

/* The same bit in every copy of a row, so that the live one is among them. */
static void
test_row(void)
{
	static const uint8_t row[] = "mycert@my\0\0\0\0\0\0\0\0\x07";
	const size_t len = sizeof(row) - 1;
	unsigned copies = 0;
	uint8_t *bytes, *at;
	size_t n;

	fill(path("row"));
	bytes = slurp(path("row/log.mdb"), &n);
	for (at = bytes;
	     (at = memmem(at, n - (size_t)(at - bytes), row, len)) != NULL;
	     at += len, copies++)
		at[len - 1] ^= 0x20; /* 7 -> 39 */
	write_file(path("row/log.mdb"), bytes, n);
	ok(copies > 0, "a row of a mailbox is changed (%u copies)", copies);
	is_int(examine_apart(path("row")), NOTICED,
	    "it does not let a member have another's entry");
	free(bytes);
}

/* ---- a file that was cut ---- */

static void
test_cut(void)
{
	const char *why = NULL;
	size_t n, cut, used;
	struct store *s;
	uint8_t *bytes;
	unsigned bad = 0, tried = 0;

	fill(path("cut"));
	bytes = slurp(path("cut/log.mdb"), &n);
	for (used = n; used > 4096 && bytes[used - 1] == 0; used--)
		;
	used = used / 4096 * 4096;
	for (cut = 0; cut <= used; cut += 4096 * 7 + 100, tried++) {
		write_file(path("cut/log.mdb"), bytes, cut);
		why = NULL;
		if (store_open(&s, path("cut"), &opts, &why) == TOCSIN_OK) {
			store_close(s);
			bad++;
		}
		/* Without both meta pages it does not even begin as one. */
		bad += why == NULL ||
		       strstr(why, cut < 8192 ? "begin" : "is cut") == NULL;
	}
	is_int(bad, 0, "a cut file is refused with a sentence (%u lengths)",
	    tried);
	free(bytes);
}

/* ---- full ---- */

/*
 * Commits until there is no space; then what was acknowledged must be there,
 * and nothing else.
 */
static uint64_t
commit_until_full(struct store *s, uint64_t *head, enum tocsin_err *err)
{
	struct store_tx *tx;
	uint64_t seq, n = 0;

	do {
		*err = store_begin(s, &tx);
		if (*err)
			break;
		*err = add(tx, *head + 1, 5300, &seq);
		if (!*err)
			*err = store_mail(tx, MY, seq);
		if (!*err)
			*err = store_commit(tx);
		else
			store_abort(tx);
		if (!*err) {
			++*head;
			n++;
		}
	} while (!*err);
	return n;
}

/* What a broker must still be able to say when it takes no tickets. */
static enum tocsin_err
receipts_and_acks(struct store *s, uint64_t *head, unsigned n)
{
	enum tocsin_err err = TOCSIN_OK;
	struct store_tx *tx;
	struct made m;
	uint64_t seq;

	while (!err && n-- > 0) {
		must(store_begin(s, &tx));
		made_init(&m, *head + 1, 5300);
		m.e.kind = STORE_RECEIPT;
		err = store_append(tx, &m.e, &seq);
		made_release(&m);
		if (!err)
			err = store_value_put(tx, MY, SPAN(part_hash));
		if (err)
			store_abort(tx);
		else
			err = store_commit(tx);
		*head += !err;
	}
	return err;
}

static bool
all_there(struct store *s, uint64_t head)
{
	struct store_rx *rx;
	struct store_entry e;
	uint64_t i, bad = 0;

	if (store_read(s, &rx) != TOCSIN_OK)
		return false;
	bad += store_head(rx) != head;
	for (i = 1; i <= head; i++) {
		bad += store_get(rx, i, &e) != TOCSIN_OK;
		e.kind = STORE_TICKET; /* or one of receipts_and_acks() */
		bad += !made_is(&e, i, 5300);
	}
	store_read_end(rx);
	return bad == 0 && store_verify(s, NULL, NULL, NULL) == TOCSIN_OK;
}

/* A file that fills what the disk has left. */
static void
ballast(const char *name)
{
	int fd = open(name, O_WRONLY | O_CREAT, 0600);
	static uint8_t page[4096];

	if (fd < 0)
		abort();
	while (write(fd, page, sizeof(page)) > 0)
		;
	close(fd);
}

static bool
small_disk(const char *at)
{
	if (mkdir(at, 0700) != 0 && errno != EEXIST)
		return false;
	if (unshare(CLONE_NEWNS) != 0 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		return false;
	return mount("none", at, "tmpfs", 0, "size=12m,mode=700") == 0;
}

static void
test_disk_full(void)
{
	const struct store_options grow = {
		.map_size = 64 << 20, .prealloc = 4 << 20, .readers = 4
	};
	char store[600], stone[600];
	uint64_t head = 0, within, after;
	enum tocsin_err err;
	struct store *s;

	if (!small_disk(path("disk"))) {
		skip("a small disk cannot be mounted here");
		return;
	}
	snprintf(store, sizeof(store), "%s/store", path("disk"));
	snprintf(stone, sizeof(stone), "%s/stone", path("disk"));
	must(store_open(&s, store, &grow, NULL));
	ballast(stone);
	within = commit_until_full(s, &head, &err);
	is_int(err, TOCSIN_ENOSPACE, "a full disk is no space, not a failure");
	ok(within > 100, "what was allocated before is still used (%llu)",
	    (unsigned long long)within);
	ok(all_there(s, head), "nothing that was acknowledged is lost");
	(void)commit_until_full(s, &head, &err);
	is_int(err, TOCSIN_ENOSPACE, "it is refused again, as often as asked");
	is_int(receipts_and_acks(s, &head, 40), TOCSIN_OK,
	    "what was kept back takes receipts and cursors on a full disk");
	if (unlink(stone) != 0)
		abort();
	after = commit_until_full(s, &head, &err);
	ok(after > 100, "with space, it goes on without a restart (%llu)",
	    (unsigned long long)after);
	is_int(err, TOCSIN_ENOSPACE, "until the disk is full once more");
	store_close(s);
	must(store_open(&s, store, &grow, NULL));
	ok(all_there(s, head), "all is there after opening on a full disk");
	store_close(s);
	if (umount(path("disk")) != 0)
		diag("umount: %s", strerror(errno));
}

static char fell[64];

static void
falls(const char *what)
{
	snprintf(fell, sizeof(fell), "%s", what);
}

/* By somebody else, while we have it open. */
static void
test_cut_beneath(void)
{
	struct store *s;
	struct store_tx *tx;
	char file[4200];

	must(store_open(&s, path("beneath"), &opts, NULL));
	snprintf(file, sizeof(file), "%s", path("beneath/log.mdb"));
	store_on_fatal(falls);
	must(store_begin(s, &tx));
	store_abort(tx);
	if (truncate(file, 65536) != 0)
		abort();
	is_int(store_begin(s, &tx), TOCSIN_EINTERNAL,
	    "nothing is written to a file that was cut beneath us");
	is_str(fell, "its file was cut", "and the process ends for it");
	store_on_fatal(NULL);
	if (truncate(file, 64 << 20) != 0)
		abort();
	store_close(s);
}

int
main(void)
{
	static const uint8_t seed[randombytes_SEEDBYTES] = { 42 };

	if (sodium_init() < 0)
		return 1;
	signal(SIGXFSZ, SIG_IGN);
	randombytes_buf_deterministic(part, sizeof(part), seed);
	crypto_hash_sha256(part_hash, part, sizeof(part));
	test_flips();
	test_row();
	test_cut();
	test_cut_beneath();
	test_disk_full();
	return tap_done();
}
