/* SPDX-License-Identifier: ISC */
/*
 * keyfile.h - files that nobody else may read
 *
 * A key file is small text in a file of mode 0600 that belongs to us, or one of
 * root's that we were given to read, as systemd does with credentials. With a
 * passphrase it is an armored age file (`age -p` makes the same, `age -d` opens
 * it), so an emergency needs no tocsin. Owner and mode are checked on the
 * opened file, not on its name; a link is not followed. Writing goes to a new
 * file that is synced before it takes the name.
 *
 * EPERMISSIONS: others could read it; EPASSPHRASE: locked, and the passphrase
 * is wrong or missing; ENOTFOUND, ENOSPACE as they say; EDUPLICATE: it exists.
 */
#ifndef TOCSIN_CLIENT_KEYFILE_H
#define TOCSIN_CLIENT_KEYFILE_H

#include "crypto/buf.h"
#include "crypto/tocsin_err.h"

#define KEYFILE_MAX (64 * 1024)

/* Appends the text. passphrase may be NULL. */
enum tocsin_err MUST_USE keyfile_read(
    const char *path, const char *passphrase, struct buf *text);

/* `replace` false: EDUPLICATE if the file is there. */
enum tocsin_err MUST_USE keyfile_write(
    const char *path, struct span text, const char *passphrase, bool replace);

/* Whether a passphrase is needed to read it. */
bool keyfile_locked(const char *path);

/* Any file, whole, at most `max` bytes; ETOOLARGE, ENOTFOUND, EPERMISSIONS. */
enum tocsin_err MUST_USE file_read(
    const char *path, size_t max, struct buf *out);

/* A file that others may read; the same care in writing. */
enum tocsin_err MUST_USE file_write(
    const char *path, struct span bytes, bool replace);

/*
 * Give the finished file `temp` its name. Unless `replace`, nothing that has
 * the name is touched (EEXIST). 0 or an errno; then temp is still there.
 */
int file_take_name(const char *temp, const char *path, bool replace);

/* All of it to an open file; *done, if asked for, counts what was written. */
enum tocsin_err MUST_USE file_put(int fd, struct span bytes, uint64_t *done);

/* What errno says, as a reason. */
enum tocsin_err file_error(int code);

/* What such a reason says of a file that is no key, as a sentence. */
const char *file_text(enum tocsin_err err);

#endif
