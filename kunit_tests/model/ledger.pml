/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reading the ledger (cxx_core/ledger.cpp) while senders and NMIs write it: whatever
 * read_ledger() hands out belongs to one moment. Inlines and processes bear the names
 * of the code's functions.
 *
 *	send()      in the target's turn: a sequence, odd while somebody has it
 *	nmiprof_core_on_nmi()  between two increments of `inside`, another sequence
 *	read_ledger()  copies term by term, until neither sequence has moved
 *
 * What must hold: due = sent + coalesced, sent = handled + outstanding,
 * samples = binned, in each ledger that is handed out.
 *
 * Bounds: SENDS periods, NMIS NMIs, among them foreign ones; one ledger is read. What
 * is lost or skipped is counted in the turn, as `coalesced` is; that each event is
 * counted once, however the two sides meet: claim.pml. x86 keeps the order of stores,
 * and that of loads.
 */

#ifndef SENDS
#define SENDS 2
#endif
#ifndef NMIS
#define NMIS 3
#endif

byte turn, inside;
bool claim;
byte due, sent, coalesced;
byte handled, samples, binned;

active proctype send()
{
	byte sends;

	do
	:: sends < SENDS ->
		sends++;
#ifdef M_due_outside_the_turn
		due++;
#endif
		/* try_begin() */
		turn++;
#ifndef M_due_outside_the_turn
		/* take_due() */
		due++;
#endif
		/* S1 */
		if
		:: atomic { !claim -> claim = true };
#ifdef M_sent_after_the_turn
			turn++;
			sent++
#else
			sent++;
			turn++
#endif
		:: atomic { claim -> coalesced++ };
			turn++
		fi
	:: sends == SENDS -> break
	od
}

active proctype nmiprof_core_on_nmi()
{
	byte nmis;

	do
	:: nmis < NMIS ->
		nmis++;
		inside++;
		/* T1 */
		if
		:: claim ->
			/* T2 */
			samples++;
			binned++;
			handled++;
			/* T4 */
#ifdef M_T4_after_the_end
			inside++;
			claim = false
#else
			claim = false;
			inside++
#endif
		:: !claim -> inside++
		fi
	:: nmis == NMIS -> break
	od
}

active proctype read_ledger()
{
	byte seen_turn, seen_inside;
	byte l_due, l_sent, l_coalesced, l_handled, l_outstanding, l_samples, l_binned;

end:
	do
	:: seen_turn = turn;
	   seen_inside = inside;
	   /* copy() */
	   l_due = due;
	   l_sent = sent;
	   l_coalesced = coalesced;
	   l_handled = handled;
	   l_outstanding = claim;
	   l_samples = samples;
	   l_binned = binned;
	   /* changed_since() */
	   if
#ifdef M_inside_not_looked_at
	   :: true ->
#else
#ifdef M_inside_may_be_odd
	   :: inside != seen_inside
	   :: inside == seen_inside ->
#else
	   :: seen_inside % 2 == 1 || inside != seen_inside
	   :: seen_inside % 2 == 0 && inside == seen_inside ->
#endif
#endif
		if
#ifdef M_turn_not_looked_at
		:: true ->
#else
		:: seen_turn % 2 == 1 || turn != seen_turn
		:: seen_turn % 2 == 0 && turn == seen_turn ->
#endif
			atomic {
				assert(l_due == l_sent + l_coalesced);
				assert(l_sent == l_handled + l_outstanding);
				assert(l_samples == l_binned)
			};
			break
		fi
	   fi
	od
}
