// Options of the run that wrote a score file, its identity, its ledger.
#include "verify_checks.hpp"

#include "h5score/base/error.hpp"
#include "h5score/base/thread_pool.hpp"

#include "job_record.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace h5score::run {
namespace {

using base::Error;
using base::ExitCode;

void require_there(const std::string& path, const std::string& option) {
  if (::access(path.c_str(), R_OK) != 0)
    throw Error(ExitCode::no_input, path + ": cannot be opened", base::errno_text(errno),
                "if it has moved, say where it is with " + option);
}

void replace_model(std::vector<ModelArgument>& recorded, const ModelArgument& given, const std::string& scores) {
  const auto same =
      std::find_if(recorded.begin(), recorded.end(), [&](const ModelArgument& m) { return m.name == given.name; });
  const bool only_one = recorded.size() == 1 && given.name.empty();
  if (same == recorded.end() && !only_one)
    throw Error(ExitCode::usage, "--model " + (given.name.empty() ? given.path : given.name),
                scores + " has no model of this name", "h5score inspect tells its models");
  (same == recorded.end() ? recorded.front() : *same).path = given.path;
}

// Where the models and inputs lie, and which program does it, decides nothing about scores.
bool matters(const storage::IdentityDifference& difference) {
  const auto& field = difference.field;
  if (field == "version" || field == "feature_names") return false;
  if (field.starts_with("inputs/") && field.ends_with("/path")) return false;
  if (field != "numeric_backend") return true;
  // "avx2-1b2c3d4e" and "avx512-1b2c3d4e" give the same bytes; "baseline-..." gives others even where its probe does
  // not.
  const auto crc = [](const std::string& text) { return text.substr(std::min(text.find('-'), text.size())); };
  const auto baseline = [](const std::string& text) { return text.find("baseline-") != std::string::npos; };
  return crc(difference.there) != crc(difference.now) || baseline(difference.there) != baseline(difference.now);
}

void require_same_identity(const storage::ScoreDescription& scores, const std::string& now) {
  auto differences = storage::identity_differences(scores.path, scores.identity, now);
  std::erase_if(differences, [](const auto& difference) { return !matters(difference); });
  if (differences.empty()) return;
  if (differences.size() == 1 && differences[0].field == "numeric_backend")
    throw Error(ExitCode::data, scores.path + ": cannot be verified on this machine",
                "its processor gives other last digits: " + to_text(differences),
                differences[0].there.find("baseline-") != std::string::npos
                    ? "set H5SCORE_ISA=baseline"
                    : "verify it on a machine like the one that scored it");
  std::erase_if(differences, [](const auto& difference) { return difference.field == "numeric_backend"; });
  throw Error(ExitCode::data, scores.path + ": these are not the models and inputs that were scored",
              to_text(differences), "name the right ones with --model and --input");
}

[[noreturn]] void refuse(const storage::ScoreDescription& scores, const std::string& what) {
  throw Error(ExitCode::data, scores.path + ": " + what + " is not what the run wrote",
              "the file was changed or damaged", "score again with --overwrite");
}

void require_same_tables(const storage::ScoreDescription& scores, const storage::ScoreFileSpec& spec) {
  const auto same_column = [](const storage::ScoreColumn& a, const storage::ScoreColumn& b) {
    return a.path == b.path && a.type == b.type && a.row_shape == b.row_shape;
  };
  if (scores.columns.size() != spec.columns.size()) refuse(scores, "the list of its columns");
  for (std::size_t i = 0; i < spec.columns.size(); ++i)
    if (!same_column(scores.columns[i], spec.columns[i])) refuse(scores, scores.columns[i].path);
  if (scores.tables.size() != spec.tables.size()) refuse(scores, "the list of its labels");
  for (std::size_t i = 0; i < spec.tables.size(); ++i)
    if (scores.tables[i].path != spec.tables[i].path || scores.tables[i].labels != spec.tables[i].labels)
      refuse(scores, scores.tables[i].path);
  if (scores.inputs.size() != spec.inputs.size()) refuse(scores, "/inputs");
  for (std::size_t i = 0; i < spec.inputs.size(); ++i) {
    const auto& there = scores.inputs[i];
    const auto& here = spec.inputs[i];
    if (there.first_row != here.first_row || there.rows != here.rows || there.dataset != here.dataset ||
        there.size != here.size)
      refuse(scores, "/inputs");
  }
}

}  // namespace

ScoreOptions recorded_options(const storage::ScoreDescription& scores, const VerifyOptions& options) {
  if (scores.options.empty())
    throw Error(ExitCode::data, scores.path + ": cannot be verified", "it does not say with which options it was made",
                "it is of an older h5score: score again with this one");
  ScoreOptions score = parse_job_record(scores.options).options;
  for (const auto& given : options.models) replace_model(score.models, given, scores.path);
  for (const auto& m : score.models) require_there(m.path, "--model " + (m.name.empty() ? "" : m.name + "=") + "FILE");
  score.inputs = options.inputs;
  if (options.inputs.empty())
    for (const auto& input : scores.inputs) {
      require_there(input.path, "--input");
      score.inputs.push_back(input.path);
    }
  score.memory_per_rank = options.memory_per_rank;
  return score;
}

void require_same_job(const storage::ScoreDescription& scores, const storage::ScoreFileSpec& spec) {
  require_same_identity(scores, spec.identity);
  require_same_tables(scores, spec);
  const auto& ends = scores.boundaries;
  for (const auto& input : spec.inputs)
    if (!std::binary_search(ends.begin(), ends.end(), input.first_row + input.rows))
      refuse(scores, "the list of its blocks");
}

LedgerState state_of(const storage::ScoreDescription& scores) {
  LedgerState state;
  for (u64 block = 0; block < scores.blocks(); ++block) {
    const u64 entry = scores.ledger[block];
    (storage::ledger_done(entry) ? state.claimed : entry == 0 ? state.unclaimed : state.invalid).push_back(block);
  }
  return state;
}

std::vector<u64> wrong_crcs(const storage::ScoreDescription& scores, const storage::StoredRows& stored,
                            const std::vector<u64>& blocks, u64 threads) {
  base::ThreadPool pool(stored.in_place() ? threads : 1);
  std::vector<base::AlignedBuffer> buffers(pool.threads());
  std::vector<base::u8> wrong(blocks.size(), 0);
  pool.run(
      blocks.size(),
      [&](u64 item, u64 thread) {
        const u64 block = blocks[item];
        const base::RowRange rows{scores.boundaries[block], scores.boundaries[block + 1]};
        const bool right = stored.crc(rows, buffers[thread]) == storage::ledger_crc(scores.ledger[block]);
        wrong[item] = right ? 0 : 1;
      },
      [] {});
  std::vector<u64> found;
  for (u64 i = 0; i < blocks.size(); ++i)
    if (wrong[i] != 0) found.push_back(blocks[i]);
  return found;
}

std::vector<u64> sample_of(const std::vector<u64>& blocks, u64 count) {
  if (count >= blocks.size()) return blocks;
  if (count == 1) return {blocks.front()};
  std::vector<u64> sample;
  for (u64 i = 0; i < count; ++i)
    sample.push_back(blocks[static_cast<std::size_t>(static_cast<double>(i) * static_cast<double>(blocks.size() - 1) /
                                                     static_cast<double>(count - 1))]);
  return sample;
}

}  // namespace h5score::run
