/* SPDX-License-Identifier: ISC */
#include "broker/identity.h"
#include "broker/file.h"
#include "broker/setup.h"
#include "tests/lib/tap.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char keys[256], why[IDENTITY_WHY];

static const char *
in_keys(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", keys, name);
	return path;
}

static enum tocsin_err
open_as(const char *name)
{
	struct identity id = { 0 };
	enum tocsin_err err = identity_open(&id, keys, name, why);

	identity_release(&id);
	return err;
}

static mode_t
mode_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? st.st_mode & 07777 : 0;
}

static void
rewrite(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	if (!f || fputs(text, f) < 0 || fclose(f) != 0)
		exit(1);
}

static void
test_made(void)
{
	struct identity a = { 0 }, b = { 0 };
	struct roster_broker card = { 0 };
	static struct setup setup;
	uint8_t sig[64];

	is_int(identity_create(keys, "my", why), TOCSIN_OK, "keys are made");
	is_int(mode_of(keys), 0700, "in a folder of one's own");
	is_int(mode_of(in_keys("sign.key")), 0600, "readable to nobody else");
	is_int(mode_of(in_keys("noise.key")), 0600, "none of them");
	is_int(identity_open(&a, keys, "my", why), TOCSIN_OK, "and read");
	is_int(identity_open(&b, keys, "my", why), TOCSIN_OK, "twice");
	ok(memcmp(a.noise_pk, b.noise_pk, 32) == 0 &&
		vkey_eq(&a.log_key, &b.log_key) &&
		vkey_eq(&a.sign_key, &b.sign_key),
	    "with the same result");
	is_str(a.log_key.name, "my/log", "a key has its role in its name");
	ok(memcmp(a.log_key.pk, a.sign_key.pk, 32) != 0,
	    "each role has a key of its own");

	crypto_sign_detached(
	    sig, NULL, (const uint8_t *)"x", 1, secret_bytes(a.sign));
	is_int(crypto_sign_verify_detached(
		   sig, (const uint8_t *)"x", 1, a.sign_key.pk),
	    0, "the secret is the one of the public key");

	setup_keys(&setup, &a);
	ok(setup.broker.noise_sk == secret_bytes(a.noise) &&
		setup.broker.sign_sk == secret_bytes(a.sign) &&
		setup.broker.log_sk == secret_bytes(a.log),
	    "a broker has it from there, and no copy elsewhere");

	identity_broker(&card, &a);
	ok(identity_is(&a, &card), "it knows its own line");
	card.log = card.sign;
	ok(!identity_is(&a, &card), "and one that is not");
	identity_release(&a);
	identity_release(&a);
	identity_release(&b);
}

static void
test_kept(void)
{
	struct buf before = { 0 }, after = { 0 };

	if (file_read(in_keys("log.key"), 1000, &before))
		exit(1);
	is_int(identity_create(keys, "my", why), TOCSIN_EDUPLICATE,
	    "what is there is not made again");
	if (file_read(in_keys("log.key"), 1000, &after))
		exit(1);
	ok(span_eq(buf_span(&before), buf_span(&after)), "and stays");
	buf_release(&before);
	buf_release(&after);
}

static void
test_refused(void)
{
	char saved[600];

	is_int(open_as("sg"), TOCSIN_EMALFORMED, "another broker's keys");

	chmod(in_keys("log.key"), 0640);
	is_int(open_as("my"), TOCSIN_EPERMISSIONS, "a key that others read");
	ok(strstr(why, "log.key") != NULL, "is named");
	chmod(in_keys("log.key"), 0600);
	if (geteuid() == 0 && chown(in_keys("log.key"), 65534, 65534) == 0) {
		is_int(open_as("my"), TOCSIN_EPERMISSIONS,
		    "a key that is another's");
		if (chown(in_keys("log.key"), 0, 0) != 0)
			exit(1);
	} else {
		skip("only root can give a file away");
	}

	snprintf(saved, sizeof(saved), "%s", in_keys("saved"));
	rename(in_keys("log.key"), saved);
	is_int(open_as("my"), TOCSIN_ENOTFOUND, "a key that is not there");
	if (symlink(saved, in_keys("log.key")) != 0)
		exit(1);
	is_int(open_as("my"), TOCSIN_EPERMISSIONS, "a link is not followed");
	unlink(in_keys("log.key"));
	if (mkfifo(in_keys("log.key"), 0600) != 0)
		exit(1);
	is_int(open_as("my"), TOCSIN_EPERMISSIONS, "a pipe is not waited for");
	unlink(in_keys("log.key"));

	rewrite(in_keys("log.key"),
	    "tocsin-broker-key/v1\nname my/log\nkey AAAA\n");
	chmod(in_keys("log.key"), 0600);
	is_int(open_as("my"), TOCSIN_EMALFORMED, "a key that is too short");
	rename(in_keys("sign.key"), in_keys("log.key"));
	is_int(open_as("my"), TOCSIN_EMALFORMED, "a key of another role");
	rename(in_keys("log.key"), in_keys("sign.key"));
	rename(saved, in_keys("log.key"));
	is_int(open_as("my"), TOCSIN_OK, "all is well again");
}

/* Cut anywhere, a key file is refused, and nothing of it is used. */
static void
test_truncated(void)
{
	struct buf whole = { 0 };
	size_t n, bad = 0;

	if (file_read(in_keys("noise.key"), 1000, &whole))
		exit(1);
	for (n = 0; n < whole.n; n++) {
		if (truncate(in_keys("noise.key"), (off_t)n) != 0)
			exit(1);
		bad += open_as("my") != TOCSIN_EMALFORMED;
		buf_u8(&whole, 0);
		buf_cut(&whole, whole.n - 1);
		rewrite(in_keys("noise.key"), (const char *)whole.p);
	}
	is_int((long long)bad, 0, "no proper prefix of a key file is a key");
	buf_release(&whole);
}

static void
test_folders(void)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/new", scratch());
	is_int(folder_private(path), TOCSIN_OK, "a folder is made");
	is_int(folder_private(path), TOCSIN_OK, "or is there");
	chmod(path, 0755);
	is_int(folder_private(path), TOCSIN_EPERMISSIONS,
	    "one that others may enter is not taken");
	snprintf(path, sizeof(path), "%s/none/new", scratch());
	is_int(folder_private(path), TOCSIN_ENOTFOUND, "nor made in nowhere");
}

int
main(void)
{
	if (sodium_init() < 0)
		return 1;
	snprintf(keys, sizeof(keys), "%s/keys", scratch());
	test_made();
	test_kept();
	test_refused();
	test_truncated();
	test_folders();
	return tap_done();
}
