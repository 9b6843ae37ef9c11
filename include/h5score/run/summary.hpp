// The end of a run: a summary for people and a JSON report for programs (docs/report.md).
#pragma once

#include "h5score/run/report.hpp"
#include "h5score/run/score_job.hpp"
#include "h5score/run/text.hpp"

#include <string>

namespace h5score::run {

/// Minimum, median and maximum of one phase over the ranks, in seconds, and its share of all ranks' time.
struct PhaseSpread {
  const char* name = "";
  double least = 0;
  double median = 0;
  double most = 0;
  double share = 0;  ///< 0..1
};
/// fetch, decode, score, transfer, write, idle. All zero without ranks.
std::vector<PhaseSpread> phase_spread(const RunReport& report);

/// One sentence: what bounded the run and what would help, for example
/// "bounded by decoding (62 % of the ranks' time); more ranks help". Empty for runs too short to tell (loop below 0.1
/// s).
std::string bounded_by(const RunReport& report);

/// The command that continues a stopped run: as typed, with --resume and, unless the output's name is taken, without
/// --overwrite.
std::string resume_command(const ScoreOptions& options);

std::string format_summary(const RunReport& report, const ScoreOptions& options, const TextStyle& style);
/// Prints the summary on standard output.
void print_summary(const RunReport& report, const ScoreOptions& options);

/// The report as JSON text, schema "h5score-report/1".
std::string report_json(const RunReport& report, const ScoreOptions& options);
/// Writes it to options.report, atomically (a temporary file beside it, then renamed). Throws Error(cant_create) where
/// that fails.
void write_report(const RunReport& report, const ScoreOptions& options);

}  // namespace h5score::run
