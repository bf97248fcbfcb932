/* SPDX-License-Identifier: ISC */
#include "client/parts.h"
#include "client/sync.h"
#include "tests/lib/tap.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char home[512], out[600];
static uint8_t sk[32];

static void
put(const char *path, const void *bytes, size_t n)
{
	FILE *f = fopen(path, "wb");

	if (f == NULL || fwrite(bytes, 1, n, f) != n || fclose(f) != 0)
		abort();
}

static char *
under(const char *folder, const char *name)
{
	static char path[2][700];
	static int i;

	i = !i;
	snprintf(path[i], sizeof(path[i]), "%s/%s", folder, name);
	return path[i];
}

/* How many files a folder holds. */
static size_t
files(const char *folder)
{
	DIR *d = opendir(folder);
	struct dirent *e;
	size_t n = 0;

	while (d != NULL && (e = readdir(d)) != NULL)
		n += e->d_name[0] != '.' || e->d_name[1] == 't' ||
		     e->d_name[1] == 'n';
	if (d != NULL)
		closedir(d);
	return n;
}

static void
begin(void)
{
	struct buf parts_age = { 0 };

	snprintf(home, sizeof(home), "%s/home", scratch());
	snprintf(out, sizeof(out), "%s/out", scratch());
	if (mkdir(home, 0700) != 0 || mkdir(out, 0700) != 0)
		abort();
	part_identity(sk, &parts_age);
	buf_release(&parts_age);
}

static void
round_trip(size_t n)
{
	uint8_t *bytes = xmalloc(n + 1), *back;
	char *from = under(scratch(), "in"), spooled[768], name[32];
	struct ticket_part part = { 0 };
	uint64_t size = 0;
	size_t got = 0;
	bool same;

	randombytes_buf(bytes, n + 1);
	put(from, bytes, n);
	snprintf(name, sizeof(name), "back-%zu", n);
	same =
	    parts_seal(home, from, sk, &part, &size) == TOCSIN_OK && size == n;
	sync_spool(spooled, home, part.hash);
	same =
	    same && parts_open(spooled, &part, sk, n, out, name) == TOCSIN_OK;
	back = slurp(under(out, name), &got);
	ok(same && got == n && memcmp(bytes, back, n) == 0,
	    "a file of %zu bytes is sealed and opened", n);
	free(back);
	free(bytes);
}

/* Sealed once more, for a test to damage. */
static void
sealed(struct ticket_part *part, char spooled[768], uint64_t *size)
{
	char *from = under(scratch(), "in");

	put(from, "attachment", 10);
	if (parts_seal(home, from, sk, part, size) != TOCSIN_OK)
		abort();
	sync_spool(spooled, home, part->hash);
}

static void
test_damage(void)
{
	struct ticket_part part;
	char spooled[768];
	uint64_t size;
	size_t n, i, got = 0, before = files(out);
	uint8_t *bytes, other[32];

	sealed(&part, spooled, &size);
	bytes = slurp(spooled, &n);
	for (i = 0; i < n; i += 97) {
		bytes[i] ^= 1;
		put(spooled, bytes, n);
		got += parts_open(spooled, &part, sk, size, out, "bad") ==
		       TOCSIN_OK;
		bytes[i] ^= 1;
	}
	is_int((long long)got, 0, "no part with one changed bit is opened");
	put(spooled, bytes, n - 1);
	is_int(parts_open(spooled, &part, sk, size, out, "bad"),
	    TOCSIN_EBODYMISMATCH, "nor is a shorter one");
	put(spooled, bytes, n);
	ok(parts_open(spooled, &part, sk, size - 1, out, "bad") != TOCSIN_OK,
	    "nor is one with more in it than the ticket says");
	memcpy(other, sk, 32);
	other[5] ^= 4;
	ok(parts_open(spooled, &part, other, size, out, "bad") != TOCSIN_OK,
	    "nor is one that was sealed to another identity");
	is_int((long long)files(out), (long long)before,
	    "and nothing of them is left in the folder");
	free(bytes);
}

static void
test_in_the_way(void)
{
	struct ticket_part part;
	char spooled[768], target[700];
	uint64_t size;

	sealed(&part, spooled, &size);
	put(under(out, "taken"), "mine", 4);
	is_int(parts_open(spooled, &part, sk, size, out, "taken"),
	    TOCSIN_EDUPLICATE, "a file that is there is not replaced");
	snprintf(target, sizeof(target), "%s", under(scratch(), "outside"));
	if (symlink(target, under(out, "link")) != 0)
		abort();
	ok(parts_open(spooled, &part, sk, size, out, "link") != TOCSIN_OK &&
		access(target, F_OK) != 0,
	    "a link that is there is not followed");
	is_int(parts_open(spooled, &part, sk, size, under(out, "none"), "x"),
	    TOCSIN_ENOTFOUND, "a folder that is not there is not made");
}

/* In the place of the C library's: a file system that has no links. */
static bool no_links;

int
link(const char *from, const char *to)
{
	if (no_links) {
		errno = EPERM;
		return -1;
	}
	return linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}

static void
test_without_links(void)
{
	struct ticket_part part;
	char spooled[768], path[700];
	uint64_t size;
	struct stat st;

	sealed(&part, spooled, &size);
	no_links = true;
	snprintf(path, sizeof(path), "%s", under(out, "on-a-stick"));
	ok(parts_open(spooled, &part, sk, size, out, "on-a-stick") ==
		    TOCSIN_OK &&
		stat(path, &st) == 0 && (uint64_t)st.st_size == size,
	    "a file system without links gets the file all the same");
	is_int(parts_open(spooled, &part, sk, size, out, "on-a-stick"),
	    TOCSIN_EDUPLICATE, "and does not replace one either");
	no_links = false;
}

static void
test_long_path(void)
{
	struct ticket_part part;
	char spooled[768], dir[5000];
	uint64_t size;
	size_t n;

	sealed(&part, spooled, &size);
	n = (size_t)snprintf(dir, sizeof(dir), "%s", out);
	while (n < 4080)
		n += (size_t)snprintf(dir + n, sizeof(dir) - n, "/.");
	is_int(parts_open(spooled, &part, sk, size, dir, "a-name-of-its-own"),
	    TOCSIN_EUSAGE, "a name that is too long is not cut off");
}

static bool
is_wanted(void *hash, const uint8_t asked[32])
{
	return memcmp(hash, asked, 32) == 0;
}

static void
test_sweep(void)
{
	static const char *const names[] = { ".new.abcdef", "1a", "2b", "3c",
		"4d", "somebody's" };
	static const int days[] = { 2, 2, 2, 2, 31, 99 };
	uint8_t wanted[32] = { 0x1a };
	char path[6][800], name[100], box[600];
	const int64_t now = 1800000000;
	size_t i;

	snprintf(box, sizeof(box), "%s", under(scratch(), "swept"));
	if (mkdir(box, 0700) != 0 || mkdir(under(box, "spool"), 0700) != 0)
		abort();
	for (i = 0; i < 6; i++) {
		struct timespec t[2];

		t[0].tv_sec = t[1].tv_sec = now - days[i] * 86400;
		t[0].tv_nsec = t[1].tv_nsec = 0;
		if (i == 0 || i == 5)
			snprintf(name, sizeof(name), "%s", names[i]);
		else
			snprintf(name, sizeof(name), "%.2s%062d%s", names[i], 0,
			    i > 2 ? ".part" : "");
		snprintf(path[i], sizeof(path[i]), "%s/spool/%s", box, name);
		put(path[i], "x", 1);
		if (utimensat(AT_FDCWD, path[i], t, 0) != 0)
			abort();
	}
	parts_sweep(box, now, is_wanted, wanted);
	ok(access(path[0], F_OK) != 0 && access(path[2], F_OK) != 0 &&
		access(path[4], F_OK) != 0,
	    "what crashes left in the spool is removed when it is old");
	ok(access(path[1], F_OK) == 0 && access(path[3], F_OK) == 0 &&
		access(path[5], F_OK) == 0,
	    "but not what is to be sent, or is being fetched, or isn't ours");
}

static void
test_refused(void)
{
	struct ticket_part part;
	uint64_t size;
	char *big = under(scratch(), "big");
	FILE *f;

	is_int(parts_seal(home, under(scratch(), "none"), sk, &part, &size),
	    TOCSIN_ENOTFOUND, "a file that is not there");
	is_int(parts_seal(home, scratch(), sk, &part, &size), TOCSIN_EUSAGE,
	    "a folder");
	is_int(parts_seal(home, "/dev/null", sk, &part, &size), TOCSIN_EUSAGE,
	    "and a device are no attachments");
	f = fopen(big, "wb");
	if (f == NULL || ftruncate(fileno(f), PARTS_FILE_MAX + 1) != 0 ||
	    fclose(f) != 0)
		abort();
	is_int((long long)parts_seal(home, big, sk, &part, &size),
	    TOCSIN_ETOOLARGE, "nor is a file beyond the limit");
	unlink(big);
}

static void
is_name(const char *from, const char *want)
{
	char name[201];

	parts_safe_name(name, from);
	is_str(name, want, "a file named by others becomes %s", want);
}

static void
test_names(void)
{
	char name[201], *all = xmalloc(5000);
	size_t i;

	is_name("report.pdf", "report.pdf");
	is_name("../../etc/passwd", "passwd");
	is_name("/etc/shadow", "shadow");
	is_name("..\\..\\boot.ini", "boot.ini");
	is_name("-rf", "rf");
	is_name(".bashrc", "bashrc");
	is_name("..", "attachment");
	is_name("", "attachment");
	is_name("a/", "attachment");
	is_name("a\nb\033[2J", "a_b_[2J");
	is_name("gpj.\xe2\x80\xae.exe", "gpj.___.exe");
	memset(all, 'x', 4999);
	all[4999] = '\0';
	parts_safe_name(name, all);
	is_int((long long)strlen(name), 200, "and never a long one");
	for (i = 0; i < 10000; i++) {
		size_t n = randombytes_uniform(40), k;

		randombytes_buf(all, n);
		all[n] = '\0';
		parts_safe_name(name, all);
		for (k = 0; name[k] >= 0x20 && name[k] < 0x7f &&
			    name[k] != '/' && name[k] != '\\';
		     k++)
			;
		if (name[k] != '\0' || k == 0 || name[0] == '.' ||
		    name[0] == '-')
			break;
	}
	is_int((long long)i, 10000,
	    "10,000 random names stay in the folder and are seen");
	free(all);
}

int
main(void)
{
	const size_t sizes[] = { 0, 1, 4096, 65535, 65536, 65537, 1000000 };
	size_t i;

	if (sodium_init() < 0)
		return 1;
	begin();
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		round_trip(sizes[i]);
	test_damage();
	test_in_the_way();
	test_without_links();
	test_long_path();
	test_sweep();
	test_refused();
	test_names();
	return tap_done();
}
