/* SPDX-License-Identifier: ISC */
/* A broker in this process, and devices that talk to it over nng. */
#include "broker/log.h"
#include "tests/lib/rig.h"
#include "tests/lib/tap.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static struct fixture fed;
static struct broker *sg;

static const uint8_t hello[] = { MSG_HELLO };

static uint64_t
counted(enum broker_counter c)
{
	return atomic_load(&sg->count[c]);
}

/* ---- posting and reading ---- */

static void
test_post(struct desk *desk)
{
	struct msg_fetch all = { 0, 0, 0, MSG_MAX };
	struct fx_ticket t;
	struct buf rest = { 0 };
	struct msg_entries *e = xmalloc(sizeof(*e));
	uint64_t seq = 0, again = 0;
	size_t i, found = 0;

	fixture_ticket(
	    &t, &fed, "singcert@sg/desk1", "mycert@my", 1, NULL, NULL, NULL);
	is_int(desk_post(desk, &t, &seq), TOCSIN_OK, "a ticket is taken");
	is_int(desk_post(desk, &t, &again), TOCSIN_EDUPLICATE,
	    "and known when it is posted again");
	is_int((long long)again, (long long)seq, "with the seq of the first");
	is_int(desk_fetch(desk, &all, &rest, e), TOCSIN_OK,
	    "its own team can fetch it");
	for (i = 0; i < e->n; i++)
		if (e->entry[i].seq == seq &&
		    span_eq(e->entry[i].note, buf_span(&t.note)) &&
		    span_eq(e->entry[i].body, buf_span(&t.body)))
			found++;
	is_int((long long)found, 1, "once, with the bytes that were posted");
	fx_ticket_release(&t);
	buf_release(&rest);
	free(e);
}

/* The reader is parked before the ticket is posted. */
static void
test_live(struct desk *desk)
{
	struct msg_fetch wait = { 0, 0, MSG_WAIT_MAX, MSG_MAX };
	struct msg_entries *e = xmalloc(sizeof(*e));
	struct buf request = { 0 }, rest = { 0 };
	struct desk reader;
	struct flight parked;
	struct fx_ticket t;
	uint64_t seq = 0, parks;

	desk_open(&reader, &fed, "sg", "singcert@sg/screen");
	wait.wait_ms = 0;
	ok(desk_fetch(&reader, &wait, &rest, e) == TOCSIN_OK && e->n > 0,
	    "a reader reads what is there");
	wait.after = MSG_AFTER_CONTINUE;
	wait.wait_ms = MSG_WAIT_MAX;
	wait.acked = e->entry[e->n - 1].seq;
	parks = counted(BROKER_parks);
	msg_fetch_encode(&request, &wait);
	desk_begin(&reader, &parked, buf_span(&request));
	ok(rig_reaches(sg, BROKER_parks, parks + 1),
	    "a fetch that finds nothing new is parked");
	fixture_ticket(&t, &fed, "singcert@sg/escalator", "mycert@my", 1, NULL,
	    NULL, NULL);
	is_int(desk_post(desk, &t, &seq), TOCSIN_ENOTENROLLED,
	    "a device can't post what another one signed");
	fx_ticket_release(&t);
	fixture_ticket(
	    &t, &fed, "singcert@sg/desk1", "mycert@my", 3, t.id, NULL, NULL);
	is_int(desk_post(desk, &t, &seq), TOCSIN_OK,
	    "a gap in a device's numbers is taken");
	buf_cut(&rest, 0);
	is_int(desk_end(&reader, &parked, &rest), TOCSIN_OK,
	    "the parked fetch is answered");
	ok(msg_entries_decode(e, buf_span(&rest)) == TOCSIN_OK && e->n == 1 &&
		e->entry[0].seq == seq && e->from == wait.acked,
	    "with the new ticket alone, from where it was");
	fx_ticket_release(&t);
	desk_close(&reader);
	buf_release(&request);
	buf_release(&rest);
	free(e);
}

/* ---- what nng or an enemy repeats ---- */

static void
test_repeat(struct desk *desk)
{
	struct buf frame = { 0 }, first = { 0 }, second = { 0 };
	uint64_t number, served;

	ok(link_ask(&desk->link, SPAN(hello), &frame, &number) == TOCSIN_OK &&
		desk_frame(desk, buf_span(&frame), &first) == TOCSIN_OK,
	    "a request is answered");
	served = counted(BROKER_requests);
	ok(desk_frame(desk, buf_span(&frame), &second) == TOCSIN_OK &&
		span_eq(buf_span(&first), buf_span(&second)),
	    "repeated, it has the identical answer");
	ok(counted(BROKER_requests) == served, "and is not served again");
	buf_release(&frame);
	buf_release(&first);
	buf_release(&second);
}

static void
refused(struct desk *desk, struct span bytes, enum tocsin_err want,
    const char *what)
{
	struct buf answer = { 0 };
	struct frame f;
	uint32_t retry;

	ok(desk_frame(desk, bytes, &answer) == TOCSIN_OK &&
		frame_parse(&f, buf_span(&answer)) == TOCSIN_OK &&
		f.type == FRAME_ERROR && frame_error(&f, &retry) == want,
	    "%s is answered with an error frame: %s", what,
	    tocsin_err_name(want));
	buf_release(&answer);
}

static void
test_hostile(struct desk *desk)
{
	struct buf frame = { 0 }, reply = { 0 };
	uint64_t malformed = counted(BROKER_frames_malformed);
	uint64_t forged = counted(BROKER_frames_forged), number;
	uint8_t junk[200];
	struct desk enemy;

	desk_dial(&enemy, "sg");
	randombytes_buf_deterministic(junk, sizeof(junk), (uint8_t[32]){ 1 });
	junk[0] = 99;
	refused(&enemy, SPAN(junk), TOCSIN_EUNSUPPORTED, "garbage");
	refused(&enemy, (struct span){ junk, 5 }, TOCSIN_EMALFORMED,
	    "a frame cut short");
	is_int((long long)(counted(BROKER_frames_malformed) - malformed), 2,
	    "both are counted");
	if (link_ask(&desk->link, SPAN(hello), &frame, &number))
		abort();
	frame.p[frame.n - 1] ^= 1;
	refused(&enemy, buf_span(&frame), TOCSIN_EBADSIGNATURE,
	    "another's frame with a bit changed");
	is_int((long long)(counted(BROKER_frames_forged) - forged), 1,
	    "which is counted");
	frame.p[frame.n - 1] ^= 1;
	ok(desk_frame(desk, buf_span(&frame), &reply) == TOCSIN_OK &&
		reply.p[1] == FRAME_TRANSPORT,
	    "the honest session goes on, even with that number");
	frame.p[5] ^= 1;
	refused(&enemy, buf_span(&frame), TOCSIN_ENOTFOUND,
	    "a frame of no session");
	desk_close(&enemy);
	buf_release(&frame);
	buf_release(&reply);
}

/* More than a frame can be: nng ends the connection, nobody else's. */
static void
test_oversize(struct desk *desk)
{
	struct span big = { calloc(1, FRAME_MAX + 4096), FRAME_MAX + 4096 };
	uint64_t frames = counted(BROKER_frames);
	struct buf answer = { 0 };
	struct desk enemy;

	desk_dial(&enemy, "sg");
	is_int(desk_frame(&enemy, big, &answer), TOCSIN_ETIMEOUT,
	    "an oversize frame has no answer");
	ok(counted(BROKER_frames) == frames, "and does not reach us");
	is_int(desk_ask(desk, SPAN(hello), &answer), TOCSIN_OK,
	    "which is nothing to the honest session");
	desk_close(&enemy);
	buf_release(&answer);
	free((void *)(uintptr_t)big.p);
}

/* Well sealed and wrong inside: refused in a reply. */
static void
test_malformed_requests(struct desk *desk)
{
	static const struct {
		const char *what;
		uint8_t bytes[4];
		size_t n;
		enum tocsin_err want;
	} bad[] = {
		{ "an unknown operation", { 77 }, 1, TOCSIN_EUNSUPPORTED },
		{ "an empty request", { 0 }, 0, TOCSIN_EMALFORMED },
		{ "a post cut short", { MSG_POST, 0 }, 2, TOCSIN_EMALFORMED },
		{ "a fetch cut short", { MSG_FETCH, 0 }, 2, TOCSIN_EMALFORMED },
		{ "a put cut short", { MSG_PUT, 0 }, 2, TOCSIN_EMALFORMED },
		{ "a get cut short", { MSG_GET, 0 }, 2, TOCSIN_EMALFORMED },
		{ "a proof cut short", { MSG_PROOF, 0 }, 2, TOCSIN_EMALFORMED },
		{ "hello with more", { MSG_HELLO, 0 }, 2, TOCSIN_EMALFORMED },
		{ "a broker's request", { MSG_RELAY_OPEN }, 1,
		    TOCSIN_EKINDNOTALLOWED },
	};
	struct buf rest = { 0 };
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		is_int(desk_ask(desk,
			   (struct span){
			       bad[i].n ? bad[i].bytes : NULL, bad[i].n },
			   &rest),
		    bad[i].want, "%s is refused", bad[i].what);
	buf_release(&rest);
}

/* ---- strangers ---- */

static void
add_device(struct keys *k, void *arg)
{
	struct keys_device *d = &k->device[k->ndevice++], tmp;
	uint8_t sk[64];

	(void)arg;
	memset(d, 0, sizeof(*d));
	memcpy(d->name, "night", 6);
	d->role = KEYS_OFFICER;
	fixture_sign_key(sk, "singcert@sg/night");
	if (vkey_make(&d->sign, span_of("singcert@sg/night"), sk + 32))
		abort();
	fixture_noise_key(sk, "singcert@sg/night");
	if (crypto_scalarmult_base(d->noise, sk))
		abort();
	tmp = *d; /* by name: desk1 escalator night screen */
	*d = k->device[k->ndevice - 2];
	k->device[k->ndevice - 2] = tmp;
}

static void
announce(struct buf *request, const struct buf *note)
{
	buf_cut(request, 0);
	buf_u8(request, MSG_ANNOUNCE);
	buf_add(request, buf_span(note));
}

static void
test_stranger(void)
{
	struct msg_fetch all = { 0, 0, 0, MSG_MAX };
	struct buf request = { 0 }, rest = { 0 };
	struct msg_entries *e = xmalloc(sizeof(*e));
	struct desk night;

	desk_open(&night, &fed, "sg", "singcert@sg/night");
	is_int(desk_fetch(&night, &all, &rest, e), TOCSIN_ENOTENROLLED,
	    "a key that nobody announced may not fetch");
	announce(&request, &fed.keys_file[0]);
	is_int(desk_ask(&night, buf_span(&request), &rest), TOCSIN_ENOTENROLLED,
	    "nor bring an announcement it is not in");
	fixture_next_keys(&fed, 0, add_device, NULL);
	announce(&request, &fed.keys_file[0]);
	is_int(desk_ask(&night, buf_span(&request), &rest), TOCSIN_OK,
	    "but it may bring the one that lists it");
	is_int(desk_fetch(&night, &all, &rest, e), TOCSIN_OK,
	    "and is that device from then on");
	desk_close(&night);
	buf_release(&request);
	buf_release(&rest);
	free(e);
}

/* ---- parks ---- */

static void
begin_fetch(struct desk *d, struct flight *a)
{
	struct msg_fetch wait = { 0, MSG_AFTER_CONTINUE, MSG_WAIT_MAX,
		MSG_MAX };
	struct buf request = { 0 };

	msg_fetch_encode(&request, &wait);
	desk_begin(d, a, buf_span(&request));
	buf_release(&request);
}

static void
read_all(struct desk *d)
{
	struct msg_fetch all = { 0, 0, 0, MSG_MAX };
	struct msg_entries *e = xmalloc(sizeof(*e));
	struct buf rest = { 0 };

	do {
		if (desk_fetch(d, &all, &rest, e) != TOCSIN_OK)
			abort();
		all.after = MSG_AFTER_CONTINUE;
	} while (e->more);
	buf_release(&rest);
	free(e);
}

static void
test_parks(void)
{
	struct msg_entries *e = xmalloc(sizeof(*e));
	struct buf rest = { 0 };
	struct flight a[5];
	struct desk reader;
	uint64_t parks = counted(BROKER_parks);
	uint64_t gone = counted(BROKER_parks_gone);
	unsigned i;

	desk_open(&reader, &fed, "sg", "singcert@sg/screen");
	read_all(&reader);
	for (i = 0; i < 5; i++) {
		begin_fetch(&reader, &a[i]);
		ok(rig_reaches(sg, BROKER_parks, parks + i + 1),
		    "fetch %u is parked", i + 1);
	}
	is_int(desk_end(&reader, &a[0], &rest), TOCSIN_OK,
	    "the fifth ends the first");
	ok(msg_entries_decode(e, buf_span(&rest)) == TOCSIN_OK && e->n == 0,
	    "with an empty answer");
	is_int(parks_count(sg->parks), 4, "four are parked");
	nng_close(reader.s);
	ok(rig_reaches(sg, BROKER_parks_gone, gone + 4),
	    "when the device is killed, its parks are freed");
	for (i = 1; i < 5; i++)
		(void)desk_end(&reader, &a[i], &rest);
	buf_release(&rest);
	free(e);
}

/* ---- many at once, and after a restart ---- */

#define MANY 64

static void
test_many(struct desk *desk)
{
	struct fx_ticket *t = calloc(MANY, sizeof(*t));
	struct flight *a = calloc(MANY, sizeof(*a));
	struct msg_posted *posted = xmalloc(sizeof(*posted));
	uint8_t prev[ID_LEN];
	size_t i, good = 0;

	randombytes_buf(prev, sizeof(prev));
	for (i = 0; i < MANY; i++) {
		fixture_ticket(&t[i], &fed, "singcert@sg/desk1", "mycert@my",
		    10 + i, prev, NULL, NULL);
		memcpy(prev, t[i].id, ID_LEN);
	}
	for (i = 0; i < MANY; i++) {
		struct msg_envelope env = { buf_span(&t[i].note),
			buf_span(&t[i].body) };
		struct buf request = { 0 };

		msg_post_encode(&request, &env, 1);
		desk_begin(desk, &a[i], buf_span(&request));
		buf_release(&request);
	}
	for (i = 0; i < MANY; i++) {
		struct buf rest = { 0 };

		good +=
		    desk_end(desk, &a[i], &rest) == TOCSIN_OK &&
		    msg_posted_decode(posted, buf_span(&rest)) == TOCSIN_OK &&
		    posted->item[0].code == TOCSIN_OK;
		buf_release(&rest);
		fx_ticket_release(&t[i]);
	}
	is_int((long long)good, MANY,
	    "%d posts in flight that overtake one another are all taken", MANY);
	free(posted);
	free(t);
	free(a);
}

static void
conflict(struct desk *desk)
{
	struct fx_ticket t;

	fixture_ticket(&t, &fed, "singcert@sg/desk1", "mycert@my", 12,
	    (uint8_t[ID_LEN]){ 1 }, NULL, NULL);
	is_int(desk_post(desk, &t, NULL), TOCSIN_ECHAINCONFLICT,
	    "another message for a number that was taken is a conflict");
	fx_ticket_release(&t);
}

static void
test_restart(void)
{
	struct msg_fetch all = { 0, 0, 0, MSG_MAX };
	struct msg_entries *e = xmalloc(sizeof(*e));
	struct buf rest = { 0 };
	struct desk night;
	size_t tickets = 0, i;

	broker_free(sg);
	sg = rig_broker(&fed, "sg", NULL, NULL);
	desk_open(&night, &fed, "sg", "singcert@sg/night");
	do {
		if (desk_fetch(&night, &all, &rest, e) != TOCSIN_OK)
			break;
		for (i = 0; i < e->n; i++)
			tickets += e->entry[i].kind == STORE_TICKET;
		all.after = MSG_AFTER_CONTINUE;
	} while (e->more);
	is_int((long long)tickets, MANY + 2,
	    "a broker that was restarted knows its devices and tickets");
	desk_close(&night);
	buf_release(&rest);
	free(e);
}

int
main(void)
{
	struct desk desk;

	log_open(2, LOG_ERROR);
	fixture_init(&fed, "sg my");
	sg = rig_broker(&fed, "sg", NULL, NULL);
	desk_open(&desk, &fed, "sg", "singcert@sg/desk1");
	test_post(&desk);
	test_live(&desk);
	test_repeat(&desk);
	test_hostile(&desk);
	test_oversize(&desk);
	test_malformed_requests(&desk);
	test_stranger();
	test_parks();
	test_many(&desk);
	conflict(&desk);
	desk_close(&desk);
	test_restart();
	broker_free(sg);
	fixture_release(&fed);
	nng_fini();
	return tap_done();
}
