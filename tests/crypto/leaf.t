#!/bin/sh
# crypto/ is a leaf: pure functions of bytes. What its archive asks of others is
# on the list below, or the test names it. B comes from `make test`.
set -u

n=0 failed=0
check()
{
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		failed=1
	fi
}

# Memory, bytes, text in memory, sorting, libsodium; and what compilers and
# sanitizers add by themselves. No socket, file, clock, environment, stream,
# thread or exit. assert() is for mistakes of ours that no input reaches.
allowed='malloc calloc realloc free
memcpy memmove memset memcmp memchr memmem
strlen strnlen strncpy strcmp strncmp strchr strrchr strspn strcspn strstr
snprintf vsnprintf qsort bsearch
crypto_.* sodium_.* randombytes_.*
__(memcpy|memmove|memset|snprintf|vsnprintf)_chk
__assert_fail __popcountdi2 __stack_chk_fail __errno_location _GLOBAL_OFFSET_TABLE_
__(asan|ubsan|tsan|sanitizer)_.*'

# "file.o symbol" for all that the archive wants, neither has nor may have.
offenders()
{
	nm -A -g --defined-only "$1" 2>/dev/null |
	    awk '{ print $NF }' >"$work/own"
	pattern=$(printf '%s' "$allowed" | tr '\n ' '||')
	nm -A -u "$1" | awk -v own="$work/own" -v pattern="^($pattern)\$" '
		BEGIN { while ((getline s <own) > 0) have[s] = 1 }
		!($NF in have) && $NF !~ pattern {
			k = split($1, path, ":")
			print path[k - 1], $NF
		}' | sort -u
}

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

offenders "$B/crypto.a" >"$work/found"
[ ! -s "$work/found" ]
check $? "crypto.a asks for nothing but memory, bytes and libsodium"
sed 's/^/# /' "$work/found" >&2
nm "$B/crypto.a" 2>/dev/null | grep -q ' T age_open$'
check $? 'it is the archive that we mean'

# The test itself: one symbol of each kind must be found.
for symbol in time socket open getenv exit printf fopen mdb_env_open \
    nng_dial clock_gettime pthread_create abort read; do
	echo "void $symbol(void); void f(void); void f(void) { $symbol(); }" |
	    ${CC:-cc} -w -ffreestanding -x c -c -o "$work/one.o" - &&
	    ar rcs "$work/$symbol.a" "$work/one.o"
	offenders "$work/$symbol.a" | grep -q " $symbol\$"
	check $? "a call of $symbol would be named"
done

echo "1..$n"
exit $failed
