// What the jobs over rows of an input share: steps of the root that all ranks wait for, and what follows from the
// models.
#pragma once

#include "h5score/base/archive.hpp"
#include "h5score/comm/communicator.hpp"
#include "h5score/run/score_job.hpp"

#include "backend.hpp"
#include "feature_sample.hpp"
#include "job_setup.hpp"
#include "result_layout.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace h5score::run {

/// Collective. The root's step: gives its bytes to every rank. If it throws base::Error, every rank throws the same
/// SharedError, so that nobody waits.
base::Bytes root_step(comm::Communicator& comm, const std::function<base::Bytes()>& step);

/// Several values as the bytes of a root_step(), and back.
template <class... T>
base::Bytes send(const T&... values) {
  base::Writer writer;
  writer(values...);
  return writer.take();
}
template <class... T>
void receive(base::ByteView bytes, T&... values) {
  base::Reader reader(bytes);
  reader(values...);
  reader.expect_end();
}

std::optional<model::Precision> forced_precision(PrecisionChoice choice);

/// The results of a block; `write` as ScoreOptions has it. Throws Error(usage).
ResultLayout layout_of(const JobSetup& setup, const Backend& backend, const std::vector<std::string>& write);

/// Which rows are looked at for the features, and what of them.
FeatureStatistics statistics_of(const JobSetup& setup, const Backend& backend, const sched::BlockPlan& plan);

}  // namespace h5score::run
