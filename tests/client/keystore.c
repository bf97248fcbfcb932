/* SPDX-License-Identifier: ISC */
#include "client/keystore.h"
#include "client/keyfile.h"
#include "tests/lib/tap.h"

#include <grp.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static const struct keystore_new plain = { .federation = "asean.example",
	.member = "mycert@my",
	.label = "night",
	.role = KEYS_OFFICER,
	.broker = "tcp://127.0.0.1:7411" };

static const char *
home(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", scratch(), name);
	return path;
}

static const char *
file(const char *name, const char *inside)
{
	static char path[700];

	snprintf(path, sizeof(path), "%s/%s", home(name), inside);
	return path;
}

static void
test_new(void)
{
	struct keystore *k = NULL, *again = NULL;
	struct keys_device a, b;
	struct stat st;

	if (!ok(keystore_create(home("a/deep/er"), &plain, &k) == TOCSIN_OK,
		"a home is made, with the folders above it"))
		return;
	is_str(k->device, "mycert@my/night", "its device has its whole name");
	ok(stat(file("a/deep/er", "keys/device.key"), &st) == 0 &&
		(st.st_mode & 0777) == 0600,
	    "the device's key is nobody else's to read");
	ok(stat(file("a/deep/er", "keys/root.key"), &st) == 0 &&
		(st.st_mode & 0777) == 0600,
	    "nor is the root key");
	ok(stat(file("a/deep/er", "keys"), &st) == 0 &&
		(st.st_mode & 0777) == 0700,
	    "nor is their folder");
	is_int(keystore_create(home("a/deep/er"), &plain, &again),
	    TOCSIN_EDUPLICATE, "a home is not made over another");
	ok(keystore_open(home("a/deep/er"), NULL, &again) == TOCSIN_OK &&
		keystore_device(k, &a) == TOCSIN_OK &&
		keystore_device(again, &b) == TOCSIN_OK &&
		vkey_eq(&a.sign, &b.sign) && memcmp(a.noise, b.noise, 32) == 0,
	    "what is opened later has the same keys");
	keystore_close(again);
	keystore_close(k);
}

/* As after a full disk or a power cut in the middle of `init`. */
static void
test_unfinished(void)
{
	struct keystore_new other = plain;
	struct keystore *k = NULL;
	struct keys_device a, b;

	if (keystore_create(home("half"), &plain, &k) != TOCSIN_OK ||
	    keystore_device(k, &a) != TOCSIN_OK ||
	    unlink(file("half", "config")) != 0 ||
	    unlink(file("half", "keys/root.key")) != 0)
		abort();
	keystore_close(k);
	k = NULL;
	other.label = "day";
	is_int(keystore_create(home("half"), &other, &k), TOCSIN_EDUPLICATE,
	    "a home that another device began is not taken over");
	ok(keystore_create(home("half"), &plain, &k) == TOCSIN_OK &&
		keystore_device(k, &b) == TOCSIN_OK &&
		vkey_eq(&a.sign, &b.sign) &&
		access(file("half", "keys/root.key"), F_OK) == 0,
	    "one that was begun is finished, with the key that it has");
	keystore_close(k);
	k = NULL;
	if (unlink(file("half", "config")) != 0)
		abort();
	ok(keystore_create(home("half"), &plain, &k) == TOCSIN_OK,
	    "also if only the last file was missing");
	keystore_close(k);
}

static void
test_epochs(void)
{
	struct keystore *k = NULL;
	uint8_t first[32];
	char name[16];
	int i, made = 0;

	if (keystore_create(home("epochs"), &plain, &k) != TOCSIN_OK)
		abort();
	ok(keystore_epoch(k, span_of("2026-11")) == NULL,
	    "an epoch that was not made is not there");
	is_int(
	    keystore_make_epoch(k, "2026-11", NULL), TOCSIN_OK, "one is made");
	memcpy(first, keystore_epoch(k, span_of("2026-11")), 32);
	is_int(keystore_make_epoch(k, "2026-11", NULL), TOCSIN_OK,
	    "once more changes nothing");
	is_int(keystore_make_epoch(k, "not a token", NULL), TOCSIN_EUSAGE,
	    "an epoch has a name that can be written");
	keystore_close(k);
	k = NULL;
	ok(keystore_open(home("epochs"), NULL, &k) == TOCSIN_OK &&
		k->nepoch == 1 &&
		memcmp(keystore_epoch(k, span_of("2026-11")), first, 32) == 0,
	    "and it is there later");
	for (i = 0; i < KEYSTORE_EPOCHS; i++) {
		snprintf(name, sizeof(name), "e-%d", i);
		made += keystore_make_epoch(k, name, NULL) == TOCSIN_OK;
	}
	is_int(
	    made, KEYSTORE_EPOCHS - 1, "there is room for %d", KEYSTORE_EPOCHS);
	is_int(keystore_make_epoch(k, "one-more", NULL), TOCSIN_ETOOLARGE,
	    "and for no more");
	keystore_close(k);
	k = NULL;
	ok(keystore_open(home("epochs"), NULL, &k) == TOCSIN_OK &&
		k->nepoch == KEYSTORE_EPOCHS,
	    "a full file can be read");
	keystore_close(k);
}

/* An exercise has identities of its own, which its homes are handed. */
static void
test_exercise(void)
{
	struct keystore_new playing = plain;
	struct keystore *k = NULL, *live = NULL, *x = NULL;
	struct keys_device d;
	uint8_t made[32];
	char to[700];

	playing.exercise = "Tabletop.2026";
	playing.join = true;
	if (keystore_create(home("live"), &plain, &live) != TOCSIN_OK ||
	    keystore_make_epoch(live, "2026-11", NULL) != TOCSIN_OK)
		abort();
	ok(keystore_create(home("drill"), &playing, &k) == TOCSIN_OK &&
		strcmp(k->exercise, "Tabletop.2026") == 0 &&
		keystore_device(k, &d) == TOCSIN_OK &&
		strcmp(d.exercise, "Tabletop.2026") == 0,
	    "a home is of an exercise, and so is its device");
	is_str(live->exercise, "", "another one is live");
	keystore_close(k);
	ok(keystore_exercise(live, "Tabletop.2026", NULL, &x) == TOCSIN_OK &&
		keystore_epoch(x, span_of("2026-11")) == NULL &&
		keystore_make_epoch(x, "2026-11", NULL) == TOCSIN_OK &&
		memcmp(keystore_epoch(x, span_of("2026-11")),
		    keystore_epoch(live, span_of("2026-11")), 32) != 0,
	    "the keys of the exercise are none of the live ones");
	memcpy(made, keystore_epoch(x, span_of("2026-11")), 32);
	keystore_close(x);
	is_int(keystore_exercise(live, "a/b", NULL, &x), TOCSIN_EUSAGE,
	    "a name with a slash is none of an exercise");
	keystore_close(live);
	if (rename(file("live", "keys/exercise-Tabletop.2026.txt"),
		strcat(strcpy(to, home("drill")), "/keys/recipient.txt")) != 0)
		abort();
	ok(keystore_open(home("drill"), NULL, &k) == TOCSIN_OK &&
		k->nepoch == 1 &&
		memcmp(keystore_epoch(k, span_of("2026-11")), made, 32) == 0,
	    "the file is its recipient.txt");
	keystore_close(k);
	playing.exercise = "two words";
	is_int(keystore_create(home("none"), &playing, &k), TOCSIN_EUSAGE,
	    "a name with a space is none either");
}

static void
test_join(void)
{
	struct keystore_new joining = plain;
	struct keystore *k = NULL;
	struct secret *sk = NULL;
	struct vkey root;

	joining.join = true;
	joining.label = "day";
	if (keystore_create(home("join"), &joining, &k) != TOCSIN_OK)
		abort();
	is_int(keystore_root(k, NULL, NULL, &sk, &root), TOCSIN_ENOTFOUND,
	    "a further device has no root key");
	is_int(
	    keystore_root(k, file("epochs", "keys/root.key"), NULL, &sk, &root),
	    TOCSIN_OK, "but can be shown the member's");
	secret_free(sk);
	keystore_close(k);
}

static void
test_other_member(void)
{
	struct keystore_new other = plain;
	struct keystore *k = NULL;
	struct secret *sk = NULL;
	struct vkey root;

	other.member = "singcert@sg";
	if (keystore_create(home("other"), &other, &k) != TOCSIN_OK)
		abort();
	is_int(
	    keystore_root(k, file("epochs", "keys/root.key"), NULL, &sk, &root),
	    TOCSIN_ENOTENROLLED, "another member's root key is refused");
	is_int(keystore_root(
		   k, file("epochs", "keys/device.key"), NULL, &sk, &root),
	    TOCSIN_EMALFORMED, "and what is no root key");
	keystore_close(k);
}

static void
test_permissions(void)
{
	struct keystore *k = NULL;
	char path[700], moved[720];

	if (keystore_create(home("open"), &plain, &k) != TOCSIN_OK)
		abort();
	keystore_close(k);
	k = NULL;
	snprintf(path, sizeof(path), "%s", file("open", "keys/device.key"));
	chmod(path, 0640);
	is_int(keystore_open(home("open"), NULL, &k), TOCSIN_EPERMISSIONS,
	    "a key that its group can read is not used");
	chmod(path, 0600);
	snprintf(moved, sizeof(moved), "%s.moved", path);
	if (rename(path, moved) != 0 || symlink(moved, path) != 0)
		abort();
	is_int(keystore_open(home("open"), NULL, &k), TOCSIN_EPERMISSIONS,
	    "nor is one behind a link");
	unlink(path);
	is_int(keystore_open(home("open"), NULL, &k), TOCSIN_ENOTFOUND,
	    "nor one that is not there");
}

#define NOBODY 65534

/* As root: mode 0440 of root's, and a list that lets one user read it. */
static bool
give(const char *path)
{
	static const uint8_t list[] = {
		2, 0, 0, 0,			 /* version */
		1, 0, 4, 0, 255, 255, 255, 255,	 /* the owner: read */
		2, 0, 4, 0, 0xfe, 0xff, 0, 0,	 /* NOBODY: read */
		4, 0, 0, 0, 255, 255, 255, 255,	 /* the group: nothing */
		16, 0, 4, 0, 255, 255, 255, 255, /* mask: read */
		32, 0, 0, 0, 255, 255, 255, 255, /* others: nothing */
	};
	struct stat st;

	return setxattr(path, "system.posix_acl_access", list, sizeof(list),
		   0) == 0 &&
	       stat(path, &st) == 0 && (st.st_mode & 0777) == 0440;
}

/* What NOBODY is told when it reads the file. */
static enum tocsin_err
read_as_nobody(const char *path)
{
	struct buf b = { 0 };
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		if (setgroups(0, NULL) != 0 || setgid(NOBODY) != 0 ||
		    setuid(NOBODY) != 0)
			_exit(255);
		_exit((int)keyfile_read(path, NULL, &b));
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		abort();
	return (enum tocsin_err)WEXITSTATUS(status);
}

static void
test_credential(void)
{
	char folder[] = "/tmp/tocsin.credential.XXXXXX", path[64];
	FILE *f;

	if (geteuid() != 0) {
		skip("only root can give a file to another user");
		return;
	}
	if (mkdtemp(folder) == NULL || chmod(folder, 0755) != 0)
		abort();
	snprintf(path, sizeof(path), "%s/tocsin.passphrase", folder);
	if ((f = fopen(path, "w")) == NULL)
		abort();
	fputs("correct horse\n", f);
	fclose(f);
	if (give(path)) {
		is_int(read_as_nobody(path), TOCSIN_OK,
		    "a credential that root gave us by an access list is used");
		chmod(path, 0460);
		is_int(read_as_nobody(path), TOCSIN_EPERMISSIONS,
		    "not if it can be written to");
		chmod(path, 0444);
		is_int(read_as_nobody(path), TOCSIN_EPERMISSIONS,
		    "nor if everybody can read it");
		if (chmod(path, 0440) != 0 || chown(path, 0, 100) != 0)
			abort();
		is_int(read_as_nobody(path), TOCSIN_EPERMISSIONS,
		    "nor if a group other than root's can");
	} else {
		skip("no access lists in /tmp");
	}
	unlink(path);
	rmdir(folder);
}

static void
test_damaged(void)
{
	struct keystore *k = NULL;
	char path[700];
	uint8_t *bytes;
	size_t n, cut, opened = 0;
	FILE *f;

	if (keystore_create(home("cut"), &plain, &k) != TOCSIN_OK)
		abort();
	keystore_close(k);
	snprintf(path, sizeof(path), "%s", file("cut", "keys/device.key"));
	bytes = slurp(path, &n);
	for (cut = 0; cut < n; cut++) {
		f = fopen(path, "wb");
		if (f == NULL || fwrite(bytes, 1, cut, f) != cut ||
		    fclose(f) != 0)
			abort();
		k = NULL;
		if (keystore_open(home("cut"), NULL, &k) == TOCSIN_OK) {
			opened++;
			keystore_close(k);
		}
	}
	is_int((long long)opened, 0, "no beginning of a key file is one");
	free(bytes);
}

static void
test_names(void)
{
	struct keystore_new bad = plain;
	struct keystore *k = NULL;

	bad.member = "../my@my";
	is_int(keystore_create(home("bad"), &bad, &k), TOCSIN_EUSAGE,
	    "a member has a name of the protocol");
	bad = plain;
	bad.broker = "tcp://host with spaces:1";
	is_int(keystore_create(home("bad"), &bad, &k), TOCSIN_EUSAGE,
	    "and a broker a URL");
	ok(access(home("bad"), F_OK) != 0, "else nothing is made");
}

/* One file, because each try takes scrypt a second. */
static void
test_passphrase(void)
{
	struct secret *sk = NULL;
	struct vkey made, opened;
	char path[512];

	snprintf(path, sizeof(path), "%s", home("authority.key"));
	is_int(authority_create(path, "auth-a", "correct horse", &made),
	    TOCSIN_OK, "an authority's key is made under a passphrase");
	ok(keyfile_locked(path), "and is locked");
	is_int(authority_open(path, NULL, &sk, &opened), TOCSIN_EPASSPHRASE,
	    "without it there is no key");
	is_int(authority_open(path, "wrong horse", &sk, &opened),
	    TOCSIN_EPASSPHRASE, "nor with a wrong one");
	ok(authority_open(path, "correct horse", &sk, &opened) == TOCSIN_OK &&
		vkey_eq(&made, &opened),
	    "with it there is");
	secret_free(sk);
}

static void
test_config(void)
{
	struct keystore k;

	ok(keystore_config(home("epochs"), &k) == TOCSIN_OK &&
		strcmp(k.federation, "asean.example") == 0 &&
		strcmp(k.device, "mycert@my/night") == 0 && k.sign == NULL,
	    "what is not secret can be read by itself");
	is_int(keystore_config(home("none"), &k), TOCSIN_ENOTFOUND,
	    "where there is a home");
}

int
main(void)
{
	if (sodium_init() < 0)
		return 1;
	umask(0); /* modes are ours to set, not the shell's */
	test_new();
	test_unfinished();
	test_epochs();
	test_exercise();
	test_join();
	test_other_member();
	test_permissions();
	test_credential();
	test_damaged();
	test_names();
	test_config();
	test_passphrase();
	return tap_done();
}
