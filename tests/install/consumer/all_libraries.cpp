// Refers to one function of each upper module, so that the linker must resolve all that stands behind it.
#include "h5score/run/engine.hpp"
#include "h5score/run/score_job.hpp"
#include "h5score/sched/plan.hpp"

#include <cstdio>

int main() {
  const h5score::sched::PlanSpan span{.rows = 100, .payload_bytes_per_row = 8, .decoded_bytes_per_row = 8};
  const auto plan = h5score::sched::make_plan({&span, 1}, {});
  const auto functions = h5score::run::name_node_functions();
  std::printf("%s %zu functions\n", h5score::run::to_string(h5score::run::Schedule::guided), functions.size());
  return plan.rows() == 100 ? 0 : 1;
}
