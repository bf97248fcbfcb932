/* SPDX-License-Identifier: ISC */
/*
 * floor - what the machine itself can do of what a post needs
 *
 *	floor DIR BYTES MS	LMDB commits of one record of that size, Ed25519
 *				verifies of a header, and nng REQ/REP round
 *				trips with a request of that size, each one at a
 *				time and for so long
 *	floor about		what it was built with
 *
 * Prints one JSON object.
 */
#include <lmdb.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <pthread.h>
#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define URL "ipc://%s/floor.ipc"

static double seconds = 1;

static double
now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
check(int rc, const char *what)
{
	if (rc != 0) {
		fprintf(stderr, "floor: %s: %d\n", what, rc);
		exit(1);
	}
}

static double
commits(const char *dir, size_t size)
{
	double start = now_s(), end = start + seconds;
	void *record = calloc(1, size);
	uint64_t n = 0;
	MDB_env *env;
	MDB_dbi dbi;

	check(mdb_env_create(&env), "LMDB");
	check(mdb_env_set_mapsize(env, (size_t)1 << 32), "LMDB");
	check(mdb_env_open(env, dir, 0, 0600), "LMDB");
	for (; now_s() < end; n++) {
		MDB_val k = { sizeof(n), &n }, v = { size, record };
		MDB_txn *txn;

		check(mdb_txn_begin(env, NULL, 0, &txn), "LMDB");
		check(mdb_dbi_open(txn, NULL, MDB_INTEGERKEY, &dbi), "LMDB");
		check(mdb_put(txn, dbi, &k, &v, MDB_APPEND), "LMDB");
		check(mdb_txn_commit(txn), "LMDB");
	}
	mdb_env_close(env);
	free(record);
	return (double)n / (now_s() - start);
}

static double
verifies(void)
{
	double start = now_s(), end = start + seconds;
	uint8_t pk[32], sk[64], sig[64], text[600] = { 0 };
	uint64_t n = 0;

	crypto_sign_keypair(pk, sk);
	crypto_sign_detached(sig, NULL, text, sizeof(text), sk);
	for (; now_s() < end; n++)
		check(crypto_sign_verify_detached(sig, text, sizeof(text), pk),
		    "Ed25519");
	return (double)n / (now_s() - start);
}

static void *
serve(void *arg)
{
	nng_socket s = *(nng_socket *)arg;
	nng_msg *m;

	while (nng_recvmsg(s, &m, 0) == 0) {
		nng_msg_clear(m);
		nng_msg_append_u64(m, 0);
		nng_sendmsg(s, m, 0);
	}
	return NULL;
}

static double
round_trips(const char *dir, size_t size)
{
	nng_socket rep, req;
	double start, end;
	char url[512];
	pthread_t thread;
	uint64_t n = 0;

	snprintf(url, sizeof(url), URL, dir);
	check(nng_rep0_open(&rep), "nng");
	check(nng_listen(rep, url, NULL, 0), "nng");
	check(pthread_create(&thread, NULL, serve, &rep), "thread");
	check(nng_req0_open(&req), "nng");
	check(nng_dial(req, url, NULL, 0), "nng");
	start = now_s();
	for (end = start + seconds; now_s() < end; n++) {
		nng_msg *m;

		check(nng_msg_alloc(&m, size), "nng");
		check(nng_sendmsg(req, m, 0), "nng");
		check(nng_recvmsg(req, &m, 0), "nng");
		nng_msg_free(m);
	}
	return (double)n / (now_s() - start);
}

static int
about(void)
{
	printf("{\"what\":\"about\",\"compiler\":\"%s\",\"nng\":\"%s\","
	       "\"lmdb\":\"%d.%d.%d\",\"libsodium\":\"%s\"}\n",
#ifdef __clang__
	    __VERSION__,
#else
	    "gcc " __VERSION__,
#endif
	    nng_version(), MDB_VERSION_MAJOR, MDB_VERSION_MINOR,
	    MDB_VERSION_PATCH, sodium_version_string());
	return 0;
}

int
main(int argc, char **argv)
{
	size_t size = argc == 4 ? strtoul(argv[2], NULL, 10) : 0;

	if (argc == 2 && strcmp(argv[1], "about") == 0)
		return about();
	if (size == 0 || sodium_init() < 0) {
		fprintf(stderr, "usage: floor DIR BYTES MS | floor about\n");
		return 2;
	}
	seconds = strtod(argv[3], NULL) / 1e3;
	printf("{\"what\":\"floor\",\"bytes\":%zu,\"lmdb_commits_per_s\":%.0f,",
	    size, commits(argv[1], size));
	printf("\"verifies_per_s\":%.0f,", verifies());
	printf("\"round_trips_per_s\":%.0f}\n", round_trips(argv[1], size));
	fflush(stdout);
	_exit(0);
}
