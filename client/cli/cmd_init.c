/* SPDX-License-Identifier: ISC */
#include "client/cli/cmds.h"
#include "client/cli/print.h"
#include "client/vocab.h"

#include <jansson.h>
#include <string.h>

struct init {
	struct keystore_new new;
	const char *role;
	bool ask, without, join;
};

/* Each name by itself, so that the sentence can say which is wrong. */
static bool
names_good(struct init *in)
{
	const struct {
		const char *option, *value, *shape;
		bool (*is)(struct span);
	} names[] = {
		{ "--federation", in->new.federation, "asean.example",
		    name_federation },
		{ "--member", in->new.member, "mycert@my", name_member },
		{ "--device", in->new.label, "night", name_label },
		{ "--broker", in->new.broker, "tcp://host:port", name_url },
	};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (names[i].value == NULL) {
			cli_usage("init needs %s, like %s", names[i].option,
			    names[i].shape);
			return false;
		}
		if (!names[i].is(span_of(names[i].value))) {
			cli_usage("%s: %s is not of the form %s",
			    names[i].option, names[i].value, names[i].shape);
			return false;
		}
	}
	if (in->new.exercise != NULL &&
	    !name_exercise(span_of(in->new.exercise))) {
		cli_usage("--exercise: %s is not of the form Tabletop.2026",
		    in->new.exercise);
		return false;
	}
	if (in->role != NULL &&
	    !keys_role_parse(span_of(in->role), &in->new.role)) {
		cli_usage("%s is no role; the nearest is %s", in->role,
		    vocab_nearest(VOCAB_ROLE, in->role));
		return false;
	}
	return true;
}

/* The card of a new home: with the root key, or of a further device alone. */
static enum tocsin_err
make_card(struct card *card, const struct keystore *k, const struct init *in)
{
	struct secret *sk = NULL;
	enum tocsin_err err;

	*card = (struct card){ .kind = in->join ? CARD_DEVICE : CARD_MEMBER,
		.has_device = true };
	memcpy(card->federation, k->federation, sizeof(card->federation));
	memcpy(card->member.name, k->member, sizeof(card->member.name));
	err = keystore_device(k, &card->device);
	if (err == TOCSIN_OK && !in->join)
		err = keystore_root(
		    k, NULL, in->new.passphrase, &sk, &card->member.root);
	secret_free(sk);
	return err;
}

static int
print_card(const struct cli *c, const struct keystore *k, const struct card *ca)
{
	struct buf b = { 0 };

	card_print(&b, ca);
	if (!buf_ok(&b))
		return cli_fail(TOCSIN_EINTERNAL, "no memory");
	if (c->json) {
		buf_u8(&b, '\0');
		if (buf_ok(&b))
			print_json(json_pack("{s:s, s:s, s:s, s:s, s:s?, s:s}",
			    "home", k->home, "member", k->member, "device",
			    k->device, "role", keys_role_name(k->role),
			    "exercise",
			    k->exercise[0] != '\0' ? k->exercise : NULL, "card",
			    (const char *)b.p));
	} else {
		fwrite(b.p, 1, b.n, stdout);
	}
	buf_release(&b);
	return 0;
}

static int
create(struct cli *c, struct init *in)
{
	struct keystore *k = NULL;
	struct card card;
	char home[512];
	enum tocsin_err err;
	int status;

	if (!cli_home(c, home))
		return 2;
	status = cli_new_passphrase(c, home, in->without, &in->new.passphrase);
	if (status != 0)
		return status;
	err = keystore_create(home, &in->new, &k);
	if (err == TOCSIN_EDUPLICATE)
		return cli_usage(
		    "%s is a home already; it is not replaced", home);
	if (err == TOCSIN_OK)
		err = make_card(&card, k, in);
	if (err != TOCSIN_OK) {
		keystore_close(k);
		return cli_fail(
		    err, "%s: it cannot be made: %s", home, file_text(err));
	}
	status = print_card(c, k, &card);
	if (k->exercise[0] != '\0')
		cli_note("EXERCISE %s: %s is of this exercise, and nothing in "
			 "it is ever live",
		    k->exercise, home);
	if (!in->join)
		cli_note("%s/keys/root.key signs for the whole member: move "
			 "it to a medium that is kept offline",
		    home);
	keystore_close(k);
	return status;
}

int
cmd_init(struct cli *c, int argc, char **argv)
{
	struct init in = { .new.role = KEYS_OFFICER };
	const struct opt opts[] = {
		{ "--federation", OPT_WORD, &in.new.federation },
		{ "--member", OPT_WORD, &in.new.member },
		{ "--device", OPT_WORD, &in.new.label },
		{ "--role", OPT_WORD, &in.role },
		{ "--broker", OPT_WORD, &in.new.broker },
		{ "--exercise", OPT_WORD, &in.new.exercise },
		{ "--passphrase", OPT_FLAG, &in.ask },
		{ "--no-passphrase", OPT_FLAG, &in.without },
		{ "--join", OPT_FLAG, &in.join },
		{ NULL, OPT_FLAG, NULL },
	};

	if (!cli_options(c, argc, argv, opts, 0, 0) || !names_good(&in))
		return 2;
	if (in.ask && in.without)
		return cli_usage("--passphrase or --no-passphrase?");
	in.new.join = in.join;
	return create(c, &in);
}
