/* SPDX-License-Identifier: ISC */
#include "broker/config.h"
#include "broker/broker.h"
#include "broker/door.h"
#include "broker/log.h"
#include "broker/setup.h"
#include "tests/lib/tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMES                                                            \
	"[broker]\nfederation = asean.example\nnation = my\nname = my\n" \
	"state = /var/lib/tocsin\nurl = tcp://my.example:7401\n"

static struct config c;
static struct config_fault fault;

/* An exact copy, so that ASan sees a read past the end. */
static enum tocsin_err
parse(const char *text)
{
	size_t n = strlen(text);
	uint8_t *copy = xcopy(text, n);
	enum tocsin_err err =
	    config_parse(&c, (struct span){ n ? copy : NULL, n }, &fault);

	free(copy);
	return err;
}

/* What is added to a file that is right otherwise is refused, at its line. */
static void
refused(const char *more, unsigned line, const char *words)
{
	char text[1024];
	enum tocsin_err err;

	snprintf(text, sizeof(text), "%s%s", NAMES, more);
	err = parse(text);
	if (!ok(err == TOCSIN_EMALFORMED && fault.line == line &&
		    strstr(fault.text, words),
		"refused: %.40s", words))
		diag("%d, line %u: %s", err, fault.line, fault.text);
}

static void
test_good(void)
{
	is_int(parse(NAMES), TOCSIN_OK, "names and a url are enough");
	is_str(c.federation, "asean.example", "a name is taken");
	is_str(c.listen, "0.0.0.0:7401", "what is not said has its default");
	is_int(parse("# one\n; two\n\n" NAMES
		     "  log = debug ; three\n[relay]\nwindow=64k\r\n"),
	    TOCSIN_OK, "comments, blank lines, indents and CR LF are fine");
	is_int((long long)c.log, LOG_DEBUG, "a level");
	is_int((long long)c.window, 65536, "a size");
	is_int(parse(NAMES "[limits]\nidle = 90s\nstaged-for = 12h\n"
			   "post-rate = 50\n[broker]\ncanary = no\n"),
	    TOCSIN_OK, "a section may come again");
	is_int((long long)c.idle, 90000, "seconds");
	is_int((long long)c.staged_for, 43200000, "hours");
	is_int((long long)c.post_rate, 50, "a number");
	is_int((long long)c.canary, 0, "a no");
	is_int(parse("[broker]\nfederation = asean.example\nnation = my\n"
		     "name = my\nstate = /s\nurl = -\nlisten = [::]:0"),
	    TOCSIN_OK, "IPv6, any port, nobody dials, no newline at the end");
}

static void
test_keep(void)
{
	struct buf out = { 0 };

	is_int(parse(NAMES "[store]\nkeep.personal-data = 30d\nkeep = 90d\n"
			   "keep.logs=12h\n"),
	    TOCSIN_OK, "labels have times of their own");
	ok(c.nkeep == 2 &&
		strcmp(c.keep_label[0].label, "personal-data") == 0 &&
		c.keep_label[0].ms == UINT64_C(30) * 86400000 &&
		c.keep_label[1].ms == 43200000,
	    "in the order of the file");
	config_print(&out, &c);
	buf_u8(&out, 0);
	is_int(
	    parse((const char *)out.p), TOCSIN_OK, "what is printed is parsed");
	ok(c.nkeep == 2 && c.keep_label[1].ms == 43200000 &&
		c.keep == UINT64_C(90) * 86400000,
	    "to the same");
	refused("[store]\nkeep.a = 1d\nkeep.a = 2d\n", 9, "given twice");
	refused("[store]\nkeep. = 1d\n", 8, "not a label");
	refused("[store]\nkeep.A = 1d\n", 8, "not a label");
	refused("[store]\nkeep.a = 30\n", 8, "not a duration");
	refused("[store]\nkeep.a = 0\n", 8, "not a duration");
	buf_release(&out);
}

static void
test_refused(void)
{
	char line[400];

	refused("postrate = 5\n", 7,
	    "\"postrate\" in [broker]; the nearest is "
	    "post-rate in [limits]");
	refused("log = info\n\n[limit]\ncontexts = 20\n", 10,
	    "the nearest is contexts in [limits]");
	refused("urll = -\n", 7, "the nearest is url in [broker]");
	refused("url = -\n", 7, "given twice");
	refused("log = loud\n", 7, "not debug, info, warn or error");
	refused("canary = true\n", 7, "not yes or no");
	refused("listen = 7401\n", 7, "not host:port");
	refused("listen = :65536\n", 7, "not host:port");
	refused("[store]\nmap = 1t\n", 8, "not a size");
	refused("[store]\nmap = 1\n", 8, "not within 16m to");
	refused("[store]\nmap = 99999999999g\n", 8, "not a size");
	refused("[store]\nmap = -5m\n", 8, "not a size");
	refused("[limits]\nidle = 5\n", 8, "not a duration");
	refused("[limits]\nidle = 59s\n", 8, "not within 1m to 1d");
	refused("[limits]\ncontexts = 08\n", 8, "not a number");
	refused("[limits]\ncontexts =\n", 8, "not a number");
	refused("[limits]\njust words\n", 8, "neither");
	refused("[limits\n", 7, "neither");
	refused("[limits]\ncontexts = 100\n", 0, "reserve: must be less");
	refused("[store]\nmap = 1g\nprealloc = 2g\n", 0, "prealloc");
	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	refused(line, 7, "too long");

	is_int(parse(""), TOCSIN_EMALFORMED, "an empty file is not enough");
	is_str(fault.text, "[broker] federation is missing", "and it says so");
	is_int(parse("[broker]\nstate = var\n"), TOCSIN_EMALFORMED,
	    "a path must be absolute");
	snprintf(line, sizeof(line), "/%0*d", 120, 0);
	is_int(parse(NAMES), TOCSIN_OK, "good again");
	is_int(config_set(&c, "broker", "state", line, &fault), TOCSIN_OK,
	    "a long path is a path");
	ok(config_check(&c, &fault) == TOCSIN_EMALFORMED &&
		strstr(fault.text, "sockets"),
	    "but no place for sockets");
	is_int(config_parse(
		   &c, (struct span){ (const uint8_t *)"[a\0b]\n", 6 }, &fault),
	    TOCSIN_EMALFORMED, "a NUL is no text");
}

static void
test_prefixes(void)
{
	static const char whole[] = NAMES "[limits]\nidle = 90s\n";
	size_t n, bad = 0;

	for (n = 0; n < strlen(NAMES) - 1; n++) {
		uint8_t *copy = xcopy(whole, n);

		/* tcp://my.example:7 is a url too. */
		if (!config_parse(
			&c, (struct span){ n ? copy : NULL, n }, &fault) &&
		    n < strlen(NAMES) - 4)
			bad++;
		free(copy);
	}
	is_int((long long)bad, 0, "no beginning of a file is enough");
}

static void
test_peers(void)
{
	is_int(parse(NAMES "[peer my]\nrate = 2mbit\n[peer la]\n"
			   "rate = 64kbit\n"),
	    TOCSIN_OK, "peers have sections of their own");
	ok(c.npeer == 2 && strcmp(c.peer[0].name, "my") == 0 &&
		c.peer[0].rate == 2000000 && c.peer[1].rate == 64000,
	    "with rates in bits per second");
	ok(parse(NAMES "[peer my]\nrate = 2m\n") == TOCSIN_EMALFORMED &&
		strstr(fault.text, "2mbit"),
	    "2m is no rate: %s", fault.text);
	ok(parse(NAMES "[peer My]\nrate = 2mbit\n") == TOCSIN_EMALFORMED,
	    "a name that no broker has: %s", fault.text);
	ok(parse(NAMES "[peer my]\nspeed = 2mbit\n") == TOCSIN_EMALFORMED,
	    "a key that there is not: %s", fault.text);
	ok(parse(NAMES "[peer my]\nrate = 1mbit\nrate = 2mbit\n") ==
		TOCSIN_EMALFORMED,
	    "a rate that is given twice: %s", fault.text);
}

/* The written file is the table: every key, and the same values again. */
static void
test_print(void)
{
	struct buf first = { 0 }, second = { 0 };
	struct config_key k;
	char want[64];
	size_t i, missing = 0;

	if (parse(NAMES "[limits]\nidle = 90s\nparks = 5\n[store]\nmap = 3g\n"
			"[peer my]\nrate = 3mbit\n"))
		ok(false, "%s", fault.text);
	config_print(&first, &c);
	buf_u8(&first, 0);
	for (i = 0; config_key(i, &k); i++) {
		snprintf(want, sizeof(want), "%s = ", k.key);
		missing += !strstr((const char *)first.p, want) ||
			   !strstr((const char *)first.p, k.help);
	}
	is_int((long long)missing, 0, "all %zu keys are in the file", i);
	ok(strstr((const char *)first.p, "\nidle = 90s\n"),
	    "what differs from its default is said");
	ok(strstr((const char *)first.p, "\n#contexts = 1024\n"),
	    "what does not is a comment");
	is_int(parse((const char *)first.p), TOCSIN_OK, "it can be read");
	config_print(&second, &c);
	buf_u8(&second, 0);
	is_str((const char *)second.p, (const char *)first.p,
	    "and printed again it is the same");
	buf_release(&first);
	buf_release(&second);
}

/* One truth: what the parts begin with, and what the manual says. */
static void
test_defaults(void)
{
	struct broker_config b = { 0 };
	struct door_config d = DOOR_DEFAULTS;
	static struct setup s;

	broker_defaults(&b);
	if (parse(NAMES))
		ok(false, "%s", fault.text);
	setup_init(&s, &c);
	is_int((long long)s.broker.store.map_size, (long long)b.store.map_size,
	    "the log's size");
	ok(memcmp(&s.broker.store, &b.store, sizeof(b.store)) == 0,
	    "the store's defaults are the table's");
	ok(memcmp(&s.broker.writer, &b.writer, sizeof(b.writer)) == 0,
	    "the writer's");
	ok(memcmp(&s.broker.session, &b.session, sizeof(b.session)) == 0,
	    "the sessions'");
	b.net.dir = s.broker.net.dir;
	ok(memcmp(&s.broker.net, &b.net, sizeof(b.net)) == 0, "the net's");
	ok(s.broker.parks_per_device == b.parks_per_device &&
		s.broker.part_max == b.part_max &&
		s.broker.post_rate == b.post_rate &&
		s.broker.post_burst == b.post_burst &&
		s.broker.staged_max == b.staged_max &&
		s.broker.staged_seconds == b.staged_seconds &&
		s.broker.relay_window == b.relay_window,
	    "and the broker's own");
	ok(s.door.max_conns == d.max_conns &&
		s.door.max_source == d.max_source && s.door.rate == d.rate &&
		s.door.burst == d.burst && s.door.idle_ms == d.idle_ms,
	    "the door's too");
}

int
main(void)
{
	test_good();
	test_keep();
	test_refused();
	test_prefixes();
	test_peers();
	test_print();
	test_defaults();
	return tap_done();
}
