// SPDX-License-Identifier: GPL-2.0-only
// Floating point, whose registers hold what user space has left there (spec E2). The
// kernel's flags, which the core is compiled with, take them away.
// flags: -S -o /dev/null -mno-sse -mno-mmx -mno-80387
// expect: SSE register (return|argument) with SSE disabled

#ifndef MISUSE
unsigned int mean(unsigned int sum, unsigned int count)
{
	return sum / count;
}
#endif
#ifdef MISUSE
double mean(double sum, unsigned int count)
{
	return sum / count;
}
#endif
