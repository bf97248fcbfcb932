/* SPDX-License-Identifier: ISC */
/*
 * parts.h - attachments as files: sealed into the spool, opened out of it
 *
 * A part is sealed to a one-time identity, padded, in constant memory; its file
 * in the spool is named after its hash, so sealing, uploading and fetching can
 * each be interrupted and go on (PROTOCOL.md 8.3).
 */
#ifndef TOCSIN_CLIENT_PARTS_H
#define TOCSIN_CLIENT_PARTS_H

#include "crypto/part.h"

#include <stdbool.h>

/* The largest attachment that is sealed, in bytes. */
#define PARTS_FILE_MAX ((uint64_t)1 << 30)

/*
 * Seal the file `path` into home/spool, to the ticket's one-time identity.
 * ENOTFOUND, EPERMISSIONS, ETOOLARGE, ENOSPACE; then nothing is left behind.
 */
enum tocsin_err MUST_USE parts_seal(const char *home, const char *path,
    const uint8_t sk[32], struct ticket_part *out, uint64_t *plain_size);

/*
 * Open the sealed file `from` into `dir`/`name`, which must not exist. It
 * appears whole and verified or not at all. EBODYMISMATCH: not what was sealed;
 * EDUPLICATE: the name is taken; EUSAGE: it is too long.
 */
enum tocsin_err MUST_USE parts_open(const char *from,
    const struct ticket_part *part, const uint8_t sk[32], uint64_t plain_size,
    const char *dir, const char *name);

/* The same of a file that is open. */
enum tocsin_err MUST_USE parts_open_file(int from,
    const struct ticket_part *part, const uint8_t sk[32], uint64_t plain_size,
    const char *dir, const char *name);

/*
 * Remove from home/spool what a crash left behind: what was being sealed, and
 * sealed parts that nobody wants to upload, if they are a day old; downloads
 * that nobody went on with for 30 days. Other names are not ours to remove.
 */
#define PARTS_STALE_S 86400
#define PARTS_DOWNLOAD_S (30 * 86400)
void parts_sweep(const char *home, int64_t now,
    bool (*wanted)(void *arg, const uint8_t hash[32]), void *arg);

/*
 * What becomes of a file name from somebody else: its last component, without
 * control characters and leading dots or dashes; "attachment" if nothing is
 * left. `out` has room for 201 bytes.
 */
void parts_safe_name(char out[201], const char *name);

#endif
