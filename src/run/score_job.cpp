#include "h5score/run/score_job.hpp"
