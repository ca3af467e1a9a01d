/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The profile buffer (cxx_core/profile.hpp, slab.hpp) while NMIs arrive: swap, drain,
 * resize, stop, start, discard. Steps W1 to W6 and R1 to R3 are named as in the code;
 * inlines and processes bear the names of the code's functions.
 *
 *	on_nmi()    on two CPUs; an NMI may be held up between any two of its steps
 *	updater()   two tasks that change things, under the update lock
 *	read_ledger()  looks whenever the update lock is free and no NMI is handled
 *
 * What must hold:
 *	P1  no buffer is used after it was freed, or freed twice, or lost
 *	P2  no bin beyond the buffer that a CPU counts into; no use of a buffer whose
 *	    contents are not there yet
 *	P3  the ledger is exact: samples = binned + out of range + no buffer, and
 *	    binned = the bins of all buffers drained or live + discarded
 *
 * Bounds: two CPUs with SAMPLES NMIs each, two tasks with OPERATIONS changes, and one less,
 * buffers of one bin or two. With SHARED the bins are common to all CPUs
 * (layout::shared), else each CPU has its own (layout::per_cpu). `user` and `idle` are
 * counted like `out of range`. Memory is sequentially consistent: W3 publishes through
 * rcu_assign_pointer(), R1 reads through rcu_dereference().
 */

#ifndef SAMPLES
#define SAMPLES 2
#endif
#ifndef OPERATIONS
#define OPERATIONS 2
#endif

#define CPUS 2
#define BUFFERS 2
#define NONE BUFFERS

/* profile_buffer and its slabs; a slab is [buffer * CPUS + cpu]. */
bool alive[BUFFERS];
byte room[BUFFERS]; /* bins there is memory for */
byte nbins[BUFFERS]; /* 0: not filled in yet */
#ifdef SHARED
byte bins[BUFFERS];
#define BINS(b, c) bins[b]
#else
byte bins[BUFFERS * CPUS];
#define BINS(b, c) bins[(b) * CPUS + (c)]
#endif
byte binned[BUFFERS * CPUS], out_of_range[BUFFERS * CPUS];
#define BINNED(b, c) binned[(b) * CPUS + (c)]
#define OUT_OF_RANGE(b, c) out_of_range[(b) * CPUS + (c)]
#ifdef M_size_outside
byte size = 1;
#endif

/* nmiprof_cpu */
byte slab_of[CPUS] = NONE;
byte samples, no_buffer;
bool in_nmi[CPUS];

/* profile; writer: update_lock */
byte live = NONE;
bool counting;
bool update_lock;
byte updating;
byte retired_binned, retired_out_of_range, drained, discarded;

/* Which NMIs a task waits for: [task * CPUS + cpu]. */
bool awaited[2 * CPUS];

active [CPUS] proctype on_nmi()
{
	byte s = NONE, n, at, taken;
#ifdef M_shared_counter
	byte value;
#endif

	do
	:: taken < SAMPLES ->
		atomic {
			taken++;
			in_nmi[_pid] = true;
			samples++
		};
		/* R1 */
		s = slab_of[_pid];
		if
		:: s == NONE -> no_buffer++
		:: else ->
			/* R2: any address */
			if
			:: at = 0
			:: at = 1
			fi;
			atomic {
				assert(alive[s]); /* P1 */
				assert(nbins[s] > 0); /* P2 */
#ifdef M_size_outside
				n = size
#else
				n = nbins[s]
#endif
			};
			/* R3 */
			if
			:: at < n ->
				atomic {
					assert(alive[s]); /* P1 */
					assert(at < room[s]); /* P2 */
#ifdef M_shared_counter
					value = BINS(s, _pid)
				};
				atomic {
					BINS(s, _pid) = value + 1;
					value = 0;
#else
					BINS(s, _pid)++;
#ifdef M_double_count
					BINS(s, _pid)++;
#endif
#endif
				};
				BINNED(s, _pid)++
			:: else -> OUT_OF_RANGE(s, _pid)++
			fi;
			assert(alive[s]) /* P1 */
		fi;
		atomic {
			s = NONE;
			n = 0;
			at = 0;
			in_nmi[_pid] = false;
			awaited[0 * CPUS + _pid] = false;
			awaited[1 * CPUS + _pid] = false
		}
	:: taken == SAMPLES -> break
	od
}

inline lock()
{
#ifdef M_no_lock
	updating++
#else
	atomic { !update_lock -> update_lock = true; updating++ }
#endif
}

inline unlock()
{
	atomic { update_lock = false; updating-- }
}

inline synchronize_rcu()
{
	atomic {
		awaited[task * CPUS + 0] = in_nmi[0];
		awaited[task * CPUS + 1] = in_nmi[1]
	};
	atomic { !awaited[task * CPUS + 0] && !awaited[task * CPUS + 1] -> skip }
}

/* profile::prepare(). W1: the memory, zeroed, then what is in it. */
inline fill(size_wanted)
{
	nbins[fresh] = size_wanted
}

inline prepare(size_wanted)
{
	atomic {
		if
		:: !alive[0] -> fresh = 0
		:: alive[0] && !alive[1] -> fresh = 1
		:: else ->
			assert(false) /* unreached: P1, none is lost */
		fi;
		alive[fresh] = true;
		room[fresh] = size_wanted;
#ifndef M_plain_publish
		fill(size_wanted)
#endif
	}
}

/* profile_buffer::destroy() */
inline destroy(b)
{
	atomic {
		assert(alive[b]); /* P1 */
		alive[b] = false;
		room[b] = 0;
		nbins[b] = 0;
		BINS(b, 0) = 0;
		BINS(b, 1) = 0;
		BINNED(b, 0) = 0;
		BINNED(b, 1) = 0;
		OUT_OF_RANGE(b, 0) = 0;
		OUT_OF_RANGE(b, 1) = 0
	}
}

inline take(sum, b)
{
#ifdef SHARED
	sum = sum + BINS(b, 0)
#else
	sum = sum + BINS(b, 0) + BINS(b, 1)
#endif
}

/* profile::swap(): old, fresh */
inline swap()
{
#ifdef M_grace_period_first
	synchronize_rcu();
#endif
	/* W2 */
	atomic { old = live; live = fresh };
	/* W3 */
	if
	:: counting ->
		slab_of[0] = fresh;
#ifndef M_one_slab_forgotten
		slab_of[1] = fresh
#endif
	:: else
	fi;
#ifdef M_size_outside
	size = wanted;
#endif
#ifdef M_plain_publish
	if
	:: fresh != NONE -> fill(wanted)
	:: else
	fi;
#endif
	/* W4: null is not waited for */
#if !defined(M_no_grace_period) && !defined(M_grace_period_first)
	if
	:: old != NONE -> synchronize_rcu()
	:: else
	fi;
#endif
#ifndef M_no_drain
	/* W5 */
	atomic {
		if
		:: old != NONE ->
			retired_binned = retired_binned + BINNED(old, 0) + BINNED(old, 1);
			retired_out_of_range =
				retired_out_of_range + OUT_OF_RANGE(old, 0) + OUT_OF_RANGE(old, 1)
		:: else
		fi
	}
#endif
}

inline drain()
{
	if
	:: live != NONE ->
		wanted = nbins[live];
		prepare(wanted);
		swap();
		/* W6 */
		atomic { take(drained, old) };
		destroy(old)
	:: else
	fi
}

/* What control::run() does when the shape is another one. */
inline discard_into()
{
	atomic {
		wanted = 1;
		if
		:: live != NONE -> wanted = 3 - nbins[live]
		:: else
		fi
	};
	prepare(wanted);
#ifdef M_free_before_unpublish
	old = live;
	if
	:: old != NONE -> destroy(old)
	:: else
	fi;
#endif
	swap();
#ifndef M_free_before_unpublish
	discard_old()
#endif
}

inline discard_old()
{
	/* W6 */
	if
	:: old != NONE ->
		atomic { discarded = discarded + BINNED(old, 0) + BINNED(old, 1) };
		destroy(old)
	:: else
	fi
}

inline discard()
{
	fresh = NONE;
	swap();
	discard_old()
}

inline start()
{
	counting = true;
	if
	:: live != NONE ->
		slab_of[0] = live;
		slab_of[1] = live
	:: else
	fi
}

inline stop()
{
	slab_of[0] = NONE;
	slab_of[1] = NONE;
	counting = false;
#ifndef M_stop_without_grace_period
	synchronize_rcu();
#endif
	/* Nothing is counted any more: what stop() promises. */
	assert(live == NONE || !in_nmi[0] || on_nmi[0]:s != live);
	assert(live == NONE || !in_nmi[1] || on_nmi[1]:s != live)
}

active [2] proctype updater()
{
	byte task = _pid - CPUS, fresh = NONE, old = NONE, wanted, done;

	do
	:: done < OPERATIONS - task ->
		done++;
		lock();
		if
		:: drain()
		:: discard_into()
		:: discard()
		:: start()
		:: stop()
		fi;
		atomic { fresh = NONE; old = NONE; wanted = 0 };
		unlock()
	:: done == OPERATIONS - task -> break
	od
}

/* ledger.cpp */
active proctype read_ledger()
{
end:
	do
	:: atomic {
		updating == 0 && !in_nmi[0] && !in_nmi[1] ->
		/* P3 */
		if
		:: live == NONE ->
			assert(samples == no_buffer + retired_binned + retired_out_of_range);
			assert(retired_binned == drained + discarded)
		:: else ->
			assert(samples == no_buffer + retired_binned + retired_out_of_range +
			       BINNED(live, 0) + BINNED(live, 1) +
			       OUT_OF_RANGE(live, 0) + OUT_OF_RANGE(live, 1));
#ifdef SHARED
			assert(retired_binned + BINNED(live, 0) + BINNED(live, 1) ==
			       drained + discarded + BINS(live, 0))
#else
			assert(retired_binned + BINNED(live, 0) + BINNED(live, 1) ==
			       drained + discarded + BINS(live, 0) + BINS(live, 1))
#endif
		fi;
		/* P1: no other one is left */
		assert(alive[0] + alive[1] == (live == NONE -> 0 : 1))
	   }
	od
}
