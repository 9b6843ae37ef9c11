// Probing all ranks and capping the instruction set where they differ.
#include "backend.hpp"

#include "h5score/base/archive.hpp"
#include "h5score/base/error.hpp"
#include "h5score/base/hash.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace h5score::run {
namespace {

using base::Error;
using base::ExitCode;

struct Probe {
  std::string host;
  model::Isa isa = model::Isa::baseline;
  base::u32 crc = 0;
};
template <class A>
void archive(A& ar, Probe& v) {
  ar(v.host, v.isa, v.crc);
}

struct Verdict {
  bool alike = false;
  model::Isa lowest = model::Isa::baseline;
  std::string difference;  ///< which hosts give what, where they are not alike
};
template <class A>
void archive(A& ar, Verdict& v) {
  ar(v.alike, v.lowest, v.difference);
}

Verdict judge(const std::vector<base::Bytes>& gathered) {
  Verdict verdict{.alike = true, .lowest = model::best_isa(), .difference = {}};
  std::optional<Probe> first;
  for (const auto& bytes : gathered) {
    const auto probe = base::from_bytes<Probe>(bytes);
    if (!first) first = probe;
    verdict.lowest = std::min(verdict.lowest, probe.isa);
    if (probe.crc == first->crc && probe.isa == first->isa) continue;
    if (verdict.alike)
      verdict.difference =
          fmt::format("{} with {} gives {:08x}", first->host, model::to_string(first->isa), first->crc);
    if (verdict.difference.find(probe.host + " ") == std::string::npos)
      verdict.difference +=
          fmt::format(", {} with {} gives {:08x}", probe.host, model::to_string(probe.isa), probe.crc);
    verdict.alike = false;
  }
  return verdict;
}

Verdict compare(comm::Communicator& comm, const Probe& mine) {
  const auto gathered = comm.gather(base::to_bytes(mine));
  base::Bytes decision;
  if (comm.root()) decision = base::to_bytes(judge(gathered));
  comm.broadcast(decision);
  return base::from_bytes<Verdict>(decision);
}

struct Compiled {
  std::vector<std::unique_ptr<const model::Evaluator>> evaluators;
  model::Isa isa = model::Isa::baseline;
  base::u32 crc = 0;
};

Compiled compile_for(model::Isa isa, const std::vector<model::Model>& models,
                     std::optional<model::Precision> precision) {
  Compiled compiled{.evaluators = {}, .isa = isa, .crc = 0};
  for (const auto& m : models) {
    compiled.evaluators.push_back(model::compile(m, {.precision = precision, .isa = isa}));
    compiled.crc = base::crc32(base::to_bytes(model::probe(*compiled.evaluators.back())), compiled.crc);
  }
  return compiled;
}

}  // namespace

Backend agree_on_backend(comm::Communicator& comm, const std::vector<model::Model>& models,
                         std::optional<model::Precision> precision) {
  auto compiled = compile_for(model::best_isa(), models, precision);
  auto verdict = compare(comm, {comm.host(), compiled.isa, compiled.crc});
  if (!verdict.alike) {
    compiled = compile_for(verdict.lowest, models, precision);
    verdict = compare(comm, {comm.host(), compiled.isa, compiled.crc});
  }
  if (!verdict.alike)
    throw Error(ExitCode::internal, "the processors of this job give different score bytes", verdict.difference,
                "run on nodes of one kind, or set H5SCORE_ISA=baseline on all of them");
  return {std::move(compiled.evaluators), fmt::format("{}-{:08x}", model::to_string(compiled.isa), compiled.crc)};
}

}  // namespace h5score::run
