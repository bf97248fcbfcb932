/* SPDX-License-Identifier: ISC */
/*
 * permit.h - what labels let us do, and their authors' signed word for more
 *
 * The rule is crypto/grant.h, PROTOCOL.md 8.11. This is what it is asked about:
 * the messages of a thread with their labels, and the grants that came in it.
 * Asking is a request to a message's author, granting the answer to it, and a
 * change of a label an update; each is an ordinary message of the thread.
 */
#ifndef TOCSIN_CLIENT_PERMIT_H
#define TOCSIN_CLIENT_PERMIT_H

#include "client/handle.h"
#include "crypto/grant.h"

/* The grants of a thread that we believe, each as it was signed. */
struct permits {
	struct grant *g;
	char **note;
	bool *used; /* by a check */
	size_t n;
};

/* With the belief's lock held and loaded, in a transaction. */
enum tocsin_err MUST_USE permits_load(struct permits *p, struct tocsin *t,
    struct desk_tx *tx, const uint8_t thread[ID_LEN]);
void permits_release(struct permits *p);

/* The label of a message as its author last said. */
enum ticket_tlp permits_label(const struct permits *p, const struct ticket *t);

/* What somebody wants to show, and to whom. */
struct permit_wish {
	const uint8_t *thread;
	const struct ticket *first; /* of the thread */
	bool carries;		    /* the first message itself goes along */
	enum ticket_tlp as;	    /* with this label */
	const char (*to)[MEMBER_MAX + 1]; /* who was not in it */
	size_t nto;
	const char *const *clients; /* of them; NULL-terminated, or NULL */
};

/*
 * EPOLICYDENIED with a sentence: the narrowest label that stands against it,
 * whose it is, and how to ask. The grants that it took are then `used`.
 */
enum tocsin_err MUST_USE permits_check(struct permits *p, struct tocsin *t,
    struct desk_tx *tx, const struct permit_wish *w);

/*
 * Labels as they are now, what we may treat each message as, and whether what
 * was shown to us came with its author's permission, if it says so.
 */
enum tocsin_err MUST_USE permits_judge(struct tocsin *t, struct tocsin_list *l);

/*
 * The same of what stands for a thread whose status is `s`. *touched: grants
 * were asked about, so it may be another with another belief.
 */
enum tocsin_err MUST_USE permits_touch(struct tocsin *t, struct desk_tx *tx,
    const struct tocsin_status *s, struct tocsin_message *m, bool *touched);

/* ---- messages; `to` is NULL-terminated or NULL, `tlp` may be NULL ---- */

/* As each can be posted, with what else the caller has to say of it. */
struct permit_draft {
	struct tocsin_draft
	    draft; /* points into this, which stays where it is */
	char thread[TOCSIN_ID_TEXT], member[MEMBER_MAX + 1];
	const char *to[2];
	char *json;
};
void permit_draft_release(struct permit_draft *p);

enum tocsin_err MUST_USE permit_ask_draft(struct permit_draft *p,
    struct tocsin *t, const char *id, const char *const *to, const char *tlp,
    const char *text);
enum tocsin_err MUST_USE permit_grant_draft(struct permit_draft *p,
    struct tocsin *t, const char *id, const char *const *to, const char *tlp,
    const char *text);
enum tocsin_err MUST_USE permit_relabel_draft(struct permit_draft *p,
    struct tocsin *t, const char *id, const char *tlp, const char *text);

/* Ask the author of a message to be let show it, or treat it as `tlp`. */
enum tocsin_err MUST_USE permit_ask(struct tocsin *t, const char *id,
    const char *const *to, const char *tlp, const char *text,
    char out[TOCSIN_ID_TEXT]);

/* Grant what the request `id` asks, or that much of it. */
enum tocsin_err MUST_USE permit_grant(struct tocsin *t, const char *id,
    const char *const *to, const char *tlp, const char *text,
    char out[TOCSIN_ID_TEXT]);

/* A message of ours has that label from now on. */
enum tocsin_err MUST_USE permit_relabel(struct tocsin *t, const char *id,
    const char *tlp, const char *text, char out[TOCSIN_ID_TEXT]);

#endif
