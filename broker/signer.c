/* SPDX-License-Identifier: ISC */
#include "broker/signer.h"

#include "broker/broker.h"
#include "crypto/checkpoint.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct signer {
	pthread_mutex_t lock;
	uint64_t size;
	struct buf note; /* empty: none yet */
};

struct signer *
signer_new(void)
{
	struct signer *s = calloc(1, sizeof(*s));

	if (s)
		pthread_mutex_init(&s->lock, NULL);
	return s;
}

void
signer_free(struct signer *s)
{
	if (!s)
		return;
	buf_release(&s->note);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static enum tocsin_err
sign(
    struct buf *out, const struct broker *b, struct store_rx *rx, uint64_t size)
{
	struct merkle_store tree = store_tree(rx);
	struct checkpoint c = { .size = size };
	enum tocsin_err err;

	snprintf(c.origin, sizeof(c.origin), "%s/log", b->conf.name);
	err = merkle_root(&tree, size, c.root);
	if (!err)
		err = checkpoint_sign(out, &c, b->conf.log_sk);
	return err;
}

enum tocsin_err
signer_checkpoint(struct signer *s, const struct broker *b, struct store_rx *rx,
    struct buf *out)
{
	uint64_t size = store_head(rx);
	struct buf made = { 0 };
	enum tocsin_err err = TOCSIN_OK;

	pthread_mutex_lock(&s->lock);
	if (s->note.n == 0 || s->size != size) {
		err = sign(&made, b, rx, size);
		if (!err) {
			buf_release(&s->note);
			s->note = made;
			s->size = size;
		} else {
			buf_release(&made);
		}
	}
	if (!err)
		buf_add(out, buf_span(&s->note));
	pthread_mutex_unlock(&s->lock);
	return err;
}
