// The numeric backend of a run: the same compiled models on every rank, proved by scoring a probe tile everywhere.
#pragma once

#include "h5score/comm/communicator.hpp"
#include "h5score/model/evaluator.hpp"

#include <memory>
#include <string>
#include <vector>

namespace h5score::run {

struct Backend {
  std::vector<std::unique_ptr<const model::Evaluator>> evaluators;  ///< one per model
  std::string name;  ///< "avx512-1b2c3d4e": instruction set and CRC of the probe results; part of the identity
};

/// Collective. Compiles the models for the best instruction set that gives every rank the same bytes: where the probes
/// differ, all ranks are capped at the lowest one among them. Throws Error(internal) naming the hosts where they differ
/// even then.
Backend agree_on_backend(comm::Communicator& comm, const std::vector<model::Model>& models,
                         std::optional<model::Precision> precision);

}  // namespace h5score::run
