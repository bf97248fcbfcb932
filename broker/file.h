/* SPDX-License-Identifier: ISC */
/*
 * file.h - small files, read and written whole
 *
 * A private file belongs to us or to root and nobody else may read or write it.
 * That is checked on the opened file, not on its name, and a link is not
 * followed. A file is written under another name, synced, and only then takes
 * its name, so it is there whole or not at all; nothing is ever replaced.
 *
 * Errors: ENOTFOUND; EPERMISSIONS (the system's no, a link, a file that is not
 * private); ETOOLARGE; ENOSPACE; EDUPLICATE (the name is taken); EINTERNAL.
 * errno says more where the system did.
 */
#ifndef TOCSIN_BROKER_FILE_H
#define TOCSIN_BROKER_FILE_H

#include "crypto/buf.h"
#include "crypto/tocsin_err.h"

#include <sys/types.h>

/* Appends; at most `max` bytes. */
MUST_USE enum tocsin_err file_read(
    const char *path, size_t max, struct buf *out);
MUST_USE enum tocsin_err file_read_private(
    const char *path, size_t max, struct buf *out);

MUST_USE enum tocsin_err file_write_new(
    const char *path, struct span bytes, mode_t mode);

/* Makes the folder, mode 0700; one that is there must be private already. */
MUST_USE enum tocsin_err folder_private(const char *path);

/*
 * For root, who works on the files of another user: what root owns in `dir`,
 * itself included, becomes that user's whose `like` is. Else nothing.
 */
void folder_give(const char *dir, const char *like);

/* What errno says, as a reason. */
enum tocsin_err file_error(int code);

#endif
