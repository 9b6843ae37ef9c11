// Failures as they reach a person: one line on standard error.
#pragma once

#include "h5score/base/error.hpp"

namespace h5score::cli {

/// The exception that is being handled, as an Error: out of memory and what else the standard library throws included.
base::Error current_failure();

/// "h5score: problem (why); suggestion" in one write.
void print_failure(const base::Error& error);

}  // namespace h5score::cli
