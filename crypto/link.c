/* SPDX-License-Identifier: ISC */
#include "crypto/link.h"

#include <sodium.h>
#include <string.h>

static const uint8_t no_session[FRAME_SESSION];

enum tocsin_err
link_hello(struct link *l, const uint8_t sk[32], const uint8_t peer[32],
    struct span prologue, struct buf *frame)
{
	struct buf msg = { 0 };
	enum tocsin_err err;

	link_wipe(l);
	err = noise_init_initiator(&l->noise, sk, peer, prologue);
	if (err == TOCSIN_OK)
		err = noise_write(&l->noise, &msg, (struct span){ 0 });
	if (err == TOCSIN_OK)
		frame_put(frame, FRAME_HELLO, no_session, 0, buf_span(&msg));
	if (err == TOCSIN_OK && !buf_ok(frame))
		err = TOCSIN_EINTERNAL;
	if (err != TOCSIN_OK)
		link_wipe(l);
	buf_release(&msg);
	return err;
}

/* An error frame says why; anything but `want` is no answer to us. */
static enum tocsin_err
expect(struct frame *f, struct span answer, enum frame_type want,
    uint32_t *retry_ms)
{
	enum tocsin_err err = frame_parse(f, answer);

	*retry_ms = 0;
	if (err != TOCSIN_OK)
		return err;
	if (f->type == FRAME_ERROR) {
		err = frame_error(f, retry_ms);
		return err == TOCSIN_OK ? TOCSIN_EMALFORMED : err;
	}
	return f->type == want ? TOCSIN_OK : TOCSIN_EMALFORMED;
}

static enum tocsin_err
finish(struct link *l, const struct frame *f, struct span request,
    struct buf *frame)
{
	struct buf none = { 0 }, msg = { 0 };
	enum tocsin_err err;

	err = noise_read(&l->noise, &none, f->msg);
	if (err == TOCSIN_OK && none.n > 0)
		err = TOCSIN_EMALFORMED;
	if (err == TOCSIN_OK)
		err = noise_write(&l->noise, &msg, request);
	if (err == TOCSIN_OK)
		err = noise_split(&l->noise, l->keys.tx, l->keys.rx);
	if (err == TOCSIN_OK) {
		memcpy(l->session, f->session, sizeof(l->session));
		frame_put(frame, FRAME_FINISH, l->session, 0, buf_span(&msg));
		l->next = 1;
	}
	buf_release(&none);
	buf_release(&msg);
	return err;
}

enum tocsin_err
link_finish(
    struct link *l, struct span answer, struct span request, struct buf *frame)
{
	enum tocsin_err err;
	struct frame f;
	uint32_t retry;

	err = expect(&f, answer, FRAME_HELLO_REPLY, &retry);
	if (err == TOCSIN_OK)
		err = finish(l, &f, request, frame);
	if (err == TOCSIN_OK && !buf_ok(frame))
		err = TOCSIN_EINTERNAL;
	if (err != TOCSIN_OK)
		link_wipe(l);
	return err;
}

enum tocsin_err
link_ask(
    struct link *l, struct span request, struct buf *frame, uint64_t *number)
{
	enum tocsin_err err;

	if (link_spent(l))
		return TOCSIN_EUNAVAILABLE;
	*number = l->next++;
	err = frame_seal(frame, l->session, *number, l->keys.tx, request);
	if (err == TOCSIN_OK && !buf_ok(frame))
		err = TOCSIN_EINTERNAL;
	return err;
}

enum tocsin_err
link_answer(const struct link *l, uint64_t number, struct span answer,
    struct buf *reply, uint32_t *retry_ms)
{
	enum tocsin_err err;
	struct frame f;

	err = expect(&f, answer, FRAME_TRANSPORT, retry_ms);
	if (err != TOCSIN_OK)
		return err;
	if (f.nonce != number ||
	    memcmp(f.session, l->session, sizeof(l->session)) != 0)
		return TOCSIN_EMALFORMED;
	return frame_open(reply, &f, l->keys.rx);
}

bool
link_spent(const struct link *l)
{
	return l->next == 0 || l->next > LINK_MESSAGES_MAX;
}

void
link_wipe(struct link *l)
{
	sodium_memzero(l, sizeof(*l));
}
