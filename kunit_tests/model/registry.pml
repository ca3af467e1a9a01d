/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The registry of handlers (cxx_core/registry.hpp) while NMIs arrive: add, replace and
 * remove. Steps X1 to X4 and D1, D2 are named as in the code; inlines and processes
 * bear the names of the code's functions.
 *
 *	dispatch()  on two CPUs; an NMI may be held up between any two of its steps
 *	owner()     two of them, each with one handler: adds it, replaces it, removes it,
 *	            and frees its data as soon as a call returns
 *
 * What must hold:
 *	P1  no table is used after it was freed, or freed twice, or lost
 *	P2  no handler's data is used after its owner has freed it
 *	P3  function and data of a handler always belong together, and are there
 *	P4  remove() has its memory: it cannot fail
 *
 * Bounds: two CPUs, two handlers, two versions of each handler's function and data.
 * Calls, NMIs and failing allocations are as many as you like.
 */

#define CPUS 2
#define OWNERS 2
#define VERSIONS 2

/* Tables; an entry is [table * OWNERS + owner], 0: none, else a version. */
#define TABLES 3
#define DEFAULT TABLES
#define NONE (TABLES + 1)
bool alive[TABLES];
bool filled[TABLES];
byte fn[TABLES * OWNERS], context[TABLES * OWNERS];

/* The handlers' data: [owner * VERSIONS + version - 1]. */
bool data[OWNERS * VERSIONS];

/* registry; writer: update_lock, readers of `table`: NMIs */
byte table = DEFAULT;
byte slots[OWNERS]; /* 0: not in use, else the version */
byte spare = NONE;
bool update_lock;

/* Which NMIs a task waits for: [owner * CPUS + cpu]. */
bool in_nmi[CPUS];
bool awaited[OWNERS * CPUS];

active [CPUS] proctype dispatch()
{
	byte t = NONE, i, f, c;

end:
	do
	:: atomic {
		in_nmi[_pid] = true;
		/* D1 */
		t = table
	   };
	   if
	   :: t == DEFAULT /* not_mine() */
	   :: else ->
		/* D2 */
		do
		:: i < OWNERS ->
			atomic {
				assert(t < TABLES && alive[t]); /* P1 */
				assert(filled[t]); /* P3 */
				f = fn[t * OWNERS + i]
			};
			atomic {
				assert(alive[t]); /* P1 */
				c = context[t * OWNERS + i];
				assert(f == c) /* P3 */
			};
			atomic {
				if
				:: f > 0 ->
					assert(data[i * VERSIONS + c - 1]) /* P2 */
				:: else
				fi;
				i++;
				f = 0;
				c = 0
			}
		:: i == OWNERS -> break
		od
	   fi;
	   atomic {
		t = NONE;
		i = 0;
		in_nmi[_pid] = false;
		awaited[0 * CPUS + _pid] = false;
		awaited[1 * CPUS + _pid] = false
	   }
	od
}

inline lock()
{
#ifdef M_no_lock
	skip
#else
	atomic { !update_lock -> update_lock = true }
#endif
}

inline synchronize_rcu()
{
	atomic {
		awaited[me * CPUS + 0] = in_nmi[0];
		awaited[me * CPUS + 1] = in_nmi[1]
	};
	atomic { !awaited[me * CPUS + 0] && !awaited[me * CPUS + 1] -> skip }
}

/* NONE: no memory */
inline allocate_table(t)
{
	atomic {
		if
		:: !alive[0] -> t = 0
		:: alive[0] && !alive[1] -> t = 1
		:: alive[0] && alive[1] && !alive[2] -> t = 2
		:: alive[0] && alive[1] && alive[2] ->
			assert(false) /* unreached: P1, none is lost */
		:: t = NONE
		fi;
		if
		:: t != NONE -> alive[t] = true
		:: else
		fi
	}
}

inline shim_free(t)
{
	atomic {
		if
		:: t != NONE ->
			assert(alive[t]); /* P1 */
			alive[t] = false;
			filled[t] = false;
			fn[t * OWNERS + 0] = 0;
			fn[t * OWNERS + 1] = 0;
			context[t * OWNERS + 0] = 0;
			context[t * OWNERS + 1] = 0
		:: else
		fi
	}
}

inline fill(t)
{
	atomic {
		fn[t * OWNERS + 0] = slots[0];
		fn[t * OWNERS + 1] = slots[1];
		context[t * OWNERS + 0] = slots[0];
		context[t * OWNERS + 1] = slots[1];
		filled[t] = true
	}
}

/* registry::publish(): fresh, old */
inline publish()
{
	/* X1 */
#ifndef M_plain_publish
	fill(fresh);
#endif
#ifdef M_free_before_unpublish
	if
	:: table != DEFAULT -> old = table; shim_free(old); old = NONE
	:: else
	fi;
#endif
	/* X2; the default table stays, and is not waited for */
	atomic {
		old = (table == DEFAULT -> NONE : table);
		table = (slots[0] + slots[1] > 0 -> fresh : DEFAULT)
	};
#ifdef M_plain_publish
	fill(fresh);
#endif
	/* X3 */
#ifndef M_no_grace_period
	if
	:: old != NONE -> synchronize_rcu()
	:: else
	fi;
#endif
	/* X4 */
	if
	:: table != fresh -> shim_free(fresh)
	:: else
	fi;
#ifndef M_free_before_unpublish
	if
	:: old == NONE
	:: else ->
		if
		:: spare != NONE -> shim_free(old)
		:: else -> spare = old
		fi;
		if
		:: table == DEFAULT ->
			shim_free(spare);
			spare = NONE
		:: else
		fi
	fi;
#endif
	/* P1: what there is, is in use */
	assert(alive[0] + alive[1] + alive[2] ==
	       (table == DEFAULT -> 0 : 1) + (spare == NONE -> 0 : 1))
}

inline add()
{
	allocate_table(fresh);
	if
	:: fresh != NONE && spare == NONE -> allocate_table(spare)
	:: else
	fi;
	if
	:: fresh == NONE || spare == NONE -> shim_free(fresh)
	:: else ->
		/* its owner writes its data first */
		atomic { version = 1; data[me * VERSIONS + version - 1] = true };
		slots[me] = version;
		publish()
	fi
}

inline replace()
{
	allocate_table(fresh);
	if
	:: fresh == NONE
	:: else ->
		atomic {
			version = 3 - slots[me];
			data[me * VERSIONS + version - 1] = true
		};
		slots[me] = version;
#ifdef M_replace_in_place
		shim_free(fresh);
		fn[table * OWNERS + me] = version;
		context[table * OWNERS + me] = version;
		synchronize_rcu();
#else
		publish();
#endif
		data[me * VERSIONS + 2 - version] = false
	fi
}

inline remove()
{
	slots[me] = 0;
	atomic { fresh = spare; spare = NONE };
	assert(fresh != NONE); /* P4 */
	publish();
	atomic { data[me * VERSIONS + 0] = false; data[me * VERSIONS + 1] = false }
}

active [OWNERS] proctype owner()
{
	byte me = _pid - CPUS, fresh = NONE, old = NONE, version;

end:
	do
	:: true ->
		lock();
		if
		:: slots[me] == 0 -> add()
		:: slots[me] > 0 -> replace()
		:: slots[me] > 0 -> remove()
		fi;
		atomic { fresh = NONE; old = NONE; version = 0; update_lock = false }
	od
}
