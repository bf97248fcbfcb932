# SPDX-License-Identifier: ISC
#
# random.sh - choices that a seed repeats
#
#	seed_begin crash	SEED, or one of the machine's; says which
#	draw 300		the next number below 300, in $draw

seed_begin() # NAME
{
	seed=${SEED:-$(od -An -N2 -tu2 /dev/urandom | tr -d ' ')}
	random=$seed
	echo "# $1: seed $seed"
}

# A linear congruence, its higher bits.
draw() # BELOW
{
	random=$(((random * 1103515245 + 12345) % 2147483648))
	draw=$((random / 65536 % $1))
}
