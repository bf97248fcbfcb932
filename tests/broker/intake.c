/* SPDX-License-Identifier: ISC */
/* What is believed, where it goes, and where it must not go. */
#include "broker/intake.h"

#include "broker/log.h"
#include "broker/value.h"
#include "crypto/receipt.h"
#include "tests/lib/rig.h"
#include "tests/lib/tap.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct fixture fed;
static struct broker *sg;
static struct trust_who desk = { .kind = TRUST_DEVICE,
	.member = "singcert@sg",
	.device = "desk1",
	.nation = "sg" };
static struct trust_who peer = {
	.kind = TRUST_BROKER, .broker = "my", .nation = "my"
};
static const struct intake_source device = { INTAKE_DEVICE, &desk };
static const struct intake_source broker = { INTAKE_PEER, &peer };
static const struct intake_source operator= { INTAKE_OPERATOR, NULL };

/* ---- taking in ---- */

struct take {
	struct job job;
	struct intake *in;
	uint64_t seq;
};

static enum tocsin_err
take_apply(struct job *job, struct batch *batch)
{
	struct take *t = (struct take *)job;

	return intake_apply(t->in, batch, &t->seq);
}

static enum tocsin_err
take(const struct intake_source *src, enum store_kind kind, struct span note,
    struct span body, uint64_t *seq)
{
	struct take t = { .job = { .apply = take_apply } };
	struct trust *trust = trust_get(sg->trust);
	enum tocsin_err err;

	err = intake_judge(
	    &t.in, sg, trust, src, kind, note, body, fed.now, NULL);
	if (!err)
		err = writer_call(sg->writer, &t.job);
	if (seq)
		*seq = t.seq;
	intake_free(t.in);
	trust_put(trust);
	return err;
}

static enum tocsin_err
take_ticket(
    const struct intake_source *src, const struct fx_ticket *t, uint64_t *seq)
{
	return take(
	    src, STORE_TICKET, buf_span(&t->note), buf_span(&t->body), seq);
}

/* A ticket that is made, taken in and forgotten. */
static enum tocsin_err
give(const struct intake_source *src, const char *from, const char *to,
    uint64_t n, void (*edit)(struct ticket *, void *), void *arg, uint64_t *seq,
    uint8_t id[ID_LEN])
{
	static const uint8_t some[ID_LEN] = { 7 };
	struct fx_ticket t;
	enum tocsin_err err;

	fixture_ticket(&t, &fed, from, to, n, n > 1 ? some : NULL, edit, arg);
	err = take_ticket(src, &t, seq);
	if (id)
		memcpy(id, t.id, ID_LEN);
	fx_ticket_release(&t);
	return err;
}

static struct store_rx *
look(void)
{
	struct store_rx *rx;

	if (store_read(sg->store, &rx))
		abort();
	return rx;
}

static bool
mailed(const char *member, uint64_t seq)
{
	struct store_rx *rx = look();
	bool has = store_mail_has(rx, span_of(member), seq);

	store_read_end(rx);
	return has;
}

/* Rows of the peer's lane that hold this entry, or part. */
static unsigned
queued(const char *to, unsigned lane, uint64_t seq, const uint8_t *part)
{
	struct store_rx *rx = look();
	struct store_out out = { 0 };
	unsigned n = 0;

	while (store_out_next(rx, span_of(to), lane, out.n, &out) == TOCSIN_OK)
		n += part ? memcmp(out.part, part, 32) == 0 : out.seq == seq;
	store_read_end(rx);
	return n;
}

static unsigned
queued_anywhere(const char *to, uint64_t seq)
{
	unsigned lane, n = 0;

	for (lane = 0; lane < STORE_LANES; lane++)
		n += queued(to, lane, seq, NULL);
	return n;
}

/* ---- tickets that are posted ---- */

static void
flash(struct ticket *t, void *arg)
{
	(void)arg;
	t->precedence = TICKET_FLASH;
}

static void
test_routes(void)
{
	uint64_t seq = 0;

	is_int(give(&device, "singcert@sg/desk1", "mycert@my", 1, flash, NULL,
		   &seq, NULL),
	    TOCSIN_OK, "a ticket to one other nation is taken");
	ok(mailed("singcert@sg", seq), "its own team finds it");
	is_int(queued("my", 0, seq, NULL), 1,
	    "the nation's broker gets it, in the lane of its precedence");
	is_int(queued_anywhere("my", seq), 1, "once");
	is_int(queued_anywhere("la", seq), 0,
	    "the third nation's broker gets nothing");
	is_int(queued_anywhere("sg", seq), 0, "and we ourselves neither");
}

static void
to_nobody(struct ticket *t, void *arg)
{
	(void)arg;
	t->to[0].member = span_of("nobody@my");
}

static void
old_roster(struct ticket *t, void *arg)
{
	(void)arg;
	t->roster_serial = 9;
}

static void
from_future(struct ticket *t, void *arg)
{
	(void)arg;
	t->time = fed.now + 3600;
}

static void
test_refusals(void)
{
	struct fx_ticket t;
	struct buf other = { 0 };

	is_int(give(&device, "singcert@sg/escalator", "mycert@my", 1, NULL,
		   NULL, NULL, NULL),
	    TOCSIN_ENOTENROLLED, "a device posts for itself alone");
	is_int(give(&device, "singcert@sg/desk1", "mycert@my", 2, to_nobody,
		   NULL, NULL, NULL),
	    TOCSIN_ENOTENROLLED, "a recipient that nobody knows is refused");
	is_int(give(&device, "singcert@sg/desk1", "mycert@my", 2, old_roster,
		   NULL, NULL, NULL),
	    TOCSIN_EROSTERUNKNOWN, "so is a roster that is not ours");
	is_int(give(&device, "singcert@sg/desk1", "mycert@my", 2, from_future,
		   NULL, NULL, NULL),
	    TOCSIN_ECLOCKSKEW, "and a ticket from the future");
	is_int(give(&operator, "singcert@sg/desk1", "mycert@my", 2, NULL, NULL,
		   NULL, NULL),
	    TOCSIN_ENOTENROLLED, "an operator posts no tickets");
	fixture_ticket(&t, &fed, "singcert@sg/desk1", "mycert@my", 2,
	    fed.genesis, NULL, NULL);
	t.body.p[t.body.n - 1] ^= 1;
	is_int(take_ticket(&device, &t, NULL), TOCSIN_EBODYMISMATCH,
	    "another body than the one that was signed is refused");
	is_int(take(&device, STORE_TICKET, buf_span(&t.note),
		   (struct span){ 0 }, NULL),
	    TOCSIN_EBODYMISMATCH, "and none, if it was not put before");
	t.note.p[t.note.n - 10] = t.note.p[t.note.n - 10] == 'A' ? 'B' : 'A';
	ok(take(&device, STORE_TICKET, buf_span(&t.note), buf_span(&t.body),
	       NULL) != TOCSIN_OK,
	    "and a signature with a changed letter");
	fx_ticket_release(&t);
	buf_release(&other);
}

static void
test_chain(void)
{
	uint64_t first = 0, again = 0;
	struct fx_ticket t;
	uint8_t id[ID_LEN];

	fixture_ticket(&t, &fed, "singcert@sg/desk1", "mycert@my", 10,
	    fed.genesis, NULL, NULL);
	is_int(take_ticket(&device, &t, &first), TOCSIN_OK,
	    "a gap in the chain is taken");
	is_int(take_ticket(&device, &t, &again), TOCSIN_EDUPLICATE,
	    "the same again is a duplicate");
	ok(first == again, "and told where the first is");
	is_int(give(&device, "singcert@sg/desk1", "mycert@my", 10, flash, NULL,
		   NULL, NULL),
	    TOCSIN_ECHAINCONFLICT, "another with that number is a conflict");
	is_int(give(&device, "singcert@sg/desk1", "mycert@my", 11, NULL, NULL,
		   NULL, NULL),
	    TOCSIN_ECHAINCONFLICT, "so is a successor of something else");
	is_int(give(&device, "singcert@sg/desk1", "mycert@my", 5, NULL, NULL,
		   NULL, NULL),
	    TOCSIN_OK, "one that was overtaken is taken");
	is_int(give(&device, "singcert@sg/desk1", "mycert@my", 5, flash, NULL,
		   NULL, NULL),
	    TOCSIN_ECHAINCONFLICT, "but another with its number is not");
	memcpy(id, t.id, ID_LEN);
	fx_ticket_release(&t);
	fixture_ticket(
	    &t, &fed, "singcert@sg/desk1", "mycert@my", 11, id, NULL, NULL);
	is_int(take_ticket(&device, &t, NULL), TOCSIN_OK,
	    "and the true successor follows");
	fx_ticket_release(&t);
	is_int(give(&device, "singcert@sg/desk1", "mycert@my", 5000, NULL, NULL,
		   NULL, NULL),
	    TOCSIN_OK, "a device may leap far ahead");
	is_int(give(&device, "singcert@sg/desk1", "mycert@my", 3000, NULL, NULL,
		   NULL, NULL),
	    TOCSIN_ECHAINCONFLICT,
	    "but not come back from beyond what is remembered");
}

/* ---- parts ---- */

static uint8_t part_bytes[5000];
static uint8_t part_hash[32];

static void
with_part(struct ticket *t, void *arg)
{
	(void)arg;
	t->npart = 1;
	t->part[0].size = sizeof(part_bytes);
	memcpy(t->part[0].hash, part_hash, 32);
}

static void
other_size(struct ticket *t, void *arg)
{
	with_part(t, arg);
	t->part[0].size++;
}

static enum tocsin_err
put(struct desk *d, uint64_t offset, size_t n, struct msg_have *have)
{
	struct msg_put m = { .total = sizeof(part_bytes),
		.offset = offset,
		.bytes = { n > 0 ? part_bytes + offset : NULL, n } };
	struct buf request = { 0 }, rest = { 0 };
	enum tocsin_err err;

	memcpy(m.hash, part_hash, 32);
	msg_put_encode(&request, &m);
	err = desk_ask(d, buf_span(&request), &rest);
	if (!err)
		err = msg_have_decode(have, buf_span(&rest));
	buf_release(&request);
	buf_release(&rest);
	return err;
}

static enum tocsin_err
get(struct desk *d, const uint8_t id[32], const uint8_t hash[32],
    struct buf *rest, struct msg_range *range)
{
	struct msg_get m = { .max = 100000 };
	struct buf request = { 0 };
	enum tocsin_err err;

	memcpy(m.id, id, 32);
	memcpy(m.hash, hash, 32);
	msg_get_encode(&request, &m);
	buf_cut(rest, 0);
	err = desk_ask(d, buf_span(&request), rest);
	if (!err)
		err = msg_range_decode(range, buf_span(rest));
	buf_release(&request);
	return err;
}

static void
test_parts(struct desk *d)
{
	uint8_t id[ID_LEN], junk[32] = { 1 };
	struct msg_have have = { 0 };
	struct msg_range range;
	struct buf rest = { 0 };

	randombytes_buf(part_bytes, sizeof(part_bytes));
	crypto_hash_sha256(part_hash, part_bytes, sizeof(part_bytes));
	is_int(give(&device, "singcert@sg/desk1", "mycert@my", 5001, with_part,
		   NULL, NULL, id),
	    TOCSIN_ECHAINCONFLICT, "(a successor of something else)");
	is_int(give(&device, "singcert@sg/desk1", "mycert@my", 5003, with_part,
		   NULL, NULL, id),
	    TOCSIN_OK, "a ticket names a part that is not here yet");
	is_int(queued("my", 4, 0, part_hash), 0, "it is not sent then");
	is_int(get(d, id, part_hash, &rest, &range), TOCSIN_OK,
	    "asked for, it has");
	ok(range.total == sizeof(part_bytes) && range.have == 0,
	    "its size, and no bytes");
	is_int(give(&device, "singcert@sg/desk1", "mycert@my", 5005, other_size,
		   NULL, NULL, NULL),
	    TOCSIN_EMALFORMED, "no other ticket gives it another size");
	is_int(put(d, 0, 3000, &have), TOCSIN_OK, "bytes are put");
	ok(have.have == 3000 && !have.complete, "from the beginning");
	is_int(put(d, 4000, 500, &have), TOCSIN_OK, "and elsewhere");
	is_int((long long)have.have, 3000, "are not used, but told where");
	is_int(put(d, 3000, 2000, &have), TOCSIN_OK, "with the last byte");
	ok(have.complete, "it is complete");
	is_int(queued("my", 4, 0, part_hash), 1, "and goes to the nation");
	is_int(queued("la", 4, 0, part_hash), 0, "and to no other");
	is_int(put(d, 0, 0, &have), TOCSIN_OK, "who asks");
	ok(have.complete && have.have == sizeof(part_bytes), "hears so");
	is_int(get(d, id, part_hash, &rest, &range), TOCSIN_OK, "and has it");
	ok(span_eq(range.bytes, SPAN(part_bytes)), "byte for byte");
	is_int(give(&device, "singcert@sg/desk1", "mycert@my lacert@la", 5007,
		   with_part, NULL, NULL, NULL),
	    TOCSIN_OK, "a ticket may name it again, for others too");
	is_int(queued("la", 4, 0, part_hash), 1, "which then get it at once");
	is_int(get(d, id, junk, &rest, &range), TOCSIN_ENOTFOUND,
	    "what the header doesn't name is not given");
	is_int(get(d, junk, part_hash, &rest, &range), TOCSIN_ENOTFOUND,
	    "nor anything of a ticket that is not there");
	buf_release(&rest);
}

/* ---- bodies that are put before their post ---- */

static enum tocsin_err
stage(struct desk *d, struct span bytes, uint64_t total)
{
	struct msg_put m = { .total = total, .bytes = bytes };
	struct buf request = { 0 }, rest = { 0 };
	enum tocsin_err err;

	crypto_hash_sha256(m.hash, bytes.p, bytes.n);
	msg_put_encode(&request, &m);
	err = desk_ask(d, buf_span(&request), &rest);
	buf_release(&request);
	buf_release(&rest);
	return err;
}

static void
test_staged(struct desk *d)
{
	uint8_t junk[64] = { 0 };
	struct fx_ticket t;
	unsigned i;

	fixture_ticket(&t, &fed, "singcert@sg/desk1", "mycert@my", 5009,
	    fed.genesis, NULL, NULL);
	is_int(stage(d, buf_span(&t.body), t.body.n), TOCSIN_OK,
	    "a body is put before its post");
	is_int(take(&device, STORE_TICKET, buf_span(&t.note),
		   (struct span){ 0 }, NULL),
	    TOCSIN_OK, "which then carries none");
	fx_ticket_release(&t);
	for (i = 0; i < sg->conf.staged_max; i++) {
		junk[0] = (uint8_t)(i + 1);
		if (stage(d, SPAN(junk), sizeof(junk)) != TOCSIN_OK)
			break;
	}
	is_int(i, sg->conf.staged_max, "a member has so many such bodies");
	junk[0] = 99;
	is_int(
	    stage(d, SPAN(junk), sizeof(junk)), TOCSIN_EQUOTA, "and no more");
	is_int(stage(d, SPAN(junk), sg->conf.staged_bytes + 1), TOCSIN_EQUOTA,
	    "none of them too large");
}

/* ---- what peers bring ---- */

static enum tocsin_err
newest_receipt(struct receipt *r)
{
	struct store_rx *rx = look();
	enum tocsin_err err = TOCSIN_ENOTFOUND;
	struct store_entry e;
	uint64_t seq;

	for (seq = store_head(rx); seq > 0 && err; seq--)
		if (store_get(rx, seq, &e) == TOCSIN_OK &&
		    e.kind == STORE_RECEIPT)
			err = receipt_open(r, fed.roster, e.note);
	store_read_end(rx);
	return err;
}

static void
test_peer(void)
{
	struct receipt *r = xmalloc(sizeof(*r));
	uint8_t id[ID_LEN];
	uint64_t seq = 0;

	is_int(give(&broker, "mycert@my/desk1", "singcert@sg lacert@la", 1,
		   NULL, NULL, &seq, id),
	    TOCSIN_OK, "a peer brings its member's ticket to ours");
	ok(mailed("singcert@sg", seq), "who finds it");
	is_int(queued_anywhere("la", seq) + queued_anywhere("my", seq), 0,
	    "it is not passed on");
	ok(newest_receipt(r) == TOCSIN_OK && r->nline == 1 &&
		r->line[0].kind == RECEIPT_STORED &&
		memcmp(r->line[0].id, id, ID_LEN) == 0 &&
		r->line[0].index == seq - 1,
	    "a receipt says that it is stored, and where");
	is_int(queued("my", 1, seq + 1, NULL), 1, "and goes to the peer");
	is_int(queued_anywhere("la", seq + 1), 0, "and to nobody else");
	is_int(give(&broker, "mycert@my/desk1", "lacert@la", 2, NULL, NULL,
		   NULL, NULL),
	    TOCSIN_ENOTRECIPIENT, "what is not for us is refused");
	is_int(give(&broker, "lacert@la/desk1", "singcert@sg", 1, NULL, NULL,
		   NULL, NULL),
	    TOCSIN_ENOTENROLLED, "so is another nation's ticket");
	is_int(give(&broker, "singcert@sg/desk1", "mycert@my", 6000, NULL, NULL,
		   NULL, NULL),
	    TOCSIN_ENOTENROLLED, "and one of our own");
	sg->conf.part_max = sizeof(part_bytes) - 1;
	is_int(give(&device, "singcert@sg/desk1", "mycert@my", 6100, with_part,
		   NULL, NULL, NULL),
	    TOCSIN_ETOOLARGE, "a part beyond part-max is not posted here");
	is_int(give(&broker, "mycert@my/desk1", "singcert@sg", 8, with_part,
		   NULL, NULL, NULL),
	    TOCSIN_OK, "but a ticket that names one comes from a peer");
	sg->conf.part_max = TICKET_PART_MAX;
	free(r);
}

static const struct intake_source *broker_as = &broker;

/* A receipt of a broker, about one ticket. */
static enum tocsin_err
bring_receipt(const char *from, const uint8_t id[ID_LEN], const char *member,
    uint64_t *seq)
{
	struct receipt *r = xmalloc(sizeof(*r));
	struct buf note = { 0 };
	char key[64];
	uint8_t sk[64];
	enum tocsin_err err;

	snprintf(key, sizeof(key), "%s/sign", from);
	fixture_sign_key(sk, key);
	receipt_init(r, FX_FEDERATION, from, fed.now);
	if ((member ? !receipt_delivered(r, id, member, "desk1")
		    : !receipt_stored(r, id, 7)) ||
	    receipt_sign(&note, r, sk))
		abort();
	err = take(
	    broker_as, STORE_RECEIPT, buf_span(&note), (struct span){ 0 }, seq);
	buf_release(&note);
	free(r);
	return err;
}

static void
test_receipts(void)
{
	uint8_t id[ID_LEN], junk[ID_LEN] = { 3 };
	uint64_t seq = 0;

	if (give(&device, "singcert@sg/desk1", "mycert@my", 6001, NULL, NULL,
		NULL, id))
		abort();
	is_int(bring_receipt("my", id, NULL, &seq), TOCSIN_OK,
	    "a peer's receipt about our ticket is taken");
	ok(mailed("singcert@sg", seq), "its sender finds it");
	is_int(queued_anywhere("la", seq), 0, "and it is not passed on");
	is_int(bring_receipt("my", id, "mycert@my", NULL), TOCSIN_OK,
	    "a peer may say that its member has it");
	is_int(bring_receipt("my", id, "lacert@la", NULL), TOCSIN_EMALFORMED,
	    "but not that another nation's has");
	is_int(bring_receipt("la", id, NULL, NULL), TOCSIN_ENOTENROLLED,
	    "nor bring another broker's receipt");
	is_int(bring_receipt("my", junk, NULL, NULL), TOCSIN_ENOTFOUND,
	    "nor one about a ticket that we don't have");
}

static bool
says_delivered(const struct receipt *r, const uint8_t id[ID_LEN])
{
	size_t i;

	for (i = 0; i < r->nline; i++)
		if (r->line[i].kind == RECEIPT_DELIVERED &&
		    memcmp(r->line[i].id, id, ID_LEN) == 0)
			return true;
	return false;
}

/* A device says that a ticket is safe with it: the sender hears. */
static void
test_delivered(struct desk *d)
{
	struct msg_fetch m = { 0, 0, 0, MSG_MAX };
	struct msg_entries *e = xmalloc(sizeof(*e));
	struct receipt *r = xmalloc(sizeof(*r));
	struct buf rest = { 0 };
	uint8_t id[ID_LEN];
	uint64_t seq = 0;
	int tries = 4000; /* it goes along with a commit of its own, later */

	if (give(&broker, "mycert@my/desk1", "singcert@sg", 3, NULL, NULL, &seq,
		id))
		abort();
	m.acked = m.after = seq;
	if (desk_fetch(d, &m, &rest, e))
		abort();
	while ((newest_receipt(r) || !says_delivered(r, id)) && --tries > 0)
		usleep(5000);
	ok(tries > 0, "a receipt says that it is delivered");
	is_str(r->line[0].member, "singcert@sg", "to the member");
	is_str(r->line[0].device, "desk1", "at the device");
	free(e);
	free(r);
	buf_release(&rest);
}

/* ---- rosters and announcements ---- */

static void
new_nation(struct roster *r, void *arg)
{
	struct roster_broker b = fixture_broker("th", "th");
	struct roster_member m = fixture_member("thcert@th");

	(void)arg;
	if (roster_put_broker(r, &b) || roster_put_member(r, &m))
		abort();
}

static void
link_key(struct keys *k, void *arg)
{
	uint8_t sk[32];

	fixture_noise_key(sk, arg);
	if (crypto_scalarmult_base(k->device[0].noise, sk))
		abort();
}

static enum tocsin_err
bring(const struct intake_source *src, enum store_kind kind,
    const struct buf *file, uint64_t *seq)
{
	return take(src, kind, buf_span(file), (struct span){ 0 }, seq);
}

static void
test_keys(void)
{
	char stolen[] = "lacert@la/desk1", own[] = "singcert@sg/desk1";
	uint64_t seq = 0;

	is_int(bring(&broker, STORE_KEYS, &fed.keys_file[1], &seq),
	    TOCSIN_EDUPLICATE, "(mycert is announced)");
	is_int(bring(&broker, STORE_KEYS, &fed.keys_file[2], NULL),
	    TOCSIN_ENOTENROLLED,
	    "a peer brings announcements of its own nation alone");
	is_int(bring(&operator, STORE_KEYS, &fed.keys_file[2], NULL),
	    TOCSIN_ENOTENROLLED, "and so does everybody here");
	fixture_next_keys(&fed, 0, link_key, stolen);
	peer = (struct trust_who){
		.kind = TRUST_BROKER, .broker = "la", .nation = "la"
	};
	is_int(bring(&broker, STORE_KEYS, &fed.keys_file[2], NULL),
	    TOCSIN_EDUPLICATE, "(lacert is announced)");
	is_int(bring(&device, STORE_KEYS, &fed.keys_file[0], NULL),
	    TOCSIN_EMALFORMED, "a key that another member has is refused");
	fixture_next_keys(&fed, 0, link_key, own);
	is_int(bring(&device, STORE_KEYS, &fed.keys_file[0], &seq), TOCSIN_OK,
	    "a device brings the next announcement of its member");
	ok(queued("my", 0, seq, NULL) == 1 && queued("la", 0, seq, NULL) == 1,
	    "which all brokers get");
	ok(mailed("anybody", seq), "and everybody finds");
}

static void
test_roster(void)
{
	struct buf skipped = { 0 };
	struct trust *t;
	uint64_t seq = 0;

	fixture_next_roster(&fed, new_nation, NULL);
	is_int(bring(&device, STORE_ROSTER, &fed.file, NULL),
	    TOCSIN_EKINDNOTALLOWED, "a device brings no roster");
	is_int(bring(&operator, STORE_ROSTER, &fed.file, &seq), TOCSIN_OK,
	    "the operator installs the next one");
	ok(queued("my", 0, seq, NULL) == 1 && queued("la", 0, seq, NULL) == 1,
	    "which all brokers get");
	is_int(queued("th", 0, seq, NULL), 1, "the new one too, once");
	ok(queued("th", 0, seq - 1, NULL) == 1,
	    "and what our members announced");
	is_int(bring(&operator, STORE_ROSTER, &fed.file, NULL),
	    TOCSIN_EDUPLICATE, "again, it is known");
	fixture_next_roster(&fed, NULL, NULL);
	buf_add(&skipped, buf_span(&fed.file));
	fixture_next_roster(&fed, NULL, NULL);
	is_int(bring(&broker, STORE_ROSTER, &fed.file, NULL),
	    TOCSIN_EROSTERUNKNOWN, "one roster too far is refused");
	is_int(bring(&broker, STORE_ROSTER, &skipped, &seq), TOCSIN_OK,
	    "a peer brings the successor");
	is_int(queued_anywhere("my", seq) + queued_anywhere("th", seq), 0,
	    "which is not passed on");
	t = trust_get(sg->trust);
	is_int((long long)trust_roster(t)->serial, 3, "and is current");
	trust_put(t);
	buf_release(&skipped);
}

/* A second broker of our nation. */
static void
second_broker(struct roster *r, void *arg)
{
	struct roster_broker b = fixture_broker("sg2", "sg");

	(void)arg;
	if (roster_put_broker(r, &b))
		abort();
}

static void
has_part(struct ticket *t, void *arg)
{
	t->npart = 1;
	t->part[0] = *(const struct ticket_part *)arg;
}

static void
test_two_brokers(struct desk *d)
{
	struct trust_who sg2 = {
		.kind = TRUST_BROKER, .broker = "sg2", .nation = "sg"
	};
	const struct intake_source other = { INTAKE_PEER, &sg2 };
	struct ticket_part part = { .size = 300 };
	uint8_t bytes[300] = { 9 }, id[ID_LEN];
	uint64_t seq = 0;

	peer = (struct trust_who){
		.kind = TRUST_BROKER, .broker = "my", .nation = "my"
	};
	if (bring(&operator, STORE_ROSTER, &fed.file, &seq))
		abort();
	fixture_next_roster(&fed, second_broker, NULL);
	is_int(bring(&operator, STORE_ROSTER, &fed.file, &seq), TOCSIN_OK,
	    "our nation gets a second broker");
	is_int(queued("sg2", 0, seq, NULL), 1, "which gets the roster");
	is_int(give(&device, "singcert@sg/desk1", "mycert@my", 7001, NULL, NULL,
		   &seq, id),
	    TOCSIN_OK, "what is posted here");
	is_int(queued_anywhere("sg2", seq), 1, "goes to it too, once");
	is_int(queued_anywhere("sg", seq), 0, "and not to ourselves");
	is_int(
	    bring_receipt("my", id, NULL, &seq), TOCSIN_OK, "a peer's receipt");
	is_int(queued("sg2", 3, seq, NULL), 1,
	    "is handed on to it, in the lane of its ticket");
	broker_as = &other;
	is_int(bring_receipt("my", id, "mycert@my", &seq), TOCSIN_OK,
	    "as it hands on those that it gets");
	ok(mailed("singcert@sg", seq), "which the sender finds");
	is_int(queued_anywhere("sg2", seq), 0, "and which go nowhere");
	broker_as = &broker;
	is_int(bring_receipt("la", id, NULL, NULL), TOCSIN_ENOTENROLLED,
	    "another nation's broker still speaks for itself alone");

	is_int(give(&other, "singcert@sg/desk2", "mycert@my", 1, NULL, NULL,
		   &seq, id),
	    TOCSIN_ENOTENROLLED, "a device that nobody has is refused");
	is_int(give(&other, "singcert@sg/desk1", "mycert@my", 7002, NULL, NULL,
		   &seq, id),
	    TOCSIN_OK, "what was posted there comes here");
	ok(mailed("singcert@sg", seq), "and is in its members' mailboxes");
	is_int(queued_anywhere("my", seq) + queued_anywhere("sg2", seq), 0,
	    "it is passed on to nobody");
	is_int(queued("sg2", 1, seq + 1, NULL), 1, "but the receipt is");
	is_int(give(&other, "mycert@my/desk1", "singcert@sg", 9, NULL, NULL,
		   NULL, NULL),
	    TOCSIN_ENOTENROLLED, "and it does not bring another nation's");

	crypto_hash_sha256(part.hash, bytes, sizeof(bytes));
	is_int(give(&device, "singcert@sg/desk1", "singcert@sg", 7003, has_part,
		   &part, &seq, NULL),
	    TOCSIN_OK, "one with a part, among ourselves");
	is_int(queued_anywhere("sg2", seq), 1, "goes to it");
	is_int(
	    stage(d, SPAN(bytes), sizeof(bytes)), TOCSIN_OK, "the part comes");
	is_int(queued("sg2", 4, 0, part.hash), 1, "and follows");
}

int
main(void)
{
	struct desk d;
	size_t i;

	log_open(-1, LOG_ERROR);
	fixture_init(&fed, "sg my la");
	sg = rig_broker(&fed, "sg", NULL, NULL);
	for (i = 1; i < 3; i++) { /* as the peers would bring them */
		snprintf(peer.nation, sizeof(peer.nation), "%s", fed.nation[i]);
		if (bring(&broker, STORE_KEYS, &fed.keys_file[i], NULL))
			abort();
	}
	snprintf(peer.nation, sizeof(peer.nation), "my");
	desk_open(&d, &fed, "sg", "singcert@sg/desk1");
	test_routes();
	test_refusals();
	test_chain();
	test_parts(&d);
	test_staged(&d);
	test_peer();
	test_receipts();
	test_delivered(&d);
	test_keys();
	test_roster();
	test_two_brokers(&d);
	desk_close(&d);
	broker_free(sg);
	fixture_release(&fed);
	nng_fini();
	return tap_done();
}
