/* SPDX-License-Identifier: ISC */
/*
 * tar.h - a few files in one, as ustar
 *
 * The plaintext of a ticket is a POSIX ustar archive, so that any tar lists and
 * extracts it in an emergency. Of all that ustar allows we use one shape:
 * regular files, mode 0600, owner 0, time 0, names [a-z0-9][a-z0-9._-]{0,63},
 * two zero blocks at the end, zeros up to the padded size. There is no folder,
 * link, device or path in it for an extractor to be fooled with.
 *
 * One encoding per value: the reader takes exactly what the writer would have
 * written, by writing each header again and comparing. Which names may come,
 * and how often, is the caller's rule.
 */
#ifndef TOCSIN_CRYPTO_TAR_H
#define TOCSIN_CRYPTO_TAR_H

#include "crypto/buf.h"
#include "crypto/tocsin_err.h"

#define TAR_BLOCK 512
#define TAR_NAME_MAX 64
#define TAR_END (2 * TAR_BLOCK) /* the end marker */

/* What one entry of n bytes takes, header and filling included. */
#define TAR_ENTRY(n) \
	(TAR_BLOCK + ((uint64_t)(n) + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK)

/* A name or size that the format does not allow fails the buffer. */
void tar_add(struct buf *out, const char *name, struct span content);

/*
 * The end marker, then zeros until the archive, which began at the buffer's
 * first byte, is padded_size long. A size that is too small, or no multiple of
 * TAR_BLOCK, fails the buffer. padme() of out->n + TAR_END is such a size.
 */
void tar_end(struct buf *out, size_t padded_size);

/* A cursor over an archive that it does not own. */
struct tar {
	struct span rest;
};

struct tar tar_init(struct span archive);

/*
 * The next file: ok, and *name and *content alias the archive. not-found after
 * the last one, when nothing but the end marker and zeros is left. malformed
 * otherwise, and from then on.
 */
MUST_USE enum tocsin_err tar_next(
    struct tar *t, struct span *name, struct span *content);

#endif
