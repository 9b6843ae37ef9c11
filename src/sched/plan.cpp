// Placeholder until the plan is written.
#include "h5score/sched/plan.hpp"
