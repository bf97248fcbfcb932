/* SPDX-License-Identifier: ISC */
#include "tests/lib/home.h"

#include "client/intake.h"

#include "tests/lib/tap.h"

#include <dirent.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MUST(x)                                                          \
	do {                                                             \
		if (!(x)) {                                              \
			diag("home: %s:%d: %s", __FILE__, __LINE__, #x); \
			abort();                                         \
		}                                                        \
	} while (0)

/* ---- the files ---- */

static void
add_key(struct buf *b, const char *word, const uint8_t *key)
{
	buf_addf(b, "%s ", word);
	buf_base64(b, (struct span){ key, 32 });
	buf_addz(b, "\n");
}

static void
write_config(const char *dir, const char *device, const char *url)
{
	struct span member = device_member(span_of(device));
	struct span label = device_label(span_of(device));
	const char *role = span_is(label, "screen")	 ? "reader"
			   : span_is(label, "escalator") ? "bot"
							 : "officer";
	struct buf b = { 0 };
	char path[640];

	buf_addf(&b,
	    "tocsin-home/v1\nfederation %s\nmember %.*s\ndevice %.*s %s\n"
	    "broker %s\n",
	    FX_FEDERATION, (int)member.n, (const char *)member.p, (int)label.n,
	    (const char *)label.p, role, url);
	keystore_path(path, dir, "config");
	MUST(file_write(path, buf_span(&b), false) == TOCSIN_OK);
	buf_release(&b);
}

static void
write_device(const char *dir, const char *device)
{
	struct buf b = { 0 };
	uint8_t sign[64], noise[32];
	char path[640];

	fixture_sign_key(sign, device);
	fixture_noise_key(noise, device);
	buf_addf(&b, "tocsin-device-key/v1\ndevice %s\n", device);
	add_key(&b, "sign", sign);
	add_key(&b, "noise", noise);
	keystore_path(path, dir, "keys/device.key");
	MUST(keyfile_write(path, buf_span(&b), NULL, false) == TOCSIN_OK);
	buf_release(&b);
}

static void
write_epoch(const char *dir, const char *device)
{
	struct span m = device_member(span_of(device));
	char member[MEMBER_MAX + 1], line[AGE_IDENTITY_TEXT + 1], path[640];
	struct buf b = { 0 };
	uint8_t sk[32];

	snprintf(member, sizeof(member), "%.*s", (int)m.n, (const char *)m.p);
	fixture_age_key(sk, member, FX_EPOCH);
	age_identity_print(line, sk);
	buf_addf(&b, "# epoch %s\n%s\n", FX_EPOCH, line);
	keystore_path(path, dir, "keys/recipient.txt");
	MUST(keyfile_write(path, buf_span(&b), NULL, false) == TOCSIN_OK);
	buf_release(&b);
}

void
home_make_bare(char dir[512], const char *device, const char *url)
{
	char path[640];

	snprintf(dir, 512, "%s/home.XXXXXX", scratch());
	MUST(mkdtemp(dir) != NULL);
	keystore_path(path, dir, "keys");
	MUST(mkdir(path, 0700) == 0);
	write_config(dir, device, url);
	write_device(dir, device);
	write_epoch(dir, device);
}

/* ---- the parts ---- */

void
home_open(struct home *h, const char *dir)
{
	char path[640];

	memset(h, 0, sizeof(*h));
	keystore_path(path, dir, "desk");
	MUST(keystore_open(dir, NULL, &h->keys) == TOCSIN_OK);
	MUST(desk_open(&h->desk, path) == TOCSIN_OK);
	pthread_mutex_init(&h->lock, NULL);
	h->parts = (struct sync_parts){ .desk = h->desk,
		.keys = h->keys,
		.belief = &h->belief,
		.lock = &h->lock };
}

void
home_close(struct home *h)
{
	belief_release(&h->belief);
	keystore_close(h->keys);
	desk_close(h->desk);
	pthread_mutex_destroy(&h->lock);
}

static void
take(struct home *h, const struct fixture *f, struct span note, bool roster)
{
	struct desk_tx *tx;
	enum tocsin_err err;

	pthread_mutex_lock(&h->lock);
	MUST(desk_write(h->desk, &tx) == TOCSIN_OK);
	MUST(belief_load(&h->belief, tx) == TOCSIN_OK);
	err = roster ? belief_take_roster(&h->belief, tx, note,
			   h->belief.roster == NULL, f->now)
		     : belief_take_keys(&h->belief, tx, note, f->now);
	MUST(err == TOCSIN_OK);
	MUST(desk_commit(tx) == TOCSIN_OK);
	pthread_mutex_unlock(&h->lock);
}

void
home_take_roster(struct home *h, const struct fixture *f)
{
	take(h, f, buf_span(&f->file), true);
}

void
home_take_keys(struct home *h, const struct fixture *f, size_t i)
{
	take(h, f, buf_span(&f->keys_file[i]), false);
}

void
home_make(
    char dir[512], const struct fixture *f, const char *device, const char *url)
{
	struct home h;
	size_t i;

	home_make_bare(dir, device, url);
	home_open(&h, dir);
	home_take_roster(&h, f);
	for (i = 0; i < f->n; i++)
		home_take_keys(&h, f, i);
	home_close(&h);
}

void
home_give(struct sync_parts *to, const struct fixture *f, uint64_t *cursor,
    uint8_t kind, struct span note, struct span body)
{
	struct msg_entries *m = calloc(1, sizeof(*m));
	struct intake in = { .parts = to, .now = f->now };
	uint64_t at = (*cursor)++;

	if (m == NULL)
		abort();
	m->n = 1;
	m->entry[0] = (struct msg_entry){ .seq = *cursor,
		.time = f->now,
		.kind = kind,
		.note = note,
		.body = body };
	if (intake_entries(&in, m, &at) != TOCSIN_OK)
		abort();
	free(m);
}

size_t
home_files(const char *dir, const char *folder)
{
	struct dirent *e;
	char path[640];
	size_t n = 0;
	DIR *d;

	keystore_path(path, dir, folder);
	d = opendir(path);
	while (d != NULL && (e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			n++;
	if (d != NULL)
		closedir(d);
	return n;
}
