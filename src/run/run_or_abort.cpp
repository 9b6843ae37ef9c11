// The end of a failing run.
#include "h5score/run/run_or_abort.hpp"

#include "h5score/comm/backoff.hpp"
#include "h5score/comm/failure.hpp"

#include <chrono>
#include <cstdio>

namespace h5score::run {
namespace {

using base::Error;

void print(const std::string& message) {
  std::fflush(stdout);
  // One call, so that the lines of several ranks do not mix.
  std::fputs(("h5score: " + message + "\n").c_str(), stderr);
  std::fflush(stderr);
}

void tell_root(comm::Communicator& comm, const Error& error, double grace_seconds) {
  const base::Bytes message = comm::encode_failure(error);
  const auto request = comm.send(message, 0, comm::Tag::failure);
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(grace_seconds);
  comm::Backoff backoff;
  while (std::chrono::steady_clock::now() < end) {
    request->test();
    comm.progress();
    backoff.pause();
  }
}

int fail(comm::Communicator& comm, const Error& error, double grace_seconds) {
  const int code = static_cast<int>(error.code());
  if (comm.root()) {
    print(error.what());
  } else {
    try {
      tell_root(comm, error, grace_seconds);
    } catch (const std::exception&) {
      // Root cannot be told: this rank ends everything itself.
    }
    print(error.in("rank " + std::to_string(comm.rank())).what());
  }
  if (comm.size() > 1) comm.abort(code);
  return code;
}

}  // namespace

int run_or_abort(comm::Communicator& comm, const std::function<int()>& body, double grace_seconds) {
  try {
    return body();
  } catch (const Error& error) {
    return fail(comm, error, grace_seconds);
  } catch (const std::bad_alloc&) {
    return fail(comm,
                Error(base::ExitCode::io, "the memory is exhausted", {}, "lower --memory-per-rank or --block-rows"),
                grace_seconds);
  } catch (const std::exception& error) {
    return fail(comm, Error(base::ExitCode::internal, error.what()), grace_seconds);
  }
}

}  // namespace h5score::run
