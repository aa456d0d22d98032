/*
 * The compute set of the bench: a dozen small programs in one, each a kind of work of its own and 0.2 to 2 seconds long
 * on an emulator. `compute NAME...` runs them and prints a mark before and after each, with a checksum of what it
 * computed. All input is made by a generator, so that the checksum is the same everywhere.
 */

#include <emmintrin.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>
#include <wmmintrin.h>

static uint64_t state;

/* xorshift64* (Marsaglia 2003, Vigna 2016). */
static uint64_t next(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 0x2545f4914f6cdd1dULL;
}

static uint64_t fold(const void *data, size_t size)
{
	const unsigned char *bytes = data;
	uint64_t hash = 0xcbf29ce484222325ULL;
	for (size_t i = 0; i < size; i++) hash = (hash ^ bytes[i]) * 0x100000001b3ULL;
	return hash;
}

static void *fill(size_t size)
{
	uint64_t *words = malloc(size);
	for (size_t i = 0; i < size / 8; i++) words[i] = next();
	return words;
}

static uint64_t sieve(void)
{
	enum { SIZE = 1000000 };
	char *composite = malloc(SIZE);
	uint64_t count = 0;
	for (int round = 0; round < 20; round++) {
		memset(composite, 0, SIZE);
		for (int i = 2; i < SIZE; i++) {
			if (composite[i]) continue;
			count++;
			for (long j = (long)i * i; j < SIZE; j += i) composite[j] = 1;
		}
	}
	return count;
}

static __attribute__((noinline)) uint64_t fib_of(unsigned n)
{
	if (n < 2) return n;
	uint64_t one = fib_of(n - 1);
	__asm__("" : "+r"(one)); /* keeps the second call from becoming a loop */
	return one + fib_of(n - 2);
}

static uint64_t fib(void)
{
	return fib_of(36);
}

static uint64_t xorshift(void)
{
	uint64_t sum = 0;
	for (int i = 0; i < 150000000; i++) sum += next();
	return sum;
}

static uint64_t double_arithmetic(void)
{
	double x = 1.5, sum = 0;
	for (int i = 1; i < 15000000; i++) {
		x = x * 0.999999 + 1.0 / i;
		sum += x / (x + i) - 0.25;
	}
	return fold(&sum, sizeof sum);
}

static uint64_t pointer_chase(void)
{
	enum { NODES = 1 << 18 };
	static uint32_t link[NODES];
	for (uint32_t i = 0; i < NODES; i++) link[i] = i;
	for (uint32_t i = NODES - 1; i > 0; i--) { /* Sattolo: one cycle */
		uint32_t j = next() % i, swap = link[i];
		link[i] = link[j];
		link[j] = swap;
	}
	uint32_t at = 0;
	for (int i = 0; i < 40000000; i++) at = link[at];
	return at;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

static uint64_t quicksort(void)
{
	enum { COUNT = 1000000 };
	uint32_t *numbers = fill(COUNT * sizeof *numbers);
	qsort(numbers, COUNT, sizeof *numbers, compare);
	return fold(numbers, COUNT * sizeof *numbers);
}

static uint64_t move(void)
{
	enum { SIZE = 4096, BUFFERS = 256 };
	unsigned char *from = fill((size_t)SIZE * BUFFERS), *to = malloc((size_t)SIZE * BUFFERS);
	for (int i = 0; i < 400000; i++) {
		size_t source = next() % BUFFERS * SIZE, target = next() % BUFFERS * SIZE;
		memmove(to + target, from + source, SIZE);
		if (i % 8 == 0) memmove(to + target / 2 + 8, to + target / 2, SIZE - 100); /* overlapping */
	}
	return fold(to, (size_t)SIZE * BUFFERS / 4);
}

static uint64_t crc(void)
{
	enum { SIZE = 4 << 20 };
	static uint32_t table[256];
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t value = i;
		for (int bit = 0; bit < 8; bit++) value = value >> 1 ^ (value & 1 ? 0xedb88320 : 0);
		table[i] = value;
	}
	unsigned char *data = fill(SIZE);
	uint32_t value = ~0u;
	for (int round = 0; round < 16; round++)
		for (int i = 0; i < SIZE; i++) value = value >> 8 ^ table[(value ^ data[i]) & 0xff];
	return value;
}

/* A stack machine that runs a nest of loops: indirect jumps by an opcode that is hard to predict. */
static uint64_t bytecode(void)
{
	enum { PUSH, LOAD, STORE, ADD, MULTIPLY, XOR, LESS, LOOP, HALT };
	static const int16_t program[] = {
		PUSH, 0, STORE, 0,                                                   /* i = 0 */
		PUSH, 0, STORE, 1,                                                   /* j = 0 */
		LOAD, 2, PUSH, 31, MULTIPLY, LOAD, 0, ADD, LOAD, 1, XOR, STORE, 2,   /* sum = (sum * 31 + i) ^ j */
		LOAD, 1, PUSH, 1, ADD, STORE, 1, LOAD, 1, PUSH, 1000, LESS, LOOP, 8, /* while (++j < 1000) */
		LOAD, 0, PUSH, 1, ADD, STORE, 0, LOAD, 0, PUSH, 3000, LESS, LOOP, 4, /* while (++i < 3000) */
		HALT,
	};
	uint64_t stack[16], variables[4] = { 0 };
	uint64_t *top = stack;
	for (const int16_t *pc = program;;) {
		switch (*pc++) {
		case PUSH: *top++ = *pc++; break;
		case LOAD: *top++ = variables[*pc++]; break;
		case STORE: variables[*pc++] = *--top; break;
		case ADD: top--; top[-1] += *top; break;
		case MULTIPLY: top--; top[-1] *= *top; break;
		case XOR: top--; top[-1] ^= *top; break;
		case LESS: top--; top[-1] = top[-1] < *top; break;
		case LOOP: pc = *--top ? program + *pc : pc + 1; break;
		case HALT: return variables[2];
		}
	}
}

#define MATRIX(name, type, size, rounds)                                                        \
	static uint64_t name(void)                                                              \
	{                                                                                       \
		static type a[size][size], b[size][size], c[size][size];                        \
		for (int i = 0; i < size; i++)                                                  \
			for (int j = 0; j < size; j++) {                                        \
				a[i][j] = (type)(next() % 1000) / 8;                            \
				b[i][j] = (type)(next() % 1000) / 16;                           \
			}                                                                       \
		for (int round = 0; round < rounds; round++)                                    \
			for (int i = 0; i < size; i++)                                          \
				for (int k = 0; k < size; k++)                                  \
					for (int j = 0; j < size; j++) c[i][j] += a[i][k] * b[k][j]; \
		return fold(c, sizeof c);                                                       \
	}

MATRIX(matrix_double, double, 160, 3)
MATRIX(matrix_float, float, 160, 3)

/* FIPS 180-4. */
static uint64_t sha256(void)
{
	static const uint32_t K[64] = {
		0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
		0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
		0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
		0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
		0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
		0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
		0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
		0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
	};
#define ROTATE(x, n) ((x) >> (n) | (x) << (32 - (n)))
	enum { BLOCKS = 1 << 14, ROUNDS = 16 };
	uint32_t *data = fill(BLOCKS * 64), *block, w[64], s[8], h[8] = {
		0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
	};
	for (int round = 0; round < ROUNDS; round++)
		for (int n = 0; n < BLOCKS; n++) {
			block = data + n * 16;
			for (int i = 0; i < 16; i++) w[i] = __builtin_bswap32(block[i]);
			for (int i = 16; i < 64; i++) {
				uint32_t a = w[i - 15], b = w[i - 2];
				w[i] = w[i - 16] + (ROTATE(a, 7) ^ ROTATE(a, 18) ^ a >> 3) + w[i - 7] +
				       (ROTATE(b, 17) ^ ROTATE(b, 19) ^ b >> 10);
			}
			memcpy(s, h, sizeof s);
			for (int i = 0; i < 64; i++) {
				uint32_t one = s[7] + (ROTATE(s[4], 6) ^ ROTATE(s[4], 11) ^ ROTATE(s[4], 25)) +
					       ((s[4] & s[5]) ^ (~s[4] & s[6])) + K[i] + w[i];
				uint32_t two = (ROTATE(s[0], 2) ^ ROTATE(s[0], 13) ^ ROTATE(s[0], 22)) +
					       ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
				memmove(s + 1, s, 7 * sizeof *s);
				s[4] += one;
				s[0] = one + two;
			}
			for (int i = 0; i < 8; i++) h[i] += s[i];
		}
	return fold(h, sizeof h);
}

/* The C library's own, which are written with SSE2. */
static uint64_t strings(void)
{
	enum { SIZE = 1 << 16 };
	char *text = malloc(SIZE), *copy = malloc(SIZE);
	for (int i = 0; i < SIZE; i++) text[i] = 'a' + next() % 25;
	text[SIZE - 1] = 0;
	uint64_t sum = 0;
	for (int round = 0; round < 4000; round++) {
		text[round * 7 % (SIZE - 1)] = 'b';
		strcpy(copy, text);
		sum += strlen(copy) + (strchr(copy, 'z') == NULL);
		sum += strcmp(text, copy) == 0;
		char *found = strrchr(copy, 'c');
		sum += found - copy;
		sum += memchr(text, 0, SIZE) != NULL;
		for (int at = 0; at < SIZE - 1 && (found = strpbrk(text + at, "qx")); at += 997) sum += found - text;
	}
	return sum;
}

/* AES-128 in counter mode by the AES instructions (FIPS 197). */
__attribute__((target("aes"))) static uint64_t aes(void)
{
	__m128i key[11];
	key[0] = _mm_set_epi64x(next(), next());
#define EXPAND(i, constant)                                                                                \
	{                                                                                                  \
		__m128i k = key[i - 1], t = _mm_shuffle_epi32(_mm_aeskeygenassist_si128(k, constant), 0xff); \
		k = _mm_xor_si128(k, _mm_slli_si128(k, 4));                                                \
		k = _mm_xor_si128(k, _mm_slli_si128(k, 4));                                                \
		k = _mm_xor_si128(k, _mm_slli_si128(k, 4));                                                \
		key[i] = _mm_xor_si128(k, t);                                                              \
	}
	EXPAND(1, 1) EXPAND(2, 2) EXPAND(3, 4) EXPAND(4, 8) EXPAND(5, 16)
	EXPAND(6, 32) EXPAND(7, 64) EXPAND(8, 128) EXPAND(9, 27) EXPAND(10, 54)
	__m128i counter = _mm_set_epi64x(next(), 0), one = _mm_set_epi64x(0, 1), sum = _mm_setzero_si128();
	for (int i = 0; i < 3000000; i++) {
		__m128i block = _mm_xor_si128(counter, key[0]);
		for (int round = 1; round < 10; round++) block = _mm_aesenc_si128(block, key[round]);
		sum = _mm_xor_si128(sum, _mm_aesenclast_si128(block, key[10]));
		counter = _mm_add_epi64(counter, one);
	}
	return fold(&sum, sizeof sum);
}

static const struct {
	const char *name;
	uint64_t (*run)(void);
} programs[] = {
	{ "sieve", sieve },
	{ "fib", fib },
	{ "xorshift-multiply", xorshift },
	{ "double-arithmetic", double_arithmetic },
	{ "pointer-chase", pointer_chase },
	{ "qsort", quicksort },
	{ "memmove", move },
	{ "CRC", crc },
	{ "bytecode-interpreter", bytecode },
	{ "matrix-double", matrix_double },
	{ "matrix-float", matrix_float },
	{ "SHA-256", sha256 },
	{ "string-functions", strings },
	{ "AES", aes },
};

int main(int count, char **names)
{
	for (int n = 1; n < count; n++)
		for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
			if (strcmp(programs[i].name, names[n])) continue;
			state = 0x9e3779b97f4a7c15ULL;
			printf("@@ begin %s\n", names[n]);
			fflush(stdout);
			tcdrain(STDOUT_FILENO);
			uint64_t check = programs[i].run();
			printf("@@ end %s %016llx\n", names[n], (unsigned long long)check);
			fflush(stdout);
		}
	return 0;
}
