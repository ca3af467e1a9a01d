/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The claim protocol (cxx_core/claim.hpp) between the CPUs that send NMIs, the CPU
 * that takes them, its hardware, the kernel's dispatch, other people's NMIs, CPU
 * hotplug and unload. Steps are named as in the code; inlines and processes bear the
 * names of the code's functions.
 *
 *	tick()      timer interrupts, which may stall at any step
 *	request()   asks whatever the plan says
 *	bus()       carries NMIs of ours, and loses some
 *	others()    NMIs that are not ours: known ones, which their own handler claims,
 *	            and unknown ones, which nobody does
 *	default_do_nmi()  the target: one NMI is latched while one is handled, a second one
 *	            merges; handlers are summed up, then swallowing, then NMI_UNKNOWN
 *	hotplug()   the target goes offline and comes back, again and again
 *	nmiprof_exit()  unload
 *	clock()     how old S3 and T3 are: in order, and no finer than the code asks
 *	read_ledger()  looks whenever both sequences stand still
 *
 * What must hold:
 *	P1  the kernel says "unknown NMI" no more often than there was one
 *	P2  an NMI that is not ours is hidden only while a claim is outstanding (T1),
 *	    within the late window or a send (L1), or by the kernel itself after an NMI
 *	    that two sources had claimed
 *	P3  the ledger is exact: sent = handled + outstanding + lost
 *	P4  no flag is stuck: free when its CPU has come online and when we are gone; and
 *	    while sampling goes on each flag that is set gets free (LIVE)
 *	P5  nothing of ours is used when it is gone
 *
 * What is taken for granted. A run without it fails, so each is needed:
 *	A1  from T3 on a run of NMIs, one upon the other, is at its last T1 within
 *	    late_window; before the tick's T1, and in what comes after the last one,
 *	    others' handlers may take what time they like (SLOW_NMI)
 *	A2  so is the way of an NMI from S2 to the target's latch (SLOW_BUS)
 *	A3  an NMI is latched before the next turn of its target does S1 (TWO_ON_BUS)
 *	A4  a store gets visible to other CPUs within spins_for_nmi (SLOW_STORE)
 *	A5  from T3 to the S3 of its tick it takes less than 2^32 cycles less
 *	    cycles_wrap_ns (SLOW_SENDER)
 *	A6  an NMI that comes at all has been handled within cycles_wrap_ns (VERY_SLOW)
 *
 * Bounds: two senders, since the turn lets one in at a time; UNKNOWN unknown NMIs, at
 * most one known event pending. Sends, known NMIs, losses (without LIVE), rounds of
 * hotplug are as many as you like: of the ledger only sent - handled - lost is kept.
 * asked_by_self is not told from asked, as T1 to T5 are the same. Memory is
 * sequentially consistent but for `inside`, whose store may become visible after the
 * load of T1: the one place where that is asked for.
 */

#ifndef KNOWN
#define KNOWN 1
#endif
#ifndef UNKNOWN
#define UNKNOWN 1
#endif

#ifdef TWO_ON_BUS
#define EARLIER_ONE_IS_LATCHED (on_bus < 2)
#else
#define EARLIER_ONE_IS_LATCHED (on_bus == 0)
#endif

/* claim_state */
#define FREE false
#define ASKED true

/* Sources of NMIs, as bits. */
#define OURS 1
#define KNOWN_ONE 2
#define UNKNOWN_ONE 4

/* How long ago: late_window, cycles_wrap_ns, lost_after_ns. */
#define IN_WINDOW 0
#define OUT_OF_WINDOW 1
#define CYCLES_WRAPPED 2
#define LOST 3

/* The target's nmiprof_cpu. */
bool claim = FREE;
bool inside; /* odd */
bool turn; /* deadline's: odd */
byte sent_at = LOST; /* S3 */
byte handlers_ended = CYCLES_WRAPPED; /* T3 */
byte foreign_began = OUT_OF_WINDOW; /* how long after T3 the last T1 was */
bool soon_after; /* what was made of that, by note_tick_before() */
bool sending_at_T1; /* for P2 */
bool unclaimed; /* the NMI that is being handled: T1 found no claim */
bool s3_is_newer; /* than T3 */
bool late_due; /* handlers_ended != late_after */
bool late_came; /* since the last tick */
byte owed; /* sent - handled - lost */
bool giving_up, handled_since; /* for give_up(): has `handled` changed? */

/* Process side. */
bool plan = true; /* samples the target */
byte readers; /* timer interrupts that use the plan */
bool requesting; /* interrupts off, too */
bool update_lock, cpus_lock;
bool on = true, callbacks = true;
#ifdef REQUESTS
bool asks = true;
#else
bool asks;
#endif
bool local_registered = true, unknown_registered = true, gone;

/* The machine. */
bool online = true;
byte on_bus;
bool died; /* of the flag that is set: its NMI met an offline CPU */
byte latch; /* sources of the NMI that is pending */
bool behind; /* it came while another one was handled */
bool in_nmi, awaited; /* by synchronize_rcu_nmi() */
bool before_T1, store_delayed;
bool known_event; /* what their handler finds to do */
byte unknowns; /* that were taken so far, less those the kernel told of */

#ifdef SLOW_NMI
#define NMIS_ARE_OVER true
#define LAST_T1_IS_OVER true
#else
#define NMIS_ARE_OVER ((!in_nmi && latch == 0) || (before_T1 && claim == ASKED))
#define LAST_T1_IS_OVER \
	(((!in_nmi || unclaimed) && latch == 0) || (before_T1 && claim == ASKED))
#endif
#ifdef SLOW_BUS
#define BUS_IS_EMPTY true
#else
#define BUS_IS_EMPTY (on_bus == 0)
#endif
#ifdef VERY_SLOW
#define NOT_ON_ITS_WAY true
#else
#define NOT_ON_ITS_WAY (on_bus == 0 && latch == 0 && !in_nmi)
#endif

/* update_lock, shim_cpus_lock() */
inline lock(which)
{
	atomic { !which -> which = true }
}

/* RCU: the NMI that is being handled now has ended. */
inline synchronize_rcu_nmi()
{
	awaited = in_nmi;
	!awaited
}

/* deadline::try_begin(): who does not get the turn goes on as if it were not due. */
#ifdef M_no_turn
#define TRY_BEGIN true
#else
#define TRY_BEGIN !turn
#endif

/*
 * nmi_timer::send(), in the target's turn. An NMI is lost only when it is outstanding
 * still after so much time is seen to have gone by: since S1 it may have come.
 */
inline send()
{
#ifdef M_late_flag
	atomic { EARLIER_ONE_IS_LATCHED -> on_bus++ };
#endif
	/* S1 */
	atomic {
#ifndef M_late_flag
		EARLIER_ONE_IS_LATCHED ->
#endif
		if
		:: claim == FREE -> claim = ASKED; owed++; set = true
#ifdef M_two_outstanding
		:: else -> owed++; set = true
#else
		:: else
#endif
		fi
	};
#if !defined(M_no_resend) && !defined(M_no_offline_reset)
	if
	:: !set && sent_at == LOST ->
#ifdef M_lost_without_a_second_look
		set = true
#else
		set = (claim == ASKED) /* lost++, sent++; or coalesced++ */
#endif
	:: else
	fi;
#endif
	if
	:: set ->
#ifndef M_late_flag
		/* S2 */
		atomic { on_bus++; died = false };
#endif
		/* S3 */
		atomic { sent_at = IN_WINDOW; s3_is_newer = true; set = false }
	:: else
	fi
}

/* nmi_timer::tick() and serve() */
#ifndef SENDERS
#define SENDERS 1
#endif
active [SENDERS] proctype tick()
{
	bool set;

end:
	do
	:: atomic {
		plan && online && TRY_BEGIN ->
		turn = true;
		readers++
	   };
	   send();
	   atomic { turn = false; readers-- }
	od
}

#ifdef REQUESTS
/* nmi_timer::request(), for another module: it may ask until it lets go of ours. */
active proctype request()
{
	bool set;

end:
	do
	:: atomic {
		online && TRY_BEGIN ->
		turn = true;
		requesting = true
	   };
	   send();
	   atomic { turn = false; requesting = false }
	:: asks = false -> break
	od
}
#endif

active proctype bus()
{
#ifdef LIVE
	bool has_lost;
#endif

end:
	do
	:: atomic {
		on_bus > 0 ->
		on_bus--;
		if
		:: online -> latch = latch | OURS; behind = in_nmi
		:: else -> died = (claim == ASKED)
		fi
	   }
#ifdef LIVE
	:: atomic { on_bus > 0 && !has_lost -> on_bus--; has_lost = true }
#else
	:: atomic { on_bus > 0 -> on_bus-- }
#endif
	od
}

#if KNOWN || UNKNOWN
/* Other people's NMIs, until there are no more of them. */
active proctype others()
{
	byte unknown;
#ifdef KNOWN_IN_ALL
	byte known;
#endif

end:
	do
#ifdef LIVE
	:: break
#endif
#if KNOWN
	:: atomic {
#ifdef KNOWN_IN_ALL
		known < KNOWN_IN_ALL -> known++;
#endif
		online && !known_event && !(latch & KNOWN_ONE) ->
		known_event = true;
		latch = latch | KNOWN_ONE;
		behind = in_nmi
	   }
#endif
#if UNKNOWN
	:: atomic {
		online && unknown < UNKNOWN ->
		unknown++;
		latch = latch | UNKNOWN_ONE;
		behind = in_nmi
	   }
#endif
	od
}
#endif

/* nmi_entry.cpp; together with T1, as no more than a few instructions lie between */
inline note_tick_before()
{
	foreign_began = handlers_ended;
	sending_at_T1 = turn;
	unclaimed = (claim == FREE);
	/* 32 bits of cycles come round: any age looks recent then. */
	if
#ifdef M_cycles_come_round
	:: handlers_ended == CYCLES_WRAPPED -> soon_after = true
#else
	:: handlers_ended == CYCLES_WRAPPED -> soon_after = (sent_at < CYCLES_WRAPPED)
#endif
	:: soon_after = (handlers_ended == IN_WINDOW && sent_at < CYCLES_WRAPPED)
	fi
}

/* nmi_entry.cpp */
inline nmiprof_core_on_nmi()
{
	if
	:: inside = true;
	   /* T1 */
	   atomic { before_T1 = false; pending = claim; note_tick_before() }
	:: atomic { before_T1 = false; store_delayed = true; pending = claim; note_tick_before() };
	   atomic { store_delayed = false; inside = true }
	fi;
	if
	:: pending == FREE ->
		/* T2, whose handlers see that it is foreign */
		atomic {
			inside = false;
#ifdef M_claim_without_flag
			ours = 1
#endif
		}
	:: else ->
		atomic {
			/* T2; handled++ */
			owed--;
			handled_since = giving_up;
			/* T3 */
			handlers_ended = IN_WINDOW;
			foreign_began = OUT_OF_WINDOW;
			soon_after = false;
			s3_is_newer = false;
			late_due = true;
			late_came = false
		};
		/* T4 */
		atomic { claim = FREE; died = false };
		/* T5 */
		atomic {
			inside = false;
#ifdef M_return_two
			ours = 2
#else
			ours = 1
#endif
		}
	fi;
	atomic {
		assert(!gone); /* P5 */
		assert(ours == 0 || pending == ASKED); /* P2 */
		pending = FREE
	}
}

/* nmi_entry.cpp: L1 */
inline nmiprof_core_on_unknown_nmi()
{
	if
	:: late_due ->
		/* In this order: S3 comes before the end of the turn. */
		atomic {
			recent = soon_after;
#ifdef M_sent_at_before_turn
			since_sent = sent_at
#else
			sending = turn
#endif
		};
		atomic {
#ifdef M_sent_at_before_turn
			sending = turn;
#else
			since_sent = sent_at;
#endif
			if
#ifdef M_swallow_unknown
			:: true ->
#endif
#ifdef M_window_of_S3_only
			:: sending || since_sent == IN_WINDOW ->
#endif
#ifdef M_window_of_T3_only
			:: recent ->
#endif
#if !defined(M_swallow_unknown) && !defined(M_window_of_S3_only) && \
	!defined(M_window_of_T3_only)
			:: recent || sending || since_sent == IN_WINDOW ->
#endif
#ifndef M_late_again_and_again
				late_due = false;
#endif
				late = true;
				/* P2: one for each tick */
				assert(!late_came);
				late_came = true;
				/* P2: by the clock, not by what was read of it */
				assert((serving & OURS) || turn || sending || sending_at_T1 ||
				       sent_at == IN_WINDOW || foreign_began == IN_WINDOW)
			:: else
			fi;
			recent = false;
			since_sent = 0;
			sending = false
		}
	:: else
	fi;
	assert(!gone) /* P5 */
}

/* arch/x86/kernel/nmi.c, on the target */
active proctype default_do_nmi()
{
	byte serving, ours, since_sent;
	bool theirs, listed, pending, b2b, swallow, swallow_for_two, late, recent, sending;

end:
	do
	:: atomic {
		latch != 0 ->
		serving = latch;
		latch = 0;
		b2b = behind;
		behind = false;
		in_nmi = true;
		before_T1 = true;
		if
		:: serving & UNKNOWN_ONE -> unknowns++
		:: else
		fi;
		/* The same address was interrupted: sure in a run, else by chance. */
		if
		:: b2b
		:: !b2b -> swallow = false; swallow_for_two = false
		:: !b2b && swallow -> b2b = true
		fi
	   };
	   if
	   :: atomic { !online -> died = (serving & OURS) && claim == ASKED } /* exc_nmi() returns */
	   :: else ->
		/* The others' handler, then ours. */
		atomic {
			theirs = known_event;
			known_event = false;
			listed = local_registered
		};
		if
		:: listed -> nmiprof_core_on_nmi()
		:: else
		fi;
		if
		:: theirs + ours > 1 ->
			atomic { swallow = true; swallow_for_two = (theirs && ours > 0) }
		:: theirs + ours == 1
		:: theirs + ours == 0 && b2b && swallow ->
			assert(swallow_for_two) /* P2 */
		:: theirs + ours == 0 && !(b2b && swallow) ->
			if
			:: unknown_registered -> nmiprof_core_on_unknown_nmi()
			:: else
			fi;
			if
			:: late
			:: else ->
				/* "Uhhuh. NMI received for unknown reason" */
				atomic { assert(unknowns > 0); unknowns-- } /* P1 */
			fi
		fi
	   fi;
	   atomic {
		serving = 0; theirs = false; listed = false; ours = 0; b2b = false; late = false;
		before_T1 = false;
		unclaimed = false;
		in_nmi = false;
		awaited = false
	   }
	od
}

/* nmi_timer.cpp, in the target's turn */
inline give_up()
{
	atomic { !turn -> turn = true };
	if
	:: sent_at == LOST ->
#ifdef M_handled_read_amid_a_tick
		giving_up = true;
#else
		/* by the sequence `inside` */
		atomic { !inside -> giving_up = true };
#endif
		/* reset() */
		atomic {
			if
			:: claim == ASKED -> claim = FREE; died = false; reset = true
			:: else
			fi
		};
		if
		:: reset ->
#ifndef M_no_wait_for_inside
#ifndef SLOW_STORE
			!store_delayed; /* spins_for_nmi */
#endif
			!inside;
#endif
			if
			:: !handled_since -> owed-- /* lost++ */
			:: else
			fi
		:: else
		fi
	:: else
	fi;
	atomic { reset = false; giving_up = false; handled_since = false; turn = false }
}

inline await()
{
	do
	:: claim == FREE -> break
	:: claim == ASKED && sent_at == LOST -> give_up()
	od
}

/* nmi_timer::follow(): when it returns no timer interrupt uses the former plan */
inline follow(fresh)
{
	plan = fresh;
	if
	:: !fresh -> readers == 0
	:: else
	fi
}

inline settle_cpu()
{
#ifdef M_no_offline_reset
	skip
#else
	await()
#endif
}

#ifdef HOTPLUG
active proctype hotplug()
{
	bool reset, sampled = true;

end:
	do
	:: true ->
		/* The target goes offline: control::cpu_offline(), then the kernel. */
		lock(cpus_lock);
		if
		:: callbacks ->
			lock(update_lock);
			follow(false); /* H1 */
			settle_cpu(); /* H2 */
			update_lock = false
		:: else
		fi;
		/* H3: stop_machine(), while every other CPU has interrupts on */
		atomic {
			readers == 0 && !requesting && !in_nmi ->
			online = false;
			cpus_lock = false
		};

		/* It comes back, with nothing pending; then control::cpu_online(). */
		lock(cpus_lock);
		atomic {
			on_bus == 0 && latch == 0 && !in_nmi ->
			online = true
		};
		if
		:: callbacks ->
			lock(update_lock);
			settle_cpu(); /* H4 */
#ifndef LIVE
			assert(!died); /* P4 */
#endif
			if
			:: on && sampled -> follow(true) /* H5 */
			:: on -> sampled = false
			:: !on
			fi;
			update_lock = false
		:: else
		fi;
		cpus_lock = false
	od
}
#endif

#ifndef LIVE
/* module/main.c */
active proctype nmiprof_exit()
{
	bool reset;

	/* who asks holds a reference */
	!asks;
	/* stop(): control::disable() */
	lock(cpus_lock);
	lock(update_lock);
	follow(false); /* U1 */
#ifndef M_unload_no_wait
	/* U2: settle() */
	await();
	(sent_at > IN_WINDOW && handlers_ended > IN_WINDOW);
#endif
	/* U3: registry::remove(), profile::stop() */
	synchronize_rcu_nmi();
	atomic { on = false; update_lock = false; cpus_lock = false };
	/* U4: nmiprof_system_remove() */
	atomic { !cpus_lock -> callbacks = false };
	/* U5: shim_nmi_unregister() */
	local_registered = false;
#ifndef M_unregister_without_grace_period
	synchronize_rcu_nmi();
#endif
	unknown_registered = false;
#ifndef M_unregister_without_grace_period
	synchronize_rcu_nmi();
#endif
	/* U6: nmiprof_core_exit() */
	gone = true;
	assert(claim == FREE) /* P4 */
}

/* ledger.cpp; P3. That its two sequences find such a moment: ledger.pml. */
active proctype read_ledger()
{
end:
	do
	:: atomic { !turn && !inside -> assert(owed == claim) }
	od
}
#endif

active proctype clock()
{
end:
	do
	:: atomic {
		sent_at < LOST &&
		(sent_at > IN_WINDOW || (NMIS_ARE_OVER && BUS_IS_EMPTY)) &&
		(sent_at == IN_WINDOW || NOT_ON_ITS_WAY) &&
		(!s3_is_newer || handlers_ended > sent_at || handlers_ended == CYCLES_WRAPPED) ->
		sent_at++
	   }
	:: atomic {
		handlers_ended < CYCLES_WRAPPED &&
		(handlers_ended > IN_WINDOW || (LAST_T1_IS_OVER && BUS_IS_EMPTY)) &&
#ifndef SLOW_SENDER
		(handlers_ended == IN_WINDOW || claim == ASKED ||
		 (s3_is_newer && sent_at >= CYCLES_WRAPPED) || (!s3_is_newer && !turn)) &&
#endif
		(s3_is_newer || sent_at > handlers_ended) ->
		handlers_ended++
	   }
	od
}

#ifdef LIVE
/* P4 */
ltl not_stuck { [] ((claim == ASKED) -> <> (claim == FREE)) }
#endif
