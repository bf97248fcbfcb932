/* SPDX-License-Identifier: ISC */
/*
 * tocsin_err.h - every way in which tocsin says no
 *
 * One enum and one table for the library, the wire, the programs and the
 * manual. The value is the wire code (PROTOCOL.md 9) and never changes its
 * meaning; the name is what programs compare; the text is one sentence for a
 * person: what happened and what to do about it. New reasons go at the end.
 *
 * What is short: a disk or store is ENOSPACE, memory EINTERNAL (or EBUSY, where
 * a broker expects to have some in a moment), a limit on how much is under way
 * EBUSY, somebody's share EQUOTA. So crypto/, which has no disk, never says
 * ENOSPACE.
 */
#ifndef TOCSIN_ERR_H
#define TOCSIN_ERR_H

#if defined(__GNUC__)
#define TOCSIN_MUST_USE __attribute__((warn_unused_result))
#define TOCSIN_API __attribute__((visibility("default")))
#else
#define TOCSIN_MUST_USE
#define TOCSIN_API
#endif

enum tocsin_err {
	TOCSIN_OK = 0,
	TOCSIN_EMALFORMED = 1,
	TOCSIN_EUNSUPPORTED = 2,
	TOCSIN_ETOOLARGE = 3,
	TOCSIN_ENOTENROLLED = 4,
	TOCSIN_EBADSIGNATURE = 5,
	TOCSIN_EREVOKED = 6,
	TOCSIN_ESUSPENDED = 7,
	TOCSIN_EROSTERUNKNOWN = 8,
	TOCSIN_EROSTEREXPIRED = 9,
	TOCSIN_EKEYSEXPIRED = 10,
	TOCSIN_ENOTRECIPIENT = 11,
	TOCSIN_EKINDNOTALLOWED = 12,
	TOCSIN_EPOLICYDENIED = 13,
	TOCSIN_EDUPLICATE = 14,
	TOCSIN_EQUOTA = 15,
	TOCSIN_EBUSY = 16,
	TOCSIN_ENOSPACE = 17,
	TOCSIN_EUNAVAILABLE = 18,
	TOCSIN_ETIMEOUT = 19,
	TOCSIN_ENOTFOUND = 20,
	TOCSIN_EBODYMISMATCH = 21,
	TOCSIN_ECHAINCONFLICT = 22,
	TOCSIN_ECLOCKSKEW = 23,
	TOCSIN_EEXERCISEMISMATCH = 24,
	TOCSIN_EINTERNAL = 25,
	TOCSIN_EUSAGE = 26,	     /* the caller asked for what cannot be */
	TOCSIN_EPASSPHRASE = 27,     /* a key file does not open with it */
	TOCSIN_EPERMISSIONS = 28,    /* a key file that others can read */
	TOCSIN_EAMBIGUOUS = 29,	     /* a short id that names several tickets */
	TOCSIN_EHEADERMISMATCH = 30, /* sealed for another header */
	TOCSIN_ERECIPIENTMISMATCH = 31, /* sealed to others than it names */
	TOCSIN_EERASED = 32,   /* its time was over */
	TOCSIN_ERECALLED = 33, /* its sender has taken it back */
	TOCSIN_ERR_COUNT
};

/* The stable name, "no-space"; "internal" for a value out of range. */
TOCSIN_API const char *tocsin_err_name(enum tocsin_err err);

/* A sentence for a person, without a full stop. */
TOCSIN_API const char *tocsin_err_text(enum tocsin_err err);

/* Exit status of a program that ends because of it: 0, 1 or 2. */
TOCSIN_API int tocsin_err_exit(enum tocsin_err err);

/* From a wire code; a code that we don't know is TOCSIN_EINTERNAL. */
enum tocsin_err tocsin_err_from_wire(unsigned code);

#endif
