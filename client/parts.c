/* SPDX-License-Identifier: ISC */
#include "client/parts.h"

#include "client/keyfile.h"
#include "client/sync.h"
#include "crypto/age.h"
#include "crypto/padding.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum tocsin_err
write_all(int fd, struct span s)
{
	while (s.n > 0) {
		ssize_t n = write(fd, s.p, s.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return file_error(n < 0 ? errno : ENOSPC);
		s = span_cut(s, (size_t)n, s.n);
	}
	return TOCSIN_OK;
}

/* Exactly n bytes, or fewer at the end of the file. */
static enum tocsin_err
read_full(int fd, uint8_t *p, size_t n, size_t *got)
{
	*got = 0;
	while (*got < n) {
		ssize_t r = read(fd, p + *got, n - *got);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return file_error(errno);
		if (r == 0)
			break;
		*got += (size_t)r;
	}
	return TOCSIN_OK;
}

/* ---- sealing ---- */

struct sealing {
	int in, out;
	struct age_sealer age;
	crypto_hash_sha256_state hash;
	uint64_t size;	 /* written */
	uint64_t left;	 /* of the attachment */
	uint64_t padded; /* left of attachment and padding */
	uint8_t chunk[AGE_CHUNK];
};

static enum tocsin_err
emit(struct sealing *s, struct buf *b)
{
	enum tocsin_err err =
	    buf_ok(b) ? write_all(s->out, buf_span(b)) : TOCSIN_EINTERNAL;

	crypto_hash_sha256_update(&s->hash, b->p, b->n);
	s->size += b->n;
	buf_cut(b, 0);
	return err;
}

/* The next chunk of the attachment, then zeros. */
static enum tocsin_err
next_chunk(struct sealing *s, size_t n)
{
	size_t want = s->left < n ? (size_t)s->left : n, got = 0;
	enum tocsin_err err = read_full(s->in, s->chunk, want, &got);

	if (err == TOCSIN_OK && got < want)
		err = TOCSIN_EUNAVAILABLE; /* it shrank while we read */
	memset(s->chunk + got, 0, n - got);
	s->left -= got;
	return err;
}

static enum tocsin_err
seal_all(struct sealing *s, const uint8_t (*recipient)[32])
{
	struct buf b = { 0 };
	enum tocsin_err err = age_sealer_begin(&s->age, &b, recipient, 1);
	bool last = false;

	if (err == TOCSIN_OK)
		err = emit(s, &b);
	while (err == TOCSIN_OK && !last) {
		size_t n =
		    s->padded < AGE_CHUNK ? (size_t)s->padded : AGE_CHUNK;

		err = next_chunk(s, n);
		s->padded -= n;
		last = s->padded == 0;
		if (err == TOCSIN_OK)
			err = age_sealer_chunk(
			    &s->age, &b, (struct span){ s->chunk, n }, last);
		if (err == TOCSIN_OK)
			err = emit(s, &b);
	}
	age_sealer_release(&s->age);
	buf_release(&b);
	if (err == TOCSIN_OK && fsync(s->out) != 0)
		err = file_error(errno);
	return err;
}

static enum tocsin_err
open_input(struct sealing *s, const char *path, uint64_t *size)
{
	struct stat st;

	s->in = open(path, O_RDONLY | O_CLOEXEC);
	if (s->in < 0 || fstat(s->in, &st) != 0)
		return file_error(errno);
	if (!S_ISREG(st.st_mode))
		return TOCSIN_EUSAGE;
	if ((uint64_t)st.st_size > PARTS_FILE_MAX)
		return TOCSIN_ETOOLARGE;
	*size = (uint64_t)st.st_size;
	s->left = *size;
	s->padded = padme(*size, TICKET_PAD_FLOOR);
	return TOCSIN_OK;
}

static enum tocsin_err
sync_folder(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum tocsin_err err = TOCSIN_OK;

	if (fd < 0 || fsync(fd) != 0)
		err = file_error(errno);
	if (fd >= 0)
		close(fd);
	return err;
}

static enum tocsin_err
take_name(const char *home, const char *temp, const uint8_t hash[32])
{
	char path[768], spool[640];

	sync_spool(path, home, hash);
	if (rename(temp, path) != 0)
		return file_error(errno);
	snprintf(spool, sizeof(spool), "%s/spool", home);
	return sync_folder(spool);
}

enum tocsin_err
parts_seal(const char *home, const char *path, const uint8_t recipient[32],
    struct parts_sealed *out)
{
	struct sealing *s = calloc(1, sizeof(*s));
	uint8_t one[1][32];
	char temp[768];
	enum tocsin_err err;

	if (s == NULL)
		return TOCSIN_EINTERNAL;
	s->out = -1;
	snprintf(temp, sizeof(temp), "%s/spool", home);
	if (mkdir(temp, 0700) != 0 && errno != EEXIST) {
		free(s);
		return file_error(errno);
	}
	snprintf(temp, sizeof(temp), "%s/spool/.new.XXXXXX", home);
	memcpy(one[0], recipient, 32);
	crypto_hash_sha256_init(&s->hash);
	err = open_input(s, path, &out->plain_size);
	if (err == TOCSIN_OK && (s->out = mkostemp(temp, O_CLOEXEC)) < 0)
		err = file_error(errno);
	if (err == TOCSIN_OK)
		err = seal_all(s, (const uint8_t(*)[32])one);
	if (err == TOCSIN_OK) {
		crypto_hash_sha256_final(&s->hash, out->hash);
		out->size = s->size;
		err = take_name(home, temp, out->hash);
	}
	if (s->in >= 0)
		close(s->in);
	if (s->out >= 0)
		close(s->out);
	if (err != TOCSIN_OK && s->out >= 0)
		unlink(temp);
	sodium_memzero(s, sizeof(*s));
	free(s);
	return err;
}

/* ---- opening ---- */

struct opening {
	int in, out;
	struct age_opener age;
	uint64_t left; /* sealed bytes not yet read */
	uint64_t size; /* of the attachment, not yet written */
	uint64_t padding;
	struct buf plain;
	uint8_t sealed[AGE_CHUNK + AGE_OVERHEAD];
};

static enum tocsin_err
open_header(struct opening *o, const uint8_t sk[32])
{
	static const struct age_rules rules = { 0, 1 };
	uint8_t start[AGE_HEADER_MAX > 4096 ? 4096 : AGE_HEADER_MAX];
	size_t got = 0, n = 0;
	enum tocsin_err err = read_full(o->in, start, sizeof(start), &got);

	if (err == TOCSIN_OK)
		err = age_header_size((struct span){ start, got }, &n);
	if (err == TOCSIN_OK && (n == 0 || n > got))
		err = TOCSIN_EMALFORMED;
	if (err == TOCSIN_OK)
		err = age_opener_begin(
		    &o->age, (struct span){ start, n }, sk, &rules);
	if (err == TOCSIN_OK && lseek(o->in, (off_t)n, SEEK_SET) < 0)
		err = file_error(errno);
	o->left -= err == TOCSIN_OK ? n : 0;
	return err;
}

/* Bytes of the attachment are written, padding must be zeros. */
static enum tocsin_err
write_plain(struct opening *o)
{
	size_t n = o->size < o->plain.n ? (size_t)o->size : o->plain.n, i;

	for (i = n; i < o->plain.n; i++)
		if (o->plain.p[i] != 0)
			return TOCSIN_EMALFORMED;
	o->size -= n;
	return write_all(o->out, span_cut(buf_span(&o->plain), 0, n));
}

static enum tocsin_err
open_chunks(struct opening *o)
{
	enum tocsin_err err = TOCSIN_OK;

	while (err == TOCSIN_OK && !age_opener_done(&o->age)) {
		size_t n = o->left < sizeof(o->sealed) ? (size_t)o->left
						       : sizeof(o->sealed);
		size_t got = 0;

		err = read_full(o->in, o->sealed, n, &got);
		o->left -= got;
		buf_cut(&o->plain, 0);
		if (err == TOCSIN_OK)
			err = age_opener_chunk(&o->age, &o->plain,
			    (struct span){ o->sealed, got }, o->left == 0);
		if (err == TOCSIN_OK)
			err = write_plain(o);
	}
	if (err == TOCSIN_OK && o->size > 0)
		err = TOCSIN_EBODYMISMATCH;
	if (err == TOCSIN_OK && fsync(o->out) != 0)
		err = file_error(errno);
	return err;
}

static enum tocsin_err
open_sealed(struct opening *o, const char *from, uint64_t plain_size)
{
	uint64_t want = age_sealed_size(padme(plain_size, TICKET_PAD_FLOOR), 1);
	struct stat st;

	o->in = open(from, O_RDONLY | O_CLOEXEC);
	if (o->in < 0 || fstat(o->in, &st) != 0)
		return file_error(errno);
	if ((uint64_t)st.st_size != want)
		return TOCSIN_EBODYMISMATCH;
	o->left = want;
	o->size = plain_size;
	return TOCSIN_OK;
}

enum tocsin_err
parts_open(const char *from, const uint8_t sk[32], uint64_t plain_size,
    const char *dir, const char *name)
{
	struct opening *o = calloc(1, sizeof(*o));
	char temp[1024], path[1024];
	enum tocsin_err err;

	if (o == NULL)
		return TOCSIN_EINTERNAL;
	o->out = -1;
	snprintf(temp, sizeof(temp), "%s/.tocsin.XXXXXX", dir);
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	err = open_sealed(o, from, plain_size);
	if (err == TOCSIN_OK && (o->out = mkostemp(temp, O_CLOEXEC)) < 0)
		err = file_error(errno);
	if (err == TOCSIN_OK)
		err = open_header(o, sk);
	if (err == TOCSIN_OK)
		err = open_chunks(o);
	/* link() does not replace, and does not follow a link at the name. */
	if (err == TOCSIN_OK && link(temp, path) != 0)
		err = file_error(errno);
	if (o->out >= 0) {
		unlink(temp);
		close(o->out);
	}
	if (o->in >= 0)
		close(o->in);
	if (err == TOCSIN_OK)
		err = sync_folder(dir);
	age_opener_release(&o->age);
	buf_release(&o->plain);
	sodium_memzero(o, sizeof(*o));
	free(o);
	return err;
}

void
parts_safe_name(char out[201], const char *name)
{
	const char *slash = strrchr(name, '/');
	size_t n = 0;

	if (slash != NULL)
		name = slash + 1;
	slash = strrchr(name, '\\');
	if (slash != NULL)
		name = slash + 1;
	while (*name == '.' || *name == '-' || *name == ' ')
		name++;
	for (; *name != '\0' && n < 200; name++) {
		unsigned char c = (unsigned char)*name;

		/* Beyond ASCII a name may hide its true extension. */
		out[n++] = c < 0x20 || c >= 0x7f ? '_' : (char)c;
	}
	out[n] = '\0';
	if (n == 0)
		memcpy(out, "attachment", sizeof("attachment"));
}
