/* SPDX-License-Identifier: ISC */
#include "crypto/tocsin_err.h"

struct reason {
	const char *name;
	int exit;
	const char *text;
};

/* Order is the wire code. PROTOCOL.md 9 lists the same rows. */
/* clang-format off */
static const struct reason reasons[TOCSIN_ERR_COUNT] = {
	[TOCSIN_OK] = { "ok", 0, "done" },
	[TOCSIN_EMALFORMED] = { "malformed", 1,
	    "the bytes are not in the expected format; they were not used" },
	[TOCSIN_EUNSUPPORTED] = { "unsupported", 1,
	    "this version does not know that format or request; update tocsin" },
	[TOCSIN_ETOOLARGE] = { "too-large", 1,
	    "larger than the limit; split it or send less" },
	[TOCSIN_ENOTENROLLED] = { "not-enrolled", 1,
	    "that member, device or key is not in the roster; check the name, or ask an authority for a new roster" },
	[TOCSIN_EBADSIGNATURE] = { "bad-signature", 1,
	    "a signature does not verify; do not trust the text, tell its sender" },
	[TOCSIN_EREVOKED] = { "revoked", 1,
	    "the key was revoked; do not trust what it signs" },
	[TOCSIN_ESUSPENDED] = { "suspended", 1,
	    "the member is suspended; ask an authority of the federation" },
	[TOCSIN_EROSTERUNKNOWN] = { "roster-unknown", 1,
	    "the roster it refers to is not known here; install or fetch the current roster" },
	[TOCSIN_EROSTEREXPIRED] = { "roster-expired", 1,
	    "the roster has expired: tickets can be read, not sent; install a newer roster" },
	[TOCSIN_EKEYSEXPIRED] = { "keys-expired", 1,
	    "there are no current keys for that member; its officers must run `tocsin keys publish`" },
	[TOCSIN_ENOTRECIPIENT] = { "not-recipient", 1,
	    "the ticket is not addressed to this member, or the key to open it is not held here" },
	[TOCSIN_EKINDNOTALLOWED] = { "kind-not-allowed", 1,
	    "the role of that device does not allow this kind of message; an officer's device may send it" },
	[TOCSIN_EPOLICYDENIED] = { "policy-denied", 1,
	    "a broker's policy or the ticket's label forbids it; ask the member whose ticket it is, or that broker's operator" },
	[TOCSIN_EDUPLICATE] = { "duplicate", 0,
	    "already there; nothing was done twice" },
	[TOCSIN_EQUOTA] = { "quota", 1,
	    "over the quota; wait, or ask the broker's operator" },
	[TOCSIN_EBUSY] = { "busy", 1,
	    "too much at once; it is tried again" },
	[TOCSIN_ENOSPACE] = { "no-space", 1,
	    "the disk or the store is full; nothing was lost, make room and try again" },
	[TOCSIN_EUNAVAILABLE] = { "unavailable", 1,
	    "the broker cannot be reached now; what was posted waits in the outbox" },
	[TOCSIN_ETIMEOUT] = { "timeout", 1,
	    "no answer in time; try again" },
	[TOCSIN_ENOTFOUND] = { "not-found", 1,
	    "there is no such thing here" },
	[TOCSIN_EBODYMISMATCH] = { "body-mismatch", 1,
	    "the body is not the one that was signed; it was not opened" },
	[TOCSIN_ECHAINCONFLICT] = { "chain-conflict", 1,
	    "two different messages claim the same place in a device's chain; keep both, ask the sender" },
	[TOCSIN_ECLOCKSKEW] = { "clock-skew", 1,
	    "its time is more than ten minutes ahead; check this machine's clock and the sender's" },
	[TOCSIN_EEXERCISEMISMATCH] = { "exercise-mismatch", 1,
	    "exercise and live traffic do not mix; each has devices and homes of its own" },
	[TOCSIN_EINTERNAL] = { "internal", 1,
	    "something failed inside, or memory ran short; the log says more" },
	[TOCSIN_EUSAGE] = { "usage", 2,
	    "called wrongly" },
	[TOCSIN_EPASSPHRASE] = { "passphrase", 1,
	    "the passphrase does not open the key file" },
	[TOCSIN_EPERMISSIONS] = { "permissions", 1,
	    "others may read or own the key file; make it yours and mode 0600" },
	[TOCSIN_EAMBIGUOUS] = { "ambiguous", 1,
	    "the id names several tickets; give more of it" },
	[TOCSIN_EHEADERMISMATCH] = { "header-mismatch", 1,
	    "the body was sealed for another header than this one; do not trust the ticket, tell both teams" },
	[TOCSIN_ERECIPIENTMISMATCH] = { "recipient-mismatch", 1,
	    "the body is not sealed to exactly the readers that the header names; do not trust the ticket, tell its sender" },
	[TOCSIN_EERASED] = { "erased", 1,
	    "this broker keeps it no longer; that it was there can still be proved, and a desk that has read it may have it" },
	[TOCSIN_ERECALLED] = { "recalled", 1,
	    "its sender has taken it back; it was erased here" },
};
/* clang-format on */

static const struct reason *
find(enum tocsin_err err)
{
	if ((unsigned)err >= TOCSIN_ERR_COUNT)
		err = TOCSIN_EINTERNAL;
	return &reasons[err];
}

const char *
tocsin_err_name(enum tocsin_err err)
{
	return find(err)->name;
}

const char *
tocsin_err_text(enum tocsin_err err)
{
	return find(err)->text;
}

int
tocsin_err_exit(enum tocsin_err err)
{
	return find(err)->exit;
}

enum tocsin_err
tocsin_err_from_wire(unsigned code)
{
	return code < TOCSIN_ERR_COUNT ? (enum tocsin_err)code
				       : TOCSIN_EINTERNAL;
}
