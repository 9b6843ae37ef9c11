// How a program of several ranks ends when one of them fails: one message, one exit code, nobody left waiting.
#pragma once

#include "h5score/base/error.hpp"
#include "h5score/comm/communicator.hpp"

#include <functional>

namespace h5score::run {

/// Runs `body` and returns its exit code. If it throws, `h5score: MESSAGE` is printed on stderr once and
/// * with one rank, the error's exit code is returned;
/// * at rank 0 of several, all ranks are aborted with that code;
/// * elsewhere, rank 0 is told, which prints `h5score: rank N: MESSAGE` and aborts all as soon as it next communicates;
/// a
///   rank that rank 0 does not abort within `grace_seconds` prints and aborts itself.
/// Exceptions other than base::Error count as internal.
int run_or_abort(comm::Communicator& comm, const std::function<int()>& body, double grace_seconds = 10);

}  // namespace h5score::run
