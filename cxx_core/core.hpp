// SPDX-License-Identifier: GPL-2.0-only
// The core's objects: one each, constant-initialised, as no constructor runs when
// a module is loaded.
#pragma once

#include "control.hpp"
#include "nmi_timer.hpp"
#include "perf_events.hpp"
#include "profile.hpp"
#include "registry.hpp"

namespace nmiprof {

extern registry handlers; // registry.cpp
extern profile the_profile; // profile.cpp
extern perf_events the_perf_events; // perf_events.cpp
extern nmi_timer the_timer; // nmi_timer.cpp
extern control the_control; // control.cpp

} // namespace nmiprof
