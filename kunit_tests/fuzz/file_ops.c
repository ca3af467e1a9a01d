// SPDX-License-Identifier: GPL-2.0-only
/*
 * file_ops COUNT SEED THREADS DIR... - random operations on every file below DIR.
 *
 * The part of scripts/guest/fuzz_files.py that has to be quick. Files are found by
 * walking; what is written is made from what each file holds, and from words that some
 * file may like. Progress and, last, a line of counts go to stdout. Exit status: 0 all
 * done, 1 a file did what no file may (said on stderr), 2 wrong usage.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define MAX_FILES 4096
#define MAX_THREADS 64
#define OPEN_FILES 12 /* that a thread keeps open */
#define BUFFER (128 * 1024)

enum { OPEN, READ, WRITE, SEEK, OTHER, KINDS };
static const char *const kind_names[KINDS] = { "open", "read", "write", "seek", "other" };

struct file {
	char path[512];
	bool writable;
	bool dump; /* costs the module memory and time to open */
};

static struct file files[MAX_FILES];
static unsigned int nr_files, nr_writable, nr_dumps;
static unsigned int writable[MAX_FILES], dumps[MAX_FILES];

static unsigned long count;
static atomic_ulong done, failed;
static atomic_ulong did[KINDS], refused[KINDS], written;

static const char *const words[] = {
	"0",	 "1",	   "2",	     "10",	"64",  "256",	 "4096", "65536", "997",
	"10000", "100000", "100001", "all",	"0-3", "0,2",	 "1-",	 "N",	  "0-3:1/2",
	"3-1",	 "percpu", "shared", "percpu ", "y",   "-1",	 "+1",	 "0x40",  "0b1",
	"99999999999999999999",	     "1e3",	"%s%n", "\n",	 " ",	 ",",	  "none",
};

struct thread {
	pthread_t id;
	uint64_t state; /* of its random numbers */
	struct {
		int fd;
		const struct file *file;
	} open[OPEN_FILES];
	char *buffer;
};

static void wrong(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fprintf(stderr, "file_ops: ");
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	atomic_fetch_add(&failed, 1);
}

/* xorshift64* */
static uint64_t next(struct thread *t)
{
	t->state ^= t->state >> 12;
	t->state ^= t->state << 25;
	t->state ^= t->state >> 27;
	return t->state * 0x2545f4914f6cdd1dULL;
}

static unsigned int below(struct thread *t, unsigned int limit)
{
	return (next(t) >> 32) * limit >> 32;
}

/* Mostly small, some odd, some enormous. */
static size_t length(struct thread *t)
{
	switch (below(t, 8)) {
	case 0:
		return 1;
	case 1:
		return below(t, BUFFER);
	case 2:
		return 4094 + below(t, 5);
	default:
		return below(t, 64);
	}
}

static off_t position(struct thread *t)
{
	switch (below(t, 8)) {
	case 0:
		return 0;
	case 1:
		return (off_t)next(t);
	case 2:
		return INT64_MAX - below(t, 4096);
	case 3:
		return below(t, 1 << 22);
	default:
		return below(t, 200);
	}
}

static void account(int kind, bool ok)
{
	atomic_fetch_add_explicit(&did[kind], 1, memory_order_relaxed);
	if (!ok)
		atomic_fetch_add_explicit(&refused[kind], 1, memory_order_relaxed);
}

/* What to write: so many bytes of t->buffer. */
static size_t compose(struct thread *t, const struct file *file)
{
	size_t n, i;
	ssize_t got;
	int fd;

	/* What is taken costs a grace period: a few thousand of a million will do. */
	switch (below(t, 12)) {
	case 0: /* something that may be taken */
		n = 0;
		for (i = 0; i <= below(t, 3); i++)
			n += sprintf(t->buffer + n, "%s%s", i ? "," : "",
				     words[below(t, sizeof(words) / sizeof(words[0]))]);
		return n;
	case 1: /* nearly what it holds, seldom just that */
	case 2:
	case 3:
		fd = open(file->path, O_RDONLY);
		got = fd < 0 ? -1 : read(fd, t->buffer, 256);
		close(fd);
		if (got <= 0)
			return 0;
		for (i = below(t, 16) ? 1 + below(t, 2) : 0; i; i--)
			t->buffer[below(t, got)] = next(t);
		return below(t, 4) ? (size_t)got : 1 + below(t, got);
	case 4:
		n = length(t);
		memset(t->buffer, "0199,-\n a"[below(t, 9)], n);
		return n;
	case 5:
		return sprintf(t->buffer, "%lld", (long long)next(t) >> below(t, 64));
	default:
		n = below(t, 8) ? below(t, 40) : length(t);
		for (i = 0; i < n; i++)
			t->buffer[i] = next(t);
		return n;
	}
}

static const struct file *choose(struct thread *t)
{
	const unsigned int r = below(t, 100);

	if (r < 40 && nr_writable)
		return &files[writable[below(t, nr_writable)]];
	if (r < 41 && nr_dumps)
		return &files[dumps[below(t, nr_dumps)]];
	return &files[below(t, nr_files)];
}

static void reopen(struct thread *t, unsigned int slot)
{
	static const int modes[] = { O_RDONLY, O_RDWR, O_WRONLY, O_WRONLY | O_TRUNC,
				     O_RDWR | O_APPEND, O_RDONLY | O_NONBLOCK, O_RDONLY | O_DIRECT };
	const struct file *file;

	/* A dump is opened seldom: each one makes the module sum up all that it has. */
	do
		file = choose(t);
	while (file->dump && below(t, 20));
	if (t->open[slot].fd >= 0)
		close(t->open[slot].fd);
	t->open[slot].file = file;
	t->open[slot].fd = open(file->path, file->writable || !below(t, 16) ?
						    modes[below(t, 7)] : O_RDONLY);
	account(OPEN, t->open[slot].fd >= 0);
}

static void check_read(const struct file *file, size_t asked, ssize_t got, const char *buffer,
		       off_t at)
{
	if (got > (ssize_t)asked)
		wrong("%s: read %zu bytes and got %zd", file->path, asked, got);
	/* What a file of one value shows is a line of text, whatever was written to it. */
	if (file->dump || at || got <= 0 || got >= 4096)
		return;
	for (ssize_t i = 0; i < got; i++)
		if (buffer[i] != '\n' && (buffer[i] < ' ' || buffer[i] > '~'))
			wrong("%s: shows byte %#x", file->path, buffer[i] & 0xff);
}

static void do_read(struct thread *t, int fd, const struct file *file)
{
	const size_t asked = length(t);
	struct iovec parts[3] = { { t->buffer, asked / 2 }, { NULL, 0 },
				  { t->buffer + asked / 2, asked - asked / 2 } };
	off_t at = position(t);
	ssize_t got;

	/* Behind its start a dump is walked row by row. */
	if (file->dump && at > 4096 && below(t, 20))
		at %= 4096;
	switch (below(t, 4)) {
	case 0:
		got = pread(fd, t->buffer, asked, at);
		check_read(file, asked, got, t->buffer, at);
		break;
	case 1:
		got = readv(fd, parts, 3);
		break;
	case 2:
		got = pread(fd, t->buffer, asked, 0);
		check_read(file, asked, got, t->buffer, 0);
		break;
	default:
		got = read(fd, t->buffer, asked);
		check_read(file, asked, got, t->buffer, 1);
	}
	account(READ, got >= 0);
}

static void do_write(struct thread *t, int fd, const struct file *file)
{
	const size_t n = compose(t, file);
	const ssize_t got = below(t, 4) ? write(fd, t->buffer, n) :
					  pwrite(fd, t->buffer, n, position(t));

	if (got > (ssize_t)n)
		wrong("%s: wrote %zu bytes and was told %zd", file->path, n, got);
	if (got >= 0)
		atomic_fetch_add_explicit(&written, 1, memory_order_relaxed);
	account(WRITE, got >= 0);
}

static void do_other(struct thread *t, int fd)
{
	struct pollfd poll_fd = { fd, POLLIN | POLLPRI, 0 };
	struct stat st;
	void *map;
	int got;

	switch (below(t, 7)) {
	case 0:
		map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
		got = map == MAP_FAILED ? -1 : munmap(map, 4096);
		break;
	case 1:
		got = ioctl(fd, next(t), t->buffer);
		break;
	case 2:
		got = poll(&poll_fd, 1, 0);
		break;
	case 3:
		got = ftruncate(fd, below(t, 2) ? 0 : position(t));
		break;
	case 4:
		got = fstat(fd, &st);
		break;
	case 5:
		got = fsync(fd);
		break;
	default:
		got = posix_fadvise(fd, position(t), length(t), POSIX_FADV_DONTNEED);
	}
	account(OTHER, got >= 0);
}

static void *run(void *argument)
{
	struct thread *t = argument;

	while (atomic_fetch_add(&done, 1) < count && !atomic_load(&failed)) {
		const unsigned int slot = below(t, OPEN_FILES);
		const int fd = t->open[slot].fd;
		const struct file *file = t->open[slot].file;

		if (fd < 0 || !below(t, 6)) {
			reopen(t, slot);
			continue;
		}
		switch (below(t, 16)) {
		case 0:
			account(SEEK, lseek(fd, position(t), below(t, 6)) >= 0);
			break;
		case 1:
			do_other(t, fd);
			break;
		case 2:
		case 3:
		case 4:
			/* To read-only ones as well. */
			if (file->writable || !below(t, 8)) {
				do_write(t, fd, file);
				break;
			}
			/* fall through */
		default:
			if (file->writable && below(t, 2))
				do_write(t, fd, file);
			else
				do_read(t, fd, file);
		}
	}
	for (unsigned int i = 0; i < OPEN_FILES; i++)
		if (t->open[i].fd >= 0)
			close(t->open[i].fd);
	return NULL;
}

static int found(const char *path, const struct stat *st, int type, struct FTW *where)
{
	struct file *file = &files[nr_files];

	(void)where;
	if (type != FTW_F || !S_ISREG(st->st_mode))
		return 0;
	if (nr_files == MAX_FILES || strlen(path) >= sizeof(file->path)) {
		fprintf(stderr, "file_ops: too many files, or too long a name\n");
		exit(1);
	}
	strcpy(file->path, path);
	file->writable = st->st_mode & 0222;
	file->dump = strstr(path, "/debug/") != NULL;
	if (file->writable)
		writable[nr_writable++] = nr_files;
	if (file->dump)
		dumps[nr_dumps++] = nr_files;
	nr_files++;
	return 0;
}

static void progress(const struct timespec *began)
{
	struct timespec now;
	unsigned long n = atomic_load(&done);
	double seconds;

	clock_gettime(CLOCK_MONOTONIC, &now);
	seconds = now.tv_sec - began->tv_sec + (now.tv_nsec - began->tv_nsec) / 1e9;
	n = n < count ? n : count;
	printf("# %lu of %lu operations, %.0f/s\n", n, count, n / seconds);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	static struct thread threads[MAX_THREADS];
	struct timespec began, pause = { 0, 100 * 1000 * 1000 };
	unsigned int nr_threads, i, slot, turn = 0;
	unsigned long seed;

	if (argc < 5 || (count = strtoul(argv[1], NULL, 10)) == 0 ||
	    (seed = strtoul(argv[2], NULL, 10)) == 0 ||
	    (nr_threads = strtoul(argv[3], NULL, 10)) == 0 || nr_threads > MAX_THREADS) {
		fprintf(stderr, "usage: file_ops COUNT SEED THREADS DIR...\n");
		return 2;
	}
	for (i = 4; i < (unsigned int)argc; i++)
		if (nftw(argv[i], found, 16, FTW_PHYS)) {
			fprintf(stderr, "file_ops: %s: %s\n", argv[i], strerror(errno));
			return 1;
		}
	printf("# %u files, %u of them can be written, %u are dumps\n", nr_files, nr_writable,
	       nr_dumps);
	if (!nr_files)
		return 1;
	clock_gettime(CLOCK_MONOTONIC, &began);
	for (i = 0; i < nr_threads; i++) {
		threads[i].state = (seed + i) * 0x9e3779b97f4a7c15ULL | 1;
		threads[i].buffer = malloc(BUFFER);
		for (slot = 0; slot < OPEN_FILES; slot++)
			threads[i].open[slot].fd = -1;
		if (!threads[i].buffer ||
		    pthread_create(&threads[i].id, NULL, run, &threads[i])) {
			fprintf(stderr, "file_ops: no memory for %u threads\n", nr_threads);
			return 1;
		}
	}
	while (atomic_load(&done) < count && !atomic_load(&failed)) {
		nanosleep(&pause, NULL);
		if (++turn % 50 == 0)
			progress(&began);
	}
	for (i = 0; i < nr_threads; i++)
		pthread_join(threads[i].id, NULL);
	progress(&began);
	printf("counts");
	for (i = 0; i < KINDS; i++)
		printf(" %s %lu refused %lu", kind_names[i], atomic_load(&did[i]),
		       atomic_load(&refused[i]));
	printf(" taken %lu\n", atomic_load(&written));
	return atomic_load(&failed) != 0;
}
