/* SPDX-License-Identifier: ISC */
#include "crypto/tar.h"

#include <stdio.h>
#include <string.h>

#define SIZE_MAX_OCTAL (((uint64_t)1 << 33) - 1) /* eleven octal digits */

/* The layout of POSIX.1 ustar; every field is text. */
struct ustar {
	char name[100];
	char mode[8];
	char uid[8];
	char gid[8];
	char size[12];
	char mtime[12];
	char chksum[8];
	char typeflag;
	char linkname[100];
	char magic[6];
	char version[2];
	char uname[32];
	char gname[32];
	char devmajor[8];
	char devminor[8];
	char prefix[155];
	char filling[12];
};
_Static_assert(sizeof(struct ustar) == TAR_BLOCK, "a header is one block");

static bool
name_byte(uint8_t c, bool first)
{
	if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
		return true;
	return !first && (c == '.' || c == '_' || c == '-');
}

static bool
good_name(struct span name)
{
	size_t i;

	if (name.n == 0 || name.n > TAR_NAME_MAX)
		return false;
	for (i = 0; i < name.n; i++)
		if (!name_byte(name.p[i], i == 0))
			return false;
	return true;
}

/* The one header that a file of this name and size has. */
static void
make_header(struct ustar *h, struct span name, uint64_t size)
{
	const uint8_t *p = (const uint8_t *)h;
	unsigned sum = 0;
	size_t i;

	*h = (struct ustar){ .mode = "0000600",
		.uid = "0000000",
		.gid = "0000000",
		.mtime = "00000000000",
		.chksum = { ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ' },
		.typeflag = '0',
		.magic = "ustar",
		.version = { '0', '0' },
		.devmajor = "0000000",
		.devminor = "0000000" };
	memcpy(h->name, name.p, name.n);
	for (i = 11; i-- > 0; size >>= 3)
		h->size[i] = (char)('0' + (size & 7));
	for (i = 0; i < sizeof(*h); i++)
		sum += p[i];
	for (i = 6; i-- > 0; sum >>= 3)
		h->chksum[i] = (char)('0' + (sum & 7));
	h->chksum[6] = '\0';
}

static void
add_zeros(struct buf *out, size_t n)
{
	uint8_t *at = buf_grow(out, n);

	if (at != NULL && n > 0)
		memset(at, 0, n);
}

static size_t
filling(uint64_t n)
{
	return (size_t)(-n % TAR_BLOCK);
}

void
tar_add(struct buf *out, const char *name, struct span content)
{
	struct span s = span_of(name);
	struct ustar h;

	if (!good_name(s) || content.n > SIZE_MAX_OCTAL) {
		out->failed = true;
		return;
	}
	make_header(&h, s, content.n);
	buf_add(out, (struct span){ (const uint8_t *)&h, sizeof(h) });
	buf_add(out, content);
	add_zeros(out, filling(content.n));
}

void
tar_end(struct buf *out, size_t padded_size)
{
	if (padded_size % TAR_BLOCK != 0 || padded_size < TAR_END ||
	    padded_size - TAR_END < out->n) {
		out->failed = true;
		return;
	}
	add_zeros(out, padded_size - out->n);
}

struct tar
tar_init(struct span archive)
{
	return (struct tar){ archive };
}

static bool
all_zero(struct span s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (s.p[i] != 0)
			return false;
	return true;
}

/* Octal digits and a NUL; anything else gives a size that does not compare. */
static uint64_t
read_size(const struct ustar *h)
{
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < 11; i++)
		n = n << 3 | (h->size[i] & 7);
	return n;
}

static bool
read_entry(struct rd *r, struct span *name, struct span *content)
{
	struct span block = rd_span(r, TAR_BLOCK);
	struct ustar h, want;
	uint64_t size;

	if (r->bad)
		return false;
	memcpy(&h, block.p, sizeof(h));
	*name = (struct span){ block.p, strnlen(h.name, sizeof(h.name)) };
	if (!good_name(*name))
		return false;
	size = read_size(&h);
	make_header(&want, *name, size);
	if (memcmp(&h, &want, sizeof(h)) != 0 || size > SIZE_MAX)
		return false;
	*content = rd_span(r, (size_t)size);
	return all_zero(rd_span(r, filling(size))) && !r->bad;
}

enum tocsin_err
tar_next(struct tar *t, struct span *name, struct span *content)
{
	struct rd r = rd_init(t->rest);
	struct span n = { 0 }, c = { 0 };

	if (t->rest.n >= TAR_END && t->rest.n % TAR_BLOCK == 0 &&
	    all_zero(t->rest))
		return TOCSIN_ENOTFOUND;
	if (!read_entry(&r, &n, &c)) {
		t->rest = (struct span){ 0 }; /* too short for anything */
		return TOCSIN_EMALFORMED;
	}
	t->rest = rd_rest(&r);
	*name = n;
	*content = c;
	return TOCSIN_OK;
}
