// Failures as they reach a person.
#include "failure.hpp"

#include <cstdio>
#include <exception>
#include <new>
#include <string>

namespace h5score::cli {

base::Error current_failure() {
  using base::Error;
  using base::ExitCode;
  try {
    throw;
  } catch (const Error& e) {
    return e;
  } catch (const std::bad_alloc&) {
    return {ExitCode::io, "the memory is exhausted", {}, "lower --memory-per-rank, or give each rank more memory"};
  } catch (const std::exception& e) {
    return {ExitCode::internal, "an unexpected error", e.what(), "please report it with the command line"};
  } catch (...) {
    return {ExitCode::internal, "an unexpected error", {}, "please report it with the command line"};
  }
}

void print_failure(const base::Error& error) {
  const std::string line = std::string("h5score: ") + error.what() + '\n';
  std::fputs(line.c_str(), stderr);
  std::fflush(stderr);
}

}  // namespace h5score::cli
